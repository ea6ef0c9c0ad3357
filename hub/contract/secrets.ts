import { z } from 'zod'
import { MAX_SECRET_LENGTH, MAX_SECRET_NAME } from './secret-limits.ts'

/** A name that `${secret:NAME}` and an environment file can both hold. */
export const secretNameSchema = z
  .string()
  .min(1, 'a secret needs a name')
  .max(MAX_SECRET_NAME, `a secret’s name has at most ${MAX_SECRET_NAME} characters`)
  .regex(
    /^[A-Za-z_][A-Za-z0-9_.-]*$/,
    'a secret’s name has only letters, digits, _ . and -, and begins with a letter or _',
  )
  .refine((name) => name !== '__proto__', 'a secret may not be named __proto__')

export const secretValueSchema = z
  .string()
  .min(1, 'a secret has a value; to remove it, delete it')
  .max(MAX_SECRET_LENGTH, `a secret has at most ${MAX_SECRET_LENGTH} characters`)
  .refine((value) => !value.includes('\0'), 'a secret may not contain the character NUL, which no environment can hold')

/**
 * How the vault keeps values. `os`: sealed by the operating system's keychain. `sealed`: in a file, encrypted with
 * MCP_HUB_SECRETS_KEY. `file`: in a file that only this user can read, not encrypted.
 */
export const vaultQualitySchema = z.enum(['os', 'sealed', 'file'])
export type VaultQuality = z.infer<typeof vaultQualitySchema>

export const secretSourceSchema = z.enum(['vault', 'environment', 'missing'])
export type SecretSource = z.infer<typeof secretSourceSchema>

/** One secret, never its value. */
export const secretEntrySchema = z.object({
  name: z.string(),
  /** `missing`: a server or a setting refers to it, and nothing has a value for it. */
  source: secretSourceSchema,
  /** The servers that refer to it, and where in their entries, e.g. `env.GITHUB_TOKEN`. */
  usedBy: z.array(z.object({ server: z.string(), paths: z.array(z.string()) })),
  /** Keys of `system.json` that refer to it, e.g. `monitoring.webhooks.ops.secret`. */
  usedBySettings: z.array(z.string()),
  /** False for a value so short that it cannot be masked in logs. */
  masked: z.boolean(),
})
export type SecretEntry = z.infer<typeof secretEntrySchema>

/** A text of a server's entry that holds secrets, and how it is kept in the file once they are in the vault. */
export const liftedTextSchema = z.object({
  /** Where it stands, e.g. `env.GITHUB_TOKEN` or `args[2]`. */
  path: z.string(),
  /** The text as the file will hold it, with a reference in the place of each secret. */
  text: z.string(),
  /** Names that the values get in the vault. */
  names: z.array(z.string()),
})
export type LiftedText = z.infer<typeof liftedTextSchema>

/** Paths of texts that a person wants to stay in the file although they look like secrets. */
export const inClearSchema = z.array(z.string().max(1_000)).max(1_000)

/** `GET /api/secrets` */
export const secretsSchema = z.object({
  quality: vaultQualitySchema,
  /** The file of the vault, for whoever keeps backups of it. */
  location: z.string(),
  secrets: z.array(secretEntrySchema),
})
export type Secrets = z.infer<typeof secretsSchema>

/** `PUT /api/secrets/:name`: keeps a value. The servers that use it are started anew, and only they. */
export const setSecretSchema = z.strictObject({ value: secretValueSchema })
export const setSecretResultSchema = z.object({
  name: z.string(),
  created: z.boolean(),
  restarted: z.array(z.string()),
})
export type SetSecretResult = z.infer<typeof setSecretResultSchema>

/** `DELETE /api/secrets/:name` */
export const deleteSecretQuerySchema = z.strictObject({
  /** Although servers refer to it. */
  force: z.enum(['true', 'false']).optional(),
})
