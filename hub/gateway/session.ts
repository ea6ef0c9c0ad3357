import { randomBytes } from 'node:crypto'
import type { CancelCall, ClientCapabilities, LogLevel } from './call.ts'
import {
  LATEST_LEGACY,
  LEGACY_VERSIONS,
  McpError,
  isObject,
  rpc,
  type JsonRpcId,
  type JsonRpcMessage,
  type Params,
} from './json-rpc.ts'
import type { Outlet } from './outlet.ts'
import type { View } from './view.ts'

const MAX_EVENTS = 500
const MAX_EVENT_BYTES = 1_048_576
const ASK_TIMEOUT_MS = 10 * 60_000

interface RecordedEvent {
  stream: number
  seq: number
  text: string
}

interface Ask {
  resolve: (result: unknown) => void
  reject: (error: McpError) => void
  timer: NodeJS.Timeout
}

/**
 * A client's session of the legacy era (2024-11-05 to 2025-11-25). A session is a table entry with its stream, the calls in
 * flight and the events that a reconnecting client may ask for again; it owns no server object.
 */
export class Session {
  readonly id = randomBytes(24).toString('base64url')
  readonly principal: string
  readonly view: View
  version: string = LATEST_LEGACY
  capabilities: ClientCapabilities = {}
  clientInfo: unknown
  logLevel: LogLevel | undefined
  lastUsed = Date.now()
  /** The stream for messages that belong to no request. */
  stream: Outlet | null = null
  readonly inFlight = new Map<JsonRpcId, CancelCall>()
  readonly subscriptions = new Set<string>()
  readonly #asks = new Map<string, Ask>()
  #askCounter = 0
  #streamCounter = 0
  #events: RecordedEvent[] = []
  #eventBytes = 0
  readonly #outlets = new Map<number, Outlet>()

  constructor(principal: string, view: View) {
    this.principal = principal
    this.view = view
  }

  /** Takes over what `initialize` declares; an unknown version is answered with the latest of the era. */
  begin(params: Params): void {
    const requested = params['protocolVersion']
    this.version = (LEGACY_VERSIONS as readonly unknown[]).includes(requested) ? (requested as string) : LATEST_LEGACY
    this.capabilities = isObject(params['capabilities']) ? params['capabilities'] : {}
    this.clientInfo = params['clientInfo']
  }

  /** Options that make an outlet's stream resumable under an id of its own. */
  recorder(): { record: (data: string) => string; preamble: () => string; register: (outlet: Outlet) => void } {
    const stream = ++this.#streamCounter
    let seq = 0
    return {
      record: (data) => {
        const id = `${stream}-${++seq}`
        this.#keep({ stream, seq, text: `event: message\nid: ${id}\ndata: ${data}\n\n` })
        return id
      },
      // An id before the first message, so that a stream cut off early can be resumed too (SEP-1699).
      preamble: () => (this.version >= '2025-11-25' ? `id: ${stream}-0\nretry: 1000\ndata: \n\n` : ''),
      register: (outlet) => {
        for (const [key, known] of this.#outlets) if (known.ended) this.#outlets.delete(key)
        this.#outlets.set(stream, outlet)
      },
    }
  }

  #keep(event: RecordedEvent): void {
    this.#events.push(event)
    this.#eventBytes += event.text.length
    while (this.#events.length > MAX_EVENTS || this.#eventBytes > MAX_EVENT_BYTES)
      this.#eventBytes -= this.#events.shift()?.text.length ?? 0
  }

  /** What came after an event on its stream, and the outlet that still feeds it. */
  resume(lastEventId: string): { outlet: Outlet | null; missed: string[] } | null {
    const match = /^(\d+)-(\d+)$/.exec(lastEventId)
    if (match === null) return null
    const stream = Number(match[1])
    const missed = this.#events
      .filter((event) => event.stream === stream && event.seq > Number(match[2]))
      .map((event) => event.text)
    return { outlet: this.#outlets.get(stream) ?? null, missed }
  }

  /** Puts a question to the client on the given stream; its answer comes as a POST. */
  ask(outlet: Outlet, method: string, params: unknown): Promise<unknown> {
    const id = `hub-${++this.#askCounter}`
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#asks.delete(id)
        reject(new McpError(rpc.timeout, `The client did not answer ${method}`))
      }, ASK_TIMEOUT_MS).unref()
      this.#asks.set(id, { resolve, reject, timer })
      outlet.send(JSON.stringify({ jsonrpc: '2.0', id, method, ...(params === undefined ? {} : { params }) }))
    })
  }

  answered(message: JsonRpcMessage): void {
    const ask = typeof message.id === 'string' ? this.#asks.get(message.id) : undefined
    if (ask === undefined) return
    this.#asks.delete(message.id as string)
    clearTimeout(ask.timer)
    if (message.error !== undefined && isObject(message.error))
      ask.reject(new McpError(message.error.code, message.error.message, message.error.data))
    else ask.resolve(message.result)
  }

  /** A notification that belongs to no request; without an open stream the client has not asked for any. */
  tell(method: string, params?: unknown): void {
    this.stream?.send(JSON.stringify({ jsonrpc: '2.0', method, ...(params === undefined ? {} : { params }) }))
  }

  close(): void {
    for (const cancel of this.inFlight.values()) cancel('the session ended')
    this.inFlight.clear()
    for (const ask of this.#asks.values()) {
      clearTimeout(ask.timer)
      ask.reject(new McpError(rpc.internalError, 'The session ended'))
    }
    this.#asks.clear()
    this.stream?.end()
    for (const outlet of this.#outlets.values()) if (!outlet.ended) outlet.end()
  }
}
