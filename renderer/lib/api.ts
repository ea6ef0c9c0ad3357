import { z } from 'zod'
import { parseExactly } from '../../hub/contract/exact-json.ts'
import {
  accountSchema,
  callEventSchema,
  configVersionDetailSchema,
  configVersionsSchema,
  doctorProgressSchema,
  dryRunResultSchema,
  execConsentSchema,
  hubStatusSchema,
  logsSchema,
  foundSecretsSchema,
  historyPageSchema,
  meSchema,
  parsedPasteSchema,
  pinSchema,
  previewSchema,
  profilePreviewSchema,
  profileSummarySchema,
  promptEntrySchema,
  requestDetailSchema,
  resourceEntrySchema,
  serverDetailSchema,
  serverStatusSchema,
  runtimesSchema,
  secretsSchema,
  sessionSchema,
  setSecretResultSchema,
  signInStartedSchema,
  signedOutSchema,
  statsSchema,
  toolEntrySchema,
  webhookDeliverySchema,
  webhookStatusSchema,
  type AddServer,
  type AnswerQuestion,
  type CallEvent,
  type CallResult,
  type CallTool,
  type DoctorProgress,
  type DoctorReport,
  type EditServer,
  type GetPrompt,
  type LogsQuery,
  type Profile,
  type ReadResource,
  type ServerConfig,
  type Stats,
  type TargetInput,
} from '../../hub/contract/index.ts'
import { openApiSchema } from './open-api.ts'
import { ApiError, problemOf } from './problem.ts'

interface Options {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly body?: unknown
  readonly signal?: AbortSignal | undefined
  /** The ETag of what is changed, as it was read. */
  readonly ifMatch?: string | undefined
}

/** Asks the API. Only what is asked for is trusted: an answer of another shape is an error, not a half-empty screen. */
export async function request<S extends z.ZodType>(
  path: string,
  schema: S,
  options: Options = {},
): Promise<z.output<S>> {
  const label = `${options.method ?? 'GET'} ${path}`
  const response = await send(path, label, initOf(options, 'application/json'))
  const text = await response.text()
  if (!response.ok) throw problemOf(response.status, text, label)
  return checked(text === '' ? undefined : parseJson(text, label), schema, label, response.status)
}

/** An answer that comes line by line, each as soon as it is there. */
export async function requestLines<S extends z.ZodType>(
  path: string,
  schema: S,
  options: Options,
  onValue: (value: z.output<S>) => void,
): Promise<void> {
  const label = `${options.method ?? 'GET'} ${path}`
  const response = await send(path, label, initOf(options, 'application/x-ndjson'))
  if (!response.ok || response.body === null) throw problemOf(response.status, await response.text(), label)
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
    const lines = (rest + chunk.value).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) onValue(checked(parseJson(line, label), schema, label, response.status))
  }
}

/** A file with the name that the hub gives it; `onReceived` hears how many bytes are here. */
export async function requestFile(
  path: string,
  options: Options,
  onReceived: (bytes: number) => void,
): Promise<{ name: string | null; content: Blob }> {
  const label = `${options.method ?? 'GET'} ${path}`
  const response = await send(path, label, initOf(options, '*/*'))
  if (!response.ok || response.body === null) throw problemOf(response.status, await response.text(), label)
  const reader = response.body.getReader()
  const chunks: Uint8Array<ArrayBuffer>[] = []
  let bytes = 0
  try {
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      chunks.push(chunk.value)
      onReceived((bytes += chunk.value.length))
    }
  } catch (error) {
    throw unreachable(error, label)
  }
  const name = /filename="?([^";]+)/.exec(response.headers.get('content-disposition') ?? '')?.[1]
  return { name: name ?? null, content: new Blob(chunks) }
}

function initOf({ method = 'GET', body, signal, ifMatch }: Options, accept: string): RequestInit {
  return {
    method,
    credentials: 'same-origin',
    headers: {
      accept,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(signal === undefined ? {} : { signal }),
  }
}

function checked<S extends z.ZodType>(value: unknown, schema: S, label: string, status: number): z.output<S> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  const where = issue === undefined ? '' : `${issue.path.join('.')}: ${issue.message}`
  throw new ApiError({ kind: 'unexpected', status, request: label, message: where })
}

async function send(path: string, label: string, init: RequestInit): Promise<Response> {
  try {
    const response = await fetch(path, init)
    // An access token is good for minutes; what renews it is in a cookie that only /api/auth sees. A wrong password is 401
    // too, and must not be sent twice.
    const ended = response.status === 401 && response.headers.has('www-authenticate')
    if (ended && (await renewSession())) return await fetch(path, init)
    return response
  } catch (error) {
    throw unreachable(error, label)
  }
}

function unreachable(error: unknown, label: string): unknown {
  if (error instanceof DOMException && error.name === 'AbortError') return error
  return new ApiError({
    kind: 'unreachable',
    request: label,
    message: error instanceof Error ? error.message : String(error),
  })
}

let renewing: Promise<boolean> | null = null

/** Goes on with a session whose access token has ended; one exchange at a time, for all who ask. */
export function renewSession(): Promise<boolean> {
  renewing ??= fetch('/api/auth/refresh', {
    method: 'POST',
    credentials: 'same-origin',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  })
    .then(
      ({ ok }) => ok,
      () => false,
    )
    .finally(() => (renewing = null))
  return renewing
}

async function me(signal?: AbortSignal): Promise<z.output<typeof meSchema>> {
  const first = await request('/api/auth/me', meSchema, { signal })
  return first.renewable && (await renewSession()) ? request('/api/auth/me', meSchema, { signal }) : first
}

function parseJson(text: string, label: string): unknown {
  try {
    return parseExactly(text)
  } catch {
    throw new ApiError({ kind: 'unexpected', request: label, message: text.slice(0, 200) })
  }
}

const nothing = z.unknown()

/** Ends with the result; what comes before it goes to `onEvent`. */
async function callByHand(
  path: string,
  body: unknown,
  signal: AbortSignal,
  onEvent: (event: CallEvent) => void,
): Promise<CallResult> {
  const results: CallResult[] = []
  await requestLines(path, callEventSchema, { method: 'POST', body, signal }, (event) => {
    if (event.type === 'result') results.push(event.answer)
    else onEvent(event)
  })
  const [result] = results
  if (result !== undefined) return result
  throw new ApiError({ kind: 'unexpected', request: `POST ${path}`, message: 'The answer ended before its result' })
}

const stringsOf = (query: object): Record<string, string> =>
  Object.fromEntries(Object.entries(query).map(([key, value]) => [key, String(value)]))
const server = (name: string): string => `/api/servers/${encodeURIComponent(name)}`

const profile = (name: string): string => `/api/profiles/${encodeURIComponent(name)}`

export const api = {
  me,
  login: (username: string, password: string) =>
    request('/api/auth/login', sessionSchema, { method: 'POST', body: { username, password } }),
  changePassword: (current: string, next: string) =>
    request('/api/auth/password', sessionSchema, { method: 'POST', body: { current, next } }),
  logout: () => request('/api/auth/logout', nothing, { method: 'POST' }),
  setup: (body: { code: string; username: string; password: string }) =>
    request('/api/auth/setup', nothing, { method: 'POST', body }),

  hub: (signal?: AbortSignal) => request('/api/hub', hubStatusSchema, { signal }),
  moveEndpoint: (port?: number) =>
    request('/api/hub/endpoint', nothing, { method: 'POST', body: port === undefined ? {} : { port } }),

  openApi: (signal?: AbortSignal) => request('/api/openapi.json', openApiSchema, { signal }),

  servers: (signal?: AbortSignal) => request('/api/servers', z.array(serverStatusSchema), { signal }),
  server: (name: string, signal?: AbortSignal) => request(server(name), serverDetailSchema, { signal }),
  addServer: (body: AddServer) => request('/api/servers', nothing, { method: 'POST', body }),
  findSecrets: (body: AddServer, signal?: AbortSignal) =>
    request('/api/servers/secrets', foundSecretsSchema, { method: 'POST', body, signal }),
  editServer: (name: string, body: EditServer, ifMatch?: string) =>
    request(server(name), serverDetailSchema, { method: 'PUT', body, ifMatch }),
  deleteServer: (name: string) => request(server(name), nothing, { method: 'DELETE' }),
  actOnServer: (name: string, action: 'enable' | 'disable' | 'restart') =>
    request(`${server(name)}/${action}`, nothing, { method: 'POST' }),
  consent: (name: string) => request(`${server(name)}/consent`, execConsentSchema),
  agree: (name: string, stamp: string) =>
    request(`${server(name)}/consent`, nothing, { method: 'POST', body: { stamp } }),
  dryRun: (body: { name?: string; config: unknown }, signal: AbortSignal) =>
    request('/api/servers/dry-run', dryRunResultSchema, { method: 'POST', body, signal }),
  parsePaste: (text: string, signal?: AbortSignal) =>
    request('/api/servers/parse', parsedPasteSchema, { method: 'POST', body: { text }, signal }),
  examine: async (
    name: string,
    config: ServerConfig | undefined,
    signal: AbortSignal,
    onProgress: (progress: DoctorProgress) => void,
  ): Promise<DoctorReport> => {
    const body = config === undefined ? {} : { config }
    const reports: DoctorReport[] = []
    await requestLines(`${server(name)}/doctor`, doctorProgressSchema, { method: 'POST', body, signal }, (progress) => {
      if (progress.type === 'report') reports.push(progress.report)
      else onProgress(progress)
    })
    const [report] = reports
    if (report !== undefined) return report
    throw new ApiError({ kind: 'unexpected', request: 'POST doctor', message: 'The answer ended before its report' })
  },
  refreshRuntimes: () => request('/api/runtimes/refresh', runtimesSchema, { method: 'POST' }),
  logs: (name: string, query: LogsQuery, signal?: AbortSignal) =>
    request(`${server(name)}/logs?${new URLSearchParams(stringsOf(query)).toString()}`, logsSchema, { signal }),

  secrets: (signal?: AbortSignal) => request('/api/secrets', secretsSchema, { signal }),
  setSecret: (name: string, value: string) =>
    request(`/api/secrets/${encodeURIComponent(name)}`, setSecretResultSchema, { method: 'PUT', body: { value } }),
  deleteSecret: (name: string, force: boolean) =>
    request(`/api/secrets/${encodeURIComponent(name)}${force ? '?force=true' : ''}`, nothing, { method: 'DELETE' }),
  accounts: (signal?: AbortSignal) => request('/api/accounts', z.array(accountSchema), { signal }),
  signIn: (name: string, acceptIssuer?: string) =>
    request(`/api/accounts/${encodeURIComponent(name)}/sign-in`, signInStartedSchema, {
      method: 'POST',
      body: acceptIssuer === undefined ? {} : { acceptIssuer },
    }),
  signOut: (name: string) =>
    request(`/api/accounts/${encodeURIComponent(name)}/sign-out`, signedOutSchema, { method: 'POST' }),

  tools: (signal?: AbortSignal) => request('/api/tools', z.array(toolEntrySchema), { signal }),
  prompts: (signal?: AbortSignal) => request('/api/prompts', z.array(promptEntrySchema), { signal }),
  resources: (signal?: AbortSignal) => request('/api/resources', z.array(resourceEntrySchema), { signal }),
  callTool: (body: CallTool, signal: AbortSignal, onEvent: (event: CallEvent) => void) =>
    callByHand('/api/tools/call', body, signal, onEvent),
  getPrompt: (body: GetPrompt, signal: AbortSignal, onEvent: (event: CallEvent) => void) =>
    callByHand('/api/prompts/get', body, signal, onEvent),
  readResource: (body: ReadResource, signal: AbortSignal, onEvent: (event: CallEvent) => void) =>
    callByHand('/api/resources/read', body, signal, onEvent),
  answerQuestion: (call: string, question: string, body: AnswerQuestion) =>
    request(`/api/calls/${encodeURIComponent(call)}/questions/${encodeURIComponent(question)}`, nothing, {
      method: 'POST',
      body,
    }),

  pin: (name: string, tool: string, signal?: AbortSignal) =>
    request(`${server(name)}/tools/${encodeURIComponent(tool)}/pin`, pinSchema, { signal }),
  setPins: (action: 'approve' | 'quarantine', tools: readonly { server: string; tool: string; hash?: string }[]) =>
    request('/api/pins', nothing, { method: 'POST', body: { action, tools } }),

  profiles: (signal?: AbortSignal) => request('/api/profiles', z.array(profileSummarySchema), { signal }),
  profile: (name: string, signal?: AbortSignal) => request(profile(name), profileSummarySchema, { signal }),
  previewProfile: (body: Profile, signal?: AbortSignal) =>
    request('/api/profiles/preview', profilePreviewSchema, { method: 'POST', body, signal }),
  saveProfile: (name: string, config: Profile, rename?: string, ifMatch?: string) =>
    request(profile(name), profileSummarySchema, {
      method: 'PUT',
      ifMatch,
      body: { config, ...(rename === undefined ? {} : { name: rename }) },
    }),
  deleteProfile: (name: string) => request(profile(name), nothing, { method: 'DELETE' }),

  configVersions: (signal?: AbortSignal) => request('/api/config/versions', configVersionsSchema, { signal }),
  configVersion: (id: number, signal?: AbortSignal) =>
    request(`/api/config/versions/${id}`, configVersionDetailSchema, { signal }),
  restoreVersion: (id: number, reason: string) =>
    request(`/api/config/versions/${id}/restore`, configVersionsSchema, {
      method: 'POST',
      body: reason === '' ? {} : { reason },
    }),

  requests: (query: Record<string, string>, signal?: AbortSignal) =>
    request(`/api/history?${new URLSearchParams(query).toString()}`, historyPageSchema, { signal }),
  request: (id: string, signal?: AbortSignal) =>
    request(`/api/history/${encodeURIComponent(id)}`, requestDetailSchema, { signal }),
  stats: (window: Stats['window'], signal?: AbortSignal) =>
    request(`/api/stats?window=${window}`, statsSchema, { signal }),

  webhooks: (signal?: AbortSignal) => request('/api/webhooks', z.array(webhookStatusSchema), { signal }),
  testWebhook: (id: string) =>
    request(`/api/webhooks/${encodeURIComponent(id)}/test`, webhookDeliverySchema, { method: 'POST' }),

  preview: (target: TargetInput, signal?: AbortSignal) =>
    request('/api/publish/preview', previewSchema, { method: 'POST', body: { target }, signal }),
}
