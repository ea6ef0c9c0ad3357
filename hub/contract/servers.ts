import { z } from 'zod'
import { faultSchema } from './problems.ts'
import { serverConfigSchema, serverNameSchema } from './config.ts'
import { inClearSchema, liftedTextSchema } from './secrets.ts'
import { serverStates } from './server-states.ts'
import { wordingsSchema } from './wording.ts'

export const serverStateSchema = z.enum(serverStates)

export const eraSchema = z.enum(['legacy', 'modern'])
export type Era = z.infer<typeof eraSchema>

/** Why a server is in a state that needs a person: what happened, the system's own words, and what to do. */
export const reasonSchema = z.object({
  /** Stable and translatable, e.g. `command-not-found`. */
  code: z.enum([
    'command-not-found',
    'spawn-failed',
    'exited',
    'start-timeout',
    'connection-refused',
    'host-not-found',
    /** It is in a private network, and this hub connects to the internet only. */
    'blocked-address',
    'tls',
    'proxy',
    'redirected',
    'http-status',
    'needs-auth',
    /** The authorization server cannot be used right now; the credentials are kept. */
    'sign-in-unavailable',
    'protocol-error',
    'unresolved-reference',
    'unresponsive',
    'over-limit',
    /** The program that the entry runs is another than the one that a person agreed to. */
    'consent-needed',
  ]),
  message: z.string(),
  cure: z.string(),
  /** Last lines of stderr, or the body of the HTTP answer. */
  detail: z.string().optional(),
  said: wordingsSchema.optional(),
})
export type Reason = z.infer<typeof reasonSchema>

/** What the processes of a server consume, together. */
export const usageSchema = z.object({
  memoryBytes: z.number(),
  /** Percent of one CPU since the measurement before; null for the first. */
  cpuPercent: z.number().nullable(),
  processes: z.number().int(),
  /** Milliseconds since the epoch. */
  at: z.number(),
})
export type Usage = z.infer<typeof usageSchema>

export const serverStatusSchema = z.object({
  name: z.string(),
  /** Prefix of its tools on aggregated endpoints. */
  prefix: z.string(),
  state: serverStateSchema,
  /** Milliseconds since the epoch at which this state began. */
  since: z.number(),
  reason: reasonSchema.nullable(),
  /** Failed starts in a row. */
  attempt: z.number().int(),
  /** Milliseconds since the epoch of the next try, in state `backoff`. */
  nextTryAt: z.number().nullable(),
  restarts: z.number().int(),
  transport: z.enum(['stdio', 'http', 'sse']),
  /** The full command line or the URL (without credentials), as a person may check it. */
  target: z.string(),
  pid: z.number().int().nullable(),
  era: eraSchema.nullable(),
  protocolVersion: z.string().nullable(),
  serverInfo: z.object({ name: z.string(), version: z.string(), title: z.string().optional() }).nullable(),
  instructions: z.string().nullable(),
  counts: z.object({
    tools: z.number().int(),
    resources: z.number().int(),
    resourceTemplates: z.number().int(),
    prompts: z.number().int(),
  }),
  endpointPath: z.string(),
  /** Milliseconds since the epoch at which what runs now was started. */
  startedAt: z.number().nullable(),
  /** Connections of the hub to it: the plain one and those of single clients. */
  connections: z.number().int(),
  /** Streams that are open to a remote server. */
  openStreams: z.number().int(),
  /** Measured while somebody watches (`GET /api/events?usage=1`) or a limit is set; null for remote servers. */
  usage: usageSchema.nullable(),
})
export type ServerStatus = z.infer<typeof serverStatusSchema>

export const serverDetailSchema = serverStatusSchema.extend({
  config: serverConfigSchema,
  /** Of `config`, for `If-Match`. */
  etag: z.string(),
  capabilities: z.record(z.string(), z.unknown()).nullable(),
  history: z.array(
    z.object({
      state: serverStateSchema,
      at: z.number(),
      reason: z.string().nullable(),
      said: wordingsSchema.optional(),
    }),
  ),
})
export type ServerDetail = z.infer<typeof serverDetailSchema>

/** What of an entry decides which program runs. */
export const programSchema = z.object({
  command: z.string(),
  args: z.array(z.string()),
  /** Names of the environment. */
  variables: z.array(z.string()),
  cwd: z.string().nullable(),
  envFile: z.string().nullable(),
})
export type Program = z.infer<typeof programSchema>

/** `GET /api/servers/:name/consent`: whether a person has to agree that this program is run, and what changed. */
export const execConsentSchema = z.object({
  needed: z.boolean(),
  /** Names exactly this program; agreeing names it again, so that nobody agrees to what came in between. */
  stamp: z.string(),
  now: programSchema,
  /** What was agreed to last for this server. */
  before: programSchema.nullable(),
})
export type ExecConsent = z.infer<typeof execConsentSchema>
export const agreeSchema = z.strictObject({ stamp: z.string().max(100) })

/** What looks like a secret goes into the vault, unless `inClear` names its path. */
export const addServerSchema = z.strictObject({
  name: serverNameSchema,
  config: serverConfigSchema,
  inClear: inClearSchema.optional(),
})
export type AddServer = z.infer<typeof addServerSchema>

export const editServerSchema = z.strictObject({
  name: serverNameSchema.optional(),
  config: serverConfigSchema,
  inClear: inClearSchema.optional(),
})
export type EditServer = z.infer<typeof editServerSchema>

/** `POST /api/servers/dry-run`: connects, lists and disconnects; nothing is saved. */
export const dryRunSchema = z.strictObject({ name: serverNameSchema.optional(), config: serverConfigSchema })

export const dryRunResultSchema = z.object({
  ok: z.boolean(),
  durationMs: z.number(),
  reason: reasonSchema.nullable(),
  stderr: z.array(z.string()),
  status: serverStatusSchema,
  tools: z.array(z.object({ name: z.string(), description: z.string().nullable() })),
  prompts: z.array(z.string()),
  resources: z.array(z.string()),
})
export type DryRunResult = z.infer<typeof dryRunResultSchema>

/** `POST /api/servers/secrets`: what saving this entry would move into the vault. Nothing is saved. */
export const findSecretsSchema = addServerSchema
export const foundSecretsSchema = z.object({
  /** Every text that looks like a secret, also those that `inClear` names. */
  secrets: z.array(liftedTextSchema),
  /** The entry as it would be saved. */
  config: serverConfigSchema,
})
export type FoundSecrets = z.infer<typeof foundSecretsSchema>

/** `POST /api/servers/parse`: what a person pasted (JSON, a command line, a URL) as entries to review. Nothing is saved. */
export const parsePasteSchema = z.strictObject({ text: z.string().max(1_000_000) })
export const parsedPasteSchema = z.object({
  servers: z.array(
    z.object({
      name: z.string(),
      config: z.unknown(),
      exists: z.boolean(),
      faults: z.array(faultSchema),
      /** What saving it would move into the vault. */
      secrets: z.array(liftedTextSchema),
    }),
  ),
  faults: z.array(faultSchema),
})
export type ParsedPaste = z.infer<typeof parsedPasteSchema>

export const logLineSchema = z.object({
  seq: z.number().int(),
  at: z.number(),
  stream: z.enum(['stderr', 'hub', 'mcp']),
  level: z.enum(['error', 'warn', 'info', 'debug']),
  text: z.string(),
})
export type LogLine = z.infer<typeof logLineSchema>
/** Which lines `GET /api/servers/:name/logs` answers: the newest that fit. */
export const logsQuerySchema = z.strictObject({
  limit: z.coerce.number().int().min(1).max(10_000).optional(),
  /** Lines older than the one with this `seq`. */
  before: z.coerce.number().int().positive().optional(),
  /** This level and worse. */
  level: logLineSchema.shape.level.optional(),
  /** A part of the text, in whatever case. */
  search: z.string().max(1_000).optional(),
})
export type LogsQuery = z.infer<typeof logsQuerySchema>

/** The lines, oldest first; `more` when there are older ones that fit. */
export const logsSchema = z.object({ lines: z.array(logLineSchema), more: z.boolean() })
