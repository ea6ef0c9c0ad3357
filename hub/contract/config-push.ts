import { z } from 'zod'
import { keyNameSchema } from './auth.ts'
import { meaningSchema } from './meanings.ts'
import { serverStateSchema } from './servers.ts'
import { configChangeSchema } from './versions.ts'
import { wordingsSchema } from './wording.ts'

const entries = z.record(z.string(), z.unknown())

/** `PUT /api/admin/config`: what is left out stays as it is. Secrets stand there as references, never as values. */
export const pushConfigSchema = z.strictObject({
  /** `servers.json`; the servers that it does not name are removed. */
  servers: z.looseObject({ mcpServers: entries }).optional(),
  /** `profiles.json`; the profiles that it does not name are removed. */
  profiles: z.looseObject({ profiles: entries }).optional(),
  /** `system.json`, of which only settings that belong to no machine are taken; those that it does not name stay. */
  system: entries.optional(),
  reason: z.string().trim().max(500).optional(),
})
export type PushConfig = z.infer<typeof pushConfigSchema>

export const pushQuerySchema = z.strictObject({
  /** Answers what would change, and changes nothing. */
  dryRun: z.enum(['0', '1']).optional(),
})

/** One entry or setting that differs: where exactly, and what that means. */
export const configDifferenceSchema = configChangeSchema.extend({
  /** `before` or `after` is missing where there is nothing. */
  paths: z.array(z.object({ path: z.string(), before: z.unknown().optional(), after: z.unknown().optional() })),
  meanings: z.array(meaningSchema),
})
export type ConfigDifference = z.infer<typeof configDifferenceSchema>

export const pushStates = ['watching', 'kept', 'reverted', 'superseded', 'not-applied', 'revert-failed'] as const

/** A push and what became of it. */
export const pushStatusSchema = z.object({
  id: z.string(),
  by: z.string(),
  reason: z.string().nullable(),
  at: z.number(),
  /**
   * `watching`: in force, and not yet decided. `superseded`: somebody else changed the configuration meanwhile, and what they
   * did was left alone. `revert-failed`: the old one could not be written, and the hub goes on trying.
   */
  state: z.enum(pushStates),
  /** When it is decided. */
  until: z.number(),
  decidedAt: z.number().nullable(),
  /** Why it was taken back; empty for one that was kept. */
  failures: z.array(
    z.object({
      server: z.string().nullable(),
      state: serverStateSchema.nullable(),
      message: z.string(),
      said: wordingsSchema.optional(),
    }),
  ),
  changes: z.array(configChangeSchema),
})
export type PushStatus = z.infer<typeof pushStatusSchema>
export const pushListSchema = z.array(pushStatusSchema)

/** What a push changes, or would change. */
export const pushResultSchema = z.object({
  dryRun: z.boolean(),
  /** Of what is in force after the answer: the next `If-Match`. */
  etag: z.string(),
  differences: z.array(configDifferenceSchema),
  /** Settings of the pushed `system.json` that belong to a machine, and were left as they are here. */
  kept: z.array(z.string()),
  /** References of the pushed servers that have no value on this hub. */
  missing: z.array(
    z.object({
      server: z.string(),
      path: z.string(),
      message: z.string(),
      cure: z.string(),
      said: wordingsSchema.optional(),
    }),
  ),
  /** Why this caller would be refused; only in a dry run, which is refused nothing. */
  refusal: z
    .object({
      code: z.string(),
      message: z.string(),
      cure: z.string().nullable(),
      said: wordingsSchema.optional(),
    })
    .nullable(),
  /** Null when there was nothing to change, and in a dry run. */
  push: pushStatusSchema.nullable(),
})
export type PushResult = z.infer<typeof pushResultSchema>

/** `GET /api/admin/config`: what is in force, with a reference in the place of each secret. */
export const portableConfigSchema = z.object({
  etag: z.string(),
  version: z
    .object({ id: z.number().int(), at: z.number(), by: z.string().nullable(), reason: z.string().nullable() })
    .nullable(),
  servers: z.object({ mcpServers: entries }),
  profiles: z.object({ profiles: entries }),
  /** The settings that belong to no machine. */
  system: entries,
})
export type PortableConfig = z.infer<typeof portableConfigSchema>

/** `POST /api/admin/deploy-keys`: a code that is exchanged once, within minutes, for a key that only pushes. */
export const enrolDeployKeySchema = z.strictObject({
  name: keyNameSchema,
  /** How long the key is good, from its enrolment on. */
  days: z.number().int().min(1).max(365).default(90),
  /** Whether it may change which programs run (`servers:exec`); in production only with `server.allowRuntimeStdio`. */
  programs: z.boolean().default(false),
})
export const enrolmentSchema = z.object({
  id: z.string(),
  code: z.string(),
  /** The end of the code. */
  expiresAt: z.number(),
  days: z.number().int(),
})
export type Enrolment = z.infer<typeof enrolmentSchema>
