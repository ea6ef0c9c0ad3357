import { StringDecoder } from 'node:string_decoder'
import { createParser } from 'eventsource-parser'
import type { Dispatcher } from 'undici'
import { parseExactly } from '../contract/exact-json.ts'
import type { Reason } from '../contract/index.ts'
import { Reply, isObject, rpc, type JsonRpcMessage } from '../gateway/json-rpc.ts'
import type { Channel, ChannelHandlers, RequestHints } from './channel.ts'
import { encodeHeaderValue } from '../gateway/mcp-headers.ts'
import { bodyText, failureReason, isUndelivered, statusReason } from './http-failures.ts'
import { createHttpRequester, type HttpTarget, type ResponseHandler } from './http-requester.ts'
import { IdTable } from './id-table.ts'
import { createUnaskedStream, isMessage, waitBefore } from './unasked-stream.ts'

export interface HttpOptions {
  maxResponseBytes: number
}

/** Calls that a server which was there does not see (connection refused: it restarts) are tried again for this long. */
const HOLD_MS = 3_000
const HOLD_STEP_MS = 50
const MAX_VAIN_RESUMES = 5
/** undici wants every handler to be there. */
const ignore = (): void => undefined

interface Exchange {
  hop: number
  text: string
  hints: RequestHints
  startedAt: number
  /** When an answer to it began; 0 until then. */
  heardAt: number
  /** The session that it was sent in. */
  session: string | null
  controller: Dispatcher.DispatchController | null
  done: boolean
  lastEventId: string
  retryMs: number
  /** How often the rest of its stream was asked for, and in vain since it came last. */
  resumes: number
  vain: number
}

/**
 * Streamable HTTP of both eras. Each request is one exchange of its own, so whatever comes on its stream belongs to it.
 * Uses undici's dispatch with keep-alive: `fetch` costs ten times as much a call.
 */
export function createHttpChannel(target: HttpTarget, handlers: ChannelHandlers, options: HttpOptions): Channel {
  const requester = createHttpRequester(target)
  const exchanges = new IdTable<Exchange>()
  let sessionId: string | null = null
  let version: string | null = null
  let modern = false
  let closed = false
  /** It has answered something: only then may it be restarting. */
  let reached = false

  const unasked = createUnaskedStream({
    requester,
    handlers,
    maxResponseBytes: options.maxResponseBytes,
    isWanted: () => !closed && !modern,
    session: () => sessionId,
    headers: () => headersFor(null, 'text/event-stream'),
    receive: (message) => receive(message, null),
    onRefused: refused,
  })

  function headersFor(hints: RequestHints | null, accept: string): Record<string, string> {
    const headers: Record<string, string> = { accept }
    if (hints !== null) headers['content-type'] = 'application/json'
    if (sessionId !== null) headers['mcp-session-id'] = sessionId
    if (version !== null) headers['mcp-protocol-version'] = version
    if (hints?.traceHeaders !== undefined) Object.assign(headers, hints.traceHeaders)
    if (modern && hints !== null) {
      headers['mcp-method'] = hints.method
      if (hints.name !== undefined) headers['mcp-name'] = encodeHeaderValue(hints.name)
      if (hints.paramHeaders !== undefined) Object.assign(headers, hints.paramHeaders)
    }
    return headers
  }

  function fail(
    exchange: Exchange,
    message: string,
    undelivered: boolean,
    reason: Reason | null,
    status?: number,
  ): void {
    if (exchange.done) return
    exchange.done = true
    exchanges.delete(exchange.hop)
    handlers.onFailure(exchange.hop, { code: rpc.serverUnavailable, message }, undelivered, reason, status)
  }

  function tooLarge(exchange: Exchange): void {
    if (exchange.done) return
    exchange.done = true
    exchanges.delete(exchange.hop)
    handlers.onOversize(exchange.hop, 'limits.maxResponseBytes', options.maxResponseBytes)
    exchange.controller?.abort(new Error('too large'))
  }

  /** An answer belongs to the exchange that it came on; one that names another request is a fault of the server. */
  function isForeign(id: unknown, exchange: Exchange): boolean {
    if (id === exchange.hop || id === undefined || id === null) return false
    handlers.onLog('hub', 'warn', `An answer to ${JSON.stringify(id)} came as one to ${exchange.hop}; it was dropped`)
    return true
  }

  function settle(exchange: Exchange, reply: Reply): void {
    if (exchange.done) return
    exchange.done = true
    exchanges.delete(exchange.hop)
    handlers.onReply(exchange.hop, reply, exchange.heardAt)
  }

  /** One message that came on an exchange's stream, or on the stream for unasked messages (null). */
  function receive(bytes: Buffer, exchange: Exchange | null): void {
    const quick = exchange === null ? null : Reply.fromBytes(bytes)
    if (quick !== null && exchange !== null) {
      if (!isForeign(quick.hopId, exchange)) settle(exchange, quick)
      return
    }
    let parsed: unknown
    try {
      parsed = parseExactly(bytes.toString())
    } catch {
      if (exchange === null) handlers.onLog('hub', 'warn', 'The server sent something that is not JSON')
      else
        fail(
          exchange,
          `The server answered something that is not JSON: ${bytes.subarray(0, 200).toString()}`,
          false,
          null,
        )
      return
    }
    for (const message of Array.isArray(parsed) ? (parsed as unknown[]) : [parsed]) {
      if (!isObject(message)) continue
      if (typeof message['method'] === 'string') {
        handlers.onMessage(message as unknown as JsonRpcMessage, exchange?.hop ?? null)
      } else if (exchange !== null && !isForeign(message['id'], exchange)) {
        const reply = Reply.fromMessage(message, exchange.hop)
        if (reply !== null) settle(exchange, reply)
      }
    }
  }

  /** Without a sign-in the server serves nothing more; a scope that is missing is missing to this request alone. */
  function refused(reason: Reason, status: number): void {
    if (reason.code === 'needs-auth' && status === 401 && !closed) handlers.onSignedOut(reason)
  }

  function handlerFor(exchange: Exchange): ResponseHandler {
    let status = 0
    let parser: ReturnType<typeof createParser> | null = null
    let decoder: StringDecoder | null = null
    const chunks: Buffer[] = []
    let size = 0
    return {
      onRequestStart: (controller) => {
        exchange.controller = controller
        if (exchange.done) controller.abort(new Error('cancelled'))
      },
      onResponseStart: (_controller, statusCode, headers) => {
        status = statusCode
        reached = true
        if (exchange.resumes === 0) exchange.heardAt = performance.now()
        const session = headers['mcp-session-id']
        if (typeof session === 'string' && exchange.hints.method === 'initialize') sessionId = session
        if (String(headers['content-type'] ?? '').startsWith('text/event-stream') && statusCode === 200) {
          exchange.vain = 0
          decoder = new StringDecoder('utf8')
          parser = createParser({
            onEvent: (event) => {
              if (event.id !== undefined) exchange.lastEventId = event.id
              if (isMessage(event)) receive(Buffer.from(event.data), exchange)
            },
            onRetry: (ms) => (exchange.retryMs = ms),
            onError: ({ type }) => {
              if (type === 'max-buffer-size-exceeded') tooLarge(exchange)
            },
            maxBufferSize: options.maxResponseBytes,
          })
        }
      },
      onResponseData: (_controller, chunk) => {
        if (exchange.done) return
        size += chunk.length
        if (parser !== null && decoder !== null) parser.feed(decoder.write(chunk))
        else if (size > options.maxResponseBytes) tooLarge(exchange)
        else chunks.push(chunk)
      },
      onResponseEnd: () => {
        if (exchange.done) return
        if (parser !== null) {
          streamEnded(exchange)
          return
        }
        const body = chunks.length === 1 ? (chunks[0] ?? Buffer.alloc(0)) : Buffer.concat(chunks, size)
        answered(exchange, status, body)
      },
      onResponseError: (_controller, error) => {
        if (exchange.done) return
        if (parser !== null) {
          streamEnded(exchange)
          return
        }
        const undelivered = status === 0 && isUndelivered(error)
        if (status === 0 && exchange.resumes > 0) {
          streamEnded(exchange)
          return
        }
        const held = performance.now() - exchange.startedAt
        if (undelivered && reached && !closed && held < HOLD_MS && exchange.hints.method !== 'initialize') {
          setTimeout(() => dispatch(exchange), HOLD_STEP_MS)
          return
        }
        const reason = failureReason(error, target.url)
        fail(exchange, reason.message, undelivered, reason)
      },
      onRefused: (reason, refusal) => {
        fail(exchange, `${reason.message}. ${reason.cure}`, false, reason)
        refused(reason, refusal)
      },
    }
  }

  /** It comes again, as another exchange, once there is a new session. */
  function lostSession(exchange: Exchange): void {
    exchange.done = true
    exchanges.delete(exchange.hop)
    handlers.onSessionLost(exchange.hop)
  }

  function answered(exchange: Exchange, status: number, body: Buffer): void {
    // To a POST of `initialize` these say that the URL is of another transport, whatever the body says.
    const isRefusal = exchange.hints.method === 'initialize' && (status === 400 || status === 404 || status === 405)
    if (forgotSession(status, body) && exchange.session !== null && !modern) {
      if (exchange.resumes > 0) {
        // It had begun to answer: asked again under a new session, it might do a thing twice.
        fail(exchange, 'The server forgot its session while it answered', false, null)
        handlers.onSessionLost(null)
      } else if (exchange.session === sessionId) lostSession(exchange)
      // Another call has met that before, and the session is renewed.
      else dispatch(exchange)
    } else if (status === 200 || (status >= 400 && status !== 401 && status !== 403 && !isRefusal && isRpc(body))) {
      if (body.length === 0) fail(exchange, 'The server answered 200 without a body', false, null)
      else receive(body, exchange)
      if (!exchange.done) fail(exchange, 'The server’s answer holds no response to the request', false, null)
    } else {
      const reason = statusReason(status, bodyText(body), target.url)
      fail(exchange, reason.message, false, reason, status)
    }
  }

  /** A stream that closed before its answer: a server of the legacy era may ask to be polled (SEP-1699). */
  function streamEnded(exchange: Exchange): void {
    if (modern || exchange.lastEventId === '' || exchange.vain >= MAX_VAIN_RESUMES || closed) {
      fail(exchange, 'The server closed the stream before it answered', false, null)
      return
    }
    exchange.resumes++
    exchange.vain++
    setTimeout(() => {
      if (exchange.done || closed) return
      const headers = { ...headersFor(null, 'text/event-stream'), 'last-event-id': exchange.lastEventId }
      requester.send({ method: 'GET', headers }, handlerFor(exchange))
    }, waitBefore(exchange.retryMs)).unref()
  }

  function dispatch(exchange: Exchange): void {
    if (exchange.done || closed) return
    // Its session is gone and the next one is being begun: without any it would be refused.
    if (exchange.session !== null && sessionId === null) {
      lostSession(exchange)
      return
    }
    exchange.session = sessionId
    const headers = headersFor(exchange.hints, 'application/json, text/event-stream')
    requester.send({ method: 'POST', headers, body: exchange.text }, handlerFor(exchange))
  }

  /** POSTs what has no answer: a notification, or our answer to a question of the server. */
  function post(text: string, method: string, then?: () => void): void {
    const headers = headersFor(
      { method, name: undefined, paramHeaders: undefined },
      'application/json, text/event-stream',
    )
    const session = sessionId
    requester.send(
      { method: 'POST', headers, body: text },
      {
        onRequestStart: ignore,
        onResponseStart: (_controller, status) => {
          if (status === 404 && session !== null && session === sessionId) handlers.onSessionLost(null)
        },
        onResponseData: ignore,
        onResponseEnd: () => then?.(),
        onResponseError: (_controller, error) => {
          handlers.onLog('hub', 'warn', `${method} could not be delivered: ${error.message}`)
          then?.()
        },
        onRefused: (reason, status) => {
          handlers.onLog('hub', 'warn', `${method} could not be delivered: ${reason.message}`)
          refused(reason, status)
        },
      },
    )
  }

  /** Tells a legacy server that its session is over; what it answers does not matter. */
  function endSession(): Promise<void> {
    return new Promise((resolve) => {
      setTimeout(resolve, 1_000).unref()
      requester.send(
        { method: 'DELETE', headers: headersFor(null, '*/*') },
        {
          onRequestStart: ignore,
          onResponseStart: ignore,
          onResponseData: ignore,
          onResponseEnd: () => resolve(),
          onResponseError: () => resolve(),
          onRefused: () => resolve(),
        },
      )
    })
  }

  return {
    pid: null,
    get openStreams() {
      return exchanges.size + (unasked.isOpen ? 1 : 0)
    },
    isShared: false,
    open: () => requester.open(),
    send: (hop, text, hints) => {
      const exchange: Exchange = {
        hop,
        text,
        hints,
        startedAt: performance.now(),
        heardAt: 0,
        session: sessionId,
        controller: null,
        done: false,
        lastEventId: '',
        retryMs: 1_000,
        resumes: 0,
        vain: 0,
      }
      exchanges.add(hop, exchange)
      dispatch(exchange)
    },
    notify: (text, method) => {
      // The stream for unasked messages may only be opened once the server knows that the handshake is over.
      if (method === 'notifications/initialized') post(text, method, () => unasked.open())
      else post(text, method)
    },
    answer: (_id, text) => post(text, 'response'),
    abort: (hop) => {
      const exchange = exchanges.get(hop)
      if (exchange === undefined) return modern
      exchange.done = true
      exchanges.delete(hop)
      // A legacy server takes a closed stream for a lost connection, not for a cancellation; it is told before.
      if (modern) exchange.controller?.abort(new Error('cancelled'))
      else setTimeout(() => exchange.controller?.abort(new Error('cancelled')), 1_000).unref()
      return modern
    },
    established: (negotiated, isModern) => {
      version = negotiated
      modern = isModern
    },
    resetSession: () => {
      sessionId = null
      version = null
      unasked.close()
    },
    close: async () => {
      closed = true
      unasked.close()
      if (sessionId !== null && !modern) await endSession()
      requester.close()
    },
  }
}

function isRpc(body: Buffer): boolean {
  return body[0] === 0x7b && body.includes('"jsonrpc"')
}

/** 404 as the specification has it; many servers built on its examples answer 400 and say that the session is not known. */
function forgotSession(status: number, body: Buffer): boolean {
  return status === 404 || (status === 400 && /session/i.test(bodyText(body)))
}
