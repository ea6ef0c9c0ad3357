import { z } from 'zod'
import { brokenFile } from '../broken-file.ts'
import { HubError } from '../hub-error.ts'
import { say } from '../say.ts'

const decisionSchema = z.object({
  hash: z.string(),
  definition: z.record(z.string(), z.unknown()),
  at: z.number(),
  by: z.string(),
  quarantined: z.boolean().optional(),
})
const recordSchema = decisionSchema.extend({
  /** What a person's decision replaced, so that it can be taken back; null where there was none. */
  previous: decisionSchema.nullable().optional(),
})
export type PinRecord = z.infer<typeof recordSchema>
/** By server and tool. */
export type PinRecords = Map<string, Map<string, PinRecord>>

const fileSchema = z.object({
  version: z.literal(1),
  servers: z.record(z.string(), z.record(z.string(), recordSchema)),
})

/** `pins.json` as text. */
export function parsePins(text: string, file: string): PinRecords {
  let parsed: z.infer<typeof fileSchema>
  try {
    parsed = fileSchema.parse(JSON.parse(text))
  } catch (error) {
    throw new HubError('HUB_CONFIG_FILE_BROKEN', brokenFile(file, error), {
      cure: say`Restore it from a backup, or move it away: then all tools are approved anew by the policy.`,
    })
  }
  return new Map(Object.entries(parsed.servers).map(([name, tools]) => [name, new Map(Object.entries(tools))]))
}
