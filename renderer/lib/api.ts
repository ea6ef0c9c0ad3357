import { z } from 'zod'
import {
  accountSchema,
  callEventSchema,
  dryRunResultSchema,
  execConsentSchema,
  hubStatusSchema,
  logsSchema,
  foundSecretsSchema,
  meSchema,
  parsedPasteSchema,
  pinSchema,
  pinsSetSchema,
  profilePreviewSchema,
  profileSummarySchema,
  promptEntrySchema,
  resourceEntrySchema,
  serverDetailSchema,
  serverStatusSchema,
  secretsSchema,
  sessionSchema,
  setSecretResultSchema,
  signInStartedSchema,
  signedOutSchema,
  type AddServer,
  type AnswerQuestion,
  type CallEvent,
  type CallResult,
  type CallTool,
  type EditServer,
  type GetPrompt,
  type LogsQuery,
  type Profile,
  type ReadResource,
} from '../../hub/contract/index.ts'
import type { BodyOf, RouteKey } from '../../hub/contract/operations/table.ts'
import { perform, renewSession, request, requestLines } from './client.ts'
import { ApiError } from './problem.ts'

async function me(signal?: AbortSignal): Promise<z.output<typeof meSchema>> {
  const first = await request('GET /api/auth/me', meSchema, { signal })
  return first.renewable && (await renewSession()) ? request('GET /api/auth/me', meSchema, { signal }) : first
}

/** Ends with the result of a call by hand; what comes before it goes to `onEvent`. */
async function untilResult(
  route: RouteKey,
  ask: (onLine: (event: CallEvent) => void) => Promise<void>,
  onEvent: (event: CallEvent) => void,
): Promise<CallResult> {
  const results: CallResult[] = []
  await ask((event) => {
    if (event.type === 'result') results.push(event.answer)
    else onEvent(event)
  })
  const [result] = results
  if (result !== undefined) return result
  throw new ApiError({ kind: 'unexpected', request: route, message: 'The answer ended before its result' })
}

/** What the page asks the hub, each with its route, its answer and its body as the table of operations has them. */
export const api = {
  me,
  login: (username: string, password: string) =>
    request('POST /api/auth/login', sessionSchema, { body: { username, password } }),
  changePassword: (current: string, next: string) =>
    request('POST /api/auth/password', sessionSchema, { body: { current, next } }),
  logout: () => perform('POST /api/auth/logout', { body: {} }),
  setup: (body: BodyOf<'POST /api/auth/setup'>) => perform('POST /api/auth/setup', { body }),

  hub: (signal?: AbortSignal) => request('GET /api/hub', hubStatusSchema, { signal }),
  moveEndpoint: (port?: number) => perform('POST /api/hub/endpoint', { body: port === undefined ? {} : { port } }),

  servers: (signal?: AbortSignal) => request('GET /api/servers', z.array(serverStatusSchema), { signal }),
  server: (name: string, signal?: AbortSignal) =>
    request('GET /api/servers/:name', serverDetailSchema, { params: { name }, signal }),
  addServer: (body: AddServer) => perform('POST /api/servers', { body }),
  findSecrets: (body: AddServer, signal?: AbortSignal) =>
    request('POST /api/servers/secrets', foundSecretsSchema, { body, signal }),
  editServer: (name: string, body: EditServer, ifMatch?: string) =>
    request('PUT /api/servers/:name', serverDetailSchema, { params: { name }, body, ifMatch }),
  deleteServer: (name: string) => perform('DELETE /api/servers/:name', { params: { name } }),
  actOnServer: (name: string, action: 'enable' | 'disable' | 'restart') =>
    perform(`POST /api/servers/:name/${action}`, { params: { name } }),
  consent: (name: string) => request('GET /api/servers/:name/consent', execConsentSchema, { params: { name } }),
  agree: (name: string, stamp: string) =>
    perform('POST /api/servers/:name/consent', { params: { name }, body: { stamp } }),
  dryRun: (body: BodyOf<'POST /api/servers/dry-run'>, signal: AbortSignal) =>
    request('POST /api/servers/dry-run', dryRunResultSchema, { body, signal }),
  parsePaste: (text: string, signal?: AbortSignal) =>
    request('POST /api/servers/parse', parsedPasteSchema, { body: { text }, signal }),
  logs: (name: string, query: LogsQuery, signal?: AbortSignal) =>
    request('GET /api/servers/:name/logs', logsSchema, { params: { name }, query, signal }),

  secrets: (signal?: AbortSignal) => request('GET /api/secrets', secretsSchema, { signal }),
  setSecret: (name: string, value: string) =>
    request('PUT /api/secrets/:name', setSecretResultSchema, { params: { name }, body: { value } }),
  deleteSecret: (name: string, force: boolean) =>
    perform('DELETE /api/secrets/:name', { params: { name }, query: force ? { force: 'true' } : {} }),
  accounts: (signal?: AbortSignal) => request('GET /api/accounts', z.array(accountSchema), { signal }),
  signIn: (name: string, acceptIssuer?: string) =>
    request('POST /api/accounts/:name/sign-in', signInStartedSchema, {
      params: { name },
      body: acceptIssuer === undefined ? {} : { acceptIssuer },
    }),
  signOut: (name: string) => request('POST /api/accounts/:name/sign-out', signedOutSchema, { params: { name } }),

  prompts: (signal?: AbortSignal) => request('GET /api/prompts', z.array(promptEntrySchema), { signal }),
  resources: (signal?: AbortSignal) => request('GET /api/resources', z.array(resourceEntrySchema), { signal }),
  callTool: (body: CallTool, signal: AbortSignal, onEvent: (event: CallEvent) => void) =>
    untilResult(
      'POST /api/tools/call',
      (onLine) => requestLines('POST /api/tools/call', callEventSchema, { body, signal }, onLine),
      onEvent,
    ),
  getPrompt: (body: GetPrompt, signal: AbortSignal, onEvent: (event: CallEvent) => void) =>
    untilResult(
      'POST /api/prompts/get',
      (onLine) => requestLines('POST /api/prompts/get', callEventSchema, { body, signal }, onLine),
      onEvent,
    ),
  readResource: (body: ReadResource, signal: AbortSignal, onEvent: (event: CallEvent) => void) =>
    untilResult(
      'POST /api/resources/read',
      (onLine) => requestLines('POST /api/resources/read', callEventSchema, { body, signal }, onLine),
      onEvent,
    ),
  answerQuestion: (call: string, question: string, body: AnswerQuestion) =>
    perform('POST /api/calls/:call/questions/:question', { params: { call, question }, body }),

  /** Without a tool that of the server's instructions. */
  pin: (name: string, tool: string | null, signal?: AbortSignal) =>
    tool === null
      ? request('GET /api/servers/:name/instructions/pin', pinSchema, { params: { name }, signal })
      : request('GET /api/servers/:name/tools/:tool/pin', pinSchema, { params: { name, tool }, signal }),
  setPins: (body: BodyOf<'POST /api/pins'>) => request('POST /api/pins', pinsSetSchema, { body }),

  profiles: (signal?: AbortSignal) => request('GET /api/profiles', z.array(profileSummarySchema), { signal }),
  profile: (name: string, signal?: AbortSignal) =>
    request('GET /api/profiles/:name', profileSummarySchema, { params: { name }, signal }),
  previewProfile: (body: Profile, server: string | undefined, signal?: AbortSignal) =>
    request('POST /api/profiles/preview', profilePreviewSchema, {
      body,
      query: server === undefined ? {} : { server },
      signal,
    }),
  saveProfile: (name: string, config: Profile, rename?: string, ifMatch?: string) =>
    request('PUT /api/profiles/:name', profileSummarySchema, {
      params: { name },
      ifMatch,
      body: { config, ...(rename === undefined ? {} : { name: rename }) },
    }),
  deleteProfile: (name: string) => perform('DELETE /api/profiles/:name', { params: { name } }),
}
