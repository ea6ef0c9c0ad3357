import type { Clock } from '../clock.ts'
import type { Reason, ServerConfig, ServerState, ServerStatus, Usage, Wordings } from '../contract/index.ts'
import type { Call, CancelCall, ClientCapabilities, LogLevel, SessionClient } from '../gateway/call.ts'
import type { McpError, Params } from '../gateway/json-rpc.ts'
import type { Redactor } from '../observe/redactor.ts'
import type { ServerLog } from '../observe/server-log.ts'
import type { Catalog, ListKind } from './catalog.ts'
import type { Channel, ChannelHandlers } from './channel.ts'
import type { ServerHello } from './handshake.ts'
import type { Instance } from './instance.ts'
import type { Resident } from './lanes.ts'
import type { ServerLimits } from './limits.ts'
import type { Offer } from './offers.ts'
import type { ServedClient, Subscription } from './subscriptions.ts'

/** One server of the configuration: its state machine (docs/server-states.md), its connections, what it offers. */
export interface Upstream {
  readonly name: string
  readonly prefix: string
  readonly config: ServerConfig
  readonly log: ServerLog
  readonly catalog: Catalog
  /** And what it offers to clients with connections of their own. */
  readonly catalogs: readonly Catalog[]
  /** What it said of itself last, also while it does not run. */
  readonly hello: ServerHello | null
  /** No call needs it now; the next one starts it. */
  readonly isAsleep: boolean
  /** The plain connection, while it works. */
  readonly instance: Instance | null
  /** Every connection: the plain one and those of single clients. */
  readonly instances: readonly Instance[]
  /** For how many ms it has been starting for the first time; null when it does not, or failed before. */
  readonly startingFor: number | null
  status: () => ServerStatus
  history: () => { state: ServerState; at: number; reason: string | null; said?: Wordings }[]
  start: () => void
  /** Ends it for good; resolves once everything that it ran is gone. */
  stop: () => Promise<void>
  restart: () => Promise<void>
  /** Takes another entry under the same name; resolves once what ran under the old one is gone. */
  reconfigure: (config: ServerConfig) => Promise<void>
  /** What holds for entries that say nothing else is another; the server goes on. */
  defaultsChanged: () => void
  /** The network may have changed, or the machine slept: what was put off is tried now, what runs is checked. */
  wake: () => void
  measured: (usage: Usage | null) => void
  /** It consumes more than it may; null when no longer. `restart` ends it and starts it anew. */
  overLimit: (reason: Reason | null, restart: boolean) => void
  /** Resolves once the server runs or is known not to, at the latest after `ms`. */
  settled: (ms: number) => Promise<void>
  /** Why calls cannot be served, as an error for the caller; null when they can, or when one would start the server. */
  unavailable: () => McpError | null
  call: (call: Call) => CancelCall
  /** The connection of a client's capability profile; the lists of a legacy server differ by it. */
  instanceFor: (principal: string, capabilities: ClientCapabilities, resident?: Resident) => Promise<Instance>
  /** A client announces other roots, to the connection that serves it if there is one. */
  rootsChanged: (client: ServedClient, session: SessionClient) => void
  /** A client wants log messages from this level on, of the connection that serves it if there is one. */
  wantLogs: (client: ServedClient, level: LogLevel) => void
  /** What it offers on that connection; null when there was none yet. */
  catalogFor: (principal: string, capabilities: ClientCapabilities) => Catalog | null
  /** The same, once it is known. Rejects with McpError when the server does not run. */
  offersTo: (principal: string, capabilities: ClientCapabilities, resident?: Resident) => Promise<Catalog>
  /** Somebody asks for its lists: those that it does not tell changes of are read anew now and then. */
  freshen: (principal: string, capabilities: ClientCapabilities) => void
  /** Resolves once the server has taken it; while it does not run the wish is kept. Rejects with McpError. */
  subscribe: (subscription: Subscription) => Promise<void>
  unsubscribe: (subscription: Subscription) => void
  /** The tasks of a modern server that somebody wants to hear of. */
  setTasks: (taskIds: ReadonlySet<string>) => void
}

export interface UpstreamOptions {
  name: string
  config: ServerConfig
  clientInfo: { name: string; version: string }
  defaults: ServerLimits
  /** Opens the transport of an entry; throws UpstreamFailure when a reference cannot be resolved. */
  openChannel: (config: ServerConfig, handlers: ChannelHandlers) => Channel
  maxResponseBytes: number
  log: ServerLog
  /** What it offered when it ran last, in an earlier run of the hub. */
  offer?: Offer | null
  /** Reasons quote what servers say, and that may hold a secret. */
  redactor: Redactor
  clock?: Clock
  /** Ends what all connections of this server share, when it is stopped for good. */
  dispose?: () => Promise<void>
  /** Randomness of the backoff, 0 to 1. */
  random?: () => number
}

export interface UpstreamEvents {
  onState: () => void
  onCatalog: (kinds: readonly ListKind[]) => void
  onNotification: (method: string, params: Params | undefined) => void
}
