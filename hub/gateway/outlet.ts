import type { ServerResponse } from 'node:http'

/** Bodies up to this size leave in one write together with the head. */
const ONE_WRITE_BYTES = 16_384
const KEEP_ALIVE_MS = 15_000
const open = new Set<Outlet>()
let heartbeat: NodeJS.Timeout | null = null

export interface OutletOptions {
  headers?: Record<string, string> | undefined
  /** The client reads event streams. */
  acceptsStream: boolean
  maxBufferedBytes: number
  /** The reader was too slow and is cut off. */
  onOverflow?: (() => void) | undefined
  /** Gives the id of the next event and keeps it for resumption; without it events have none. */
  record?: ((data: string) => string) | undefined
  /** Text sent when the stream opens, e.g. a priming event. */
  preamble?: (() => string) | undefined
}

/**
 * Where the answer to a POST goes. The head is held back: the first notification makes the response an event stream, and an
 * answer without one is a single JSON body with a length.
 */
export class Outlet {
  #response: ServerResponse | null
  readonly #options: OutletOptions
  #streaming = false
  ended = false

  constructor(response: ServerResponse | null, options: OutletOptions) {
    this.#response = response
    this.#options = options
  }

  get acceptsStream(): boolean {
    return this.#options.acceptsStream
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
    return !this.ended && (this.connected || (this.#streaming && this.#options.record !== undefined))
  }

  /** Makes the response an event stream, once. */
  openStream(): void {
    if (this.#streaming) return
    this.#streaming = true
    this.#attach()
    const preamble = this.#options.preamble?.()
    if (preamble !== undefined) this.#write(preamble)
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
      ...this.#options.headers,
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

  /** Sends one message on the stream. Data without line breaks, as JSON.stringify makes it. */
  send(data: string): void {
    if (this.ended) return
    this.openStream()
    const id = this.#options.record?.(data)
    this.#write(id === undefined ? `event: message\ndata: ${data}\n\n` : `event: message\nid: ${id}\ndata: ${data}\n\n`)
  }

  /** Sends the answer as pieces and ends the response; `last` false leaves the stream open for further answers. */
  finish(pieces: Buffer[], status = 200, last = true): void {
    if (this.ended) return
    if (this.#streaming || !last) {
      this.send(oneLine(pieces))
      if (last) this.end()
      return
    }
    this.ended = true
    const response = this.#response
    if (response === null || response.destroyed || response.headersSent) return
    let length = 0
    for (const piece of pieces) length += piece.length
    response.writeHead(status, {
      ...this.#options.headers,
      'content-type': 'application/json',
      'content-length': length,
    })
    if (length <= ONE_WRITE_BYTES) {
      // latin1 keeps every byte as it is, and lets head and body leave in one write.
      response.end(
        pieces.length === 1
          ? (pieces[0] ?? Buffer.alloc(0)).toString('latin1')
          : Buffer.concat(pieces, length).toString('latin1'),
        'latin1',
      )
      return
    }
    response.cork()
    for (const piece of pieces) response.write(piece)
    response.end()
    response.uncork()
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

function oneLine(pieces: Buffer[]): string {
  const text = pieces.length === 1 ? (pieces[0] ?? Buffer.alloc(0)).toString() : Buffer.concat(pieces).toString()
  return /[\r\n]/.test(text) ? JSON.stringify(JSON.parse(text)) : text
}
