import { z } from 'zod'

/** What becomes of a tool, or of a server's instructions, whose definition nobody has approved yet, or that is another than the approved one. */
export const pinningSchema = z.strictObject({
  /** A tool seen for the first time: `approve` (default), `approve-read-only` (by its annotation; others wait), or `hold`. */
  onFirstSight: z.enum(['approve', 'approve-read-only', 'hold']).optional(),
  /** A definition that changed: only marked (default), or held back until a person approves it. */
  onChange: z.enum(['mark', 'hold']).optional(),
})
export type Pinning = z.infer<typeof pinningSchema>

/**
 * - `approved`: the definition is the approved one.
 * - `new`: waits for its first approval and is held back.
 * - `changed`: is another than the approved one, and shown.
 * - `held`: is another than the approved one, and held back by policy.
 * - `quarantined`: held back by a person.
 */
export const pinStates = ['approved', 'new', 'changed', 'held', 'quarantined'] as const
export const pinStateSchema = z.enum(pinStates)
export type PinState = z.infer<typeof pinStateSchema>

/**
 * What in a tool's definition a person should look at, by rules of thumb:
 * - `hidden`: characters that nobody sees and a model reads.
 * - `instructions`: tells the model what to do with others, or to keep something from its user.
 * - `secrets`: asks for files and keys.
 * - `otherServer`: speaks of a tool of another server.
 */
export const toolWarningKinds = ['hidden', 'instructions', 'secrets', 'otherServer'] as const
export const toolWarningKindSchema = z.enum(toolWarningKinds)
export const toolWarningSchema = z.object({
  kind: toolWarningKindSchema,
  /** Path within the definition, such as `inputSchema.properties.path.description`. */
  where: z.string(),
  /** The words around it, with what is not visible as its code point. */
  excerpt: z.string(),
})
export type ToolWarning = z.infer<typeof toolWarningSchema>

/** `GET /api/servers/:name/tools/:tool/pin` and `GET /api/servers/:name/instructions/pin`: both definitions, for a comparison. */
export const pinSchema = z.object({
  server: z.string(),
  /** Null for the server's instructions; their text is the `description`. */
  tool: z.string().nullable(),
  state: pinStateSchema,
  approvedAt: z.number().nullable(),
  approvedBy: z.string().nullable(),
  approved: z.record(z.string(), z.unknown()).nullable(),
  current: z.record(z.string(), z.unknown()).nullable(),
  /** Hash of `current`, which an approval names: what a person looked at is what is approved. */
  hash: z.string().nullable(),
  /** Of `current`; none is no proof that a tool is harmless. */
  warnings: z.array(toolWarningSchema),
})
export type Pin = z.infer<typeof pinSchema>

const pinnedSchema = z.strictObject({
  server: z.string(),
  /** Left out for the server's instructions. */
  tool: z.string().optional(),
})
const MOST_AT_ONCE = 10_000

/** `POST /api/pins`: approves or quarantines tools, and instructions of servers, or takes such a decision back. */
export const setPinsSchema = z.discriminatedUnion('action', [
  z.strictObject({
    action: z.enum(['approve', 'quarantine']),
    tools: z
      .array(
        pinnedSchema.extend({
          /** Hash of the definition that was looked at; when it is another by now, it is not approved. */
          hash: z.string().optional(),
        }),
      )
      .min(1)
      .max(MOST_AT_ONCE),
    /** Do what can be done, and tell of the rest. Without it, one that cannot be approved is an error, and nothing is done. */
    each: z.boolean().optional(),
  }),
  z.strictObject({
    action: z.literal('undo'),
    /** The `at` of the answer to what is taken back. */
    at: z.number(),
    tools: z.array(pinnedSchema).min(1).max(MOST_AT_ONCE),
  }),
])

/**
 * - `done`
 * - `same`: it was so already.
 * - `changed`: its definition is another than the one that was looked at; nothing was done.
 * - `gone`: there is no such server or tool.
 * - `superseded`: to be taken back, but decided anew since.
 */
export const pinOutcomes = ['done', 'same', 'changed', 'gone', 'superseded'] as const
export type PinOutcome = (typeof pinOutcomes)[number]
/** The answer to `POST /api/pins`. */
export const pinsSetSchema = z.object({
  /** Milliseconds since the epoch; it names the decision where it is to be taken back. */
  at: z.number(),
  /** In the order of the request. */
  tools: z.array(
    z.object({
      server: z.string(),
      tool: z.string().nullable(),
      outcome: z.enum(pinOutcomes),
      /** As it is now; null where it is gone. */
      state: pinStateSchema.nullable(),
    }),
  ),
})
export type PinsSet = z.infer<typeof pinsSetSchema>
