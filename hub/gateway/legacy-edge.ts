import type { ServerResponse } from 'node:http'
import {
  LEGACY_VERSIONS,
  McpError,
  isObject,
  rpc,
  toRpcError,
  type JsonRpcId,
  type JsonRpcMessage,
  type Params,
} from './json-rpc.ts'
import { requestIdOf } from '../http-answers.ts'
import type { Edge, GatewayContext, HttpRequest } from './context.ts'
import { createLegacyRequests, type LegacyExchange } from './legacy-requests.ts'
import { Outlet, acceptOf } from './outlet.ts'
import { Session } from './session.ts'
import { Exchange, clientLabel } from './exchange.ts'
import { listKinds, type ListKind } from '../upstream/catalog.ts'
import type { Upstream } from '../upstream/upstream.ts'

const BATCH_VERSION = '2025-03-26'

export interface LegacyEdge extends Edge {
  post: (http: HttpRequest, body: unknown) => void
  get: (http: HttpRequest) => void
  remove: (http: HttpRequest) => void
  /** HTTP+SSE of 2024-11-05: the stream, and the messages posted beside it. */
  openSse: (http: HttpRequest, messagesPath: string) => void
  postSse: (http: HttpRequest, sessionId: string, body: unknown) => void
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
  const sessions = new Map<string, Session>()
  const perPrincipal = new Map<string, number>()
  const requests = createLegacyRequests(context)

  const reaper = setInterval(() => {
    const limit = Date.now() - context.limits.sessionIdleMs
    for (const session of sessions.values())
      if (session.lastUsed < limit && !session.isListening && session.inFlight.size === 0) end(session)
  }, 30_000).unref()

  function end(session: Session): void {
    if (!sessions.delete(session.id)) return
    const left = (perPrincipal.get(session.principal) ?? 1) - 1
    if (left === 0) perPrincipal.delete(session.principal)
    else perPrincipal.set(session.principal, left)
    session.close()
  }

  function find(http: HttpRequest): Session | null {
    const id = http.request.headers['mcp-session-id']
    const session = typeof id === 'string' ? sessions.get(id) : undefined
    if (session !== undefined) tellForeign(session, http)
    // A session of somebody else, or of another endpoint, is as unknown as one that never was.
    if (session === undefined || session.principal !== http.principal.id || session.view.path !== http.view.path)
      return null
    session.lastUsed = Date.now()
    return session
  }

  /** Its id was seen by somebody whom it was not given to. */
  function tellForeign(session: Session, { principal }: HttpRequest): void {
    if (session.principal !== principal.id) context.foreignSession(principal, session.principal)
  }

  function refuse(
    response: ServerResponse,
    status: number,
    code: number,
    message: string,
    id: JsonRpcId | null = null,
  ): void {
    const body = JSON.stringify({ jsonrpc: '2.0', id, error: { code, message } })
    response
      .writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
      .end(body)
  }

  function sessionOf(http: HttpRequest, id: JsonRpcId | null): Session | null {
    const session = find(http)
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
    const single = isObject(body) ? (body as unknown as JsonRpcMessage) : null
    const session = sessionOf(http, single?.id ?? null)
    if (session === null) return
    if (single === null) {
      if (session.version === BATCH_VERSION) postBatch(session, http, body as unknown[])
      else refuse(http.response, 400, rpc.invalidRequest, `Batches exist only in protocol version ${BATCH_VERSION}`)
    } else if (isRequest(single)) {
      const outlet = outletFor(session, http)
      requests.request(session, single, {
        outlet,
        bytesIn: http.body.length,
        requestId: requestIdOf(http.response),
        headers: http.request.headers,
        answer: (body) => outlet.finish(body),
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

  function postBatch(session: Session, http: HttpRequest, messages: unknown[]): void {
    const single = messages.filter((message) => isObject(message)) as unknown as JsonRpcMessage[]
    const asked = single.filter(isRequest)
    for (const message of single) if (!isRequest(message)) take(session, message)
    if (asked.length === 0) {
      http.response.writeHead(202).end()
      return
    }
    const outlet = outletFor(session, http)
    let left = asked.length
    for (const message of asked) {
      requests.request(session, message, {
        outlet,
        bytesIn: http.body.length,
        requestId: requestIdOf(http.response),
        headers: http.request.headers,
        answer: (body) => outlet.finish(body, 200, --left === 0),
        abandon: () => {
          if (--left === 0) outlet.end()
        },
      })
    }
  }

  function outletFor(session: Session, http: HttpRequest): Outlet {
    const { streams, streamsFirst } = acceptOf(http.request.headers.accept ?? '*/*')
    const outlet = new Outlet(http.response, streams, session.outlets)
    // A client that names the stream first wants to be able to resume even before there is anything to send.
    if (streamsFirst) outlet.openStream()
    return outlet
  }

  function create(http: HttpRequest, params: Params): Session {
    const principal = http.principal.id
    const mine = perPrincipal.get(principal) ?? 0
    if (sessions.size >= context.limits.maxSessions)
      throw new McpError(rpc.limitExceeded, `The hub already has ${sessions.size} sessions (limits.maxSessions)`)
    if (mine >= context.limits.maxSessionsPerPrincipal)
      throw new McpError(rpc.limitExceeded, `This key already has ${mine} sessions (limits.maxSessionsPerPrincipal)`)
    const session = new Session(context.instance, principal, http.view, {
      maxBufferedBytes: context.limits.maxBufferedBytesPerReader,
      onOverflow: () => context.slowReader(principal),
    })
    session.begin(params)
    sessions.set(session.id, session)
    perPrincipal.set(principal, mine + 1)
    return session
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
      session = create(http, body['params'])
      const text = JSON.stringify({ jsonrpc: '2.0', id, result: await initializeResult(session) })
      http.response.writeHead(200, {
        'content-type': 'application/json',
        'mcp-session-id': session.id,
        'content-length': Buffer.byteLength(text),
      })
      http.response.end(text)
      exchange.succeeded(Buffer.byteLength(text))
    } catch (error) {
      if (session !== null) end(session)
      const failure = toRpcError(error)
      const text = JSON.stringify({ jsonrpc: '2.0', id, error: failure })
      http.response
        .writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
        .end(text)
      exchange.failed(failure, Buffer.byteLength(text))
    }
    context.onExchange(exchange, undefined, null)
  }

  /** The stream came first: only now is it known who speaks and what they can do. */
  async function initializeSse(
    session: Session,
    stream: Outlet,
    { id, params }: JsonRpcMessage,
    bytesIn: number,
    requestId: string | null,
  ): Promise<void> {
    session.begin(isObject(params) ? params : {})
    const exchange = new Exchange(session.principal, '/sse', session.client, 'initialize', bytesIn, requestId)
    try {
      stream.send(JSON.stringify({ jsonrpc: '2.0', id, result: await initializeResult(session) }))
      session.lists.begin()
      exchange.succeeded(0)
    } catch (error) {
      const failure = toRpcError(error)
      stream.send(JSON.stringify({ jsonrpc: '2.0', id, error: failure }))
      exchange.failed(failure, 0)
    }
    context.onExchange(exchange, undefined, null)
  }

  function tellChanges(session: Session, kinds: readonly ListKind[]): void {
    // Who reads no stream finds out when it opens one.
    if (session.general !== null) for (const method of session.lists.changes(kinds)) session.tell(method)
  }

  function closeIdle(): void {
    for (const session of [...sessions.values()]) if (session.inFlight.size === 0) end(session)
  }

  function closeAll(): void {
    clearInterval(reaper)
    for (const session of [...sessions.values()]) end(session)
  }

  return {
    post,
    get: (http) => {
      const session = sessionOf(http, null)
      if (session === null) return
      if (!acceptOf(http.request.headers.accept ?? '').streams) {
        refuse(http.response, 406, rpc.invalidRequest, 'Accept must include text/event-stream')
        return
      }
      const lastEventId = http.request.headers['last-event-id']
      if (typeof lastEventId === 'string' && session.resume(lastEventId, http.response)) return
      session.listen(http.response)
      http.response.once('close', () => (session.lastUsed = Date.now()))
    },
    remove: (http) => {
      const session = sessionOf(http, null)
      if (session === null) return
      end(session)
      http.response.writeHead(204).end()
    },
    openSse: (http, messagesPath) => {
      let session: Session
      try {
        session = create(http, { protocolVersion: '2024-11-05' })
      } catch (error) {
        refuse(http.response, 429, rpc.limitExceeded, error instanceof Error ? error.message : String(error))
        return
      }
      // Nothing can be resumed in this old transport: its events have no ids.
      const outlet = new Outlet(http.response, true, session.reader)
      session.general = outlet
      outlet.openStream(`event: endpoint\ndata: ${messagesPath}?sessionId=${session.id}\n\n`)
      http.response.once('close', () => end(session))
    },
    postSse: (http, sessionId, body) => {
      const session = sessions.get(sessionId)
      const stream = session?.general
      if (session !== undefined) tellForeign(session, http)
      if (session?.principal !== http.principal.id || !stream) {
        refuse(http.response, 404, rpc.invalidRequest, 'The session is not known (any more): open /sse again')
        return
      }
      if (Array.isArray(body) && session.version !== BATCH_VERSION) {
        refuse(http.response, 400, rpc.invalidRequest, `Batches exist only in protocol version ${BATCH_VERSION}`)
        return
      }
      session.lastUsed = Date.now()
      const exchange: LegacyExchange = {
        outlet: stream,
        bytesIn: http.body.length,
        requestId: requestIdOf(http.response),
        headers: http.request.headers,
        answer: (body) => stream.finish(body, 200, false),
        abandon: () => undefined,
      }
      for (const message of (Array.isArray(body) ? body : [body]) as JsonRpcMessage[]) {
        if (!isRequest(message)) take(session, message)
        else if (message.method === 'initialize' && !Array.isArray(body))
          void initializeSse(session, stream, message, http.body.length, requestIdOf(http.response))
        else requests.request(session, message, exchange)
      }
      http.response.writeHead(202).end('Accepted')
    },
    taskChanged: (upstream, params) => {
      const tell = (): void => {
        for (const session of sessions.values())
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
      for (const session of sessions.values()) if (session.view.includes(upstream)) session.visited(params)
    },
    get sessions() {
      return sessions.size
    },
    endOf: (principal) => {
      for (const session of [...sessions.values()]) if (session.principal === principal) end(session)
    },
    closeIdle,
    closeAll,
    catalogChanged: (upstream, kinds) => {
      for (const session of sessions.values()) if (session.view.includes(upstream)) tellChanges(session, kinds)
    },
    listsChanged: () => {
      for (const session of sessions.values()) tellChanges(session, listKinds)
    },
  }
}

function isRequest(message: JsonRpcMessage): boolean {
  return typeof message.method === 'string' && message.id !== undefined && message.id !== null
}
