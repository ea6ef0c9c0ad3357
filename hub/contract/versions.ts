import { z } from 'zod'
import { wordingsSchema } from './wording.ts'

/** What was done to one part of the configuration: an entry of `servers.json` or `profiles.json`, a setting of `system.json`. */
export const configChangeSchema = z.object({
  file: z.enum(['servers', 'system', 'profiles']),
  /** The entry's name, or the path of the setting, e.g. `server.port`. */
  name: z.string(),
  kind: z.enum(['added', 'removed', 'changed']),
})
export type ConfigChange = z.infer<typeof configChangeSchema>

/** The configuration as it was from a moment on. */
export const configVersionSchema = z.object({
  /** Counts up from 1. */
  id: z.number().int(),
  /** Milliseconds since the epoch. */
  at: z.number(),
  /** Who saved it; null when it was done to the files by hand. */
  by: z.string().nullable(),
  /** What they said of it, or the hub in their place. */
  reason: z.string().nullable(),
  said: wordingsSchema.optional(),
  /** Against the version before; the first has none. */
  changes: z.array(configChangeSchema),
})
export type ConfigVersion = z.infer<typeof configVersionSchema>

/** The texts of the files, comments and all; one that is not there is empty. */
export const configTextsSchema = z.strictObject({
  servers: z.string().max(10_000_000),
  system: z.string().max(10_000_000),
  profiles: z.string().max(10_000_000),
})
export type ConfigTexts = z.infer<typeof configTextsSchema>

/** `GET /api/config/versions`, the newest first. */
export const configVersionsSchema = z.object({ versions: z.array(configVersionSchema) })

/** `GET /api/config/versions/:id` */
export const configVersionDetailSchema = configVersionSchema.extend({
  files: configTextsSchema,
  /** What is in force now, and what going back to this version would change in it. */
  current: configTextsSchema,
  differences: z.array(configChangeSchema),
})
export type ConfigVersionDetail = z.infer<typeof configVersionDetailSchema>

/** `POST /api/config/versions/:id/restore` */
export const restoreVersionSchema = z.strictObject({ reason: z.string().trim().max(500).optional() })
