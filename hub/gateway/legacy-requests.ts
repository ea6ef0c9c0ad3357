import type { IncomingHttpHeaders } from 'node:http'
import { steadyNow } from '../clock.ts'
import {
  McpError,
  Reply,
  idText,
  isObject,
  resultBody,
  rpc,
  toRpcError,
  unreadable,
  type Body,
  type JsonRpcId,
  type JsonRpcMessage,
  type Params,
} from './json-rpc.ts'
import { canAnswer, type Call, type CancelCall, type Question } from './call.ts'
import { passNotification } from './client-notifications.ts'
import type { GatewayContext } from './context.ts'
import { Exchange, sizeOf } from './exchange.ts'
import { legacyQuestion, legacyReply, pagesOf } from './era-bridge.ts'
import { exposeUris } from './exposed-uris.ts'
import { paramHeaders } from './mcp-headers.ts'
import type { Outlet } from './outlet.ts'
import { traced } from './trace-context.ts'
import type { Session } from './session.ts'
import { checkCursor, type Route } from './view.ts'
import type { ListKind } from '../upstream/catalog.ts'

const LISTS: Record<string, ListKind> = {
  'tools/list': 'tools',
  'prompts/list': 'prompts',
  'resources/list': 'resources',
  'resources/templates/list': 'resourceTemplates',
}
const EMPTY_RESULT = Buffer.from('{}')
/** What a session wants to hear. */
const WISHES = new Set(['logging/setLevel', 'resources/subscribe', 'resources/unsubscribe'])
/** Methods of the modern era alone, and the one that only opens a session. */
const FOREIGN = new Set(['initialize', 'server/discover', 'subscriptions/listen', 'tasks/update'])

/** Where the answers to the messages of one POST go. */
export interface LegacyExchange {
  outlet: Outlet
  bytesIn: number
  requestId: string | null
  headers: IncomingHttpHeaders
  /** One answer, to the request with this id as JSON; the last one ends the response. */
  answer: (body: Body, id: string) => void
  /** A request that was cancelled has no answer; the response ends without it. */
  abandon: () => void
}

export interface LegacyRequests {
  request: (session: Session, message: JsonRpcMessage, exchange: LegacyExchange) => void
  notification: (session: Session, method: string, params: Params | undefined) => void
}

/**
 * What a legacy session asks, whatever transport brought it: answered here, or carried to a server. `changed` is told when what
 * a session wants to hear is another thing now.
 */
export function createLegacyRequests(context: GatewayContext, changed: (session: Session) => void): LegacyRequests {
  function notification(session: Session, method: string, params: Params | undefined): void {
    if (method === 'notifications/cancelled') {
      const id = params?.['requestId'] as JsonRpcId
      const cancel = session.inFlight.get(id)
      session.inFlight.delete(id)
      cancel?.(typeof params?.['reason'] === 'string' ? params['reason'] : 'the client cancelled')
    } else if (method === 'notifications/progress') session.progressed(params ?? {})
    else if (method === 'notifications/roots/list_changed')
      for (const upstream of session.view.upstreams) upstream.rootsChanged(session.served, session)
    else passNotification(session.view, session.viewer, method, params)
  }

  function request(session: Session, message: JsonRpcMessage, exchange: LegacyExchange): void {
    const id = message.id as JsonRpcId
    const method = message.method ?? ''
    const params = message.params
    const record = new Exchange(
      session.principal,
      session.view.path,
      session.client,
      method,
      exchange.bytesIn,
      exchange.requestId,
    )
    if (session.capabilities['roots'] !== undefined) {
      session.waiting = exchange.outlet
      session.settleRoots()
    }
    const respond = (result: Buffer): void => {
      session.waiting = null
      const body = resultBody(id, result)
      exchange.answer(body, idText(id))
      record.succeeded(sizeOf(body))
      context.onExchange(record, params, null)
    }
    const fail = (error: unknown): void => {
      session.waiting = null
      const failure = toRpcError(error)
      const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, error: failure }))
      exchange.answer([body], idText(id))
      record.failed(failure, body.length)
      context.onExchange(record, params, null)
    }
    if (params !== undefined && !isObject(params)) fail(new McpError(rpc.invalidParams, 'params must be an object'))
    else if (Object.hasOwn(LISTS, method)) list(session, LISTS[method] ?? 'tools', params, respond, fail)
    else if (method === 'ping') respond(EMPTY_RESULT)
    else if (WISHES.has(method)) {
      void import('./session-wishes.ts')
        .then(({ wish }) => wish(context, session, method, params))
        .then(() => {
          respond(EMPTY_RESULT)
          changed(session)
        }, fail)
    } else if (FOREIGN.has(method)) fail(new McpError(rpc.methodNotFound, `Method not found: ${method}`))
    else {
      const recalled = context.tasks.recall(session.view, method, params)
      if (recalled === null) forward(session, id, record, params, exchange, fail)
      else recalled.then(() => forward(session, id, record, params, exchange, fail)).catch(fail)
    }
  }

  function list(
    session: Session,
    kind: ListKind,
    params: Params | undefined,
    respond: (result: Buffer) => void,
    fail: (error: unknown) => void,
  ): void {
    try {
      checkCursor(params)
      const serve = (list: Buffer): void => {
        session.lists.served(kind, list)
        respond(list)
      }
      const list = session.view.list(kind, session.viewer)
      if (list instanceof Promise) list.then(serve).catch(fail)
      else serve(list)
    } catch (error) {
      fail(error)
    }
  }

  function forward(
    session: Session,
    id: JsonRpcId,
    record: Exchange,
    params: Params | undefined,
    exchange: LegacyExchange,
    fail: (error: unknown) => void,
  ): void {
    const { method } = record
    if (session.inFlight.has(id)) {
      fail(new McpError(rpc.invalidRequest, `The id ${JSON.stringify(id)} is in use by a request in flight`))
      return
    }
    if (session.inFlight.size >= context.limits.maxCallsPerClient) {
      fail(
        new McpError(
          rpc.limitExceeded,
          `This client already has ${session.inFlight.size} calls in flight (limits.maxCallsPerClient)`,
        ),
      )
      return
    }
    let finished = false
    let stop: CancelCall | null = null
    // Known before it is routed: a client may cancel while a server is still starting.
    session.inFlight.set(id, (why) => {
      if (finished) return
      finished = true
      stop?.(why)
      exchange.abandon()
      record.cancelled()
      context.onExchange(record, params, null)
    })
    const refuse = (error: unknown): void => {
      if (finished) return
      finished = true
      session.inFlight.delete(id)
      fail(error)
    }
    const start = (route: Route): void => {
      if (finished) return
      context.tasks.checkLegacy(session.view, route.upstream, method, route.params, session.principal)
      stop = route.upstream.call(callFor(route))
    }
    try {
      const route = session.view.route(method, params, session.viewer)
      if (route instanceof Promise) {
        record.waits()
        route.then(start).catch(refuse)
      } else start(route)
    } catch (error) {
      refuse(error)
    }

    function callFor({ upstream, params: given, catalog, expose }: Route): Call {
      const { outlet } = exchange
      record.routed(upstream.name, given)
      const routed = traced(context.traces, record, exchange.headers, given)
      const meta = isObject(routed?.['_meta']) ? routed['_meta'] : undefined
      const expected = method === 'tools/call' ? catalog.headerParams.get(String(routed?.['name'])) : undefined
      return {
        method,
        params: routed,
        clientEra: 'legacy',
        owner: session.id,
        client: session,
        principal: session.principal,
        capabilities: session.capabilities,
        clientInfo: session.clientInfo,
        progressToken: meta?.['progressToken'] as string | number | undefined,
        logLevel: session.logLevel ?? 'info',
        wantsLogs: session.logLevel !== undefined,
        paramHeaders: expected === undefined ? undefined : paramHeaders(expected, routed?.['arguments']),
        moments: record,
        notify: (name, body) => {
          if (finished) return
          record.notified()
          if (outlet.acceptsStream)
            outlet.send(
              JSON.stringify({ jsonrpc: '2.0', method: name, ...(body === undefined ? {} : { params: body }) }),
            )
          else session.tell(name, body)
        },
        ask: (question) => ask(session, outlet, question),
        finish: (reply) => {
          if (finished) return
          finished = true
          record.replied()
          session.inFlight.delete(id)
          session.waiting = null
          session.lastUsed = steadyNow()
          const modern = upstream.hello?.era === 'modern'
          if (reply.isError) for (const page of pagesOf(reply.message.error)) session.sentTo(page)
          let body: Body
          try {
            const known = expose === undefined ? reply : exposeUris(reply, expose)
            const answer = modern
              ? legacyReply(known, method)
              : context.tasks.answeredLegacy(upstream, method, given, known, session.principal)
            body = answer.render(idText(id))
          } catch (error) {
            body = Reply.error(unreadable(error).toRpc()).render(idText(id))
          }
          exchange.answer(body, idText(id))
          record.answered(reply, sizeOf(body))
          context.onExchange(record, routed, reply)
        },
      }
    }
  }

  /** A question goes out on the stream of the call that it belongs to, or else on the session's own. */
  function ask(session: Session, outlet: Outlet, question: Question): Promise<unknown> {
    const { method, params } = question
    if (!canAnswer(session.capabilities, method, params))
      return Promise.reject(new McpError(rpc.methodNotFound, `The client does not support ${method}`))
    const carrier = session.carrierFor(outlet)
    if (carrier === null) return Promise.reject(new McpError(rpc.noOwner, 'The client has no stream to be asked on'))
    return session.ask(carrier, { ...question, params: legacyQuestion(method, params) })
  }

  return { request, notification }
}
