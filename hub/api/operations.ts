import { z } from 'zod'
import {
  accountSchema,
  agreeSchema,
  appFrameQuerySchema,
  execConsentSchema,
  addServerSchema,
  auditExportSchema,
  auditPageSchema,
  auditQuerySchema,
  auditVerificationSchema,
  answerQuestionSchema,
  callResultSchema,
  callToolSchema,
  backupContentsSchema,
  backupSchema,
  backupsSchema,
  changePasswordSchema,
  configVersionDetailSchema,
  configVersionsSchema,
  createKeySchema,
  createUserSchema,
  createdKeySchema,
  createdUserSchema,
  deleteSecretQuerySchema,
  dryRunResultSchema,
  doctorReportSchema,
  doctorRequestSchema,
  dryRunSchema,
  editKeySchema,
  enrolDeployKeySchema,
  enrolmentSchema,
  portableConfigSchema,
  pushConfigSchema,
  pushListSchema,
  pushQuerySchema,
  pushResultSchema,
  pushStatusSchema,
  editServerSchema,
  editUserSchema,
  eventsQuerySchema,
  exportRequestSchema,
  exportResultSchema,
  findSecretsSchema,
  foundSecretsSchema,
  completeSchema,
  getPromptSchema,
  historyExportSchema,
  historyPageSchema,
  identityVersionDetailSchema,
  identityVersionsSchema,
  historyQuerySchema,
  hubStatusSchema,
  keySchema,
  loginSchema,
  logsQuerySchema,
  logsSchema,
  meSchema,
  moveEndpointSchema,
  parsePasteSchema,
  parsedPasteSchema,
  pinSchema,
  previewSchema,
  profilePreviewSchema,
  profileSchema,
  profileSummarySchema,
  promptEntrySchema,
  publishRecordDetailSchema,
  publishRecordSchema,
  publishRequestSchema,
  pushRequestSchema,
  refreshSchema,
  readResourceSchema,
  resetPasswordSchema,
  restoreVersionSchema,
  requestDetailSchema,
  resourceEntrySchema,
  roleInfoSchema,
  rollbackRequestSchema,
  runAnswerSchema,
  runtimesSchema,
  saveProfileSchema,
  saveTargetSchema,
  savedTargetSchema,
  secretsSchema,
  serverConfigSchema,
  serverDetailSchema,
  serverStatusSchema,
  sessionInfoSchema,
  sessionSchema,
  sessionsQuerySchema,
  setPinsSchema,
  setSecretResultSchema,
  setSecretSchema,
  setupSchema,
  signInSchema,
  signInStartedSchema,
  signedOutSchema,
  statsQuerySchema,
  statsSchema,
  toolEntrySchema,
  userSchema,
  webhookDeliverySchema,
  webhookStatusSchema,
} from '../contract/index.ts'
import type { RouteKey } from './permissions.ts'

export interface Operation {
  summary: string
  /** Body and query are checked before the handler runs. */
  body?: z.ZodType
  query?: z.ZodType
  /** What a success answers; nothing means 204, a media type what is no JSON. */
  answer?: z.ZodType | 'text/event-stream' | 'application/gzip' | 'application/x-ndjson' | 'text/plain' | 'text/html'
  status?: 201
}

const byLines = 'with Accept: application/x-ndjson, progress and questions come as lines before the result (CallEvent)'

const runLines = 'events come by lines (RunEvent), the result last'

/** What each route is for, takes and answers: for the check of bodies, for OpenAPI (`openapi.ts`) and for docs/API_REFERENCE.md. */
export const operations: Readonly<Record<RouteKey, Operation>> = {
  'GET /api/auth/me': { summary: 'Who asks, and which door to show', answer: meSchema },
  'POST /api/auth/login': { summary: 'Sign in with a password', body: loginSchema, answer: sessionSchema },
  'POST /api/auth/setup': {
    summary: 'Create the first administrator with the one-time code',
    body: setupSchema,
    answer: sessionSchema,
  },
  'POST /api/auth/refresh': {
    summary: 'Exchange the refresh token for new tokens; each is good once',
    body: refreshSchema,
    answer: sessionSchema,
  },
  'POST /api/auth/logout': { summary: 'End the session' },
  'POST /api/auth/password': {
    summary: 'Change one’s own password; every other session ends',
    body: changePasswordSchema,
    answer: sessionSchema,
  },

  'GET /api/roles': { summary: 'What each role may do', answer: z.array(roleInfoSchema) },
  'GET /api/users': { summary: 'All users', answer: z.array(userSchema) },
  'POST /api/users': { summary: 'Add a user', body: createUserSchema, answer: createdUserSchema, status: 201 },
  'GET /api/users/:name': { summary: 'One user', answer: userSchema },
  'PUT /api/users/:name': {
    summary: 'Change role, scope or state; the user’s sessions end',
    body: editUserSchema,
    answer: userSchema,
  },
  'DELETE /api/users/:name': { summary: 'Remove a user with their keys and sessions' },
  'POST /api/users/:name/password': {
    summary: 'Set another password, which the user must change',
    body: resetPasswordSchema,
    answer: createdUserSchema,
  },
  'POST /api/users/:name/unlock': { summary: 'Let a locked name sign in again', answer: userSchema },
  'POST /api/users/:name/sign-out': {
    summary: 'End all sessions of a user',
    answer: z.object({ ended: z.number().int() }),
  },

  'GET /api/sessions': {
    summary: 'One’s own sessions; for who manages users everybody’s, unless ?user=me',
    query: sessionsQuerySchema,
    answer: z.array(sessionInfoSchema),
  },
  'DELETE /api/sessions/:id': { summary: 'End a session' },

  'GET /api/keys': { summary: 'One’s own keys; for who manages keys everybody’s', answer: z.array(keySchema) },
  'POST /api/keys': {
    summary: 'Make a key; its secret is in this answer and nowhere else',
    body: createKeySchema,
    answer: createdKeySchema,
    status: 201,
  },
  'PUT /api/keys/:id': {
    summary: 'Change name, scope, end or tool search of a key',
    body: editKeySchema,
    answer: keySchema,
  },
  'DELETE /api/keys/:id': { summary: 'Delete a key' },

  'GET /api/hub': { summary: 'The hub itself', answer: hubStatusSchema },
  'POST /api/hub/endpoint': {
    summary: 'Listen on the port again, or on another',
    body: moveEndpointSchema,
    answer: hubStatusSchema,
  },
  'GET /api/diagnostics': {
    summary: 'Versions, configuration, states and logs as tar.gz, without secrets',
    answer: 'application/gzip',
  },
  'GET /api/events': {
    summary: 'What happens, as it happens; each event’s data is a HubEvent',
    query: eventsQuerySchema,
    answer: 'text/event-stream',
  },
  'GET /api/webhooks': {
    summary: 'The webhooks of system.json, each with its newest deliveries',
    answer: z.array(webhookStatusSchema),
  },
  'POST /api/webhooks/:id/test': {
    summary: 'Send a test message; answered once it was tried, whether or not it arrived',
    answer: webhookDeliverySchema,
  },
  'GET /api/backups': { summary: 'The archives, and when the hub makes one', answer: backupsSchema },
  'POST /api/backups': { summary: 'Make an archive of everything now', answer: backupSchema, status: 201 },
  'GET /api/backups/:name': { summary: 'One archive; it holds the vault', answer: 'application/gzip' },
  'DELETE /api/backups/:name': { summary: 'Delete an archive' },
  'GET /api/backups/:name/contents': {
    summary: 'The configuration in an archive, checked, and what restoring it would change',
    answer: backupContentsSchema,
  },
  'POST /api/backups/:name/restore': {
    summary: 'Bring the servers, profiles and settings of an archive into force; the rest needs `mcp-hub restore`',
  },
  'GET /api/config/versions': {
    summary: 'What the configuration was, the newest first; the last 200 are kept',
    answer: configVersionsSchema,
  },
  'GET /api/config/versions/:id': {
    summary: 'One version, and what going back to it would change',
    answer: configVersionDetailSchema,
  },
  'POST /api/config/versions/:id/restore': {
    summary: 'Go back to a version; the present one stays among the versions',
    body: restoreVersionSchema,
    answer: configVersionsSchema,
  },
  'GET /api/config/users/versions': {
    summary: 'What users and keys were, the newest first, without any hash; the last 50 are kept',
    answer: identityVersionsSchema,
  },
  'GET /api/config/users/versions/:id': {
    summary: 'One of them, and what going back to it would change',
    answer: identityVersionDetailSchema,
  },
  'POST /api/config/users/versions/:id/restore': {
    summary: 'Go back to it; who gets an old password back must change it, and deleted keys stay deleted',
    body: restoreVersionSchema,
    answer: identityVersionsSchema,
  },

  'GET /api/admin/config': {
    summary: 'What is in force, with a reference in the place of each secret; its ETag is what a push names',
    answer: portableConfigSchema,
  },
  'PUT /api/admin/config': {
    summary:
      'Bring another configuration into force as one version; needs If-Match, and is taken back when what ran before does not run any more. ?dryRun=1 only answers what would change',
    query: pushQuerySchema,
    body: pushConfigSchema,
    answer: pushResultSchema,
  },
  'GET /api/admin/config/pushes': { summary: 'The newest pushes and what became of them', answer: pushListSchema },
  'GET /api/admin/config/pushes/:id': { summary: 'One push', answer: pushStatusSchema },
  'POST /api/admin/deploy-keys': {
    summary: 'Make a code that is exchanged once, within 15 minutes, for a key that only pushes configurations',
    body: enrolDeployKeySchema,
    answer: enrolmentSchema,
    status: 201,
  },
  'POST /api/admin/deploy-keys/enrol': {
    summary: 'Exchange the code, sent as bearer token, for its deploy key; the key is in this answer and nowhere else',
    answer: createdKeySchema,
    status: 201,
  },
  'GET /api/openapi.json': { summary: 'The REST API as an OpenAPI 3.1 document', answer: z.looseObject({}) },

  'GET /api/servers': { summary: 'All servers with their state', answer: z.array(serverStatusSchema) },
  'POST /api/servers': { summary: 'Add a server', body: addServerSchema, answer: serverDetailSchema, status: 201 },
  'POST /api/servers/parse': {
    summary: 'Read what was pasted; saves nothing',
    body: parsePasteSchema,
    answer: parsedPasteSchema,
  },
  'POST /api/servers/secrets': {
    summary: 'What saving this entry would move into the vault; saves nothing',
    body: findSecretsSchema,
    answer: foundSecretsSchema,
  },
  'POST /api/servers/dry-run': {
    summary: 'Start a server once, list what it offers, and stop it; saves nothing',
    body: dryRunSchema,
    answer: dryRunResultSchema,
  },
  'GET /api/servers/:name': { summary: 'One server', answer: serverDetailSchema },
  'PUT /api/servers/:name': { summary: 'Change a server', body: editServerSchema, answer: serverDetailSchema },
  'DELETE /api/servers/:name': {
    summary: 'Remove a server; answers what was removed',
    answer: z.object({ name: z.string(), config: serverConfigSchema }),
  },
  'POST /api/servers/:name/enable': { summary: 'Enable a server', answer: serverDetailSchema },
  'POST /api/servers/:name/disable': { summary: 'Disable a server', answer: serverDetailSchema },
  'POST /api/servers/:name/restart': { summary: 'Restart a server', answer: serverDetailSchema },
  'GET /api/servers/:name/consent': {
    summary: 'Whether a person has to agree to the program that it runs, and what changed',
    answer: execConsentSchema,
  },
  'POST /api/servers/:name/consent': {
    summary: 'Agree to that program, and start it',
    body: agreeSchema,
    answer: serverDetailSchema,
  },
  'POST /api/servers/:name/doctor': {
    summary:
      'Examine a server, or an entry that is not saved, step by step; with Accept: application/x-ndjson each step is a line as it ends',
    body: doctorRequestSchema,
    answer: doctorReportSchema,
  },
  'GET /api/servers/:name/logs': {
    summary: 'The newest lines of its log, or those before a line',
    query: logsQuerySchema,
    answer: logsSchema,
  },

  'GET /api/accounts': { summary: 'The hub’s accounts at remote servers', answer: z.array(accountSchema) },
  'POST /api/accounts/:name/sign-in': {
    summary: 'Begin a sign-in to a remote server; a person completes it in the browser',
    body: signInSchema,
    answer: signInStartedSchema,
  },
  'POST /api/accounts/:name/sign-out': {
    summary: 'Revoke and forget the credentials at a remote server',
    answer: signedOutSchema,
  },

  'GET /api/runtimes': { summary: 'The PATH that servers get, and the runtimes in it', answer: runtimesSchema },
  'POST /api/runtimes/refresh': { summary: 'Read the PATH of the login shell again', answer: runtimesSchema },

  'GET /api/apps/frame': {
    summary: 'The document in which the app of a server runs (MCP Apps), under a policy of its own',
    query: appFrameQuerySchema,
    answer: 'text/html',
  },
  'GET /api/tools': { summary: 'Tools of all servers', answer: z.array(toolEntrySchema) },
  'GET /api/prompts': { summary: 'Prompts of all servers', answer: z.array(promptEntrySchema) },
  'GET /api/resources': { summary: 'Resources of all servers', answer: z.array(resourceEntrySchema) },
  'POST /api/tools/call': {
    summary: `Call a tool; ${byLines}`,
    body: callToolSchema,
    answer: callResultSchema,
  },
  'POST /api/prompts/get': { summary: `Get a prompt; ${byLines}`, body: getPromptSchema, answer: callResultSchema },
  'POST /api/resources/read': {
    summary: `Read a resource; ${byLines}`,
    body: readResourceSchema,
    answer: callResultSchema,
  },
  'POST /api/completions': {
    summary:
      'Values for an argument of a prompt or a template (completion/complete); none where the server has no completion',
    body: completeSchema,
    answer: callResultSchema,
  },
  'POST /api/calls/:call/questions/:question': {
    summary: 'Answer what a server asks during an interactive call of one’s own',
    body: answerQuestionSchema,
  },

  'GET /api/servers/:name/tools/:tool/pin': { summary: 'A tool’s definition, approved and now', answer: pinSchema },
  'POST /api/pins': { summary: 'Approve or quarantine tools', body: setPinsSchema },

  'GET /api/profiles': { summary: 'All profiles with what they cost', answer: z.array(profileSummarySchema) },
  'POST /api/profiles/preview': {
    summary: 'What clients of a profile would get; saves nothing',
    body: profileSchema,
    answer: profilePreviewSchema,
  },
  'GET /api/profiles/:name': { summary: 'One profile', answer: profileSummarySchema },
  'GET /api/profiles/:name/preview': { summary: 'Exactly what its clients get', answer: profilePreviewSchema },
  'PUT /api/profiles/:name': {
    summary: 'Create, replace or rename a profile',
    body: saveProfileSchema,
    answer: profileSummarySchema,
  },
  'DELETE /api/profiles/:name': { summary: 'Remove a profile' },

  'GET /api/secrets': { summary: 'Names of the secrets, and what uses them', answer: secretsSchema },
  'PUT /api/secrets/:name': {
    summary: 'Keep a value; the servers that use it are started anew',
    body: setSecretSchema,
    answer: setSecretResultSchema,
  },
  'DELETE /api/secrets/:name': {
    summary: 'Forget a secret; with force although servers need it',
    query: deleteSecretQuerySchema,
  },

  'GET /api/history': {
    summary: 'Requests of clients, newest first; only one’s own without history:read',
    query: historyQuerySchema,
    answer: historyPageSchema,
  },
  'GET /api/history/export': {
    summary: 'The same without pages, as NDJSON or CSV',
    query: historyExportSchema,
    answer: 'application/x-ndjson',
  },
  'GET /api/history/:id': { summary: 'One request, with what is kept of its payloads', answer: requestDetailSchema },
  'GET /api/stats': {
    summary: 'Calls, errors and latencies of the last hour, day or week',
    query: statsQuerySchema,
    answer: statsSchema,
  },
  'GET /api/metrics': { summary: 'Figures for Prometheus', answer: 'text/plain' },
  'GET /api/audit': { summary: 'Administrative acts, newest first', query: auditQuerySchema, answer: auditPageSchema },
  'GET /api/audit/export': {
    summary: 'The same without pages, as NDJSON or CSV',
    query: auditExportSchema,
    answer: 'application/x-ndjson',
  },
  'GET /api/audit/verify': { summary: 'Whether the audit log is whole', answer: auditVerificationSchema },

  'POST /api/publish/preview': {
    summary: 'What a bundle would hold',
    body: publishRequestSchema,
    answer: previewSchema,
  },
  'POST /api/publish/archive': {
    summary: 'The bundle as an archive; the same configuration and target give the same bytes',
    body: publishRequestSchema,
    answer: 'application/gzip',
  },
  'POST /api/publish/export': {
    summary: 'Write a bundle into a folder',
    body: exportRequestSchema,
    answer: exportResultSchema,
  },
  'GET /api/publish/targets': { summary: 'The servers to publish to', answer: z.array(savedTargetSchema) },
  'GET /api/publish/targets/:name': { summary: 'One of them', answer: savedTargetSchema },
  'PUT /api/publish/targets/:name': {
    summary: 'Create, replace or rename a target',
    body: saveTargetSchema,
    answer: savedTargetSchema,
  },
  'DELETE /api/publish/targets/:name': { summary: 'Forget a target and its history; the server stays as it is' },
  'GET /api/publish/targets/:name/history': {
    summary: 'What was published there, the newest first; the last 50 are kept',
    answer: z.array(publishRecordSchema),
  },
  'GET /api/publish/targets/:name/history/:id': {
    summary: 'One publish with its steps, its log and what was generated',
    answer: publishRecordDetailSchema,
  },
  'DELETE /api/publish/targets/:name/host-keys': {
    summary: 'Forget the SSH keys that were confirmed for the target and its jump host',
  },
  'POST /api/publish/targets/:name/plan': {
    summary: `What is on the target and what a push would change; ${runLines}`,
    answer: 'application/x-ndjson',
  },
  'POST /api/publish/targets/:name/push': {
    summary: `Bring the present configuration into use on the target, or what was there back; ${runLines}`,
    body: pushRequestSchema,
    answer: 'application/x-ndjson',
  },
  'POST /api/publish/targets/:name/rollback': {
    summary: `Go back to a release that is still on the target; ${runLines}`,
    body: rollbackRequestSchema,
    answer: 'application/x-ndjson',
  },
  'POST /api/publish/targets/:name/verify': {
    summary: `Try what is in use on the target, and look at its certificate and versions; ${runLines}`,
    answer: 'application/x-ndjson',
  },
  'POST /api/publish/targets/:name/pull': {
    summary: `Take back what was changed in the configuration there; ${runLines}`,
    answer: 'application/x-ndjson',
  },
  'POST /api/publish/runs/:run/questions/:question': {
    summary: 'Answer what a run of one’s own asks',
    body: runAnswerSchema,
  },
  'DELETE /api/publish/runs/:run': { summary: 'Cancel a run of one’s own, which goes on to tell how it ends' },
}
