import type { RequestListener } from 'node:http'
import type { Endpoint, Fault, Overview, SystemFile } from './contract/index.ts'
import type { StaticToken } from './auth/tokens.ts'
import type { ConnectionLimits } from './endpoint.ts'
import type { SystemOverrides } from './config/read-settings.ts'
import type { Surface } from './front-door.ts'
import type { Traces } from './gateway/trace-context.ts'
import type { ReportFault } from './observe/fault-reports.ts'
import type { Log } from './observe/log.ts'
import type { Redactor } from './observe/redactor.ts'
import type { SecretVault } from './secrets/vault.ts'
import type { SearchPath } from './upstream/process/search-path.ts'

export interface HubOptions {
  mode: 'desktop' | 'server'
  version: string
  configDir: string
  dataDir: string
  /** The vault's file, for backups; none where the app keeps the secrets. */
  secretsFile?: string
  /** PostgreSQL for what is kept, shared with other hubs; null for SQLite in `dataDir`. */
  databaseUrl: string | null
  /** Null where no traces are made. */
  traces: Traces | null
  /** Folder of the built web UI, served at `/`; null when the app serves it. */
  webDir: string | null
  /** Folder with the built hub and web UI, which a bundle carries. */
  distDir: string
  /** Fixed bearer tokens: the app's own, that of the clients on this computer, MCP_HUB_TOKEN. */
  tokens: StaticToken[]
  /** What the command line and the environment set, and system.json therefore does not. */
  overrides?: SystemOverrides
  adminPassword: string | undefined
  /** Where several hubs meet; null for one machine. */
  redisUrl: string | null
  /** Which of several hubs this is: stands before the ids of its sessions, so that a proxy knows whose they are. */
  instance?: string | null
  /** Values of `${secret:NAME}`. */
  vault: SecretVault
  /** The environment as system.json sees it, with the hub's own secrets; the same as `env` when absent. */
  systemEnv?: (name: string) => string | undefined
  /** The signing key to use when nothing sets one; without it tokens end with the process. */
  keptJwtSecret?: () => Promise<Uint8Array>
  env: (name: string) => string | undefined
  /** Reads the PATH for stdio servers; asked when the first one starts. */
  readSearchPath: () => Promise<SearchPath>
  log: Log
  /** What the configuration says of the log, for whoever made it: once at the start, and at each change. */
  applyLogging?: (logging: SystemFile['logging']) => void
  /** Whether `debug` lines come out: what is dear to tell is made only then. */
  isDebug?: () => boolean
  /** So many calls were done, or something else was; called once for many calls. */
  worked?: (calls: number) => void
  /** Folder of the app's own logs, for diagnostics; null where there are none. */
  logDir: string | null
  /** The log's own, so that it learns what the configuration and the vault hold. */
  redactor: Redactor
  /** Accounts at remote servers that several hubs share, and the key that all of them have; else they are in DATA_DIR. */
  sharedAccounts?: { dir: string; key: string | null }
}

export interface Hub {
  requestListener: (surface: Surface) => RequestListener
  /** Starts the servers and watches the configuration. */
  start: () => Promise<void>
  /** Whether it takes work; false once it has drained. */
  readonly ready: boolean
  readonly faults: Fault[]
  readonly mcpAuth: 'token' | 'none'
  readonly endpointPort: number
  /** For whoever makes the HTTP server. */
  readonly connectionLimits: ConnectionLimits
  readonly host: string
  /** One-time code for the first administrator; null when none is needed. Announced by `onSetupCode`, too. */
  setupCode: () => Promise<string | null>
  overview: () => Overview
  setEndpoint: (endpoint: Endpoint) => void
  /** Takes effect for `POST /api/hub/endpoint`: listens on the port, and answers what came of it. */
  onMoveEndpoint: ((port: number) => Promise<Endpoint>) | null
  onOverview: ((overview: Overview) => void) | null
  /** A new code replaced the one that ran out. */
  onSetupCode: ((code: string) => void) | null
  /** Ends streams and idle sessions and lets requests finish, at most `ms`. Who wants no new ones closes the listener first. */
  drain: (ms: number) => Promise<void>
  stop: () => Promise<void>
  /** Tells of a fault that nobody caught, where system.json says to whom. */
  reportFault: ReportFault
  /** When the process ends without `stop`: kills the servers at once. */
  abandon: () => void
}
