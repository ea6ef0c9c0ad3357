import type { Reason } from '../contract/index.ts'
import { WITH_INPUT, capabilitiesOfProfile, isLogged, type Call, type CancelCall } from '../gateway/call.ts'
import {
  META,
  McpError,
  Reply,
  isObject,
  rpc,
  type JsonRpcId,
  type JsonRpcMessage,
  type Params,
} from '../gateway/json-rpc.ts'
import { traceHeaders } from '../gateway/trace-context.ts'
import { UpstreamFailure, type ChannelHandlers, type RequestHints } from './channel.ts'
import { legacyParams, modernParams, nameOf } from './envelope.ts'
import { IdTable } from './id-table.ts'
import { createHandshake, messageOf, protocolReason, type HandshakeOptions, type ServerHello } from './handshake.ts'
import { driveInputRounds } from './input-rounds.ts'
import { createQuestions } from './questions.ts'
import { staleState } from '../gateway/parked.ts'

export interface ConnectionOptions extends HandshakeOptions {
  callTimeoutMs: number
  totalTimeoutMs: number
  maxResponseBytes: number
  /** A notification that belongs to no call. */
  onNotification: (method: string, params: Params | undefined) => void
  /** A question that belongs to no call; null when there is nobody to put it to. */
  onQuestion: (method: string, params: Params | undefined, signal: AbortSignal) => Promise<unknown> | null
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

interface Pending {
  call: Call
  startedAt: number
  deadline: number
  /** Questions of the server that wait for this call's client. */
  asked: number
  /** It met a forgotten session before: a second time the fault is another one. */
  renewed: boolean
  text: string
  hints: RequestHints
}

export interface Connection {
  readonly hello: ServerHello
  readonly pid: number | null
  readonly inFlight: number
  /** Of those the ones that do not wait for their client. */
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
  const pending = new IdTable<Pending>()
  let nextHop = 1
  let hello: ServerHello | null = null
  let sweeper: NodeJS.Timeout | null = null
  let closed = false
  let lastFailure: Reason | null = null
  let lastStatus: number | null = null
  let renewing: Promise<void> | null = null
  let closeReason: Reason | null = null
  let received = 0

  const handlers: ChannelHandlers = {
    onReply: (hop, reply) => {
      received++
      if (reply.size > options.maxResponseBytes) onOversize(hop, 'limits.maxResponseBytes', options.maxResponseBytes)
      else finish(hop, reply)
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
    onSessionLost,
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
    answer: (id, body) => {
      if (!closed) channel.answer(id, JSON.stringify({ jsonrpc: '2.0', id, ...body }))
    },
    notify: (method, params) => {
      if (!closed) notify(method, params)
    },
    unowned: options.onQuestion,
    onWaiting: () => options.onSettled(),
    onAnswered: (entry) => (entry.deadline = performance.now() + options.callTimeoutMs),
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
      closed = false
      closeReason = null
      channel = open(handlers)
      await channel.open()
    },
    request,
    notify,
  })

  function finish(hop: number, reply: Reply): void {
    const entry = pending.get(hop)
    if (entry === undefined) return
    pending.delete(hop)
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
    else if (renewing !== null && call.method !== 'initialize') sendRenewed(hop, renewing)
    else channel.send(hop, text, hints)
    return hop
  }

  function onMessage(message: JsonRpcMessage, hop: number | null): void {
    const method = message.method ?? ''
    if (message.id !== undefined && message.id !== null) {
      questions.ask(message.id, method, message.params, hop)
      return
    }
    if (method === 'notifications/progress') {
      const token = message.params?.['progressToken']
      const entry = typeof token === 'number' ? pending.get(token) : undefined
      if (entry === undefined || entry.call.progressToken === undefined) return
      const now = performance.now()
      entry.deadline = Math.min(now + options.callTimeoutMs, entry.startedAt + options.totalTimeoutMs)
      entry.call.notify(method, { ...message.params, progressToken: entry.call.progressToken })
      return
    }
    if (method === 'notifications/message') {
      onLogMessage(message.params, hop)
      return
    }
    if (method === 'notifications/cancelled') {
      questions.withdraw(message.params?.['requestId'] as JsonRpcId)
      return
    }
    const entry = pending.get(hop ?? subscriptionOf(message.params))
    if (entry !== undefined && !isBroadcast(method)) entry.call.notify(method, message.params)
    else options.onNotification(method, message.params)
  }

  /**
   * On a shared pipe a log message names no call. It goes to the newest that wants it as long as all that run are of one
   * client: what a server logs of one must not show to another. (Who asks for logs has a pipe of its own, see calls.ts.)
   */
  function onLogMessage(params: Params | undefined, hop: number | null): void {
    const concerned = hop === null ? pending.values() : [pending.get(hop)]
    const running = concerned.flatMap((entry) =>
      entry === undefined || entry.call.owner === 'hub' ? [] : [entry.call],
    )
    const clients = new Set(
      running.map(({ principal, owner, clientInfo }) => JSON.stringify([principal, owner, clientInfo])),
    )
    const wanted = running.findLast(({ logLevel }) => logLevel !== undefined && isLogged(params?.['level'], logLevel))
    if (clients.size === 1 && wanted !== undefined) wanted.notify('notifications/message', params)
    else options.onNotification('notifications/message', params)
  }

  function notify(method: string, params?: Params): void {
    channel.notify(JSON.stringify({ jsonrpc: '2.0', method, ...(params === undefined ? {} : { params }) }), method)
  }

  /** What was asked of a forgotten session was not done, so it is safe to ask again under a new one. */
  function onSessionLost(hop: number | null): void {
    const entry = hop === null ? undefined : pending.get(hop)
    if (hop !== null && entry?.renewed === true) {
      const message = 'The server does not know the session that it has just begun'
      finish(hop, Reply.error({ code: rpc.serverUnavailable, message }))
      return
    }
    if (entry !== undefined) entry.renewed = true
    if (renewing === null) {
      renewing = renew()
      // The calls that wait for it tell of its failure.
      renewing.catch(() => undefined)
    }
    if (hop !== null) sendRenewed(hop, renewing)
  }

  function renew(): Promise<void> {
    return handshake.initialize().then(
      (renewed) => {
        renewing = null
        hello = renewed
        options.onRenewed()
      },
      (error: unknown) => {
        renewing = null
        if (!closed) {
          closed = true
          options.onClose(error instanceof UpstreamFailure ? error.reason : protocolReason(messageOf(error)))
        }
        throw error
      },
    )
  }

  function sendRenewed(hop: number, renewed: Promise<void>): void {
    renewed.then(
      () => {
        const entry = pending.get(hop)
        if (entry !== undefined) channel.send(hop, entry.text, entry.hints)
      },
      (error: unknown) => {
        const message = `The server forgot its session, and a new one failed: ${messageOf(error)}`
        finish(hop, Reply.error({ code: rpc.serverUnavailable, message }))
      },
    )
  }

  function request(method: string, params?: Params, timeoutMs = options.callTimeoutMs): Promise<unknown> {
    lastFailure = null
    return new Promise((resolve, reject) => {
      launch(hubCall(method, params, options.profile, resolve, reject), params, timeoutMs)
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
      return pending.size - questions.waiting
    },
    get busy() {
      for (const { call } of pending.values()) if (call.owner !== 'hub') return true
      return false
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
            new UpstreamFailure({
              code: 'start-timeout',
              message: `The server did not answer within ${options.startTimeoutMs / 1_000} s`,
              cure: 'Check that the command starts an MCP server on stdio, or that the URL is an MCP endpoint; raise hub.startTimeoutMs if it is only slow.',
            }),
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
      if (call.clientEra === 'legacy' && hello?.era === 'modern') {
        return driveInputRounds(call, {
          launch: (round, params) => launch(round, params, options.callTimeoutMs),
          cancel,
        })
      }
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
      stopSweeper()
      for (const hop of pending.keys())
        finish(hop, Reply.error({ code: rpc.serverUnavailable, message: 'The server was stopped' }))
      await channel.close(atOnce)
    },
  }
}

/** The subscription that a notification says it belongs to, which is all that tells on a pipe; ids begin at 1. */
function subscriptionOf(params: Params | undefined): number {
  const meta = params?.['_meta']
  const id = isObject(meta) ? meta[META.subscriptionId] : undefined
  return typeof id === 'number' ? id : 0
}

function isBroadcast(method: string): boolean {
  return method.endsWith('/list_changed') || method === 'notifications/resources/updated'
}

function hubCall(
  method: string,
  params: Params | undefined,
  profile: string,
  resolve: (result: unknown) => void,
  reject: (error: McpError) => void,
): Call {
  return {
    method,
    params,
    clientEra: 'modern',
    owner: 'hub',
    principal: 'hub',
    capabilities: capabilitiesOfProfile(profile),
    clientInfo: undefined,
    progressToken: undefined,
    logLevel: undefined,
    wantsLogs: false,
    paramHeaders: undefined,
    notify: () => undefined,
    ask: ({ method: asked }) =>
      Promise.reject(new McpError(rpc.noOwner, `The hub cannot answer ${asked} for a person`)),
    finish: (reply) => {
      const { result, error } = reply.message
      if (error === undefined) resolve(result)
      else reject(new McpError(error.code, error.message, error.data))
    },
  }
}
