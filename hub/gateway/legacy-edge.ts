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
import { logLevels, type Call, type LogLevel } from './call.ts'
import { addWanted, changeMethod, type Edge, type GatewayContext, type HttpRequest } from './context.ts'
import { legacyQuestion, legacyReply } from './era-bridge.ts'
import { checkCursor } from './modern-edge.ts'
import { Outlet } from './outlet.ts'
import { Session } from './session.ts'
import { nameOf } from '../upstream/envelope.ts'
import { listKinds, type ListKind } from '../upstream/catalog.ts'
import type { Upstream } from '../upstream/upstream.ts'
import type { Viewer } from './view.ts'
import { paramHeaders } from './mcp-headers.ts'

const LISTS: Record<string, ListKind> = {
  'tools/list': 'tools',
  'prompts/list': 'prompts',
  'resources/list': 'resources',
  'resources/templates/list': 'resourceTemplates',
}
const BATCH_VERSION = '2025-03-26'

export interface LegacyEdge extends Edge {
  post: (http: HttpRequest, body: unknown) => void
  get: (http: HttpRequest) => void
  remove: (http: HttpRequest) => void
  /** HTTP+SSE of 2024-11-05: the stream, and the messages posted beside it. */
  openSse: (http: HttpRequest, messagesPath: string) => void
  postSse: (http: HttpRequest, sessionId: string, body: unknown) => void
  readonly sessions: number
  closeAll: () => void
}

/** The edge of the legacy era: sessions on `initialize`, answers as JSON or on a resumable event stream. */
export function createLegacyEdge(context: GatewayContext): LegacyEdge {
  const sessions = new Map<string, Session>()
  const perPrincipal = new Map<string, number>()

  const reaper = setInterval(() => {
    const limit = Date.now() - context.limits.sessionIdleMs
    for (const session of sessions.values())
      if (session.lastUsed < limit && session.stream === null && session.inFlight.size === 0) end(session)
  }, 30_000).unref()

  function end(session: Session): void {
    if (!sessions.delete(session.id)) return
    const left = (perPrincipal.get(session.principal) ?? 1) - 1
    if (left === 0) perPrincipal.delete(session.principal)
    else perPrincipal.set(session.principal, left)
    session.close()
    if (session.subscriptions.size > 0) context.subscriptionsChanged()
  }

  function find(http: HttpRequest): Session | null {
    const id = http.request.headers['mcp-session-id']
    const session = typeof id === 'string' ? sessions.get(id) : undefined
    // A session of somebody else, or of another endpoint, is as unknown as one that never was.
    if (session === undefined || session.principal !== http.principal.id || session.view.path !== http.view.path)
      return null
    session.lastUsed = Date.now()
    return session
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
    if (session !== null) return session
    if (http.request.headers['mcp-session-id'] === undefined)
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
    const version = http.request.headers['mcp-protocol-version']
    if (version !== undefined && !(LEGACY_VERSIONS as readonly unknown[]).includes(version)) {
      refuse(
        http.response,
        400,
        rpc.invalidRequest,
        `MCP-Protocol-Version ${String(version)} is not supported`,
        single?.id ?? null,
      )
      return
    }
    const messages = single === null ? (body as unknown[]) : [single]
    if (single === null && session.version !== BATCH_VERSION) {
      refuse(http.response, 400, rpc.invalidRequest, `Batches exist only in protocol version ${BATCH_VERSION}`)
      return
    }
    const requests = messages.filter(
      (message) =>
        isObject(message) &&
        typeof message['method'] === 'string' &&
        message['id'] !== undefined &&
        message['id'] !== null,
    )
    for (const message of messages) {
      if (!isObject(message) || requests.includes(message)) continue
      if (typeof message['method'] === 'string')
        onNotification(session, message['method'], message['params'] as Params | undefined)
      else session.answered(message as unknown as JsonRpcMessage)
    }
    if (requests.length === 0) {
      http.response.writeHead(202).end()
      return
    }
    const outlet = outletFor(session, http)
    let left = requests.length
    for (const message of requests) {
      onRequest(session, message as JsonRpcMessage, outlet, http.body.length, (pieces) => {
        left--
        outlet.finish(pieces, 200, left === 0)
      })
    }
  }

  function outletFor(session: Session, http: HttpRequest): Outlet {
    const accept = http.request.headers.accept ?? '*/*'
    const recorder = session.recorder()
    const outlet = new Outlet(http.response, {
      acceptsStream: /text\/event-stream|\*\/\*/.test(accept),
      maxBufferedBytes: context.limits.maxBufferedBytesPerReader,
      record: recorder.record,
      preamble: () => {
        recorder.register(outlet)
        return recorder.preamble()
      },
    })
    // A client that names the stream first wants to be able to resume even before there is anything to send.
    if (/text\/event-stream.*application\/json/.test(accept)) outlet.openStream()
    return outlet
  }

  function create(http: HttpRequest, params: Params): Session {
    const principal = http.principal.id
    const mine = perPrincipal.get(principal) ?? 0
    if (sessions.size >= context.limits.maxSessions)
      throw new McpError(rpc.limitExceeded, `The hub already has ${sessions.size} sessions (limits.maxSessions)`)
    if (mine >= context.limits.maxSessionsPerPrincipal)
      throw new McpError(rpc.limitExceeded, `This key already has ${mine} sessions (limits.maxSessionsPerPrincipal)`)
    const session = new Session(principal, http.view)
    session.begin(params)
    sessions.set(session.id, session)
    perPrincipal.set(principal, mine + 1)
    return session
  }

  function viewerOf(session: Session): Viewer {
    return { principal: session.principal, capabilities: session.capabilities, era: 'legacy' }
  }

  async function initializeResult(session: Session): Promise<Params> {
    const { capabilities, serverInfo, instructions } = await session.view.describe(viewerOf(session))
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
    } catch (error) {
      if (session !== null) end(session)
      const text = JSON.stringify({ jsonrpc: '2.0', id, error: toRpcError(error) })
      http.response
        .writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
        .end(text)
    }
  }

  function onNotification(session: Session, method: string, params: Params | undefined): void {
    if (method === 'notifications/cancelled') {
      const id = params?.['requestId'] as JsonRpcId
      const cancel = session.inFlight.get(id)
      session.inFlight.delete(id)
      cancel?.(typeof params?.['reason'] === 'string' ? params['reason'] : 'the client cancelled')
    }
  }

  type Answer = (pieces: Buffer[]) => void

  function onRequest(session: Session, message: JsonRpcMessage, outlet: Outlet, bytesIn: number, answer: Answer): void {
    const id = message.id as JsonRpcId
    const method = message.method ?? ''
    const params = message.params
    const text = JSON.stringify(id)
    const respond = (result: string): void => answer([Buffer.from(`{"jsonrpc":"2.0","id":${text},"result":${result}}`)])
    const fail = (error: unknown): void =>
      answer([Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, error: toRpcError(error) }))])
    if (params !== undefined && !isObject(params)) {
      fail(new McpError(rpc.invalidParams, 'params must be an object'))
      return
    }
    const list = LISTS[method]
    if (list !== undefined) {
      void (async () => {
        checkCursor(params)
        respond(await session.view.list(list, viewerOf(session)))
      })().catch(fail)
    } else if (method === 'ping') {
      respond('{}')
    } else if (method === 'logging/setLevel') {
      if (!logLevels.includes(params?.['level'] as LogLevel))
        fail(new McpError(rpc.invalidParams, `level must be one of ${logLevels.join(', ')}`))
      else {
        session.logLevel = params?.['level'] as LogLevel
        void forwardLevel(session).then(() => respond('{}'))
      }
    } else if (method === 'resources/subscribe' || method === 'resources/unsubscribe') {
      if (typeof params?.['uri'] !== 'string') fail(new McpError(rpc.invalidParams, 'uri must be a string'))
      else {
        if (method === 'resources/subscribe') session.subscriptions.add(params['uri'])
        else session.subscriptions.delete(params['uri'])
        context.subscriptionsChanged()
        respond('{}')
      }
    } else {
      void forward(session, id, method, params, outlet, bytesIn, answer).catch(fail)
    }
  }

  /** Servers log from one level for all; each session's own level is applied to what comes. */
  async function forwardLevel(session: Session): Promise<void> {
    await Promise.all(
      session.view.upstreams.map(async (upstream) => {
        const instance = await upstream.instanceFor(session.principal, session.capabilities).catch(() => null)
        if (
          instance?.connection.hello.era !== 'legacy' ||
          instance.connection.hello.capabilities['logging'] === undefined
        )
          return
        const levels = [...sessions.values()]
          .filter((other) => other.view.includes(upstream))
          .flatMap((other) => other.logLevel ?? [])
        const lowest = levels.sort((a, b) => logLevels.indexOf(a) - logLevels.indexOf(b))[0]
        await instance.connection.request('logging/setLevel', { level: lowest }).catch(() => undefined)
      }),
    )
  }

  async function forward(
    session: Session,
    id: JsonRpcId,
    method: string,
    params: Params | undefined,
    outlet: Outlet,
    bytesIn: number,
    answer: Answer,
  ): Promise<void> {
    const { upstream, params: routed, catalog } = await session.view.route(method, params, viewerOf(session))
    if (session.inFlight.has(id))
      throw new McpError(rpc.invalidRequest, `The id ${JSON.stringify(id)} is in use by a request in flight`)
    if (session.inFlight.size >= context.limits.maxCallsPerClient)
      throw new McpError(
        rpc.limitExceeded,
        `This client already has ${session.inFlight.size} calls in flight (limits.maxCallsPerClient)`,
      )
    const startedAt = performance.now()
    const meta = isObject(routed?.['_meta']) ? routed['_meta'] : undefined
    const expected = method === 'tools/call' ? catalog.headerParams.get(String(routed?.['name'])) : undefined
    let finished = false
    const isFinished = (): boolean => finished
    const call: Call = {
      method,
      params: routed,
      clientEra: 'legacy',
      owner: session.id,
      principal: session.principal,
      capabilities: session.capabilities,
      clientInfo: session.clientInfo,
      progressToken: meta?.['progressToken'] as string | number | undefined,
      logLevel: session.logLevel ?? 'info',
      paramHeaders: expected === undefined ? undefined : paramHeaders(expected, routed?.['arguments']),
      notify: (name, body) => {
        if (finished) return
        if (outlet.acceptsStream)
          outlet.send(JSON.stringify({ jsonrpc: '2.0', method: name, ...(body === undefined ? {} : { params: body }) }))
        else session.tell(name, body)
      },
      ask: (asked, body) => {
        const needed = asked.split('/')[0] ?? ''
        if (['elicitation', 'sampling', 'roots'].includes(needed) && session.capabilities[needed] === undefined) {
          return Promise.reject(new McpError(rpc.methodNotFound, `The client does not support ${asked}`))
        }
        const carrier = outlet.acceptsStream && !outlet.ended ? outlet : session.stream
        if (carrier === null)
          return Promise.reject(new McpError(rpc.noOwner, 'The client has no stream to be asked on'))
        return session.ask(
          carrier,
          asked,
          legacyQuestion(asked, body, `${session.id.slice(0, 8)}-${JSON.stringify(id)}`),
        )
      },
      finish: (reply) => {
        if (finished) return
        finished = true
        session.inFlight.delete(id)
        session.lastUsed = Date.now()
        const modern = upstream.instance?.connection.hello.era === 'modern'
        answer((modern ? legacyReply(reply, method) : reply).render(JSON.stringify(id)))
        context.onExchange({
          at: Date.now(),
          durationMs: performance.now() - startedAt,
          principal: session.principal,
          server: upstream.name,
          method,
          name: nameOf(method, routed) ?? null,
          bytesIn,
          bytesOut: reply.size,
          ok: !reply.isError,
        })
      },
    }
    const cancel = upstream.call(call)
    if (isFinished()) return
    session.inFlight.set(id, (why) => {
      if (finished) return
      finished = true
      cancel(why)
      // A cancelled request has no answer; its response must still end.
      outlet.end()
    })
  }

  function tellChanges(session: Session, kinds: readonly ListKind[]): void {
    for (const kind of kinds) if (changeMethod[kind] !== undefined) session.tell(changeMethod[kind])
  }

  function attachStream(session: Session, response: ServerResponse): Outlet {
    const recorder = session.recorder()
    const outlet = new Outlet(response, {
      acceptsStream: true,
      maxBufferedBytes: context.limits.maxBufferedBytesPerReader,
      record: recorder.record,
      preamble: recorder.preamble,
    })
    recorder.register(outlet)
    session.stream?.end()
    session.stream = outlet
    response.once('close', () => {
      session.lastUsed = Date.now()
      if (session.stream === outlet) session.stream = null
    })
    return outlet
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
      if (!/text\/event-stream|\*\/\*/.test(http.request.headers.accept ?? '')) {
        refuse(http.response, 406, rpc.invalidRequest, 'Accept must include text/event-stream')
        return
      }
      const lastEventId = http.request.headers['last-event-id']
      const resumed = typeof lastEventId === 'string' ? session.resume(lastEventId) : null
      if (resumed?.outlet && resumed.outlet !== session.stream) {
        resumed.outlet.resume(http.response, resumed.missed)
        return
      }
      const outlet = attachStream(session, http.response)
      outlet.openStream()
      for (const event of resumed?.missed ?? []) http.response.write(event)
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
        refuse(http.response, 503, rpc.limitExceeded, error instanceof Error ? error.message : String(error))
        return
      }
      const outlet = new Outlet(http.response, {
        acceptsStream: true,
        maxBufferedBytes: context.limits.maxBufferedBytesPerReader,
        preamble: () => `event: endpoint\ndata: ${messagesPath}?sessionId=${session.id}\n\n`,
      })
      session.stream = outlet
      outlet.openStream()
      http.response.once('close', () => end(session))
    },
    postSse: (http, sessionId, body) => {
      const session = sessions.get(sessionId)
      if (session === undefined || session.principal !== http.principal.id || session.stream === null) {
        refuse(http.response, 404, rpc.invalidRequest, 'The session is not known (any more): open /sse again')
        return
      }
      session.lastUsed = Date.now()
      const stream = session.stream
      const answer = (pieces: Buffer[]): void => stream.finish(pieces, 200, false)
      for (const message of Array.isArray(body) ? (body as unknown[]) : [body]) {
        if (!isObject(message)) continue
        if (message['method'] === 'initialize') {
          // The stream came first: only now is it known who speaks and what they can do.
          session.begin(isObject(message['params']) ? message['params'] : {})
          const id = message['id'] as JsonRpcId
          void initializeResult(session).then(
            (result) => stream.send(JSON.stringify({ jsonrpc: '2.0', id, result })),
            (error: unknown) => stream.send(JSON.stringify({ jsonrpc: '2.0', id, error: toRpcError(error) })),
          )
        } else if (typeof message['method'] !== 'string') session.answered(message as unknown as JsonRpcMessage)
        else if (message['id'] === undefined)
          onNotification(session, message['method'], message['params'] as Params | undefined)
        else onRequest(session, message as unknown as JsonRpcMessage, stream, http.body.length, answer)
      }
      http.response.writeHead(202).end('Accepted')
    },
    get sessions() {
      return sessions.size
    },
    closeAll,
    catalogChanged: (upstream, kinds) => {
      for (const session of sessions.values()) if (session.view.includes(upstream)) tellChanges(session, kinds)
    },
    listsChanged: (view) => {
      for (const session of sessions.values()) if (session.view === view) tellChanges(session, listKinds)
    },
    resourceUpdated: (upstream, params) => {
      for (const session of sessions.values())
        if (session.view.includes(upstream) && session.subscriptions.has(String(params['uri'])))
          session.tell('notifications/resources/updated', params)
    },
    wantedResources: () => {
      const wanted = new Map<Upstream, Set<string>>()
      for (const session of sessions.values())
        for (const uri of session.subscriptions)
          for (const upstream of session.view.upstreams) addWanted(wanted, upstream, uri)
      return wanted
    },
  }
}
