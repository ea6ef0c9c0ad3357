import { numberText } from '../contract/exact-json.ts'
import type { Reason } from '../contract/index.ts'
import { WITH_INPUT, capabilitiesOfProfile, type Call, type CancelCall, type Question } from '../gateway/call.ts'
import {
  Reply,
  rpc,
  toRpcError,
  type JsonRpcId,
  type JsonRpcMessage,
  type Params,
  type RpcError,
} from '../gateway/json-rpc.ts'
import { MAX_SERVER_DEPTH, isDeeperThan } from '../gateway/message-shape.ts'
import { traceHeaders } from '../gateway/trace-context.ts'
import { UpstreamFailure, type ChannelHandlers, type RequestHints } from './channel.ts'
import { legacyParams, modernParams, nameOf } from './envelope.ts'
import { hubCall } from './hub-call.ts'
import { createHandshake, messageOf, protocolReason, type HandshakeOptions, type ServerHello } from './handshake.ts'
import { createNotifications } from './notifications.ts'
import { PendingCalls, type Pending } from './pending-calls.ts'
import { createQuestions } from './questions.ts'
import { createSessionRenewal } from './session-renewal.ts'
import { staleState } from '../gateway/parked.ts'
import { say, told } from '../say.ts'

export interface ConnectionOptions extends HandshakeOptions {
  callTimeoutMs: number
  totalTimeoutMs: number
  maxResponseBytes: number
  /** A notification that belongs to no call. */
  onNotification: (method: string, params: Params | undefined) => void
  /** A question that belongs to no call; null when there is nobody to put it to. */
  onQuestion: (question: Question) => Promise<unknown> | null
  onClose: (reason: Reason) => void
  onSignedOut: ChannelHandlers['onSignedOut']
  /** The server forgot its session and the handshake was done anew: lists and subscriptions must be read again. */
  onRenewed: () => void
  /** Messages that belong to no call may have been missed. */
  onGap: () => void
  onLog: ChannelHandlers['onLog']
  /** A call ended, so that another may have its place. */
  onSettled: () => void
  /** A request failed below MCP: the server may be gone. */
  onTrouble: () => void
}

export interface Connection {
  readonly hello: ServerHello
  readonly pid: number | null
  readonly inFlight: number
  /** Calls of clients that do not wait for their client. */
  readonly working: number
  /** Whether a client waits for something. */
  readonly busy: boolean
  /** Counts what came from the server; a sign of life. */
  readonly received: number
  /** Streams that are open to a remote server. */
  readonly openStreams: number
  /** Why the last request failed that failed below MCP. */
  readonly lastFailure: Reason | null
  /** Whether a question of the server does not tell which call it belongs to. */
  readonly isShared: boolean
  /** Whether the server let the probe pass without a word. */
  readonly probeUnanswered: boolean
  start: () => Promise<ServerHello>
  call: (call: Call) => CancelCall
  /** A request of the hub's own; rejects with McpError. */
  request: (method: string, params?: Params, timeoutMs?: number) => Promise<unknown>
  notify: (method: string, params?: Params) => void
  /** `atOnce` gives a server that hangs no time to end by itself. */
  close: (atOnce?: boolean) => Promise<void>
}

const SWEEP_MS = 1_000

/**
 * One connection to one server in one era: the handshake, the table of requests in flight, and who a question of the
 * server belongs to. It forwards answers as they came; only the bridge from a legacy client looks inside (PROTOCOL §3).
 */
export function createConnection(options: ConnectionOptions): Connection {
  const pending = new PendingCalls()
  let nextHop = 1
  let hello: ServerHello | null = null
  let sweeper: NodeJS.Timeout | null = null
  let closed = false
  /** It was closed from here, for good. */
  let stopped = false
  let lastFailure: Reason | null = null
  let lastStatus: number | null = null
  let closeReason: Reason | null = null
  let received = 0

  const handlers: ChannelHandlers = {
    onReply: (hop, reply, heardAt) => {
      received++
      if (reply.size > options.maxResponseBytes) onOversize(hop, 'limits.maxResponseBytes', options.maxResponseBytes)
      else finish(hop, reply, heardAt)
    },
    onFailure: (hop, error, _undelivered, reason, status) => {
      lastFailure = reason
      lastStatus = status ?? null
      const isProbe = pending.get(hop)?.call.owner === 'hub'
      finish(hop, Reply.error(error))
      if (!isProbe) options.onTrouble()
    },
    onMessage: (message, hop) => {
      received++
      try {
        onMessage(message, hop)
      } catch (error) {
        // Nothing that a server sends may end the hub: e.g. a value nested too deep to be written again.
        options.onLog('hub', 'warn', `A message of the server could not be passed on: ${messageOf(error)}`)
      }
    },
    onSessionLost: (hop) => renewal.lost(hop),
    onGap: () => options.onGap(),
    onOversize,
    onClose: (reason) => {
      closed = true
      closeReason = reason
      stopSweeper()
      const message =
        reason.detail === undefined ? reason.message : `${reason.message}: ${reason.detail.split('\n').at(-1) ?? ''}`
      for (const hop of pending.keys()) finish(hop, Reply.error({ code: rpc.serverUnavailable, message }))
      options.onClose(reason)
    },
    onSignedOut: (reason) => options.onSignedOut(reason),
    onLog: options.onLog,
  }
  let channel = options.openChannel(handlers)
  const questions = createQuestions<Pending>({
    inFlight: pending,
    answer,
    notify: (method, params) => {
      if (!closed) notify(method, params)
    },
    roots: options.roots,
    clientsHaveRoots: capabilitiesOfProfile(options.profile)['roots'] !== undefined,
    unowned: options.onQuestion,
    onWaiting: () => options.onSettled(),
    onAnswered: (entry) => (entry.deadline = performance.now() + options.callTimeoutMs),
  })
  const notifications = createNotifications<Pending>({
    inFlight: pending,
    onProgress: (entry) =>
      (entry.deadline = Math.min(performance.now() + options.callTimeoutMs, entry.startedAt + options.totalTimeoutMs)),
    withdraw: questions.withdraw,
    unowned: options.onNotification,
  })
  const handshake = createHandshake(options, {
    get channel() {
      return channel
    },
    get closeReason() {
      return closeReason
    },
    get refusal() {
      return lastFailure === null ? null : { reason: lastFailure, status: lastStatus }
    },
    replace: async (open) => {
      await channel.close(true)
      // Whoever closed it meanwhile closed the one before: nobody would end another process.
      if (stopped) throw new Error('The server was stopped')
      closed = false
      closeReason = null
      channel = open(handlers)
      await channel.open()
    },
    request,
    notify,
  })

  const renewal = createSessionRenewal({
    renew: async () => {
      questions.forget()
      hello = await handshake.initialize()
      options.onRenewed()
    },
    onFailed: (error) => {
      if (closed) return
      closed = true
      options.onClose(error instanceof UpstreamFailure ? error.reason : protocolReason(messageOf(error)))
    },
    inFlight: pending,
    send: (hop) => {
      const entry = pending.get(hop)
      if (entry === undefined) return
      entry.call.moments?.sent(performance.now())
      channel.send(hop, entry.text, entry.hints)
    },
    fail: (hop, message) => finish(hop, Reply.error({ code: rpc.serverUnavailable, message })),
  })

  function finish(hop: number, reply: Reply, heardAt?: number): void {
    const entry = pending.get(hop)
    if (entry === undefined) return
    pending.delete(hop)
    if (heardAt !== undefined) entry.call.moments?.heard(heardAt)
    if (entry.asked > 0) questions.endOf(entry)
    entry.call.finish(reply)
    if (!closed) options.onSettled()
  }

  /** Where nothing tells which call a message was for, there must be just one that it can be. */
  function onOversize(hop: number | null, setting: string, bytes: number): void {
    const message = `The server’s answer is larger than ${bytes} bytes (${setting})`
    options.onLog('hub', 'error', message)
    const [only] = pending.keys()
    const concerned = hop ?? (pending.size === 1 ? only : undefined)
    if (concerned !== undefined) finish(concerned, Reply.error({ code: rpc.limitExceeded, message }))
  }

  function sweep(): void {
    const now = performance.now()
    for (const hop of pending.keys()) {
      const entry = pending.get(hop)
      if (entry === undefined || entry.deadline > now || entry.asked > 0) continue
      const seconds = Math.round((now - entry.startedAt) / 1_000)
      cancel(hop, 'timeout')
      entry.call.finish(
        Reply.error({ code: rpc.timeout, message: `No answer to ${entry.call.method} after ${seconds} s` }),
      )
    }
    if (pending.size === 0) stopSweeper()
  }

  function stopSweeper(): void {
    if (sweeper !== null) clearInterval(sweeper)
    sweeper = null
  }

  function cancel(hop: number, reason: string): void {
    const entry = pending.get(hop)
    if (entry === undefined) return
    pending.delete(hop)
    if (entry.asked > 0) questions.endOf(entry)
    if (entry.call.method === 'initialize') return
    const byClosing = channel.abort(hop)
    if (!byClosing && !closed) {
      notify('notifications/cancelled', { requestId: hop, reason })
    }
    if (!closed) options.onSettled()
  }

  function launch(call: Call, params: Params | undefined, timeoutMs: number): number {
    const hop = nextHop++
    const now = performance.now()
    const era = hello?.era ?? 'legacy'
    const outgoing =
      hello === null || call.method === 'initialize'
        ? params
        : era === 'modern'
          ? modernParams(params, call, hop, hello.version)
          : legacyParams(params, call, hop)
    const text = JSON.stringify({ jsonrpc: '2.0', id: hop, method: call.method, params: outgoing })
    const hints: RequestHints = {
      method: call.method,
      name: nameOf(call.method, outgoing),
      paramHeaders: call.paramHeaders,
      traceHeaders: traceHeaders(outgoing),
    }
    // A subscription has no end of its own.
    const deadline = call.method === 'subscriptions/listen' ? Infinity : now + timeoutMs
    const entry: Pending = { call, startedAt: now, deadline, asked: 0, renewed: false, text, hints }
    pending.add(hop, entry)
    sweeper ??= setInterval(sweep, SWEEP_MS).unref()
    if (closed)
      finish(hop, Reply.error({ code: rpc.serverUnavailable, message: 'The connection to the server is closed' }))
    else if (renewal.isUnderWay && call.method !== 'initialize') {
      call.moments?.waits()
      renewal.sendAfter(hop)
    } else {
      call.moments?.sent(now)
      channel.send(hop, text, hints)
    }
    return hop
  }

  function onMessage({ id, method = '', params }: JsonRpcMessage, hop: number | null): void {
    const isQuestion = id !== undefined && id !== null
    if (isQuestion && typeof id !== 'string' && typeof id !== 'number' && numberText(id) === null)
      throw new Error('the id of a request is a string or a number')
    if (!isDeeperThan(MAX_SERVER_DEPTH, params)) {
      if (isQuestion) questions.ask(id, method, params, hop)
      else notifications.receive(method, params, hop)
      return
    }
    const message = `${method} is nested deeper than ${MAX_SERVER_DEPTH} levels`
    if (isQuestion) answer(id, { error: { code: rpc.invalidRequest, message } })
    throw new Error(message)
  }

  function answer(id: JsonRpcId, body: { result: unknown } | { error: RpcError }): void {
    if (closed) return
    let text: string
    try {
      text = JSON.stringify({ jsonrpc: '2.0', id, ...body })
    } catch (error) {
      // A client's answer may be nested too deep to be written.
      text = JSON.stringify({ jsonrpc: '2.0', id, error: toRpcError(error) })
    }
    channel.answer(id, text)
  }

  function notify(method: string, params?: Params): void {
    channel.notify(JSON.stringify({ jsonrpc: '2.0', method, ...(params === undefined ? {} : { params }) }), method)
  }

  function request(method: string, params?: Params, timeoutMs = options.callTimeoutMs): Promise<unknown> {
    lastFailure = null
    return new Promise((resolve, reject) => {
      launch(hubCall(method, params, options.clientInfo, options.profile, resolve, reject), params, timeoutMs)
    })
  }

  return {
    get hello() {
      if (hello === null) throw new Error('not connected')
      return hello
    },
    get pid() {
      return channel.pid
    },
    get inFlight() {
      return pending.size
    },
    get working() {
      return pending.ofClients - questions.waiting
    },
    get busy() {
      return pending.ofClients > 0
    },
    get received() {
      return received
    },
    get openStreams() {
      return channel.openStreams
    },
    get lastFailure() {
      return lastFailure
    },
    get isShared() {
      return channel.isShared
    },
    get probeUnanswered() {
      return handshake.probeUnanswered
    },
    start: async () => {
      let timer: NodeJS.Timeout | undefined
      const expired = new Promise<never>((_resolve, reject) => {
        timer = setTimeout(() => {
          reject(
            new UpstreamFailure(
              told({
                code: 'start-timeout',
                message: say`The server did not answer within ${options.startTimeoutMs / 1_000} s`,
                cure: say`Check that the command starts an MCP server on stdio, or that the URL is an MCP endpoint; raise hub.startTimeoutMs if it is only slow.`,
              }),
            ),
          )
        }, options.startTimeoutMs)
      })
      try {
        hello = await Promise.race([handshake.start(), expired])
        return hello
      } catch (error) {
        throw error instanceof UpstreamFailure
          ? error
          : new UpstreamFailure(closeReason ?? lastFailure ?? protocolReason(messageOf(error)))
      } finally {
        clearTimeout(timer)
      }
    },
    call: (call) => {
      const mayBeRetry = hello?.era === 'legacy' && call.clientEra === 'modern' && WITH_INPUT.has(call.method)
      if (mayBeRetry && call.params?.['requestState'] !== undefined) {
        // A legacy server gave no such handle; done without it the call could be done twice.
        call.finish(Reply.error(staleState.toRpc()))
        return () => undefined
      }
      const hop = launch(call, call.params, options.callTimeoutMs)
      return (reason) => cancel(hop, reason)
    },
    request,
    notify: (method, params) => {
      if (!closed) notify(method, params)
    },
    close: async (atOnce = false) => {
      closed = true
      stopped = true
      stopSweeper()
      for (const hop of pending.keys())
        finish(hop, Reply.error({ code: rpc.serverUnavailable, message: 'The server was stopped' }))
      await channel.close(atOnce)
    },
  }
}
