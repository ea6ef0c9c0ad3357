import { z } from 'zod'
import { MAX_SERVER_NAME, hasNoCredentials, isHttpUrl, isRoot, serverPrefix } from './server-entry.ts'

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
  /** Folders that a server of the legacy era is told of where its client has no roots. */
  roots: z
    .array(z.string().refine(isRoot, 'a root is an absolute path, such as /srv/data, or a file: URI'))
    .max(100)
    .optional(),
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
  /** Lets the server be in a private network, where the hub connects to the internet only (`server.allowPrivateAddresses`). */
  allowPrivateAddresses: z.boolean().optional(),
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

/** `servers.json`. */
export const serversFileSchema = z.strictObject({
  $schema: z.string().optional(),
  mcpServers: z.record(serverNameSchema, serverConfigSchema),
})
export type ServersFile = z.infer<typeof serversFileSchema>
