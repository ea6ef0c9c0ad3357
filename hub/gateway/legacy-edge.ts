import { steadyNow } from '../clock.ts'
import {
  BATCH_VERSION,
  LEGACY_VERSIONS,
  McpError,
  isObject,
  isRequest,
  rpc,
  toRpcError,
  type JsonRpcId,
  type JsonRpcMessage,
  type Params,
} from './json-rpc.ts'
import { checkClient } from './call.ts'
import { requestIdOf } from '../http-answers.ts'
import type { Edge, GatewayContext, HttpRequest } from './context.ts'
import { createLegacyRequests } from './legacy-requests.ts'
import { Outlet, acceptOf } from './outlet.ts'
import { refuse } from './request-body.ts'
import type { Session } from './session.ts'
import { createSessionTable } from './session-table.ts'
import { Exchange, clientLabel } from './exchange.ts'
import { listKinds, type ListKind } from '../upstream/catalog.ts'
import type { Upstream } from '../upstream/upstream.ts'

/** HTTP+SSE of 2024-11-05: the stream, and the messages posted beside it. */
export interface LegacySse {
  openSse: (http: HttpRequest, messagesPath: string) => void
  postSse: (http: HttpRequest, sessionId: string, body: unknown) => void
}

export interface LegacyEdge extends Edge, LegacySse {
  post: (http: HttpRequest, body: unknown) => void
  get: (http: HttpRequest) => void
  remove: (http: HttpRequest) => void
  /** A task of 2025-11-25 changed; the params are those of `notifications/tasks/status`. */
  taskChanged: (upstream: Upstream, params: Params) => void
  /** A visit of a page that a server sent somebody to is over. */
  visited: (upstream: Upstream, params: Params) => void
  readonly sessions: number
  /** Ends the sessions of somebody whose credential is not good any more. */
  endOf: (principal: string) => void
  /** Ends those that no call is under way in. */
  closeIdle: () => void
  closeAll: () => void
}

/** The edge of the legacy era: sessions on `initialize`, answers as JSON or on a resumable event stream. */
export function createLegacyEdge(context: GatewayContext): LegacyEdge {
  const sessions = createSessionTable(context)
  const requests = createLegacyRequests(context, sessions.changed)

  function sessionOf(http: HttpRequest, id: JsonRpcId | null): Session | null {
    const session = sessions.find(http)
    const version = http.request.headers['mcp-protocol-version']
    if (session !== null && (version === undefined || (LEGACY_VERSIONS as readonly unknown[]).includes(version)))
      return session
    if (session !== null)
      refuse(
        http.response,
        400,
        rpc.invalidRequest,
        `MCP-Protocol-Version ${String(version)} is not supported; this session speaks ${session.version}`,
        id,
      )
    else if (http.request.headers['mcp-session-id'] === undefined)
      refuse(http.response, 400, rpc.invalidRequest, 'The header Mcp-Session-Id is missing: send initialize first', id)
    else
      refuse(http.response, 404, rpc.invalidRequest, 'The session is not known (any more): send initialize again', id)
    return null
  }

  function post(http: HttpRequest, body: unknown): void {
    if (isObject(body) && body['method'] === 'initialize' && body['id'] !== undefined) {
      void initialize(http, body)
      return
    }
    const arrival = sessions.arrival(http)
    if (arrival === null) postInSession(http, body)
    else void postOnArrival(arrival, http, body)
  }

  async function postOnArrival(arrival: Promise<void>, http: HttpRequest, body: unknown): Promise<void> {
    await arrival
    postInSession(http, body)
  }

  function postInSession(http: HttpRequest, body: unknown): void {
    const single = isObject(body) ? (body as unknown as JsonRpcMessage) : null
    const session = sessionOf(http, single?.id ?? null)
    if (session === null) return
    if (single === null) {
      if (session.version === BATCH_VERSION) void postBatch(session, http, body as unknown[])
      else refuse(http.response, 400, rpc.invalidRequest, `Batches exist only in protocol version ${BATCH_VERSION}`)
    } else if (isRequest(single)) {
      const outlet = outletFor(session, http)
      requests.request(session, single, {
        outlet,
        bytesIn: http.body.length,
        requestId: requestIdOf(http.response),
        headers: http.request.headers,
        answer: (body, id) => outlet.finish(body, 200, true, id),
        abandon: () => outlet.end(),
      })
    } else {
      take(session, single)
      http.response.writeHead(202).end()
    }
  }

  /** A notification, or the client's answer to a question. */
  function take(session: Session, message: JsonRpcMessage): void {
    if (typeof message.method === 'string') requests.notification(session, message.method, message.params)
    else session.answered(message)
  }

  /** Only clients of one version send them. */
  async function postBatch(session: Session, http: HttpRequest, messages: unknown[]): Promise<void> {
    const { answerBatch } = await import('./legacy-batch.ts')
    answerBatch(session, http, messages, { requests, take, outletFor })
  }

  function outletFor(session: Session, http: HttpRequest): Outlet {
    const { streams, streamsFirst } = acceptOf(http.request.headers.accept ?? '*/*')
    const outlet = new Outlet(http.response, streams, session.outlets)
    // A client that names the stream first wants to be able to resume even before there is anything to send.
    if (streamsFirst) outlet.openStream()
    return outlet
  }

  async function initializeResult(session: Session): Promise<Params> {
    const { capabilities, serverInfo, instructions } = await session.view.describe(session.viewer)
    return {
      protocolVersion: session.version,
      capabilities,
      serverInfo,
      ...(instructions === null ? {} : { instructions }),
    }
  }

  async function initialize(http: HttpRequest, body: Params): Promise<void> {
    const id = body['id'] as JsonRpcId
    let session: Session | null = null
    const info = isObject(body['params']) ? body['params']['clientInfo'] : undefined
    const exchange = new Exchange(
      http.principal.id,
      http.view.path,
      clientLabel(info),
      'initialize',
      http.body.length,
      requestIdOf(http.response),
    )
    try {
      if (!isObject(body['params']) || typeof body['params']['protocolVersion'] !== 'string')
        throw new McpError(rpc.invalidParams, 'params.protocolVersion is missing')
      checkClient(http.body.length, context.limits)
      session = sessions.create(http, body['params'])
      const text = JSON.stringify({ jsonrpc: '2.0', id, result: await initializeResult(session) })
      // Nobody would ever know the session's id.
      if (http.response.destroyed) throw new McpError(rpc.internalError, 'The client went away before it was greeted')
      http.response.writeHead(200, {
        'content-type': 'application/json',
        'mcp-session-id': session.id,
        'content-length': Buffer.byteLength(text),
      })
      http.response.end(text)
      sessions.opened(session)
      exchange.succeeded(Buffer.byteLength(text))
    } catch (error) {
      if (session !== null) sessions.end(session)
      const failure = toRpcError(error)
      const text = JSON.stringify({ jsonrpc: '2.0', id, error: failure })
      http.response
        .writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
        .end(text)
      exchange.failed(failure, Buffer.byteLength(text))
    }
    context.onExchange(exchange, undefined, null)
  }

  function tellChanges(session: Session, kinds: readonly ListKind[]): void {
    // Who reads no stream finds out when it opens one.
    if (session.general !== null) for (const method of session.lists.changes(kinds)) session.tell(method)
  }

  function get(http: HttpRequest): void {
    const session = sessionOf(http, null)
    if (session === null) return
    if (!acceptOf(http.request.headers.accept ?? '').streams) {
      refuse(http.response, 406, rpc.invalidRequest, 'Accept must include text/event-stream')
      return
    }
    const lastEventId = http.request.headers['last-event-id']
    const outcome = typeof lastEventId === 'string' ? session.resume(lastEventId, http.response) : 'unknown'
    if (outcome === 'lost')
      refuse(
        http.response,
        410,
        rpc.invalidRequest,
        'The answer is not kept (any more): it was lost with the hub that the call was under way at, or too much came after it. Call again',
      )
    if (outcome !== 'unknown') return
    session.listen(http.response)
    http.response.once('close', () => (session.lastUsed = steadyNow()))
  }

  function remove(http: HttpRequest): void {
    const session = sessionOf(http, null)
    if (session === null) return
    sessions.end(session)
    http.response.writeHead(204).end()
  }

  /** Few clients are that old. */
  let loading: Promise<LegacySse> | null = null
  const sse = (): Promise<LegacySse> =>
    (loading ??= import('./legacy-sse.ts').then(({ createLegacySse }) =>
      createLegacySse({ context, sessions, requests, initializeResult, take }),
    ))

  /** Once its session is here. */
  function arrived(http: HttpRequest, serve: (http: HttpRequest) => void): void {
    const arrival = sessions.arrival(http)
    if (arrival === null) serve(http)
    else void arrival.then(() => serve(http))
  }

  return {
    post,
    get: (http) => arrived(http, get),
    remove: (http) => arrived(http, remove),
    openSse: (http, messagesPath) => void sse().then((transport) => transport.openSse(http, messagesPath)),
    postSse: (http, sessionId, body) => void sse().then((transport) => transport.postSse(http, sessionId, body)),
    taskChanged: (upstream, params) => {
      const tell = (): void => {
        for (const session of sessions.known.values())
          if (
            !session.view.aggregates &&
            session.view.includes(upstream) &&
            context.tasks.owns(upstream.name, params['taskId'], session.principal)
          )
            session.tell('notifications/tasks/status', params)
      }
      const recalled = context.tasks.recallOf(upstream.name, params['taskId'])
      if (recalled === null) tell()
      else void recalled.then(tell, () => undefined)
    },
    visited: (upstream, params) => {
      for (const session of sessions.known.values()) if (session.view.includes(upstream)) session.visited(params)
    },
    get sessions() {
      return sessions.known.size
    },
    endOf: sessions.endOf,
    closeIdle: sessions.closeIdle,
    closeAll: sessions.closeAll,
    catalogChanged: (upstream, kinds) => {
      for (const session of sessions.known.values()) if (session.view.includes(upstream)) tellChanges(session, kinds)
    },
    listsChanged: () => {
      for (const session of sessions.known.values()) tellChanges(session, listKinds)
    },
  }
}
