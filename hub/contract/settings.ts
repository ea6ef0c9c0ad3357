import { z } from 'zod'
import { wordingsSchema } from './wording.ts'

/** One setting of system.json, with what holds now. */
export const hubSettingSchema = z.object({
  /** Its path in system.json, such as `history.maxDays`. */
  name: z.string(),
  /** What it does. */
  help: z.string(),
  said: wordingsSchema.optional(),
  /** JSON Schema of what it may be. */
  schema: z.record(z.string(), z.unknown()),
  default: z.unknown(),
  /** What stands in system.json, with its references; absent where nothing does, or where it is a secret. */
  written: z.unknown().optional(),
  /** Whether system.json says something of it. */
  isWritten: z.boolean(),
  /** For `If-Match`; absent where system.json says nothing of it. */
  etag: z.string().optional(),
  /** What comes before system.json and is set where the hub was started: option and variable, as many as there are. */
  setBy: z.array(z.string()),
  /** The value that comes from there; absent where system.json or the default decides, or where it is a secret. */
  given: z.unknown().optional(),
  /** Its value is never shown, and is written into the file only. */
  isSecret: z.boolean(),
  /** Whether it decides what the hub may run, reach or write, so that changing it needs servers:exec. */
  needsExec: z.boolean(),
  /** Whether a change takes effect while the hub runs. */
  isLive: z.boolean(),
})
export type HubSetting = z.infer<typeof hubSettingSchema>

export const saveSettingSchema = z.strictObject({ value: z.unknown() })
