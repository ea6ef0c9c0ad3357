import { z } from 'zod'
import { issuerSchema } from './issuer.ts'
import { pinningSchema } from './pins.ts'

/** Longest server name; a tool's name on an aggregated endpoint is `<prefix>__<tool>` and must stay under 64 characters. */
export const MAX_SERVER_NAME = 64

export const serverNameSchema = z
  .string()
  .min(1, 'a server needs a name')
  .max(MAX_SERVER_NAME, `a server's name has at most ${MAX_SERVER_NAME} characters`)
  .regex(/^[^\p{Cc}/\\?#%]+$/u, 'a server’s name may not contain / \\ ? # % or control characters')
  .refine(
    (name) => name !== '.' && name !== '..' && name.trim() === name,
    'a server’s name may not be . or .. or begin or end with a space',
  )
  .refine(
    (name) => serverPrefix(name) !== '',
    'a server’s name needs at least one letter or digit of A–Z, a–z, 0–9, or any letter beyond ASCII',
  )

/**
 * The part of an aggregated tool name that stands for a server: only characters that every client accepts in a tool's
 * name, without the separator `__` inside. Letters beyond ASCII become their code point, so that two Chinese names stay apart.
 */
export function serverPrefix(name: string): string {
  return Array.from(name)
    .map((char) =>
      /[A-Za-z0-9-]/.test(char) ? char : /\p{L}/u.test(char) ? `u${(char.codePointAt(0) ?? 0).toString(16)}` : '_',
    )
    .join('')
    .replace(/_+/g, '_')
    .replace(/^_|_$/g, '')
}

const milliseconds = z.number().int().positive().max(86_400_000)

/** What the hub adds to a server's entry, under its key `hub`. */
export const hubOptionsSchema = z.strictObject({
  enabled: z.boolean().optional(),
  description: z.string().max(500).optional(),
  /** Protocol era to use instead of probing. */
  era: z.enum(['auto', 'legacy', 'modern']).optional(),
  startTimeoutMs: milliseconds.optional(),
  /** Without an answer or progress for this long a call fails. */
  callTimeoutMs: milliseconds.optional(),
  /** Hard limit of one call, progress or not. */
  totalTimeoutMs: milliseconds.optional(),
  /** Calls that the server is given at once. */
  maxConcurrentCalls: z.number().int().positive().max(10_000).optional(),
  /** Calls that wait beyond those; further ones fail at once. */
  maxQueuedCalls: z.number().int().min(0).max(100_000).optional(),
  /** `on-demand`: started by the first call and stopped when idle, instead of with the hub. */
  start: z.enum(['always', 'on-demand']).optional(),
  /** Without a call for this long the server is stopped until the next one. Never, unless it starts on demand. */
  idleStopMs: milliseconds.optional(),
  /** A connection that one client has for itself is closed after this long without a call. */
  instanceIdleMs: milliseconds.optional(),
  /** Connections that single clients may have for themselves; beyond them the one idle longest makes room. */
  maxInstances: z.number().int().positive().max(10_000).optional(),
  /** Time between health probes; 0 for none. */
  healthCheckIntervalMs: z.number().int().min(0).max(86_400_000).optional(),
  /** Time for the answer to a probe. */
  healthCheckTimeoutMs: milliseconds.optional(),
  /** Probes in a row that may go without an answer before the server is restarted. */
  healthCheckMisses: z.number().int().min(0).max(100).optional(),
  /** Memory of all its processes together from which on it is `overLimit`. */
  maxMemoryMb: z.number().int().positive().max(1_048_576).optional(),
  /** Percent of one CPU that it may use for longer than half a minute. */
  maxCpuPercent: z.number().positive().max(100_000).optional(),
  /** What happens over a limit: the state says so (`warn`), or the server is started anew. */
  overLimit: z.enum(['warn', 'restart']).optional(),
  /** Failed starts in a row before the state is `failed`. */
  maxStartAttempts: z.number().int().positive().max(1_000).optional(),
})
export type HubOptions = z.infer<typeof hubOptionsSchema>

/** Text in PEM: the path of a file (relative to CONFIG_DIR), or a reference such as `${secret:NAME}` to the text itself. */
const pem = z.string().min(1)

export const tlsOptionsSchema = z
  .strictObject({
    /** Authority to trust besides the usual ones. */
    ca: pem.optional(),
    /** Certificate and key that the hub shows of itself (mutual TLS). */
    cert: pem.optional(),
    key: pem.optional(),
    passphrase: z.string().optional(),
    /** Name that the server's certificate carries, where it is not the host of the URL. */
    servername: z.string().min(1).optional(),
  })
  .refine(({ cert, key }) => (cert === undefined) === (key === undefined), 'cert and key belong together')
export type TlsOptions = z.infer<typeof tlsOptionsSchema>

/** What a sign-in needs to be told where the server's own metadata does not suffice. */
export const oauthOptionsSchema = z.strictObject({
  /** Client that was registered by hand with the authorization server. */
  clientId: z.string().min(1).optional(),
  clientSecret: z.string().min(1).optional(),
  /** Scopes to ask for instead of those that the server names. */
  scopes: z.array(z.string().regex(/^\S+$/, 'a scope has no spaces')).optional(),
  /** URL of the hub's client metadata document, for authorization servers that read one. */
  clientMetadataUrl: z.url({ protocol: /^https$/ }).optional(),
  /** Lets the sign-in of a server on the internet lead to private addresses. */
  allowPrivateAddresses: z.boolean().optional(),
})
export type OAuthOptions = z.infer<typeof oauthOptionsSchema>

/** The hub's options for a remote server. */
export const remoteHubOptionsSchema = hubOptionsSchema.extend({
  /** Proxy to reach it through; `direct` for none, whatever HTTP_PROXY says. */
  proxy: z
    .union([z.literal('direct'), z.string().refine(isHttpUrl, 'proxy must be "direct" or an http: or https: URL')])
    .optional(),
  tls: tlsOptionsSchema.optional(),
  oauth: oauthOptionsSchema.optional(),
})
export type RemoteHubOptions = z.infer<typeof remoteHubOptionsSchema>

/** Keys that other clients write into a server's entry. They are accepted and kept, so that their files paste in unchanged. */
const foreignKeys = {
  disabled: z.boolean().optional(),
  enabled: z.boolean().optional(),
  timeout: z.number().optional(),
  description: z.string().optional(),
  autoApprove: z.unknown().optional(),
  alwaysAllow: z.unknown().optional(),
  disabledTools: z.unknown().optional(),
  envFile: z.string().optional(),
  tools: z.unknown().optional(),
  trust: z.unknown().optional(),
  oauth: z.unknown().optional(),
  gallery: z.unknown().optional(),
  version: z.unknown().optional(),
}

/** What a process can be given: the system ends such a text at its first NUL. */
const processText = z.string().regex(/^[^\0]*$/, 'may not hold a NUL character')

export const stdioServerSchema = z.strictObject({
  type: z.literal('stdio').optional(),
  command: processText.min(1, 'a stdio server needs a command'),
  args: z.array(processText).optional(),
  env: z
    .record(z.string(), processText)
    .refine(
      (env) => Object.keys(env).every((name) => /^[^=\0]+$/.test(name)),
      'the name of a variable may not be empty or hold = or a NUL character',
    )
    .optional(),
  cwd: processText.optional(),
  hub: hubOptionsSchema.optional(),
  ...foreignKeys,
})

export const remoteServerSchema = z.strictObject({
  type: z.enum(['http', 'streamable-http', 'sse']).optional(),
  url: z
    .string()
    .refine(isHttpUrl, 'url must be an absolute http: or https: URL')
    .refine(
      hasNoCredentials,
      'url may not hold a password in clear: set the header Authorization to a ${secret:NAME} instead',
    ),
  headers: z.record(z.string(), z.string()).optional(),
  hub: remoteHubOptionsSchema.optional(),
  ...foreignKeys,
})

export type StdioServerConfig = z.infer<typeof stdioServerSchema>
export type RemoteServerConfig = z.infer<typeof remoteServerSchema>
export type ServerConfig = StdioServerConfig | RemoteServerConfig

/** The kind is read from the keys, so that an entry with a wrong key is explained against the kind its author meant. */
export function serverConfigSchemaFor(value: unknown): typeof stdioServerSchema | typeof remoteServerSchema {
  const entry = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  const remote = Object.hasOwn(entry, 'url') || ['http', 'streamable-http', 'sse'].includes(entry['type'] as string)
  return remote ? remoteServerSchema : stdioServerSchema
}

export const serverConfigSchema = z.unknown().transform((value, context): ServerConfig => {
  const result = serverConfigSchemaFor(value).safeParse(value)
  if (result.success) return result.data
  for (const issue of result.error.issues) context.issues.push({ ...issue, input: value } as never)
  return z.NEVER
})

export function isRemote(config: ServerConfig): config is RemoteServerConfig {
  return 'url' in config
}

export type Transport = 'stdio' | 'http' | 'sse'
export function transportOf(config: ServerConfig): Transport {
  if (!isRemote(config)) return 'stdio'
  return config.type === 'sse' ? 'sse' : 'http'
}

export function isEnabled(config: ServerConfig): boolean {
  return config.hub?.enabled ?? config.enabled ?? !(config.disabled ?? false)
}

/** `servers.json`. */
export const serversFileSchema = z.strictObject({
  $schema: z.string().optional(),
  mcpServers: z.record(serverNameSchema, serverConfigSchema),
})
export type ServersFile = z.infer<typeof serversFileSchema>

const limit = (fallback: number): z.ZodDefault<z.ZodNumber> => z.number().int().positive().default(fallback)
const MiB = 1_048_576

/** `limits` of `system.json`: what bounds clients and servers, with its default. Each error names the setting that it met. */
export const limitsSchema = z.strictObject({
  /** Body of one request of a client. */
  maxRequestBytes: limit(4 * MiB),
  /** One answer of a server. */
  maxResponseBytes: limit(16 * MiB),
  /** One line on a server's stdout. */
  maxStdioLineBytes: limit(16 * MiB),
  /** All headers of one request of a client. */
  maxHeaderBytes: z.number().int().min(1_024).default(32_768),
  /** Connections of clients at once. */
  maxConnections: limit(10_000),
  /** Time for the headers of a request, and for all that is sent of it. */
  headersTimeoutMs: z.number().int().min(100).default(10_000),
  requestTimeoutMs: limit(60_000),
  maxNestingDepth: limit(256),
  /** Messages of one batch, which only clients of 2025-03-26 send. */
  maxBatchMessages: limit(100),
  maxSessions: limit(10_000),
  maxSessionsPerPrincipal: limit(5_000),
  /** Open subscriptions of modern clients. */
  maxListens: limit(1_024),
  /** Calls that wait for the client's next round. */
  maxParkedCalls: limit(1_024),
  maxCallsPerClient: limit(1_000),
  /** For servers whose entry does not say `hub.maxConcurrentCalls`. */
  maxCallsPerServer: limit(1_000),
  /** For servers whose entry does not say `hub.maxQueuedCalls`. */
  maxQueuedCallsPerServer: limit(1_000),
  /** For servers whose entry does not say `hub.maxInstances`. */
  maxInstancesPerServer: limit(64),
  /** What may wait for a client that does not read. */
  maxBufferedBytesPerReader: limit(32 * MiB),
  sessionIdleMs: limit(60 * 60_000),
  parkedCallTtlMs: limit(5 * 60_000),
})
export type Limits = z.infer<typeof limitsSchema>

const rate = {
  windowMs: z.number().int().min(1_000).max(86_400_000).optional(),
  maxRequests: z.number().int().positive().optional(),
}
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
      jwtExpiresIn: z.string().optional(),
      jwtRefreshExpiresIn: z.string().optional(),
      bcryptRounds: z.number().int().min(10).max(15).optional(),
      maxLoginAttempts: z.number().int().positive().optional(),
      lockoutDuration: z.number().int().positive().optional(),
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
      file: z.string().optional(),
      maxFiles: z.number().int().positive().optional(),
      maxSize: z.string().optional(),
    })
    .optional(),
  monitoring: z
    .strictObject({
      enabled: z.boolean().optional(),
      metricsInterval: z.number().int().positive().optional(),
      healthCheckInterval: z.number().int().positive().optional(),
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
  limits: limitsSchema.optional(),
})
export type SystemFile = z.infer<typeof systemFileSchema>

function isHttpUrl(value: string): boolean {
  // A reference such as ${env:HOST} is resolved before the connection is made, and checked again there.
  try {
    const { protocol } = new URL(value.replace(/\$\{[^}]*\}/g, 'x'))
    return protocol === 'http:' || protocol === 'https:'
  } catch {
    return false
  }
}

/** A password in clear; a reference in its place is none, and publish puts one there. */
function hasNoCredentials(value: string): boolean {
  const url = URL.parse(value.replace(/\$\{[^}]*\}/g, ''))
  return url === null || url.password === ''
}

function isOrigin(value: string): boolean {
  return URL.canParse(value) && new URL(value).origin === value && !value.includes('*')
}

function isPublicUrl(value: string): boolean {
  if (!URL.canParse(value)) return false
  const { protocol, search, hash, username, password } = new URL(value)
  return /^https?:$/.test(protocol) && search + hash + username + password === ''
}
