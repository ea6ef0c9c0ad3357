import type { Era, Reason } from '../contract/index.ts'
import { capabilitiesOfProfile, isLogged, type Call, type CancelCall } from '../gateway/call.ts'
import {
  LATEST_LEGACY,
  LATEST_MODERN,
  LEGACY_VERSIONS,
  META,
  MODERN_VERSIONS,
  McpError,
  Reply,
  isObject,
  rpc,
  toRpcError,
  type JsonRpcId,
  type JsonRpcMessage,
  type Params,
  type RpcError,
} from '../gateway/json-rpc.ts'
import { UpstreamFailure, type Channel, type ChannelHandlers, type RequestHints } from './channel.ts'
import { legacyParams, modernParams, nameOf } from './envelope.ts'
import { IdTable } from './id-table.ts'
import { driveInputRounds } from './input-rounds.ts'

export interface ServerHello {
  era: Era
  version: string
  capabilities: Params
  serverInfo: Params | null
  instructions: string | null
}

export interface ConnectionOptions {
  clientInfo: { name: string; version: string }
  /** What this connection may be asked for by a legacy server: a capability profile. */
  profile: string
  /** Era to use, or `auto` to probe. */
  era: Era | 'auto'
  startTimeoutMs: number
  callTimeoutMs: number
  totalTimeoutMs: number
  /** How long a silent server is waited for before the probe is taken for unanswered. */
  probeTimeoutMs: number
  openChannel: (handlers: ChannelHandlers) => Channel
  /** A notification that belongs to no call. */
  onNotification: (method: string, params: Params | undefined) => void
  onClose: (reason: Reason) => void
  /** The server forgot its session and the handshake was done anew: lists and subscriptions must be read again. */
  onRenewed: () => void
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
  text: string
  hints: RequestHints
}

export interface Connection {
  readonly hello: ServerHello
  readonly pid: number | null
  readonly inFlight: number
  /** Whether a client waits for something. */
  readonly busy: boolean
  /** Counts what came from the server; a sign of life. */
  readonly received: number
  /** Streams that are open to a remote server. */
  readonly openStreams: number
  /** Why the last request failed that failed below MCP. */
  readonly lastFailure: Reason | null
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
  /** What the server asks now, by its own id; aborted when it takes the question back or the call is over. */
  const questions = new Map<JsonRpcId, { owner: Pending; controller: AbortController }>()
  let nextHop = 1
  let hello: ServerHello | null = null
  let sweeper: NodeJS.Timeout | null = null
  let closed = false
  let renewing: Promise<void> | null = null
  let closeReason: Reason | null = null
  let received = 0

  const handlers: ChannelHandlers = {
    onReply: (hop, reply) => {
      received++
      finish(hop, reply)
    },
    onFailure: (hop, error, _undelivered, reason) => {
      lastFailure = reason
      const isProbe = pending.get(hop)?.call.owner === 'hub'
      finish(hop, Reply.error(error))
      if (!isProbe) options.onTrouble()
    },
    onMessage: (message, hop) => {
      received++
      onMessage(message, hop)
    },
    onSessionLost,
    onClose: (reason) => {
      closed = true
      closeReason = reason
      stopSweeper()
      const message =
        reason.detail === undefined ? reason.message : `${reason.message}: ${reason.detail.split('\n').at(-1) ?? ''}`
      for (const hop of pending.keys()) finish(hop, Reply.error({ code: rpc.serverUnavailable, message }))
      options.onClose(reason)
    },
    onLog: options.onLog,
  }
  let channel = options.openChannel(handlers)
  let lastFailure: Reason | null = null

  function finish(hop: number, reply: Reply): void {
    const entry = pending.get(hop)
    if (entry === undefined) return
    pending.delete(hop)
    if (entry.asked > 0) withdrawQuestions(entry)
    entry.call.finish(reply)
    if (!closed) options.onSettled()
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
    if (entry.asked > 0) withdrawQuestions(entry)
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
      hello === null
        ? params
        : era === 'modern'
          ? modernParams(params, call, hop, hello.version)
          : legacyParams(params, call, hop)
    const text = JSON.stringify({ jsonrpc: '2.0', id: hop, method: call.method, params: outgoing })
    const hints: RequestHints = {
      method: call.method,
      name: nameOf(call.method, outgoing),
      paramHeaders: call.paramHeaders,
    }
    // A subscription has no end of its own.
    const deadline = call.method === 'subscriptions/listen' ? Infinity : now + timeoutMs
    const entry: Pending = { call, startedAt: now, deadline, asked: 0, text, hints }
    pending.set(hop, entry)
    sweeper ??= setInterval(sweep, SWEEP_MS).unref()
    if (closed)
      finish(hop, Reply.error({ code: rpc.serverUnavailable, message: 'The connection to the server is closed' }))
    else channel.send(hop, text, hints)
    return hop
  }

  function onMessage(message: JsonRpcMessage, hop: number | null): void {
    const method = message.method ?? ''
    if (message.id !== undefined && message.id !== null) {
      onQuestion(message.id, method, message.params, hop)
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
      questions.get(message.params?.['requestId'] as JsonRpcId)?.controller.abort()
      return
    }
    const entry = hop === null ? undefined : pending.get(hop)
    if (entry !== undefined && !isBroadcast(method)) entry.call.notify(method, message.params)
    else options.onNotification(method, message.params)
  }

  /** On a shared pipe a log message names no call: those that asked for logs get it. */
  function onLogMessage(params: Params | undefined, hop: number | null): void {
    const entry = hop === null ? undefined : pending.get(hop)
    let delivered = false
    for (const candidate of entry === undefined ? pending.values() : [entry]) {
      if (candidate.call.logLevel === undefined || !isLogged(params?.['level'], candidate.call.logLevel)) continue
      candidate.call.notify('notifications/message', params)
      delivered = true
    }
    if (!delivered) options.onNotification('notifications/message', params)
  }

  /** The call that a question belongs to: its stream tells on HTTP; on a pipe the newest that does not wait already. */
  function ownerOf(method: string, hop: number | null): Pending | string {
    if (hop !== null) return pending.get(hop) ?? 'the call that it belongs to has ended'
    const candidates = pending.values().filter((entry) => entry.call.owner !== 'hub')
    const newest = candidates.findLast((entry) => entry.asked === 0) ?? candidates.at(-1)
    if (newest === undefined) return `no call is in flight that ${method} could belong to`
    if (candidates.some((entry) => entry.call.owner !== newest.call.owner))
      return `${method} could belong to calls of different clients`
    return newest
  }

  function onQuestion(id: JsonRpcId, method: string, params: Params | undefined, hop: number | null): void {
    const answer = (body: { result: unknown } | { error: RpcError }): void => {
      if (!closed) channel.answer(id, JSON.stringify({ jsonrpc: '2.0', id, ...body }))
    }
    if (method === 'ping') {
      answer({ result: {} })
      return
    }
    const owner = ownerOf(method, hop)
    if (typeof owner === 'string') {
      // Often asked right after the handshake, when there is no call yet.
      if (method === 'roots/list') answer({ result: { roots: [] } })
      else answer({ error: { code: rpc.noOwner, message: `The hub cannot tell whom to ask: ${owner}` } })
      return
    }
    const controller = new AbortController()
    const { signal } = controller
    const onProgress = (progress: Params): void => {
      if (!closed && !signal.aborted) notify('notifications/progress', progress)
    }
    owner.asked++
    questions.set(id, { owner, controller })
    void owner.call
      .ask({ method, params, signal, onProgress })
      .then(
        (result) => ({ result }),
        (error: unknown) => ({ error: toRpcError(error) }),
      )
      .then((body) => {
        questions.delete(id)
        owner.asked--
        owner.deadline = performance.now() + options.callTimeoutMs
        // What was taken back has no answer.
        if (!signal.aborted) answer(body)
      })
  }

  function withdrawQuestions(entry: Pending): void {
    for (const { owner, controller } of [...questions.values()]) if (owner === entry) controller.abort()
  }

  function notify(method: string, params?: Params): void {
    channel.notify(JSON.stringify({ jsonrpc: '2.0', method, ...(params === undefined ? {} : { params }) }), method)
  }

  /** What was asked of a forgotten session was not done, so it is safe to ask again under a new one. */
  function onSessionLost(hop: number | null): void {
    renewing ??= (async () => {
      channel.resetSession()
      hello = null
      try {
        hello = await initialize()
        options.onRenewed()
      } finally {
        renewing = null
      }
    })()
    renewing.then(
      () => {
        const entry = hop === null ? undefined : pending.get(hop)
        if (hop !== null && entry !== undefined) channel.send(hop, entry.text, entry.hints)
      },
      (error: unknown) => {
        if (hop !== null)
          finish(
            hop,
            Reply.error({
              code: rpc.serverUnavailable,
              message: `The server forgot its session, and a new one failed: ${messageOf(error)}`,
            }),
          )
        if (!closed) {
          closed = true
          options.onClose(error instanceof UpstreamFailure ? error.reason : protocolReason(messageOf(error)))
        }
      },
    )
  }

  function request(method: string, params?: Params, timeoutMs = options.callTimeoutMs): Promise<unknown> {
    return new Promise((resolve, reject) => {
      launch(hubCall(method, params, options.profile, resolve, reject), params, timeoutMs)
    })
  }

  async function initialize(): Promise<ServerHello> {
    const result = await request(
      'initialize',
      {
        protocolVersion: LATEST_LEGACY,
        capabilities: capabilitiesOfProfile(options.profile),
        clientInfo: options.clientInfo,
      },
      options.startTimeoutMs,
    )
    if (!isObject(result) || typeof result['protocolVersion'] !== 'string') {
      throw new UpstreamFailure(protocolReason('The answer to initialize has no protocolVersion'), true)
    }
    const version = result['protocolVersion']
    if (!(LEGACY_VERSIONS as readonly string[]).includes(version)) {
      throw new UpstreamFailure(
        protocolReason(`The server speaks protocol version ${version}, which this hub does not know`),
        true,
      )
    }
    channel.established(version, false)
    notify('notifications/initialized')
    return {
      era: 'legacy',
      version,
      capabilities: isObject(result['capabilities']) ? result['capabilities'] : {},
      serverInfo: isObject(result['serverInfo']) ? result['serverInfo'] : null,
      instructions: typeof result['instructions'] === 'string' ? result['instructions'] : null,
    }
  }

  /** Asks `server/discover` on this very connection; null when the server shows itself to be of the legacy era. */
  async function discover(version: string, retried = false): Promise<ServerHello | null> {
    channel.established(version, true)
    const meta = { [META.version]: version, [META.clientInfo]: options.clientInfo, [META.capabilities]: {} }
    let result: unknown
    try {
      result = await request(
        'server/discover',
        { _meta: meta },
        options.era === 'modern' ? options.startTimeoutMs : options.probeTimeoutMs,
      )
    } catch (error) {
      if (!(error instanceof McpError)) throw error
      if (closeReason !== null) throw new UpstreamFailure(closeReason)
      const supported =
        isObject(error.data) && Array.isArray(error.data['supported']) ? (error.data['supported'] as unknown[]) : []
      const common = MODERN_VERSIONS.find((known) => supported.includes(known))
      if (error.code === rpc.unsupportedVersion && common !== undefined && !retried) return discover(common, true)
      // Refused connections, 401 and 5xx say nothing about the era.
      if (lastFailure !== null && (lastFailure.code !== 'http-status' || /\b5\d\d\b|403/.test(lastFailure.message)))
        throw new UpstreamFailure(lastFailure)
      lastFailure = null
      return null
    }
    // Lenient servers answer `{}` to anything: only a list of versions makes it a DiscoverResult.
    if (!isObject(result) || !Array.isArray(result['supportedVersions'])) return null
    const chosen = MODERN_VERSIONS.find((known) => (result['supportedVersions'] as unknown[]).includes(known))
    if (chosen === undefined) return null
    channel.established(chosen, true)
    const info = isObject(result['_meta']) ? result['_meta'][META.serverInfo] : undefined
    return {
      era: 'modern',
      version: chosen,
      capabilities: isObject(result['capabilities']) ? result['capabilities'] : {},
      serverInfo: isObject(info) ? info : null,
      instructions: typeof result['instructions'] === 'string' ? result['instructions'] : null,
    }
  }

  async function handshake(): Promise<ServerHello> {
    await channel.open()
    if (options.era !== 'legacy') {
      const modern = await discover(LATEST_MODERN).catch(async (error: unknown) => {
        // Some servers end themselves at a request before `initialize`; they get a fresh process and no probe.
        if (options.era === 'modern' || !(error instanceof UpstreamFailure) || error.reason.code !== 'exited')
          throw error
        closed = false
        closeReason = null
        channel = options.openChannel(handlers)
        await channel.open()
        return null
      })
      if (modern !== null) return modern
      if (options.era === 'modern')
        throw new UpstreamFailure(protocolReason('The server does not speak the modern era (no server/discover)'), true)
      channel.resetSession()
    }
    return initialize()
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
        hello = await Promise.race([handshake(), expired])
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

function protocolReason(message: string): Reason {
  return { code: 'protocol-error', message, cure: 'Check that the command or URL is an MCP server, and its version.' }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
