import { z } from 'zod'

const interactive = z
  .boolean()
  .default(false)
  .describe(
    'The caller answers what the server asks meanwhile (elicitation, sampling); needs Accept: application/x-ndjson. A server of the legacy era may be started anew for it, as for any client that can be asked.',
  )

/** `POST /api/tools/call`. Aborting the request cancels the call at the server. */
export const callToolSchema = z.strictObject({
  server: z.string(),
  tool: z.string(),
  arguments: z.record(z.string(), z.unknown()).default({}),
  interactive,
})
export type CallTool = z.input<typeof callToolSchema>

/** `POST /api/prompts/get` */
export const getPromptSchema = z.strictObject({
  server: z.string(),
  prompt: z.string(),
  arguments: z.record(z.string(), z.string()).default({}),
  interactive,
})
export type GetPrompt = z.input<typeof getPromptSchema>

/** `POST /api/resources/read`; of a template, the URI that was made of it. */
export const readResourceSchema = z.strictObject({ server: z.string(), uri: z.string().min(1), interactive })
export type ReadResource = z.input<typeof readResourceSchema>

/** `POST /api/completions`: values for an argument of a prompt or a variable of a template, as one types. */
export const completeSchema = z.strictObject({
  server: z.string(),
  ref: z.discriminatedUnion('type', [
    z.strictObject({ type: z.literal('ref/prompt'), name: z.string() }),
    z.strictObject({ type: z.literal('ref/resource'), uri: z.string() }),
  ]),
  argument: z.strictObject({ name: z.string(), value: z.string() }),
  /** The other arguments, so far as they are filled in. */
  context: z.record(z.string(), z.string()).default({}),
})
export type Complete = z.input<typeof completeSchema>
/** What of a server's answer is suggested. */
export const completionSchema = z.object({ completion: z.object({ values: z.array(z.string()) }) })

const rpcErrorSchema = z.object({ code: z.number(), message: z.string(), data: z.unknown().optional() })

export const callResultSchema = z.object({
  durationMs: z.number(),
  bytes: z.number().int(),
  /** The result of the MCP specification (CallToolResult, …), as the server sent it; null when it failed with a JSON-RPC error. */
  result: z.unknown().nullable(),
  error: rpcErrorSchema.nullable(),
})
export type CallResult = z.infer<typeof callResultSchema>

/** With `Accept: application/x-ndjson` a call answers these, one a line, the result last; empty lines come while nothing happens. */
export const callEventSchema = z.discriminatedUnion('type', [
  /** First of all; `call` names it for its answers. */
  z.object({ type: z.literal('started'), call: z.string() }),
  z.object({
    type: z.literal('progress'),
    progress: z.number(),
    total: z.number().nullable(),
    message: z.string().nullable(),
  }),
  /** The server asks; the answer goes to `POST /api/calls/:call/questions/:question`. */
  z.object({
    type: z.literal('question'),
    question: z.string(),
    /** `elicitation/create` or `sampling/createMessage`. */
    method: z.string(),
    params: z.record(z.string(), z.unknown()),
  }),
  /** The server waits for this answer no longer. */
  z.object({ type: z.literal('withdrawn'), question: z.string() }),
  z.object({ type: z.literal('result'), answer: callResultSchema }),
])
export type CallEvent = z.infer<typeof callEventSchema>

/** `POST /api/calls/:call/questions/:question`: the result of the question's method, or why there is none. */
export const answerQuestionSchema = z.union([
  z.strictObject({ result: z.record(z.string(), z.unknown()) }),
  z.strictObject({ error: z.strictObject({ code: z.number().int(), message: z.string().max(1_000) }) }),
])
export type AnswerQuestion = z.infer<typeof answerQuestionSchema>
