import type { SystemFile } from '../contract/index.ts'
import type { LogLevel } from '../observe/log.ts'
import { limitSettings } from './limit-settings.ts'
import * as check from './setting-checks.ts'

/** Where a hub runs, as far as defaults depend on it. */
export interface Where {
  mode: 'desktop' | 'server'
  /** NODE_ENV is `production`, on a server. */
  production: boolean
  /** What some defaults follow from. */
  rateLimit?: SystemFile['rateLimit']
}

/**
 * One setting of the hub. Its value is the first that there is: of the command line, of the environment, of system.json, the
 * default.
 */
export interface Setting {
  /** What it does; of a limit `helpOf` knows it. */
  help?: string
  /** Environment variable. */
  variable?: string
  /** Option of the command line. Secrets have none: every user of the machine sees the command lines of all. */
  option?: string
  /** What the help calls the option's value. */
  value?: string
  /** What is wrong with the text of the variable or the option; null when it is right. */
  check?: check.Check
  /** Its value from that text; the text itself without this. */
  parse?: (text: string) => unknown
  /** Null where there is none. */
  default: unknown
  /** Its value is never shown, and its variable may be given as a file: `JWT_SECRET_FILE`. */
  secret?: true
  /** Whether a change of system.json takes effect while the hub runs. */
  live?: true
}

/** The paths of what can be set in system.json. A list, a record and what may be `false` is one setting. */
export type SystemPath = Leaf<Omit<SystemFile, '$schema'>>
type Leaf<T, P extends string = ''> = P extends 'auth.oauth'
  ? P
  : [T] extends [readonly unknown[]]
    ? P
    : [T] extends [object]
      ? string extends keyof T
        ? P
        : { [K in keyof T & string]-?: Leaf<Exclude<T[K], undefined>, P extends '' ? K : `${P}.${K}`> }[keyof T &
            string]
      : P

const MB = 1_048_576
const onDesktop = ({ mode }: Where): boolean => mode === 'desktop'
const notInProduction = ({ production }: Where): boolean => !production
/** On the desktop, where one person works, there is only what is written. */
const rate =
  (onServer: number, isApi = false) =>
  (where: Where): false | { windowMs: number; maxRequests: number } => {
    const { windowMs = 60_000, maxRequests } = where.rateLimit ?? {}
    if (isApi && maxRequests !== undefined) return { windowMs, maxRequests }
    return onDesktop(where) ? false : { windowMs, maxRequests: onServer }
  }

/**
 * All settings: those of system.json by their path there, and those that only the environment has by its variable. Parsing,
 * `mcp-hub config show`, what a running hub takes over and docs/settings.md all come from here; the compiler holds it to the
 * schema of system.json.
 */
export const settings = {
  'server.port': {
    help: 'Port to listen on; 0 takes a free one.',
    variable: 'PORT',
    option: 'port',
    value: 'PORT',
    check: check.port,
    parse: Number,
    default: (where: Where): number => (onDesktop(where) ? 3_737 : 3_000),
  },
  'server.host': {
    help: 'Address to listen on; with `127.0.0.1` also `::1`. Beyond loopback it needs TLS in front.',
    variable: 'HOST',
    option: 'host',
    value: 'HOST',
    default: '127.0.0.1',
  },
  'server.publicUrl': {
    help: 'Where browsers and clients reach the hub.',
    variable: 'PUBLIC_URL',
    option: 'public-url',
    value: 'URL',
    check: check.webUrl,
    default: null,
    live: true,
  },
  'server.allowRuntimeStdio': {
    help: 'Whether the API may add servers that run programs, and change which.',
    default: notInProduction,
    live: true,
  },
  'server.execConsent': {
    help: 'Whether a program that was changed in servers.json waits for somebody’s yes.',
    default: onDesktop,
    live: true,
  },
  'server.allowPrivateAddresses': {
    help: 'Whether servers may be in private networks.',
    default: notInProduction,
    live: true,
  },
  'server.pushWatchMs': {
    help: 'How long a pushed configuration is watched before it is kept, in ms.',
    default: 30_000,
    live: true,
  },
  'server.allowedHosts': { help: 'Names besides loopback that `Host` may carry.', default: [], live: true },
  'server.trustProxy': {
    help: 'Proxies whose `X-Forwarded-*` headers count: how many, or their addresses.',
    default: false,
    live: true,
  },
  'server.cors.origin': { help: 'Origins besides the hub’s own whose pages may call it.', default: [], live: true },
  'server.cors.credentials': { help: 'Whether those pages may send cookies.', default: false, live: true },

  'auth.mcp': { help: 'Whether the MCP endpoints ask for a token; `none` on loopback only.', default: 'token' },
  'auth.oauth': { help: 'Authorization server whose access tokens are taken (docs/security.md).', default: null },
  'auth.jwtSecret': {
    help: 'Signs the sessions; by default one that the hub makes and keeps in DATA_DIR.',
    variable: 'JWT_SECRET',
    check: check.signingKey,
    default: null,
    secret: true,
  },
  'auth.jwtSecretPrevious': {
    help: 'The key before the last change; it checks and signs none.',
    default: null,
    secret: true,
  },
  'auth.jwtExpiresIn': {
    help: 'How long an access token is good.',
    variable: 'JWT_EXPIRES_IN',
    check: check.duration,
    default: '15m',
    live: true,
  },
  'auth.jwtRefreshExpiresIn': {
    help: 'How long a session lasts without use.',
    variable: 'JWT_REFRESH_EXPIRES_IN',
    check: check.duration,
    default: '7d',
    live: true,
  },
  'auth.bcryptRounds': { help: 'Cost of new password hashes (bcrypt rounds).', default: 12, live: true },
  'auth.maxLoginAttempts': { help: 'Wrong passwords for a name from one place.', default: 5, live: true },
  'auth.lockoutDuration': { help: 'How long wrong passwords count, in ms.', default: 900_000, live: true },
  'auth.passwordRules.minLength': { help: 'Characters that a new password needs.', default: 12, live: true },
  'auth.passwordRules.composition': {
    help: 'Whether a new password needs all classes of characters.',
    default: false,
    live: true,
  },
  'auth.passwordRules.maxAgeDays': { help: 'Days after which a password must be changed.', default: null, live: true },

  'logging.level': {
    help: 'The least grave messages that are written: error, warn, info, debug.',
    variable: 'LOG_LEVEL',
    option: 'log-level',
    value: 'LEVEL',
    check: check.oneOf('error', 'warn', 'info', 'debug'),
    default: (): LogLevel => 'info',
    live: true,
  },
  'logging.file': {
    help: 'File for the log; stdout without one.',
    variable: 'LOG_FILE',
    option: 'log-file',
    value: 'FILE',
    default: null,
    live: true,
  },
  'logging.maxFiles': {
    help: 'Log files that are kept, the current one among them.',
    variable: 'LOG_MAX_FILES',
    check: check.fileCount,
    parse: Number,
    default: 10,
    live: true,
  },
  'logging.maxSize': {
    help: 'Size from which on a log file is put aside.',
    variable: 'LOG_MAX_SIZE',
    check: check.size,
    default: '10m',
    live: true,
  },
  'logging.rotation': {
    help: 'Who puts full files aside: hub, or external, such as logrotate.',
    variable: 'LOG_ROTATION',
    check: check.oneOf('hub', 'external'),
    default: (): 'hub' | 'external' => 'hub',
    live: true,
  },
  'monitoring.enabled': {
    help: 'Whether figures are counted and answered for Prometheus (`GET /api/metrics`).',
    default: true,
    live: true,
  },
  'monitoring.metricsInterval': {
    help: 'How long gauges are answered as they were read last, in ms; without it each scrape reads them.',
    default: null,
    live: true,
  },
  'monitoring.healthCheckInterval': {
    help: 'Time between two probes of a server, in ms; its entry may have its own.',
    default: 30_000,
    live: true,
  },
  'monitoring.sentryDsn': {
    help: 'Where faults of the hub are reported, scrubbed; nowhere without.',
    variable: 'SENTRY_DSN',
    check: check.dsn,
    default: null,
    secret: true,
    live: true,
  },
  'monitoring.webhooks': {
    help: 'Who is told what happens to the hub; docs/observability.md.',
    default: null,
    secret: true,
    live: true,
  },

  'rateLimit.windowMs': { help: 'Window of the limits that have no own, in ms.', default: 60_000, live: true },
  'rateLimit.maxRequests': { help: 'For apiRead and apiWrite, where they have no own.', default: null, live: true },
  'rateLimit.login': { help: 'Sign-ins from one address.', default: rate(60), live: true },
  'rateLimit.apiRead': { help: 'Reading by one user or key.', default: rate(1_200, true), live: true },
  'rateLimit.apiWrite': { help: 'Writing by one user or key.', default: rate(300, true), live: true },
  'rateLimit.mcp': { help: 'Requests of one user or key to the MCP endpoints.', default: rate(600), live: true },

  'pinning.onFirstSight': {
    help: 'A tool that was never seen: approve, approve-read-only, hold.',
    default: 'approve',
    live: true,
  },
  'pinning.onChange': { help: 'A definition that changed: mark, hold.', default: 'mark', live: true },

  'history.payloads': {
    help: 'What is kept of arguments and answers: off, redacted, full.',
    default: 'off',
    live: true,
  },
  'history.maxPayloadBytes': { help: 'Bytes that are kept of one of them, at most.', default: 65_536, live: true },
  'history.maxRows': {
    help: 'Requests that are kept.',
    default: (w: Where): number => (onDesktop(w) ? 100_000 : 1_000_000),
    live: true,
  },
  'history.maxBytes': {
    help: 'Bytes that the history may take.',
    default: (w: Where): number => (onDesktop(w) ? 256 : 1_024) * MB,
    live: true,
  },
  'history.maxDays': { help: 'Days that requests are kept.', default: 30, live: true },
  'history.auditDays': { help: 'Days that acts are kept.', default: 365, live: true },

  'backup.folder': { help: 'Where backups go; `backups` in DATA_DIR by default.', default: null, live: true },
  'backup.everyHours': { help: 'Hours between backups that the hub makes by itself.', default: null, live: true },
  'backup.keep': { help: 'Backups that are kept.', default: 30, live: true },

  ...limitSettings,

  CONFIG_DIR: {
    help: 'Folder of servers.json, system.json, profiles.json and users.json.',
    variable: 'CONFIG_DIR',
    option: 'config',
    value: 'DIR',
    default: '~/.config/mcp-hub',
  },
  DATA_DIR: {
    help: 'Folder of all that the hub keeps.',
    variable: 'DATA_DIR',
    option: 'data',
    value: 'DIR',
    default: '~/.local/share/mcp-hub',
  },
  ACCOUNTS_DIR: {
    help: 'Folder that the hubs of one machine share their sign-ins in.',
    variable: 'ACCOUNTS_DIR',
    default: null,
  },
  DATABASE_URL: {
    help: 'PostgreSQL that several hubs share: configuration, users, history and audit.',
    variable: 'DATABASE_URL',
    check: check.postgresUrl,
    default: null,
    secret: true,
  },
  REDIS_URL: {
    help: 'Redis that several hubs share: sign-ins, limits and lockouts.',
    variable: 'REDIS_URL',
    check: check.redisUrl,
    default: null,
    secret: true,
  },
  MCP_HUB_INSTANCE: {
    help: 'Which of several hubs this is: it stands before the ids of its sessions, so that a proxy knows whose they are.',
    variable: 'MCP_HUB_INSTANCE',
    check: check.shortName,
    default: null,
  },
  MCP_HUB_SHARED: {
    help: '`yes` for a hub that is one of several: without DATABASE_URL, where each would have files of its own, it does not start.',
    variable: 'MCP_HUB_SHARED',
    check: check.oneOf('yes'),
    default: null,
  },
  MCP_HUB_TOKEN: {
    help: 'Bearer token with all rights, for automation.',
    variable: 'MCP_HUB_TOKEN',
    check: check.atLeast(16),
    default: null,
    secret: true,
  },
  MCP_HUB_ADMIN_PASSWORD: {
    help: 'Makes the user admin while there is no user.',
    variable: 'MCP_HUB_ADMIN_PASSWORD',
    check: check.atLeast(8),
    default: null,
    secret: true,
  },
  MCP_HUB_SECRETS_FILE: {
    help: 'File of the vault; `secrets.json` in DATA_DIR by default.',
    variable: 'MCP_HUB_SECRETS_FILE',
    default: null,
  },
  MCP_HUB_SECRETS_KEY: {
    help: 'Key that the vault is encrypted with.',
    variable: 'MCP_HUB_SECRETS_KEY',
    check: check.longKey,
    default: null,
    secret: true,
  },
  OTEL_EXPORTER_OTLP_ENDPOINT: {
    help: 'Collector of traces; none are made without.',
    variable: 'OTEL_EXPORTER_OTLP_ENDPOINT',
    check: check.webUrl,
    default: null,
  },
  OTEL_SERVICE_NAME: { help: 'The hub’s name in traces.', variable: 'OTEL_SERVICE_NAME', default: 'mcp-hub' },
  NODE_ENV: { help: '`production` for a hub that others use.', variable: 'NODE_ENV', default: null },
} satisfies Record<SystemPath, Setting> & Record<string, Setting>

export type SettingName = keyof typeof settings
type Default<K extends SettingName> = (typeof settings)[K]['default'] extends (where: Where) => infer R
  ? R
  : (typeof settings)[K]['default']

/** The settings in their order. */
export const settingEntries = Object.entries(settings) as [SettingName, Setting][]

/** What holds where nothing is set. */
export function defaultOf<K extends SettingName>(name: K, where: Where): Default<K> {
  const value: unknown = settings[name].default
  return (typeof value === 'function' ? (value as (where: Where) => unknown)(where) : value) as Default<K>
}

/** For settings whose default is the same everywhere. */
export const fixedDefault = <K extends SettingName>(name: K): Default<K> =>
  defaultOf(name, { mode: 'server', production: false })

export const isSystemPath = (name: SettingName): name is SystemPath => name !== name.toUpperCase()
