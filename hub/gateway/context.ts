import type { Limits } from '../contract/index.ts'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Scopes } from '../auth/scope.ts'
import type { Upstream } from '../upstream/upstream.ts'
import type { ListKind } from '../upstream/catalog.ts'
import type { OnExchange } from './exchange.ts'
import type { Traces } from './trace-context.ts'
import type { SessionHolder, SessionRecords } from './session-records.ts'
import type { Tasks } from './tasks.ts'
import type { HubInfo, View } from './view.ts'

/** Who sent a request, as the guard found out. */
export interface Principal {
  /** Stable name, e.g. `key:desktop` or `anonymous`. */
  id: string
  /** What they are narrowed to; empty for everything. */
  scopes: Scopes
}

export type GatewayLimits = Limits

export interface GatewayContext {
  hubInfo: HubInfo
  limits: GatewayLimits
  /** Stands before the ids of sessions, where several hubs have some. */
  instance: string | null
  /** What other hubs can know of its sessions, to go on with them; null where there are no others. */
  sessionRecords: ((context: GatewayContext, holder: SessionHolder) => SessionRecords) | null
  upstreams: () => ReadonlyMap<string, Upstream>
  tasks: Tasks
  /** Tells the gateway that somebody's wish for updates of tasks changed. */
  tasksChanged: () => void
  /** Counts and records; called after the answer is on its way. */
  onExchange: OnExchange
  /** Null where the hub makes no traces. */
  traces: Traces | null
  /** Tells that a client was cut off because it did not read. */
  slowReader: (principal: string | null) => void
  /** Somebody came with the id of a session that is another principal's. */
  foreignSession: (principal: Principal, owner: string) => void
}

export interface HttpRequest {
  request: IncomingMessage
  response: ServerResponse
  body: Buffer
  principal: Principal
  view: View
  /** Refuses a caller over the limit of requests; an answer that a server waits for is none. */
  overLimit: (() => void) | null
}

/** What an edge has to tell its clients when something changed upstream. */
export interface Edge {
  catalogChanged: (upstream: Upstream, kinds: readonly ListKind[]) => void
  /** Any list of any view may be another one: servers came or went, or what is shown of them changed. */
  listsChanged: () => void
}
