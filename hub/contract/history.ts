import { z } from 'zod'
import { roleSchema } from './scopes.ts'
import { wordingsSchema } from './wording.ts'

export const outcomes = ['ok', 'tool-error', 'error', 'timeout', 'cancelled'] as const
/** How a request ended. `tool-error`: the tool ran and said that it failed; `error`: a JSON-RPC error, the server's or the hub's. */
export const outcomeSchema = z.enum(outcomes)
export type Outcome = z.infer<typeof outcomeSchema>

/** One MCP request of a client. */
export const requestRecordSchema = z.object({
  /** Grows with time; also the cursor's measure. */
  id: z.number().int(),
  at: z.number(),
  durationMs: z.number(),
  /** Who: `user:anna`, `key:desktop`. */
  principal: z.string(),
  /** The program that asked, as it names itself: `claude-code 1.0.3`. */
  client: z.string().nullable(),
  endpoint: z.string(),
  /** Null when no server was asked: a list of all servers, or a request that was refused. */
  server: z.string().nullable(),
  method: z.string(),
  /** The tool, prompt or resource, as the server knows it. */
  name: z.string().nullable(),
  bytesIn: z.number().int(),
  bytesOut: z.number().int(),
  outcome: outcomeSchema,
  errorCode: z.number().int().nullable(),
  errorMessage: z.string().nullable(),
  traceId: z.string().nullable(),
  /** `X-Request-Id` of the HTTP request that brought it; those of a batch share one. */
  requestId: z.string().nullable(),
  /**
   * Milliseconds after `at`, null for what did not happen: when it began to wait for the server to start, for a connection or
   * for its turn; when it went to the server; when its first notification went to the client; and when the answer was there.
   */
  waitedMs: z.number().nullable(),
  sentMs: z.number().nullable(),
  notifiedMs: z.number().nullable(),
  repliedMs: z.number().nullable(),
  /** Notifications within it, its progress among them; null for a request of a hub that did not record any of this. */
  notifications: z.number().int().nullable(),
  /** When the first byte of the server's answer came; null where a pipe brought all of it at once. */
  firstByteMs: z.number().nullable(),
  /** When the server's first question (elicitation, sampling) went to the client, and how long all of them waited for answers. */
  askedMs: z.number().nullable(),
  clientMs: z.number().nullable(),
})
export type RequestRecord = z.infer<typeof requestRecordSchema>

/** `GET /api/history/:id`. The payloads are JSON text, null while `history.payloads` is `off`; a long one is cut and says so at its end. */
export const requestDetailSchema = requestRecordSchema.extend({
  request: z.string().nullable(),
  response: z.string().nullable(),
})
export type RequestDetail = z.infer<typeof requestDetailSchema>

/** One value, or several by repeating the parameter. */
const listOf = <T extends z.ZodType<string, string>>(item: T) =>
  z
    .union([z.string(), z.array(z.string())])
    .transform((value) => (typeof value === 'string' ? [value] : value))
    .pipe(z.array(item).max(50))
    .optional()
const time = z.union([z.coerce.number<string>().int().min(0), z.iso.datetime({ offset: true }).transform(Date.parse)])

/** `GET /api/tools/last-used`: a tool that clients have called, and when that was last. */
export const toolUseSchema = z.object({
  server: z.string(),
  name: z.string(),
  /** Milliseconds since the epoch. */
  at: z.number(),
})
export type ToolUse = z.infer<typeof toolUseSchema>

/** What narrows `GET /api/history` and its export. */
export const historyFilterSchema = z.strictObject({
  /** Words that must all occur, each at the beginning of a word: in names, error messages and payloads. */
  q: z.string().max(200).optional(),
  /** Milliseconds since the epoch or ISO 8601. */
  from: time.optional(),
  to: time.optional(),
  server: listOf(z.string()),
  method: listOf(z.string()),
  name: listOf(z.string()),
  client: listOf(z.string()),
  principal: listOf(z.string()),
  endpoint: listOf(z.string()),
  outcome: listOf(outcomeSchema),
  requestId: listOf(z.string()),
  minDurationMs: z.coerce.number<string>().min(0).optional(),
})
export type HistoryFilter = z.output<typeof historyFilterSchema>

const paging = {
  /** `next` of the page before. */
  cursor: z
    .string()
    .regex(/^\d{1,16}$/, 'is not a cursor of this list')
    .optional(),
  limit: z.coerce.number<string>().int().min(1).max(500).default(50),
}

/** `GET /api/history`, newest first. */
export const historyQuerySchema = historyFilterSchema.extend(paging)
export const historyPageSchema = z.object({
  items: z.array(requestRecordSchema),
  /** Give it as `cursor` for what is older; null at the end. */
  next: z.string().nullable(),
})
export type HistoryPage = z.infer<typeof historyPageSchema>

export const exportFormatSchema = z.enum(['ndjson', 'csv']).default('ndjson')
/** `GET /api/history/export` */
export const historyExportSchema = historyFilterSchema.extend({ format: exportFormatSchema })

/** One administrative act. Entries are never changed; each carries the hash of the one before. */
export const auditEntrySchema = z.object({
  seq: z.number().int(),
  at: z.number(),
  actor: z.string(),
  actorName: z.string(),
  role: roleSchema.nullable(),
  /** Address that the act came from. */
  address: z.string().nullable(),
  /** What was done, e.g. `PUT /api/servers/:name`, or of the hub itself `audit.pruned`. */
  action: z.string(),
  /** Whom or what it was done to, e.g. the server's name. */
  target: z.string().nullable(),
  outcome: z.enum(['done', 'refused', 'failed']),
  status: z.number().int().nullable(),
  /** What was asked for, as JSON text without secrets. */
  details: z.string().nullable(),
  requestId: z.string().nullable(),
  /** SHA-256 over the hash before and this entry, in hexadecimal. */
  hash: z.string(),
})
export type AuditEntry = z.infer<typeof auditEntrySchema>

/** What narrows `GET /api/audit` and its export. */
export const auditFilterSchema = z.strictObject({
  q: z.string().max(200).optional(),
  from: time.optional(),
  to: time.optional(),
  actor: listOf(z.string()),
  action: listOf(z.string()),
  target: listOf(z.string()),
  outcome: listOf(auditEntrySchema.shape.outcome),
})
export type AuditFilter = z.output<typeof auditFilterSchema>

/** `GET /api/audit`, newest first. */
export const auditQuerySchema = auditFilterSchema.extend(paging)
export const auditPageSchema = z.object({ items: z.array(auditEntrySchema), next: z.string().nullable() })
export type AuditPage = z.infer<typeof auditPageSchema>

/** `GET /api/audit/export` */
export const auditExportSchema = auditFilterSchema.extend({ format: exportFormatSchema })

/** `GET /api/audit/verify`: walks the chain of hashes. */
export const auditVerificationSchema = z.object({
  ok: z.boolean(),
  entries: z.number().int(),
  /** Hash of the newest entry. Compare it with the log, which has each entry's hash too: entries cut off the end show only there. */
  head: z.string().nullable(),
  /** Entries before this one were deleted by the retention, which is an entry of its own. */
  firstSeq: z.number().int().nullable(),
  lastSeq: z.number().int().nullable(),
  broken: z.object({ seq: z.number().int(), message: z.string(), said: wordingsSchema.optional() }).nullable(),
})
export type AuditVerification = z.infer<typeof auditVerificationSchema>

export const statsWindows = ['hour', 'day', 'week'] as const
/** `GET /api/stats?window=hour` */
export const statsQuerySchema = z.strictObject({ window: z.enum(statsWindows).default('hour') })

const trafficSchema = z.object({
  calls: z.number().int(),
  errors: z.number().int(),
  /** Milliseconds, estimated from a histogram; null without calls. */
  p50: z.number().nullable(),
  p95: z.number().nullable(),
  bytesIn: z.number().int(),
  bytesOut: z.number().int(),
})

/** What went through the hub in a window of time. Calls are requests that a server was asked; errors those that did not end well. */
export const statsSchema = z.object({
  window: z.enum(statsWindows),
  from: z.number(),
  to: z.number(),
  stepMs: z.number().int(),
  callsPerMinute: z.number(),
  errorRate: z.number(),
  total: trafficSchema,
  /** One for each step, oldest first, those without calls included. */
  points: z.array(
    z.object({
      at: z.number(),
      calls: z.number().int(),
      errors: z.number().int(),
      p50: z.number().nullable(),
      p95: z.number().nullable(),
    }),
  ),
  servers: z.array(trafficSchema.extend({ server: z.string() })),
  clients: z.array(trafficSchema.extend({ client: z.string(), principal: z.string(), lastAt: z.number() })),
  /** Records that were lost since the hub started, because they could not be written in time. */
  dropped: z.number().int(),
})
export type Stats = z.infer<typeof statsSchema>
