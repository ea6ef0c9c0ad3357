import type { Era } from '../contract/index.ts'
import { unkept, type Catalog, type Freshness, type Item, type ListKind } from '../upstream/catalog.ts'
import type { ServerHello } from '../upstream/handshake.ts'
import type { Resident } from '../upstream/lanes.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { META, McpError, isObject, rpc, type Params } from './json-rpc.ts'
import { TASKS_EXTENSION, capabilityProfile, type ClientCapabilities } from './call.ts'
import { forLegacyClient } from './era-bridge.ts'
import type { ExposeUri } from './exposed-uris.ts'

/** Who asks, as far as it decides what they see. */
export interface Viewer {
  principal: string
  capabilities: ClientCapabilities
  era: Era
  /** The session that asks, for what a server wants of it before any call. */
  resident?: Resident
}

/** What carries a call: a server, or the hub itself. */
export type Target = Pick<Upstream, 'name' | 'hello' | 'call'>

export interface Route {
  upstream: Target
  params: Params | undefined
  catalog: Catalog
  /** How URIs of the server are called here, where not all are called as there. */
  expose?: ExposeUri
  /** The client named another tool than the one that is called: its `Mcp-Param-*` headers are not of this one. */
  renamed?: boolean
}

/** What one endpoint shows: all servers or those of a profile under prefixed names, or one server as it is. */
export interface View {
  readonly path: string
  /** As the configuration is now: a view outlasts its changes, because sessions hold it. */
  readonly upstreams: readonly Upstream[]
  includes: (upstream: Upstream) => boolean
  /** Whether it shows several servers under names of the hub's; results are then the hub's too. */
  readonly aggregates: boolean
  /** Who answers here: the one server, or the hub. One object for as long as it says the same. */
  readonly serverInfo: Params
  /** The result of a list method as JSON, made once per change: the same buffer for as long as the list is the same. */
  list: (kind: ListKind, viewer: Viewer) => Buffer | Promise<Buffer>
  /** The same as far as it is known; waits for nothing and starts nothing. Null when nothing is known. */
  listNow: (kind: ListKind, viewer: Viewer) => Buffer | null
  /**
   * Where a request goes, with names as the server knows them. Throws or rejects with McpError. It is a promise only when
   * something must be waited for, so that a usual call costs no turn of the event loop.
   */
  route: (method: string, params: Params | undefined, viewer: Viewer) => Route | Promise<Route>
  /** What `initialize` and `server/discover` say. Rejects with McpError when the one server of the endpoint is down. */
  describe: (viewer: Viewer) => Promise<{ capabilities: Params; serverInfo: Params; instructions: string | null }>
}

/**
 * How long after its first start began a server is waited for: by its own endpoint, and by a call that names what nobody
 * offers yet; by a list of several servers, of which the others are there already; and by a greeting.
 */
export const LIST_WAIT_MS = 10_000
export const MERGED_LIST_WAIT_MS = 1_000
export const GREETING_WAIT_MS = 150

export interface HubInfo {
  name: string
  version: string
}

/** Resolves once a server that starts for the first time has started; one that failed before is not waited for. */
export async function started(upstream: Upstream, ms: number): Promise<void> {
  const { startingFor } = upstream
  const left = startingFor === null ? 0 : ms - startingFor
  if (left > 0) await upstream.settled(left)
}

/** What a viewer is offered by a server when nothing must be waited for; null when something must. */
export function catalogNow(upstream: Upstream, viewer: Viewer): Catalog | null {
  const offered = upstream.catalogFor(viewer.principal, viewer.capabilities)
  if (offered !== null || upstream.instance !== null) return offered
  return upstream.startingFor === null ? upstream.catalog : null
}

/** Waits for what `catalogNow` has not, at the latest until `ms` after the server's start began, or from now on. */
export async function known(upstreams: readonly Upstream[], viewer: Viewer, ms: number): Promise<void> {
  const left = Math.max(...upstreams.map(({ startingFor }) => ms - (startingFor ?? 0)))
  if (left <= 0) return
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<void>((resolve) => (timer = setTimeout(resolve, left)))
  const all = Promise.all(upstreams.map((upstream) => catalogOf(upstream, viewer)))
  await Promise.race([all, deadline]).finally(() => clearTimeout(timer))
}

export async function catalogOf(upstream: Upstream, viewer: Viewer): Promise<Catalog> {
  await started(upstream, LIST_WAIT_MS)
  if (upstream.instance === null) return upstream.catalog
  return upstream.offersTo(viewer.principal, viewer.capabilities, viewer.resident).catch(() => upstream.catalog)
}

export function listText(
  kind: ListKind,
  items: readonly Item[],
  era: Era,
  serverInfo: unknown,
  freshness: Freshness = unkept,
): string {
  if (era === 'legacy') return JSON.stringify({ [kind]: kind === 'tools' ? items.map(forLegacyClient) : items })
  return JSON.stringify({
    resultType: 'complete',
    [kind]: items,
    ...freshness,
    _meta: { [META.serverInfo]: serverInfo },
  })
}

/** The hub's lists have one page: only the first cursor there can be is good. */
export function checkCursor(params: Params | undefined): void {
  const cursor = params?.['cursor']
  if (cursor !== undefined && cursor !== '') throw new McpError(rpc.invalidParams, 'The cursor is not valid')
}

/** Which tools may be shown and called; `revision` grows with every change of that. */
export interface Admission {
  readonly revision: number
  /** Others are shown other lists at the same address, so that none may be kept for all. */
  readonly isPersonal?: boolean
  admits: (server: string, tool: Item) => boolean
  /** What of a server's instructions models may be told. */
  instructions: (server: string, text: string | null) => string | null
}

export function heldBack(server: string, tool: string): McpError {
  return new McpError(
    rpc.invalidParams,
    `Tool ${tool} of server ${server} is held back until a person approves its definition in MCP Hub, under Tools`,
    { server, tool },
  )
}

/** What of a viewer decides what it is offered: servers of the legacy era shape that by what the client can be asked. */
export function profileKey({ principal, capabilities }: Viewer): string {
  const profile = capabilityProfile(capabilities)
  return profile === '' ? '' : `${principal} ${profile}`
}

/** The lists made of one state of things, by what they are. */
export type ListCache = Map<string, Buffer>

/** A list as what is kept: made once, and the same buffer as in an `earlier` state where it comes out the same. */
export function cachedList(
  lists: ListCache,
  earlier: ListCache | null,
  kind: ListKind,
  era: Era,
  make: () => string,
): Buffer {
  const key = `${kind} ${era}`
  const known = lists.get(key)
  if (known !== undefined) return known
  const made = Buffer.from(make())
  const before = earlier?.get(key)
  const list = before?.equals(made) === true ? before : made
  lists.set(key, list)
  return list
}

export function sameParts(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a === b || (a.length === b.length && a.every((part, position) => part === b[position]))
}

/** Capabilities towards a client: those of all servers, without what its era does not have, or not in this form. */
export function capabilitiesFor(era: Era, servers: readonly Pick<ServerHello, 'era' | 'capabilities'>[]): Params {
  const merged: Params = {}
  for (const server of servers) mergeInto(merged, forEra(era, server))
  return merged
}

function forEra(era: Era, server: Pick<ServerHello, 'era' | 'capabilities'>): Params {
  const capabilities = { ...server.capabilities }
  if (era === 'legacy' && server.era === 'modern') {
    // A legacy client subscribes one URI at a time; the hub keeps one listen for all of them.
    for (const key of ['tools', 'prompts'])
      if (capabilities[key] !== undefined) capabilities[key] = { ...(capabilities[key] as Params), listChanged: true }
    capabilities['logging'] ??= {}
  }
  // The tasks of 2025-11-25 have another wire form than the extension, and neither is bridged.
  if (era === 'modern') delete capabilities['tasks']
  const { extensions } = capabilities
  if (isObject(extensions) && TASKS_EXTENSION in extensions && (era === 'legacy' || server.era === 'legacy')) {
    const { [TASKS_EXTENSION]: _tasks, ...rest } = extensions
    capabilities['extensions'] = rest
  }
  return capabilities
}

/** What any of the servers can do, or tells of an extension, can be said of all. */
function mergeInto(merged: Params, added: Params): void {
  for (const [key, value] of Object.entries(added)) {
    const known = merged[key]
    if (isObject(known) && isObject(value)) {
      const both = { ...known }
      mergeInto(both, value)
      merged[key] = both
    } else if (Array.isArray(known) && Array.isArray(value))
      merged[key] = [...new Set([...(known as unknown[]), ...(value as unknown[])])]
    else if (known !== true) merged[key] = value
  }
}
