import { z } from 'zod'
import { McpError, rpc } from './json-rpc.ts'

/** What the tools of tool-search mode take; loaded with the first call of one. */

export const searchArguments = z.object({
  query: z.string().trim().min(1).max(1_000),
  limit: z.number().int().min(1).max(50).default(10),
})
export const describeArguments = z.object({ name: z.string() })
export const callArguments = z.object({ name: z.string(), arguments: z.record(z.string(), z.unknown()).default({}) })

export function parseArguments<T>(schema: z.ZodType<T>, given: unknown): T {
  const result = schema.safeParse(given)
  if (result.success) return result.data
  throw new McpError(rpc.invalidParams, z.prettifyError(result.error))
}
