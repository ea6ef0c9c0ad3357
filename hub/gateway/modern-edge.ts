import type { CancelCall, Call, LogLevel } from './call.ts'
import { ELICITATION_COMPLETE, WITH_INPUT, canAnswer } from './call.ts'
import { passNotification } from './client-notifications.ts'
import type { Edge, GatewayContext, HttpRequest } from './context.ts'
import {
  META,
  MODERN_VERSIONS,
  McpError,
  Reply,
  idText,
  resultBody,
  rpc,
  toRpcError,
  unreadable,
  type Body,
  type JsonRpcId,
  type RpcError,
  type Params,
} from './json-rpc.ts'
import { requestIdOf } from '../http-answers.ts'
import { exposeUris } from './exposed-uris.ts'
import { createLateListens, type LateListens } from './late-listens.ts'
import { outgoingParamHeaders } from './mcp-headers.ts'
import { modernBody, modernError, pagesRefused, refusesPages, type ResultOrigin } from './modern-result.ts'
import {
  BadEnvelope,
  checkEnvelope,
  checkMethodHeaders,
  checkNotification,
  checkToolHeaders,
  clientOf,
  ownerOf,
  statusOf,
} from './modern-envelope.ts'
import { createRounds, identityOf, type Carrier } from './modern-rounds.ts'
import { Outlet, acceptOf, type OutletOptions } from './outlet.ts'
import type { ParkingLot } from './parked.ts'
import { Exchange, sizeOf } from './exchange.ts'
import { declaresTasks } from './tasks.ts'
import { traced } from './trace-context.ts'
import { checkCursor, type Route, type View, type Viewer } from './view.ts'
import type { ListKind } from '../upstream/catalog.ts'

const LISTS: Record<string, ListKind> = {
  'tools/list': 'tools',
  'prompts/list': 'prompts',
  'resources/list': 'resources',
  'resources/templates/list': 'resourceTemplates',
}
/** Methods of the legacy era that the modern one removed. */
const REMOVED = new Set([
  'initialize',
  'ping',
  'logging/setLevel',
  'resources/subscribe',
  'resources/unsubscribe',
  'tasks/list',
  'tasks/result',
])
/** What a server may ask for. */
const SPECIFIED = new Set(['elicitation/create', 'sampling/createMessage', 'roots/list'])

export interface ModernEdge extends Edge, Pick<LateListens, 'wantedTasks' | 'taskChanged'> {
  handle: (http: HttpRequest, message: Params) => void
  readonly listens: number
  closeAll: () => void
}

/** The stateless edge (2026-07-28). Checks stand in the order of PROTOCOL §3.3. */
export function createModernEdge(context: GatewayContext, parking: ParkingLot): ModernEdge {
  const listens = createLateListens(context)
  const rounds = createRounds(parking)
  const reader: OutletOptions = {
    get maxBufferedBytes() {
      return context.limits.maxBufferedBytesPerReader
    },
    onOverflow: () => context.slowReader(null),
  }
  const callsOf = new Map<string, number>()

  function handle(http: HttpRequest, message: Params): void {
    const outlet = new Outlet(http.response, acceptOf(http.request.headers.accept ?? '*/*').streams, reader)
    const id = message['id'] as JsonRpcId
    const method = message['method'] as string
    if (message['id'] === undefined) {
      notified(http, message, method, outlet)
      return
    }
    const exchange = new Exchange(
      http.principal.id,
      http.view.path,
      clientOf(message),
      method,
      http.body.length,
      requestIdOf(http.response),
    )
    try {
      const viewer = checkEnvelope(http, message, context.limits)
      checkMethodHeaders(http, message)
      if (REMOVED.has(method)) throw new McpError(rpc.methodNotFound, `Method not found: ${method}`)
      const params = message['params'] as Params
      const recalled = context.tasks.recall(http.view, method, params)
      const done =
        recalled === null
          ? dispatch(http, id, exchange, params, viewer, outlet)
          : recalled.then(() => (isGone(http, exchange) ? null : dispatch(http, id, exchange, params, viewer, outlet)))
      done?.catch((error: unknown) => fail(outlet, id, exchange, error))
    } catch (error) {
      fail(outlet, id, exchange, error)
    }
  }

  function notified(http: HttpRequest, message: Params, method: string, outlet: Outlet): void {
    try {
      const viewer = checkNotification(http, message)
      http.response.writeHead(202).end()
      passNotification(http.view, viewer, method, message['params'] as Params | undefined)
    } catch (error) {
      sendError(outlet, null, toRpcError(error))
    }
  }

  /** Whether the client went away while something had to be waited for; then nothing more is done. */
  function isGone({ response }: HttpRequest, exchange: Exchange): boolean {
    if (!response.destroyed) return false
    exchange.cancelled()
    context.onExchange(exchange, undefined, null)
    return true
  }

  function fail(outlet: Outlet, id: JsonRpcId, exchange: Exchange, error: unknown): void {
    const failure = toRpcError(error)
    exchange.failed(failure, sendError(outlet, id, failure, error instanceof BadEnvelope))
    context.onExchange(exchange, undefined, null)
  }

  function succeed(outlet: Outlet, exchange: Exchange, body: Body): void {
    outlet.finish(body)
    exchange.succeeded(sizeOf(body))
    context.onExchange(exchange, undefined, null)
  }

  function dispatch(
    http: HttpRequest,
    id: JsonRpcId,
    exchange: Exchange,
    params: Params,
    viewer: Viewer,
    outlet: Outlet,
  ): Promise<void> | null {
    const { method } = exchange
    if (Object.hasOwn(LISTS, method))
      return answerList(http.view, LISTS[method] ?? 'tools', id, exchange, params, viewer, outlet)
    if (method === 'server/discover') return discover(http.view, id, exchange, viewer, outlet)
    if (method === 'subscriptions/listen')
      return listens.loaded().then(({ open }) => {
        if (isGone(http, exchange)) return
        open(http, id, params, viewer, outlet)
        exchange.succeeded(0)
        context.onExchange(exchange, undefined, null)
      })
    return forward(http, id, exchange, params, viewer, outlet)
  }

  function answerList(
    view: View,
    kind: ListKind,
    id: JsonRpcId,
    exchange: Exchange,
    params: Params,
    viewer: Viewer,
    outlet: Outlet,
  ): Promise<void> | null {
    checkCursor(params)
    const answer = (list: Buffer): void => succeed(outlet, exchange, resultBody(id, list))
    const list = view.list(kind, viewer)
    if (list instanceof Promise) return list.then(answer)
    answer(list)
    return null
  }

  async function discover(
    view: View,
    id: JsonRpcId,
    exchange: Exchange,
    viewer: Viewer,
    outlet: Outlet,
  ): Promise<void> {
    const { capabilities, serverInfo, instructions } = await view.describe(viewer)
    const result = {
      resultType: 'complete',
      supportedVersions: [...MODERN_VERSIONS],
      capabilities,
      ...(instructions === null ? {} : { instructions }),
      ttlMs: 0,
      cacheScope: 'private',
      _meta: { [META.serverInfo]: serverInfo },
    }
    succeed(outlet, exchange, [Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, result }))])
  }

  function forward(
    http: HttpRequest,
    id: JsonRpcId,
    exchange: Exchange,
    params: Params,
    viewer: Viewer,
    outlet: Outlet,
  ): Promise<void> | null {
    const { method } = exchange
    const start = (route: Route): void => {
      const mayBeRetry = WITH_INPUT.has(method) && route.upstream.hello?.era === 'legacy'
      if (method === 'tools/call') checkToolHeaders(http, route)
      if (mayBeRetry && params['requestState'] !== undefined)
        rounds.resume(http, identityOf(http, method, route), id, params, outlet)
      else if (mayBeRetry && refusesPages(params)) {
        const origin = { era: 'modern', method, serverInfo: http.view.serverInfo } as const
        succeed(outlet, exchange, modernBody(pagesRefused(method), idText(id), origin))
      } else launch(http, id, exchange, route, viewer, outlet)
    }
    const route = context.tasks.route(http.view, method, params, viewer) ?? http.view.route(method, params, viewer)
    if (route instanceof Promise) {
      exchange.waits()
      return route.then((found) => {
        if (!isGone(http, exchange)) start(found)
      })
    }
    start(route)
    return null
  }

  function launch(
    http: HttpRequest,
    id: JsonRpcId,
    exchange: Exchange,
    route: Route,
    viewer: Viewer,
    outlet: Outlet,
  ): void {
    const { method } = exchange
    const { upstream } = route
    const principal = http.principal.id
    const running = callsOf.get(principal) ?? 0
    if (running >= context.limits.maxCallsPerClient)
      throw new McpError(
        rpc.limitExceeded,
        `This client already has ${running} calls in flight (limits.maxCallsPerClient)`,
      )
    let params = route.params
    let headers: Record<string, string> | undefined
    if (method === 'tools/call' && upstream.hello?.era !== 'legacy') {
      const expected = route.catalog.headerParams.get(String(params?.['name']))
      const given = route.renamed ? null : http.request.headers
      headers = outgoingParamHeaders(expected, params?.['arguments'], given)
    }
    exchange.routed(upstream.name, params)
    params = traced(context.traces, exchange, http.request.headers, params)
    const meta = params?.['_meta'] as Params
    const progressToken = meta['progressToken'] as string | number | undefined
    const carrier: Carrier = { view: http.view, outlet, id, progressToken, parked: null }
    let finished = false
    const call: Call = {
      method,
      params,
      clientEra: 'modern',
      owner: ownerOf(viewer, meta),
      principal,
      capabilities: viewer.capabilities,
      clientInfo: meta[META.clientInfo],
      progressToken,
      logLevel: meta[META.logLevel] as LogLevel | undefined,
      wantsLogs: meta[META.logLevel] !== undefined,
      paramHeaders: headers,
      moments: exchange,
      notify: (name, body) => {
        // Between rounds there is no response to carry a notification.
        if (carrier.outlet.ended || !carrier.outlet.acceptsStream || name === ELICITATION_COMPLETE) return
        // Each round of a client has a token of its own, or none.
        const isProgress = name === 'notifications/progress'
        if (isProgress && carrier.progressToken === undefined) return
        const params = isProgress ? { ...body, progressToken: carrier.progressToken } : body
        exchange.notified()
        carrier.outlet.send(JSON.stringify({ jsonrpc: '2.0', method: name, params }))
      },
      ask: (question) => {
        if (
          !SPECIFIED.has(question.method) ||
          !WITH_INPUT.has(method) ||
          !canAnswer(viewer.capabilities, question.method, question.params)
        )
          return Promise.reject(new McpError(rpc.methodNotFound, `The client does not support ${question.method}`))
        const whose = identityOf(http, method, route)
        return rounds.ask(carrier, whose, question, () => cancel('the client did not come back'))
      },
      finish: (reply) => {
        if (finished) return
        finished = true
        exchange.replied()
        done()
        if (carrier.parked !== null) parking.end(carrier.parked)
        const era = upstream.hello?.era
        const exposed = route.expose === undefined ? reply : exposeUris(reply, route.expose)
        const known = declaresTasks(viewer.capabilities)
          ? context.tasks.answered(http.view, upstream, method, exposed, principal)
          : exposed
        const answer = known.isError ? modernError(known, era, method, viewer.capabilities) : known
        exchange.answered(answer, render(carrier, answer, answer === known ? era : 'modern', method))
        context.onExchange(exchange, params, answer)
      },
    }
    callsOf.set(principal, running + 1)
    let stop: CancelCall
    try {
      stop = upstream.call(call)
    } catch (error) {
      // One that cannot be sent is over as any other: it keeps no place of its client.
      call.finish(Reply.error(toRpcError(error)))
      return
    }
    function done(): void {
      const left = (callsOf.get(principal) ?? 1) - 1
      if (left === 0) callsOf.delete(principal)
      else callsOf.set(principal, left)
    }
    function cancel(why: string): void {
      if (finished) return
      finished = true
      done()
      stop(why)
      exchange.cancelled()
      context.onExchange(exchange, params, null)
    }
    rounds.watchClose(http, carrier, cancel)
  }

  /** Sends the answer; returns how many bytes of it there are. */
  function render({ view, outlet, id }: Carrier, reply: Reply, era: ResultOrigin['era'], method: string): number {
    try {
      if (reply.isError) return sendError(outlet, id, reply.message.error)
      const serverInfo = era === 'legacy' || view.aggregates ? view.serverInfo : null
      const body = modernBody(reply, idText(id), { era, method, serverInfo })
      outlet.finish(body)
      return sizeOf(body)
    } catch (error) {
      return sendError(outlet, id, unreadable(error).toRpc())
    }
  }

  function sendError(outlet: Outlet, id: JsonRpcId | null, error: RpcError | undefined, badEnvelope = false): number {
    const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, error }))
    outlet.finish([body], statusOf(error?.code ?? rpc.internalError, badEnvelope))
    return body.length
  }

  return {
    handle,
    get listens() {
      return listens.size
    },
    closeAll: listens.closeAll,
    catalogChanged: listens.catalogChanged,
    listsChanged: listens.listsChanged,
    wantedTasks: listens.wantedTasks,
    taskChanged: listens.taskChanged,
  }
}
