import { randomFillSync } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { ChurnMap } from '../churn-map.ts'
import { steadyNow } from '../clock.ts'
import {
  ELICITATION_COMPLETE,
  TASKS_EXTENSION,
  canAnswer,
  isLogged,
  type CancelCall,
  type ClientCapabilities,
  type LogLevel,
  type Question,
  type SessionClient,
} from './call.ts'
import {
  LATEST_LEGACY,
  LEGACY_VERSIONS,
  McpError,
  Reply,
  isObject,
  rpc,
  type JsonRpcId,
  type JsonRpcMessage,
  type Params,
} from './json-rpc.ts'
import type { Scopes } from '../auth/scope.ts'
import type { Principal } from './context.ts'
import { clientLabel } from './exchange.ts'
import { Outlet, type OutletOptions, type Recorder } from './outlet.ts'
import { ListWatch } from './list-watch.ts'
import { Replay, type ReplaySpace, type SentEvent } from './replay.ts'
import type { ResourceSubscriptions } from './resource-subscriptions.ts'
import { listKinds } from '../upstream/catalog.ts'
import type { ServedClient } from '../upstream/subscriptions.ts'
import type { View, Viewer } from './view.ts'

const MAX_PAGES = 100
/** Stream and place in it; `g` for one that belongs to no request. */
const EVENT_ID = /^(\d+)(g?)-(\d+)$/
/** No hub gives so many ids in one session: each that goes on with it begins with the next. */
const IDS_PER_GENERATION = 1e9
const ASK_TIMEOUT_MS = 10 * 60_000

const ID_BYTES = 24
/** For the next sessions: the system is asked for many bytes at the price of a few. */
const randomness = Buffer.alloc(64 * ID_BYTES)
let taken = randomness.length

function randomId(): string {
  if (taken === randomness.length) {
    randomFillSync(randomness)
    taken = 0
  }
  const at = taken
  taken += ID_BYTES
  return randomness.toString('base64url', at, taken)
}

/** A session that another hub had until now. */
export interface Continued {
  id: string
  generation: number
}

interface Ask {
  token: unknown
  onProgress: (params: Params) => void
  settle: (outcome: { result: unknown } | { error: McpError }) => void
  /** It was written to a client that was there to read. */
  isWritten: boolean
  /** Where on its stream it was, once it is not kept any more. */
  lost: { stream: number; seq: number } | null
}

const lostQuestion = new McpError(
  rpc.limitExceeded,
  'The client was away, and the question is not kept any more (limits.maxReplayBytesPerSession, limits.maxReplayBytes)',
)

/**
 * A client's session of the legacy era (2024-11-05 to 2025-11-25). A session is a table entry with its stream, the calls in
 * flight and the events that a reconnecting client may ask for again; it owns no server object.
 */
export class Session implements SessionClient {
  /** Of the hub that opened it: another one that goes on with it keeps the id. */
  readonly id: string
  /** How many hubs had it before. */
  readonly generation: number
  readonly principal: string
  /** What its principal was narrowed to when it was opened, and its view with them. */
  readonly scopes: Scopes
  readonly view: View
  version: string = LATEST_LEGACY
  capabilities: ClientCapabilities = {}
  clientInfo: unknown
  /** The client as a person knows it. */
  client: string | null = null
  logLevel: LogLevel | undefined
  lastUsed = steadyNow()
  /** Its client has sent something in it. */
  hasSpoken = false
  /** The stream for messages that belong to no request. It outlasts its connection, so that it can be resumed. */
  general: Outlet | null = null
  /** The request that came last and is not answered, of a client that can be asked before its call is under way. */
  waiting: Outlet | null = null
  readonly inFlight = new ChurnMap<JsonRpcId, CancelCall>()
  /** Made with the first of them. */
  subscriptions: ResourceSubscriptions | null = null
  /** As whom it sees its endpoint. */
  viewer: Viewer
  lists: ListWatch
  #owesRoots = false
  readonly #asks = new Map<string, Ask>()
  /** Pages that its user was sent to, by the id of the visit. */
  readonly #pages = new Set<unknown>()
  #askCounter: number
  #streamCounter: number
  /** Another hub has it now. */
  #left = false
  readonly #replay: Replay
  readonly #outlets = new Map<number, Outlet>()

  readonly reader: OutletOptions
  /** For the outlets of its POSTs and of its own stream. */
  readonly outlets: OutletOptions

  constructor(
    instance: string | null,
    principal: Principal,
    view: View,
    reader: OutletOptions,
    space: ReplaySpace,
    continued: Continued | null = null,
  ) {
    this.id = continued?.id ?? (instance === null ? '' : `${instance}.`) + randomId()
    this.generation = continued?.generation ?? 0
    this.#askCounter = this.#streamCounter = this.#firstId
    this.principal = principal.id
    this.scopes = principal.scopes
    this.view = view
    this.viewer = this.#asViewer()
    this.lists = new ListWatch(view, this.viewer)
    this.#replay = new Replay(space, (event) => this.#loseQuestion(event))
    this.reader = reader
    this.outlets = { ...reader, recorderFor: (outlet) => this.#recorderFor(outlet) }
  }

  /** Ids up to here were given by the hubs that had it before. */
  get #firstId(): number {
    return this.generation * IDS_PER_GENERATION
  }

  /** Whether the client reads messages that belong to no request. */
  get isListening(): boolean {
    return this.general?.connected === true
  }

  /** Takes over what `initialize` declares; an unknown version is answered with the latest of the era. */
  begin(params: Params): void {
    const requested = params['protocolVersion']
    this.version = (LEGACY_VERSIONS as readonly unknown[]).includes(requested) ? (requested as string) : LATEST_LEGACY
    this.capabilities = isObject(params['capabilities']) ? withoutTasks(params['capabilities']) : {}
    this.clientInfo = params['clientInfo']
    this.client = clientLabel(this.clientInfo)
    this.viewer = this.#asViewer()
    this.lists = new ListWatch(this.view, this.viewer)
  }

  /** As whom a server knows it. */
  get served(): ServedClient {
    const { principal, capabilities } = this
    return { owner: this.id, principal, capabilities, wantsLogs: this.logLevel !== undefined }
  }

  #asViewer(): Viewer {
    const resident = { owner: this.id, client: this }
    return { principal: this.principal, capabilities: this.capabilities, era: 'legacy', resident }
  }

  /** Makes an outlet's stream resumable under an id of its own. */
  #recorderFor(outlet: Outlet): Recorder {
    const stream = ++this.#streamCounter
    for (const [key, known] of this.#outlets) if (known.ended) this.#outlets.delete(key)
    this.#outlets.set(stream, outlet)
    // Of a stream that another hub had no more is known than its events say: whether it belonged to a call.
    const name = outlet === this.general ? `${stream}g` : String(stream)
    let seq = 0
    return {
      record: (data, answerTo, question) => {
        const id = `${name}-${++seq}`
        this.#replay.keep({ stream, seq, id, data, answerTo, question, at: steadyNow() })
        return id
      },
      // An id before the first message, so that a stream cut off early can be resumed too (SEP-1699).
      preamble: this.version >= '2025-11-25' ? `id: ${name}-0\nretry: 1000\ndata: \n\n` : '',
    }
  }

  /** Gives up large events that no client comes back for any more. */
  shrink(): void {
    this.#replay.shrink(steadyNow())
  }

  /** Opens the stream for messages that belong to no request; an earlier one ends. */
  listen(response: ServerResponse): void {
    const outlet = new Outlet(response, true, this.outlets)
    this.general?.end()
    this.general = outlet
    outlet.openStream()
    // Which lists the client has of another hub is not known: it looks again at what it did not get here.
    for (const method of this.generation === 0 ? this.lists.begin() : this.lists.changes(listKinds)) this.tell(method)
    this.settleRoots()
  }

  /**
   * Goes on after an event on its stream. `unknown`: the id is none of this session's, or of a stream for messages that belong
   * to no request; `lost`: of a call whose answer is neither kept nor to come: it was under way at a hub that had the session
   * before, or too much came after it.
   */
  resume(lastEventId: string, response: ServerResponse): 'resumed' | 'unknown' | 'lost' {
    const match = EVENT_ID.exec(lastEventId)
    const stream = Number(match?.[1])
    if (match === null || stream > this.#streamCounter) return 'unknown'
    if (stream <= this.#firstId && this.generation > 0) return match[2] === '' ? 'lost' : 'unknown'
    const seen = Number(match[3])
    const { events, questions, complete } = this.#replay.after(stream, seen)
    for (const { lost, settle } of this.#asks.values())
      if (lost?.stream === stream && lost.seq > seen) settle({ error: lostQuestion })
    for (const question of questions) this.#wasWritten(question)
    const known = this.#outlets.get(stream)
    if (match[2] === '' && !complete && events.length === 0 && known?.ended !== false) return 'lost'
    if (known !== undefined) {
      known.resume(response, events)
      if (known === this.general && !complete) this.#catchUp()
      return 'resumed'
    }
    // Nothing feeds this stream any more: what came after the event is all there will be.
    const replay = new Outlet(null, true, this.reader)
    replay.resume(response, events)
    replay.end()
    return 'resumed'
  }

  /** What its client missed of its own stream is gone: it looks again at all that it wants to hear of. */
  #catchUp(): void {
    this.lists = new ListWatch(this.view, this.viewer)
    for (const method of this.lists.changes(listKinds)) this.tell(method)
    for (const uri of this.subscriptions?.uris ?? []) this.tell('notifications/resources/updated', { uri })
  }

  #wasWritten(question: string): void {
    const ask = this.#asks.get(question)
    if (ask !== undefined) ask.isWritten = true
  }

  /** A client that has got it may still answer; one that has not shows when it asks for what it missed. */
  #loseQuestion({ question, stream, seq }: SentEvent): void {
    const ask = this.#asks.get(question ?? '')
    if (ask?.isWritten === true) ask.lost = { stream, seq }
    else ask?.settle({ error: lostQuestion })
  }

  /** Puts a question to the client on the given stream; its answer comes as a POST. */
  ask(outlet: Outlet, { method, params, signal, onProgress }: Question): Promise<unknown> {
    this.sentTo(params)
    const id = `hub-${++this.#askCounter}`
    return new Promise((resolve, reject) => {
      const withdraw = (): void => {
        const cancelled = { requestId: id, reason: 'the server withdrew the request' }
        outlet.send(JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params: cancelled }))
        settle({ error: new McpError(rpc.internalError, `${method} was withdrawn`) })
      }
      const settle: Ask['settle'] = (outcome) => {
        if (!this.#asks.delete(id)) return
        clearTimeout(timer)
        signal.removeEventListener('abort', withdraw)
        if ('error' in outcome) reject(outcome.error)
        else resolve(outcome.result)
      }
      const timer = setTimeout(() => {
        settle({ error: new McpError(rpc.timeout, `The client did not answer ${method}`) })
      }, ASK_TIMEOUT_MS).unref()
      const meta = params?.['_meta']
      const token = isObject(meta) ? meta['progressToken'] : undefined
      this.#asks.set(id, { token, onProgress, settle, isWritten: outlet.connected, lost: null })
      signal.addEventListener('abort', withdraw)
      outlet.send(JSON.stringify({ jsonrpc: '2.0', id, method, ...(params === undefined ? {} : { params }) }), null, id)
    })
  }

  /** Its user is sent to a page (2025-11-25, "URL mode elicitation"). */
  sentTo(page: unknown): void {
    if (!isObject(page) || page['elicitationId'] === undefined) return
    this.#pages.add(page['elicitationId'])
    if (this.#pages.size > MAX_PAGES) for (const oldest of this.#pages) if (this.#pages.delete(oldest)) break
  }

  /** A visit is over, of whichever session's user. */
  visited(params: Params): void {
    if (this.#pages.delete(params['elicitationId'])) this.tell(ELICITATION_COMPLETE, params)
  }

  /** Where a question can go out: on the stream of its call, or else on the session's own. */
  carrierFor(outlet: Outlet | null): Outlet | null {
    if (this.#left) return null
    if (outlet !== null && outlet.acceptsStream && outlet.reachable) return outlet
    return this.isListening ? this.general : null
  }

  /** A question that belongs to no call. */
  askAside(question: Question): Promise<unknown> | null {
    if (!canAnswer(this.capabilities, question.method, question.params)) return null
    const carrier = this.carrierFor(this.isListening ? null : this.waiting)
    if (carrier !== null) return this.ask(carrier, question)
    this.#owesRoots ||= question.method === 'roots/list'
    return null
  }

  /** The client can be asked now: servers that wanted to know its roots before are told to ask again. */
  settleRoots(): void {
    if (!this.#owesRoots) return
    this.#owesRoots = false
    for (const upstream of this.view.upstreams) upstream.rootsChanged(this.served, this)
  }

  answered(message: JsonRpcMessage): void {
    const ask = typeof message.id === 'string' ? this.#asks.get(message.id) : undefined
    const reply = Reply.fromMessage({ ...message }, message.id ?? '')
    const { result, error } = reply?.message ?? { error: { code: rpc.internalError, message: 'There is no result' } }
    ask?.settle(error === undefined ? { result } : { error: new McpError(error.code, error.message, error.data) })
  }

  /** The client's progress with a question, under the token that the server gave it. */
  progressed(params: Params): void {
    for (const ask of this.#asks.values())
      if (ask.token !== undefined && ask.token === params['progressToken']) ask.onProgress(params)
  }

  /** A notification that belongs to no request; a client that never opened the stream has not asked for any. */
  tell(method: string, params?: unknown): void {
    this.general?.send(JSON.stringify({ jsonrpc: '2.0', method, ...(params === undefined ? {} : { params }) }))
  }

  /** What a server says outside of any call, as far as the client wants it. */
  hear(method: string, params: Params | undefined): void {
    if (method !== 'notifications/message' || isLogged(params?.['level'], this.logLevel ?? 'info'))
      this.tell(method, params)
  }

  /** Another hub has it now: calls that are under way here are answered, but nothing that comes from the client gets here. */
  leave(why = 'The session goes on at another hub'): void {
    this.#left = true
    this.subscriptions?.close()
    for (const ask of [...this.#asks.values()]) ask.settle({ error: new McpError(rpc.internalError, why) })
    this.general?.retire()
    this.#replay.end()
  }

  close(): void {
    for (const [id, cancel] of this.inFlight.entries()) {
      this.inFlight.delete(id)
      cancel('the session ended')
    }
    this.leave('The session ended')
    for (const outlet of this.#outlets.values()) if (!outlet.ended) outlet.end()
  }
}

/** Tasks of either era have another wire form in the other: a session is not offered any that the hub would have to bridge. */
function withoutTasks(capabilities: ClientCapabilities): ClientCapabilities {
  const { tasks: _tasks, ...rest } = capabilities
  if (!isObject(rest['extensions']) || !(TASKS_EXTENSION in rest['extensions'])) return rest
  const { [TASKS_EXTENSION]: _extension, ...extensions } = rest['extensions']
  return { ...rest, extensions }
}
