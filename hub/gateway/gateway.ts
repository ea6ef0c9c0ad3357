import { isUtf8 } from 'node:buffer'
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { parseExactly } from '../contract/exact-json.ts'
import { isEnabled } from '../contract/index.ts'
import type { Upstream } from '../upstream/upstream.ts'
import type { ListKind } from '../upstream/catalog.ts'
import type { Params } from './json-rpc.ts'
import { memoize } from '../memo.ts'
import { isObject, rpc } from './json-rpc.ts'
import type { GatewayContext, GatewayLimits, HttpRequest, Principal } from './context.ts'
import type { OnExchange } from './exchange.ts'
import type { Traces } from './trace-context.ts'
import { createLegacyEdge } from './legacy-edge.ts'
import { createModernEdge } from './modern-edge.ts'
import { isModern } from './modern-envelope.ts'
import { ELICITATION_COMPLETE } from './call.ts'
import { createParkingLot } from './parked.ts'
import { createStateSeal } from './request-state.ts'
import { wholeShape } from '../catalog/shape.ts'
import type { Notes } from '../cluster/cluster.ts'
import type { Profile } from '../contract/index.ts'
import { isAnswer, nestingDepth, shapeFault } from './message-shape.ts'
import { readBody, refuse } from './request-body.ts'
import { createProfileView } from './profile-view.ts'
import { createAggregatedView } from './aggregated-view.ts'
import { createSearchableView, personalWith, type ToolSearchModes } from './searchable-view.ts'
import { createServerView } from './server-view.ts'
import { createScopedViews } from './scoped-views.ts'
import { createTaskOwners } from './task-owners.ts'
import { createTasks } from './tasks.ts'
import type { Admission, HubInfo, View } from './view.ts'

export interface GatewayOptions {
  hubInfo: HubInfo
  limits: GatewayLimits
  /** Stands before the ids of sessions, where several hubs have some. */
  instance: string | null
  /** That all hubs share, the first for new ones; what clients carry between rounds is sealed with them. */
  stateKeys: readonly Uint8Array[]
  upstreams: () => ReadonlyMap<string, Upstream>
  /** `profiles.json`, as one object for as long as it stays the same. */
  profiles: () => Readonly<Record<string, Profile>>
  admission: Admission
  /** What keys say of tool search by themselves; `listsChanged` is called when that changes. */
  toolSearch: ToolSearchModes
  onExchange: OnExchange
  traces: Traces | null
  /** A batch came: so many messages beyond the one that was counted. */
  onBatch: (principal: Principal, more: number) => void
  foreignSession: GatewayContext['foreignSession']
  /** Where it is kept whose the tasks are; opened when there is one. */
  taskOwners: () => Promise<Notes>
  sessionRecords: GatewayContext['sessionRecords']
  warn: (text: string, data: Record<string, unknown>) => void
}

/** The MCP endpoints `/mcp`, `/mcp/<server>`, `/mcp/<profile>`, and `/sse` with `/messages` for old clients. */
export interface Gateway {
  /** True when the path is one of ours; the request is then answered. The guard has run before. */
  handle: (
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    principal: Principal,
    overLimit: (() => void) | null,
  ) => boolean
  catalogChanged: (upstream: Upstream, kinds: readonly ListKind[]) => void
  /** A server said something else that belongs to no call. */
  notified: (upstream: Upstream, method: string, params: Params | undefined) => void
  /** Servers were removed, or profiles changed: what clients know of the lists may be out of date. */
  listsChanged: (removed: readonly string[]) => void
  readonly sessions: number
  /** Ends the sessions of somebody whose credential is not good any more; whose others are, opens new ones. */
  revoke: (principal: string) => void
  readonly listens: number
  /** Ends the streams and sessions that no call is under way in; clients reconnect, to another hub. */
  release: () => void
  /** Ends all of them. */
  close: () => void
}

const NO_TASKS: ReadonlySet<string> = new Set()

export function createGateway(options: GatewayOptions): Gateway {
  const { limits, toolSearch, hubInfo } = options
  const admission = personalWith(toolSearch, options.admission)
  const views = new Map<string, View>()
  const profileViews = new Map<string, View>()
  const context: GatewayContext = {
    hubInfo,
    limits,
    instance: options.instance,
    sessionRecords: options.sessionRecords,
    upstreams: options.upstreams,
    tasks: createTasks(createTaskOwners(options.taskOwners, (text) => options.warn(text, {}))),
    tasksChanged,
    onExchange: options.onExchange,
    traces: options.traces,
    foreignSession: options.foreignSession,
    slowReader: (principal) =>
      options.warn(
        `A client that does not read its stream was cut off: more than ${limits.maxBufferedBytesPerReader} bytes waited for it (limits.maxBufferedBytesPerReader)`,
        principal === null ? {} : { principal },
      ),
  }
  const parking = createParkingLot({
    get ttlMs() {
      return limits.parkedCallTtlMs
    },
    get max() {
      return limits.maxParkedCalls
    },
    seal: createStateSeal(options.stateKeys),
    owner: options.instance ?? randomUUID(),
  })
  const modern = createModernEdge(context, parking)
  const legacy = createLegacyEdge(context)

  function tasksChanged(): void {
    const wanted = modern.wantedTasks()
    for (const upstream of options.upstreams().values()) upstream.setTasks(wanted.get(upstream) ?? NO_TASKS)
  }

  let members: { of: ReadonlyMap<string, Upstream>; enabled: Upstream[] } | null = null

  /** The enabled servers, as one array for as long as the configuration stays. */
  function enabledUpstreams(): Upstream[] {
    const all = options.upstreams()
    if (members?.of !== all)
      members = { of: all, enabled: [...all.values()].filter((upstream) => isEnabled(upstream.config)) }
    return members.enabled
  }

  const whole = createAggregatedView('/mcp', enabledUpstreams, () => wholeShape, admission, hubInfo)
  const aggregated = createSearchableView(whole, toolSearch, hubInfo)

  const scoped = createScopedViews({ ...options, admission, enabled: enabledUpstreams })

  function profileView(name: string): View | null {
    if (!Object.hasOwn(options.profiles(), name)) return null
    const known = profileViews.get(name)
    if (known !== undefined) return known
    const view = createProfileView(name, { ...options, admission, upstreams: enabledUpstreams })
    profileViews.set(name, view)
    return view
  }

  function viewFor(name: string, principal: Principal): View | null {
    if (principal.scopes.length > 0) return scoped.find(principal.scopes, name)
    if (name === '') return aggregated
    const all = options.upstreams()
    const upstream = all.get(name) ?? [...all.values()].find((candidate) => candidate.prefix === name)
    if (upstream === undefined) return profileView(name)
    const known = views.get(upstream.name)
    if (known !== undefined) return known
    const own = createServerView(upstream.name, () => options.upstreams().get(upstream.name), admission)
    const view = createSearchableView(own, toolSearch, hubInfo)
    views.set(upstream.name, view)
    return view
  }

  function batchFault(body: unknown): string | null {
    return Array.isArray(body) && body.length > limits.maxBatchMessages
      ? `The batch has ${body.length} messages, more than ${limits.maxBatchMessages} (limits.maxBatchMessages)`
      : null
  }

  function onPost(http: HttpRequest, dispatch: (body: unknown) => void): void {
    const text = http.body.toString()
    if (nestingDepth(text, limits.maxNestingDepth) > limits.maxNestingDepth) {
      refuse(
        http.response,
        400,
        rpc.invalidRequest,
        `The message is nested deeper than ${limits.maxNestingDepth} levels (limits.maxNestingDepth)`,
      )
      return
    }
    // What is no UTF-8 would be passed on as other text than was sent.
    if (text.includes('\ufffd') && !isUtf8(http.body)) {
      refuse(http.response, 400, rpc.parseError, 'Parse error: the body is not UTF-8')
      return
    }
    let body: unknown
    try {
      body = parseExactly(text)
    } catch (error) {
      refuse(http.response, 400, rpc.parseError, `Parse error: ${error instanceof Error ? error.message : 'not JSON'}`)
      return
    }
    const fault = batchFault(body) ?? shapeFault(body)
    if (fault !== null) {
      refuse(http.response, 400, rpc.invalidRequest, fault)
      return
    }
    if (http.overLimit !== null && !isAnswer(body)) {
      http.overLimit()
      return
    }
    if (Array.isArray(body)) options.onBatch(http.principal, body.length - 1)
    dispatch(body)
  }

  function handle(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    principal: Principal,
    overLimit: (() => void) | null,
  ): boolean {
    if (path === '/messages') {
      if (request.method !== 'POST') {
        response.setHeader('allow', 'POST')
        refuse(response, 405, rpc.invalidRequest, 'Messages are posted here')
        return true
      }
      const url = new URL(request.url ?? '/', 'http://hub')
      readBody(request, response, limits.maxRequestBytes, (body) => {
        const view = viewFor('', principal) ?? aggregated
        const http: HttpRequest = { request, response, body, principal, view, overLimit }
        onPost(http, (message) => legacy.postSse(http, url.searchParams.get('sessionId') ?? '', message))
      })
      return true
    }
    const place = placeOf(path)
    if (place === 'elsewhere') return false
    if (place === 'malformed') {
      refuse(response, 400, rpc.invalidRequest, 'The path is not valid percent-encoding')
      return true
    }
    const { name } = place
    const view = viewFor(name, principal)
    if (view === null) {
      refuse(response, 404, rpc.invalidRequest, `There is no server or profile named ${name}`)
      return true
    }
    const http: HttpRequest = { request, response, body: Buffer.alloc(0), principal, view, overLimit }
    if (place.sse) {
      if (request.method === 'GET') legacy.openSse(http, '/messages')
      else {
        response.setHeader('allow', 'GET')
        refuse(response, 405, rpc.invalidRequest, 'Use GET to open the stream')
      }
    } else if (request.method === 'POST') {
      readBody(request, response, limits.maxRequestBytes, (body) => {
        http.body = body
        onPost(http, (message) => {
          if (!isModern(message, request.headers)) legacy.post(http, message)
          else if (isObject(message) && 'method' in message) modern.handle(http, message)
          else refuse(response, 400, rpc.invalidRequest, 'A request of this era is one message with a method')
        })
      })
    } else if (isModern(null, request.headers) || (request.method !== 'GET' && request.method !== 'DELETE')) {
      response.setHeader('allow', isModern(null, request.headers) ? 'POST' : 'GET, POST, DELETE')
      refuse(response, 405, rpc.invalidRequest, `Method ${request.method ?? ''} is not allowed here`)
    } else if (request.method === 'GET') legacy.get(http)
    else legacy.remove(http)
    return true
  }

  return {
    handle,
    catalogChanged: (upstream, kinds) => {
      modern.catalogChanged(upstream, kinds)
      legacy.catalogChanged(upstream, kinds)
    },
    notified: (upstream, method, params) => {
      if (method === 'notifications/tasks') modern.taskChanged(upstream, params ?? {})
      else if (method === 'notifications/tasks/status') legacy.taskChanged(upstream, params ?? {})
      else if (method === ELICITATION_COMPLETE) legacy.visited(upstream, params ?? {})
    },
    listsChanged: (removed) => {
      for (const name of removed) views.delete(name)
      modern.listsChanged()
      legacy.listsChanged()
    },
    revoke: legacy.endOf,
    get sessions() {
      return legacy.sessions
    },
    get listens() {
      return modern.listens
    },
    release: () => {
      modern.closeAll()
      legacy.closeIdle()
    },
    close: () => {
      modern.closeAll()
      legacy.closeAll()
      parking.dispose()
    },
  }
}

/** The endpoint that a path names. */
const placeOf = memoize((path): { sse: boolean; name: string } | 'elsewhere' | 'malformed' => {
  const match = /^\/(mcp|sse)(?:\/([^/]+))?\/?$/.exec(path)
  if (match === null) return 'elsewhere'
  try {
    return { sse: match[1] === 'sse', name: decodeURIComponent(match[2] ?? '') }
  } catch {
    return 'malformed'
  }
})
