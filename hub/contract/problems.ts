import { z } from 'zod'
import { errorCodes, type ErrorCode } from './errors.ts'
import { wordingsSchema } from './wording.ts'

/** One thing wrong in something a person wrote: where it is, what is wrong, and what to do. */
export const faultSchema = z.object({
  /** File path, or null when the value did not come from a file. */
  file: z.string().nullable(),
  /** Path inside the document, e.g. `mcpServers.github.command`; empty for the whole document. */
  path: z.string(),
  /** 1-based position in the file, when known. */
  line: z.number().int().nullable(),
  column: z.number().int().nullable(),
  message: z.string(),
  cure: z.string(),
  said: wordingsSchema.optional(),
})
export type Fault = z.infer<typeof faultSchema>

/** RFC 9457 problem+json, as every failing REST answer carries it. */
export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  code: z.enum(Object.keys(errorCodes) as [ErrorCode, ...ErrorCode[]]),
  detail: z.string(),
  cure: z.string().optional(),
  faults: z.array(faultSchema).optional(),
  said: wordingsSchema.optional(),
  /** The answer's `X-Request-Id`; the log has it, too. */
  requestId: z.string().optional(),
})
export type Problem = z.infer<typeof problemSchema>
