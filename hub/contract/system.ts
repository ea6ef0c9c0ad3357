import { z } from 'zod'
import { backupSettingsSchema } from './backups.ts'
import { isDsn } from './dsn.ts'
import { issuerSchema } from './issuer.ts'
import { limitDefaults, type Limits } from './limits.ts'
import { pinningSchema } from './pins.ts'
import { webhooksSchema } from './webhooks.ts'

const limitSchemas = Object.fromEntries(
  Object.entries(limitDefaults).map(([name, fallback]) => [name, z.number().int().positive().default(fallback)]),
) as Record<keyof Limits, z.ZodDefault<z.ZodNumber>>

export const limitsSchema = z.strictObject({
  ...limitSchemas,
  maxHeaderBytes: z.number().int().min(1_024).default(limitDefaults.maxHeaderBytes),
  headersTimeoutMs: z.number().int().min(100).default(limitDefaults.headersTimeoutMs),
})

const rate = {
  windowMs: z.number().int().min(1_000).max(86_400_000).optional(),
  maxRequests: z.number().int().positive().optional(),
}
const durationSchema = z.string().regex(/^\d+(\.\d+)?\s*(ms|s|m|h|d)?$/, 'must be a duration such as 15m, 1h or 7d')
/** One class of requests; `false` for no limit. */
const rateSchema = z.union([z.literal(false), z.strictObject(rate)])
export type RateClass = 'login' | 'apiRead' | 'apiWrite' | 'mcp'

/** `system.json`: the founding guide's keys, plus `auth.mcp` and `limits`. Durations are in milliseconds unless a string such as `1h`. */
export const systemFileSchema = z.strictObject({
  $schema: z.string().optional(),
  server: z
    .strictObject({
      port: z.number().int().min(0).max(65_535).optional(),
      host: z.string().min(1).optional(),
      /** Whether the API may add servers that run programs, and change which. Off in production unless it is on here. */
      allowRuntimeStdio: z.boolean().optional(),
      /** Whether a program that was changed in servers.json waits for somebody's yes. On the desktop it does. */
      execConsent: z.boolean().optional(),
      /** Whether servers may be in private networks. Off in production unless it is on here, or in the server's own entry. */
      allowPrivateAddresses: z.boolean().optional(),
      /** How long a pushed configuration is watched before it is kept, in ms. */
      pushWatchMs: z.number().int().min(100).max(600_000).optional(),
      /** Names besides loopback that a `Host` header may carry, e.g. `hub.example.com`. */
      allowedHosts: z.array(z.string().min(1)).optional(),
      /** Where browsers and clients reach this hub, e.g. `https://hub.example.com`; sign-ins come back to it. */
      publicUrl: z
        .string()
        .refine(isPublicUrl, 'publicUrl must be an http: or https: URL without query or credentials')
        .optional(),
      /** Proxies whose `X-Forwarded-*` headers count: how many there are, or their addresses. Never all of them. */
      trustProxy: z
        .union(
          [
            z.literal(false),
            z.number().int().min(0),
            z.array(
              z.union([z.enum(['loopback', 'linklocal', 'uniquelocal']), z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()]),
            ),
          ],
          'trustProxy must be false, the number of proxies, or a list of addresses, ranges, loopback, linklocal and uniquelocal',
        )
        .optional(),
      /** Origins besides the hub's own whose pages may call it. */
      cors: z
        .strictObject({
          origin: z
            .array(
              z
                .string()
                .refine(
                  isOrigin,
                  'an origin is exactly what a browser sends, e.g. https://console.example.com, without * or /',
                ),
            )
            .optional(),
          credentials: z.boolean().optional(),
        })
        .optional(),
    })
    .optional(),
  auth: z
    .strictObject({
      mcp: z.enum(['token', 'none']).optional(),
      /** Lets in who comes with an access token of this authorization server. */
      oauth: issuerSchema.optional(),
      jwtSecret: z.string().min(32, 'jwtSecret needs at least 32 characters').optional(),
      jwtExpiresIn: durationSchema.optional(),
      jwtRefreshExpiresIn: durationSchema.optional(),
      bcryptRounds: z.number().int().min(10).max(15).optional(),
      maxLoginAttempts: z.number().int().positive().optional(),
      // Redis counts in seconds, and what lasts none of them would never end.
      lockoutDuration: z.number().int().min(1_000, 'lockoutDuration is in milliseconds, and at least 1000').optional(),
      /** Key that tokens made before the last change of `jwtSecret` were signed with; it checks and signs none. */
      jwtSecretPrevious: z.string().min(32, 'jwtSecretPrevious needs at least 32 characters').optional(),
      /** What new passwords must be, besides hard to guess. */
      passwordRules: z
        .strictObject({
          minLength: z.number().int().min(8).max(72).optional(),
          /** Small and capital letters, digits and other signs. Off: it makes passwords easier to guess, not harder. */
          composition: z.boolean().optional(),
          /** Days after which a password must be changed. Off, for the same reason. */
          maxAgeDays: z.number().int().positive().optional(),
        })
        .optional(),
    })
    .optional(),
  logging: z
    .strictObject({
      level: z.enum(['error', 'warn', 'info', 'debug']).optional(),
      /** Where the log goes; stdout when it is left out. */
      file: z.string().optional(),
      /** Files kept, the current one among them. */
      maxFiles: z.number().int().positive().max(9_999).optional(),
      /** A file is put aside when it is larger, e.g. `10m`. */
      maxSize: z
        .string()
        .regex(/^\d+(\.\d+)?\s*[kmg]?b?$/i, 'maxSize must be a size such as 10m or 512k')
        .optional(),
      /** Who puts full files aside: the hub, or somebody else, such as logrotate. */
      rotation: z.enum(['hub', 'external']).optional(),
    })
    .optional(),
  monitoring: z
    .strictObject({
      enabled: z.boolean().optional(),
      metricsInterval: z.number().int().positive().optional(),
      healthCheckInterval: z.number().int().positive().optional(),
      /** Where faults of the hub are reported: the DSN of a project of Sentry, or of what speaks like it. */
      sentryDsn: z
        .string()
        .refine(
          (value) => value.includes('${') || isDsn(value),
          'sentryDsn must be a DSN such as https://key@sentry.example.com/1',
        )
        .optional(),
      /** Who is told what happens, by name. */
      webhooks: webhooksSchema.optional(),
    })
    .optional(),
  /** Requests in a window, by class; `maxRequests` and `windowMs` themselves hold for `apiRead` and `apiWrite`. */
  rateLimit: z
    .strictObject({
      ...rate,
      /** Signing in, from one address. */
      login: rateSchema.optional(),
      /** Reading by one user or key. */
      apiRead: rateSchema.optional(),
      apiWrite: rateSchema.optional(),
      /** Requests of one key or user to the MCP endpoints. */
      mcp: rateSchema.optional(),
    })
    .optional(),
  /** Which tools are shown before a person has approved their definition. */
  pinning: pinningSchema.optional(),
  history: z
    .strictObject({
      /** What is kept of a request's parameters and answer besides its size. */
      payloads: z.enum(['off', 'redacted', 'full']).optional(),
      maxPayloadBytes: z.number().int().positive().max(1_048_576).optional(),
      maxRows: z.number().int().positive().optional(),
      maxBytes: z.number().int().positive().optional(),
      maxDays: z.number().int().positive().max(3_650).optional(),
      auditDays: z.number().int().positive().max(3_650).optional(),
    })
    .optional(),
  backup: backupSettingsSchema.optional(),
  limits: limitsSchema.optional(),
})
export type SystemFile = z.infer<typeof systemFileSchema>

function isOrigin(value: string): boolean {
  return URL.canParse(value) && new URL(value).origin === value && !value.includes('*')
}

function isPublicUrl(value: string): boolean {
  if (!URL.canParse(value)) return false
  const { protocol, search, hash, username, password } = new URL(value)
  return /^https?:$/.test(protocol) && search + hash + username + password === ''
}
