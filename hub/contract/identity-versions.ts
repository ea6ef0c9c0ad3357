import { z } from 'zod'
import { wordingsSchema } from './wording.ts'

/** What was done to a user or a key: the names of what changed, never a value, since some are hashes. */
export const identityChangeSchema = z.object({
  list: z.enum(['users', 'keys']),
  /** The user's name, or the key's id. */
  id: z.string(),
  kind: z.enum(['added', 'removed', 'changed']),
  /** e.g. `role`, `password`, `secret`; empty for what was added or removed. */
  fields: z.array(z.string()),
})
export type IdentityChange = z.infer<typeof identityChangeSchema>

/** Users and keys as they were from a moment on. */
export const identityVersionSchema = z.object({
  id: z.number().int(),
  at: z.number(),
  /** Who did it; null when it was done to the file by hand. */
  by: z.string().nullable(),
  /** e.g. `user.create`; null when nobody told. */
  reason: z.string().nullable(),
  said: wordingsSchema.optional(),
  /** Against the version before; the first has none. */
  changes: z.array(identityChangeSchema),
})
export type IdentityVersion = z.infer<typeof identityVersionSchema>

/** `GET /api/config/users/versions`, the newest first. */
export const identityVersionsSchema = z.object({ versions: z.array(identityVersionSchema) })

/** `GET /api/config/users/versions/:id` */
export const identityVersionDetailSchema = identityVersionSchema.extend({
  /** What going back to it would change in what is in force now. */
  differences: z.array(identityChangeSchema),
})
