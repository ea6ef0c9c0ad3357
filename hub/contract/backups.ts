import { z } from 'zod'
import { configVersionDetailSchema } from './versions.ts'
import { wordingsSchema } from './wording.ts'

/** An archive in the backup folder. */
export const backupSchema = z.object({
  /** e.g. `mcp-hub-20261126T120000000Z.tar.gz` */
  name: z.string(),
  /** Milliseconds since the epoch. */
  at: z.number(),
  bytes: z.number().int(),
})
export type Backup = z.infer<typeof backupSchema>

/** `GET /api/backups`, the newest first. */
export const backupsSchema = z.object({
  folder: z.string(),
  /** How many the hub keeps; it deletes older ones, and only after a new one was checked. */
  keep: z.number().int(),
  /** Hours between backups that the hub makes by itself; null for none. */
  everyHours: z.number().nullable(),
  /** Why the last one failed that the hub tried by itself; null when it did not. */
  failure: z.string().nullable(),
  backups: z.array(backupSchema),
  said: wordingsSchema.optional(),
})
export type Backups = z.infer<typeof backupsSchema>

/** `GET /api/backups/:name/contents`: the configuration in an archive, what is in force now, and what restoring would change. */
export const backupContentsSchema = configVersionDetailSchema.pick({ files: true, current: true, differences: true })
export type BackupContents = z.infer<typeof backupContentsSchema>

/** `backup` of `system.json`. */
export const backupSettingsSchema = z.strictObject({
  /** Where archives go; `backups` in DATA_DIR by default, which does not outlive the disk. */
  folder: z.string().min(1).optional(),
  everyHours: z.number().positive().max(8_760).optional(),
  keep: z.number().int().positive().max(10_000).optional(),
})
