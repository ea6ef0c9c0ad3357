import { z } from 'zod'

/**
 * One difference by meaning. `subject` names the server, profile or setting; `field` the part of it, e.g. `command`,
 * `tools.exclude`, `instances`; `before` and `after` are as JSON has them, null where there is none. `item` is the one tool,
 * prompt or resource that a profile shows or hides.
 */
export const meaningSchema = z.object({
  code: z.enum([
    'server-added',
    'server-removed',
    'server-changed',
    'profile-added',
    'profile-removed',
    'profile-changed',
    'item-hidden',
    'item-shown',
    'setting-changed',
    'target-changed',
    'version-changed',
  ]),
  subject: z.string(),
  field: z.string().nullable(),
  item: z.string().nullable(),
  before: z.string().nullable(),
  after: z.string().nullable(),
  /** The same as a sentence in English. */
  message: z.string(),
})
export type Meaning = z.infer<typeof meaningSchema>
