import { steadyNow } from '../clock.ts'
import { requestIdOf } from '../http-answers.ts'
import type { GatewayContext } from './context.ts'
import { checkClient } from './call.ts'
import { Exchange, clientLabel } from './exchange.ts'
import { BATCH_VERSION, isObject, isRequest, rpc, toRpcError, type JsonRpcMessage, type Params } from './json-rpc.ts'
import type { LegacySse } from './legacy-edge.ts'
import type { LegacyExchange, LegacyRequests } from './legacy-requests.ts'
import { Outlet } from './outlet.ts'
import { refuse } from './request-body.ts'
import type { Session } from './session.ts'
import type { SessionTable } from './session-table.ts'

/** Until then another session may have ended. */
const RETRY_SECONDS = 5

export interface LegacySseOptions {
  context: GatewayContext
  sessions: SessionTable
  requests: LegacyRequests
  initializeResult: (session: Session) => Promise<Params>
  /** A notification, or the client's answer to a question. */
  take: (session: Session, message: JsonRpcMessage) => void
}

/** The transport of 2024-11-05. A session is as long as its stream, so no other hub can go on with one. */
export function createLegacySse(options: LegacySseOptions): LegacySse {
  const { context, sessions, requests, initializeResult, take } = options

  /** The stream came first: only now is it known who speaks and what they can do. */
  async function initializeSse(
    session: Session,
    stream: Outlet,
    { id, params }: JsonRpcMessage,
    bytesIn: number,
    requestId: string | null,
  ): Promise<void> {
    const declared = isObject(params) ? params : {}
    const client = clientLabel(declared['clientInfo'])
    const exchange = new Exchange(session.principal, '/sse', client, 'initialize', bytesIn, requestId)
    try {
      checkClient(bytesIn, context.limits)
      session.begin(declared)
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

  return {
    openSse: (http, messagesPath) => {
      // It went away while this was loaded.
      if (http.response.destroyed) return
      let session: Session
      try {
        session = sessions.create(http, { protocolVersion: '2024-11-05' })
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error)
        refuse(http.response, 429, rpc.limitExceeded, message, null, { 'retry-after': String(RETRY_SECONDS) })
        return
      }
      // Nothing can be resumed in this old transport: its events have no ids.
      const outlet = new Outlet(http.response, true, session.reader)
      session.general = outlet
      outlet.openStream(`event: endpoint\ndata: ${messagesPath}?sessionId=${session.id}\n\n`)
      http.response.once('close', () => sessions.end(session))
    },
    postSse: (http, sessionId, body) => {
      const session = sessions.known.get(sessionId)
      const stream = session?.general
      if (session !== undefined && session.principal !== http.principal.id)
        context.foreignSession(http.principal, session.principal)
      if (session?.principal !== http.principal.id || !stream || !sessions.keepsScopes(session, http)) {
        refuse(http.response, 404, rpc.invalidRequest, 'The session is not known (any more): open /sse again')
        return
      }
      if (Array.isArray(body) && session.version !== BATCH_VERSION) {
        refuse(http.response, 400, rpc.invalidRequest, `Batches exist only in protocol version ${BATCH_VERSION}`)
        return
      }
      session.lastUsed = steadyNow()
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
  }
}
