import type { Limits } from '../contract/index.ts'
import { rpc } from './json-rpc.ts'

const MAX_EVENTS = 500
/** Answers that are remembered to be gone; of longer ids none, because they are a client's. */
const MAX_LOST = 1_000
const MAX_ID_LENGTH = 256
/** Beyond this an event is kept for as long as a client takes to come back, and no longer. */
const LASTING_BYTES = 1_048_576
const COMES_BACK_MS = 5 * 60_000

/** What was sent on a stream of a session, under an id. */
export interface SentEvent {
  stream: number
  /** Its place in the stream, from 1. */
  seq: number
  id: string
  /** A JSON-RPC message. */
  data: string
  /** The id, as JSON, of the request that this is the answer to; null for any other message. */
  answerTo: string | null
  /** The hub's id of the question that this puts to the client; null for any other message. */
  question: string | null
  /** When, in ms of the steady clock. */
  at: number
}

/** What a client has not got: `complete` false when something of it is gone without a word about it among the `events`. */
export interface Missed {
  /** Texts of events, in their order. */
  events: string[]
  /** The questions among them. */
  questions: string[]
  complete: boolean
}

export type ReplayLimits = Pick<Limits, 'maxReplayBytes' | 'maxReplayBytesPerSession'>

interface Kept extends SentEvent {
  bytes: number
}

/** What all sessions keep together. Where that is too much, the one that has kept nothing new for longest gives up its events first. */
export class ReplaySpace {
  readonly #limits: () => ReplayLimits
  /** Those that keep something, the one that did so last at the end. */
  readonly #holders = new Set<Replay>()
  #bytes = 0

  constructor(limits: () => ReplayLimits) {
    this.#limits = limits
  }

  /** For each of them. */
  get maxBytes(): number {
    return this.#limits().maxReplayBytesPerSession
  }

  took(bytes: number, holder: Replay): void {
    this.#bytes += bytes
    this.#holders.delete(holder)
    this.#holders.add(holder)
    const { maxReplayBytes } = this.#limits()
    for (const oldest of this.#holders) {
      if (this.#bytes <= maxReplayBytes) return
      while (this.#bytes > maxReplayBytes && oldest.dropOldest());
    }
  }

  gave(bytes: number, holder: Replay, isEmpty: boolean): void {
    this.#bytes -= bytes
    if (isEmpty) this.#holders.delete(holder)
  }
}

/**
 * The events of one session that a client may ask for again. What there is no room for is dropped, the oldest first; in place of
 * an answer an error stays, so that its client is told rather than left to wait.
 */
export class Replay {
  readonly #space: ReplaySpace
  readonly #onLostQuestion: (event: SentEvent) => void
  #ended = false
  #kept: Kept[] = []
  #bytes = 0
  /** Dropped answers, by the id of the event: no more of them than it takes to say that they are gone. */
  readonly #lost = new Map<string, { stream: number; seq: number; answerTo: string }>()
  /** The latest that is gone without a word. */
  #gone = { stream: 0, seq: 0 }

  /** `onLostQuestion` is told of a question that is not kept (any more). */
  constructor(space: ReplaySpace, onLostQuestion: (event: SentEvent) => void) {
    this.#space = space
    this.#onLostQuestion = onLostQuestion
  }

  keep(event: SentEvent): void {
    if (this.#ended) return
    const bytes = Buffer.byteLength(event.data)
    // One that has no room at all takes none from others.
    if (bytes > this.#space.maxBytes) {
      this.#drop(event)
      return
    }
    this.#kept.push({ ...event, bytes })
    this.#bytes += bytes
    while (this.#kept.length > MAX_EVENTS || this.#bytes > this.#space.maxBytes) this.dropOldest()
    this.#space.took(bytes, this)
  }

  /** Gives up what is large and old. */
  shrink(now: number): void {
    while (this.#bytes > LASTING_BYTES && (this.#kept[0]?.at ?? now) < now - COMES_BACK_MS) this.dropOldest()
  }

  /** Nobody can ask for anything any more. */
  end(): void {
    this.#ended = true
    this.#space.gave(this.#bytes, this, true)
    this.#kept = []
    this.#bytes = 0
  }

  after(stream: number, seq: number): Missed {
    const isMissed = (event: { stream: number; seq: number }): boolean => event.stream === stream && event.seq > seq
    const kept = this.#kept.filter(isMissed)
    const texts = kept.map(({ seq, id, data }) => ({ seq, text: eventText(id, data) }))
    for (const [id, event] of this.#lost)
      if (isMissed(event)) texts.push({ seq: event.seq, text: eventText(id, goneAnswer(event.answerTo)) })
    const events = texts.sort((one, other) => one.seq - other.seq)
    const { stream: goneStream, seq: goneSeq } = this.#gone
    const complete = stream > goneStream || (stream === goneStream && seq >= goneSeq)
    return {
      events: events.map(({ text }) => text),
      questions: kept.flatMap(({ question }) => question ?? []),
      complete,
    }
  }

  /** False when there is none. */
  dropOldest(): boolean {
    const oldest = this.#kept.shift()
    if (oldest === undefined) return false
    this.#bytes -= oldest.bytes
    this.#space.gave(oldest.bytes, this, this.#kept.length === 0)
    this.#drop(oldest)
    return true
  }

  #drop(event: SentEvent): void {
    const { stream, seq, id, answerTo } = event
    if (event.question !== null) this.#onLostQuestion(event)
    if (answerTo === null || answerTo.length > MAX_ID_LENGTH) {
      this.#forget(stream, seq)
      return
    }
    this.#lost.set(id, { stream, seq, answerTo })
    if (this.#lost.size <= MAX_LOST) return
    for (const [oldest, { stream, seq }] of this.#lost) {
      this.#lost.delete(oldest)
      this.#forget(stream, seq)
      break
    }
  }

  #forget(stream: number, seq: number): void {
    const { stream: goneStream, seq: goneSeq } = this.#gone
    if (stream > goneStream || (stream === goneStream && seq > goneSeq)) this.#gone = { stream, seq }
  }
}

/** What its client is told in place of an answer; `answerTo` as JSON. */
function goneAnswer(answerTo: string): string {
  const message =
    'The call was carried out, but its answer is not kept (any more) for a client that reconnects (limits.maxReplayBytesPerSession, limits.maxReplayBytes). To call again carries it out again'
  return `{"jsonrpc":"2.0","id":${answerTo},"error":{"code":${rpc.limitExceeded},"message":"${message}"}}`
}

export function eventText(id: string, data: string): string {
  return `event: message\nid: ${id}\ndata: ${data}\n\n`
}
