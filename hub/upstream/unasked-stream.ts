import { StringDecoder } from 'node:string_decoder'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import type { Dispatcher } from 'undici'
import type { ChannelHandlers } from './channel.ts'
import type { HttpRequester, ResponseHandler } from './http-requester.ts'

/** Whatever a server names: one that ends each stream at once is not asked again all the time. */
const MIN_RETRY_MS = 50

export interface UnaskedStreamOptions {
  requester: HttpRequester
  handlers: Pick<ChannelHandlers, 'onLog' | 'onGap' | 'onSessionLost'>
  maxResponseBytes: number
  /** Whether there is to be such a stream. */
  isWanted: () => boolean
  /** The session that it belongs to. */
  session: () => string | null
  headers: () => Record<string, string>
  receive: (message: Buffer) => void
  onRefused: NonNullable<ResponseHandler['onRefused']>
}

/** Other events, such as a `ping` to keep the stream open, are no messages of MCP. */
export function isMessage({ event, data }: EventSourceMessage): boolean {
  return data !== '' && (event === undefined || event === 'message')
}

/** Whether an answer says that the stream cannot be had now, rather than never. */
function isPassing(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || (status >= 500 && status !== 501)
}

/** How long a stream is waited with that ended, by the time that its server names; timers count no further. */
export function waitBefore(retryMs: number): number {
  return Math.min(Math.max(retryMs, MIN_RETRY_MS), 2 ** 31 - 1)
}

/** The stream of a legacy server for messages that belong to no request; one without it answers 405. */
export interface UnaskedStream {
  readonly isOpen: boolean
  open: () => void
  close: () => void
}

/**
 * It is asked for again and again, unless the server has none: one that is busy or went away comes back, and has then to be
 * heard.
 */
export function createUnaskedStream(options: UnaskedStreamOptions): UnaskedStream {
  const { requester, handlers, maxResponseBytes, session } = options
  let controller: Dispatcher.DispatchController | null = null
  let timer: NodeJS.Timeout | null = null

  function listen(lastEventId: string, attempt: number, wasOpen: boolean): void {
    if (!options.isWanted()) return
    const listened = session()
    let retryMs = Math.min(1_000 * 2 ** attempt, 30_000)
    let last = lastEventId
    let opened = false
    let hasNone = false
    const decoder = new StringDecoder('utf8')
    const parser = createParser({
      onEvent: (event) => {
        if (event.id !== undefined) last = event.id
        if (isMessage(event)) options.receive(Buffer.from(event.data))
      },
      onRetry: (ms) => (retryMs = ms),
      onError: ({ type }) => {
        if (type !== 'max-buffer-size-exceeded') return
        // It answers no call. From its last id on the server would send it again.
        last = ''
        const message = `A message of the server is larger than ${maxResponseBytes} bytes (limits.maxResponseBytes)`
        handlers.onLog('hub', 'error', message)
        controller?.abort(new Error('too large'))
      },
      maxBufferSize: maxResponseBytes,
    })
    const again = (): void => {
      controller = null
      if (!options.isWanted() || listened !== session() || hasNone) return
      timer = setTimeout(() => listen(last, opened ? 0 : attempt + 1, opened || wasOpen), waitBefore(retryMs)).unref()
    }
    const headers = { ...options.headers(), ...(lastEventId === '' ? {} : { 'last-event-id': lastEventId }) }
    requester.send(
      { method: 'GET', headers },
      {
        onRequestStart: (started) => (controller = started),
        onResponseStart: (started, status, responseHeaders) => {
          opened = status === 200 && String(responseHeaders['content-type'] ?? '').startsWith('text/event-stream')
          hasNone = !opened && !wasOpen && !isPassing(status)
          // One that comes late has not been heard until now, as one that was away.
          if (opened && (wasOpen || attempt > 0) && lastEventId === '') handlers.onGap()
          else if (wasOpen && status === 400 && lastEventId !== '') last = ''
          else if (wasOpen && (status === 404 || status === 400)) handlers.onSessionLost(null)
          if (!opened) started.abort(new Error('no stream'))
        },
        onResponseData: (_controller, chunk) => parser.feed(decoder.write(chunk)),
        onResponseEnd: again,
        // A server that went away: its next start has to be noticed, so the stream is asked for again.
        onResponseError: again,
        onRefused: options.onRefused,
      },
    )
  }

  return {
    get isOpen() {
      return controller !== null
    },
    open: () => listen('', 0, false),
    close: () => {
      if (timer !== null) clearTimeout(timer)
      controller?.abort(new Error('closed'))
      controller = null
    },
  }
}
