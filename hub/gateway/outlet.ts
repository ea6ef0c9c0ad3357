import type { ServerResponse } from 'node:http'
import { memoize } from '../memo.ts'
import type { Body } from './json-rpc.ts'
import { eventText } from './replay.ts'

/** Bodies up to this size leave in one write together with the head. */
const ONE_WRITE_BYTES = 16_384
const KEEP_ALIVE_MS = 15_000
const REOPEN_MS = 1_000
const open = new Set<Outlet>()
let heartbeat: NodeJS.Timeout | null = null

/** Makes a stream resumable: each event gets an id and is kept. */
export interface Recorder {
  /**
   * `answerTo`: the id, as JSON, of the request that it is the answer to; `question`: the hub's id of the question that it puts.
   * Returns the event's id.
   */
  record: (data: string, answerTo: string | null, question: string | null) => string
  /** Text sent when the stream opens. */
  preamble: string
}

/** What the outlets of one client have in common. */
export interface OutletOptions {
  maxBufferedBytes: number
  /** The reader was too slow and is cut off. */
  onOverflow?: (() => void) | undefined
  /** Asked when a stream opens; without it its events have no ids. */
  recorderFor?: ((outlet: Outlet) => Recorder) | undefined
}

/**
 * Where the answer to a POST goes. The head is held back: the first notification makes the response an event stream, and an
 * answer without one is a single JSON body with a length.
 */
export class Outlet {
  #response: ServerResponse | null
  readonly #options: OutletOptions
  #recorder: Recorder | null = null
  #streaming = false
  /** The client reads event streams. */
  readonly acceptsStream: boolean
  ended = false

  constructor(response: ServerResponse | null, acceptsStream: boolean, options: OutletOptions) {
    this.#response = response
    this.acceptsStream = acceptsStream
    this.#options = options
  }

  get streaming(): boolean {
    return this.#streaming
  }

  /** Whether somebody is there to read. */
  get connected(): boolean {
    const response = this.#response
    return response !== null && !response.destroyed && !response.writableEnded
  }

  /** Whether what is sent gets to the client, now or when it asks for what it missed. */
  get reachable(): boolean {
    return !this.ended && (this.connected || this.#recorder !== null)
  }

  /** Makes the response an event stream, once. */
  openStream(preamble = ''): void {
    if (this.#streaming) return
    this.#streaming = true
    this.#attach()
    this.#recorder = this.#options.recorderFor?.(this) ?? null
    const first = preamble + (this.#recorder?.preamble ?? '')
    if (first !== '') this.#write(first)
  }

  /** Another response takes over the stream (resumption with Last-Event-ID). */
  resume(response: ServerResponse, missed: string[]): void {
    const before = this.#response
    this.#response = response
    if (before !== null && !before.writableEnded) before.end()
    this.#attach()
    for (const event of missed) this.#write(event)
    if (this.ended) response.end()
  }

  #attach(): void {
    const response = this.#response
    if (response === null || response.destroyed) return
    response.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    })
    response.flushHeaders()
    open.add(this)
    response.once('close', () => {
      if (this.#response === response) open.delete(this)
    })
    heartbeat ??= setInterval(() => {
      for (const outlet of open) outlet.#write(': keep-alive\n\n')
    }, KEEP_ALIVE_MS).unref()
  }

  #write(text: string): void {
    const response = this.#response
    if (response === null || response.destroyed || response.writableEnded) return
    // A reader that does not read must not cost memory without end; the size of one message is not held against it.
    if (response.writableLength > this.#options.maxBufferedBytes) {
      this.#options.onOverflow?.()
      response.destroy()
      return
    }
    response.write(text)
  }

  /** Sends one message on the stream. Data without line breaks, as JSON.stringify makes it; the others as in `Recorder`. */
  send(data: string, answerTo: string | null = null, question: string | null = null): void {
    if (this.ended) return
    this.openStream()
    const id = this.#recorder?.record(data, answerTo, question)
    this.#write(id === undefined ? `event: message\ndata: ${data}\n\n` : eventText(id, data))
  }

  /**
   * Sends the answer and ends the response; `last` false leaves the stream open for further answers. `answerTo` as in `Recorder`,
   * for streams that can be resumed.
   */
  finish(body: Body, status = 200, last = true, answerTo: string | null = null): void {
    if (this.ended) return
    if (this.#streaming || !last) {
      this.send(oneLine(body), answerTo)
      if (last) this.end()
      return
    }
    this.ended = true
    const response = this.#response
    if (response === null || response.destroyed || response.headersSent) return
    let length = 0
    if (typeof body === 'string') length = body.length
    else for (const piece of body) length += piece.length
    response.writeHead(status, { 'content-type': 'application/json', 'content-length': length })
    // As a string head and body leave in one write.
    if (typeof body === 'string' || length <= ONE_WRITE_BYTES) {
      response.end(typeof body === 'string' ? body : latin1(body), 'latin1')
      return
    }
    response.cork()
    for (const piece of body) response.write(piece)
    response.end()
    response.uncork()
  }

  /** Ends a stream that its client will open again, though not at once: of this hub, or of another in its place. */
  retire(): void {
    if (!this.ended && this.#streaming) this.#write(`retry: ${REOPEN_MS}\n\n`)
    this.end()
  }

  /** Ends the response; one that carried nothing is an accepted message without an answer. */
  end(): void {
    this.ended = true
    open.delete(this)
    const response = this.#response
    if (response === null || response.writableEnded) return
    if (response.headersSent) response.end()
    else response.writeHead(202).end()
  }
}

/** What a client that sent this `Accept` reads. */
export const acceptOf = memoize((accept): { streams: boolean; streamsFirst: boolean } => ({
  streams: /text\/event-stream|\*\/\*/.test(accept),
  streamsFirst: /text\/event-stream.*application\/json/.test(accept),
}))

function latin1(pieces: Buffer[]): string {
  return pieces.map((piece) => piece.toString('latin1')).join('')
}

function oneLine(body: Body): string {
  const text = (typeof body === 'string' ? Buffer.from(body, 'latin1') : Buffer.concat(body)).toString()
  // A line break in JSON can only stand between tokens, where a space is as good.
  return /[\r\n]/.test(text) ? text.replace(/[\r\n]+/g, ' ') : text
}
