import { createParser } from 'eventsource-parser'
import { hubEventSchema, type HubEvent } from '../../hub/contract/index.ts'
import { addressOf, refusal, renewSession } from './client.ts'

export type StreamState = 'connecting' | 'open' | 'lost' | 'signed-out'

export interface EventStream {
  /** Has the stream also carry the log of one server, or of none. */
  watchLogs: (server: string | null) => void
  /** Has the stream also carry what the servers consume, which is measured only then. */
  watchUsage: (on: boolean) => void
  /** Tries at once instead of after the current delay or a try without an answer, and again after a sign-in. */
  retry: () => void
  dispose: () => void
}

interface Options {
  readonly onEvent: (event: HubEvent) => void
  readonly onState: (state: StreamState) => void
  /** A connection without an id carries only what comes; what was missed before it is read anew, but for the first try of all. */
  readonly onGap: () => void
}

const DELAYS = [500, 1_000, 2_000, 5_000, 10_000]
/** The hub writes a comment at least this often; a stream silent for longer is dead, however open its socket looks. */
const SILENCE_MS = 60_000

/**
 * Reads `/api/events` with `fetch`, because `EventSource` gives up for good on any answer but 200 and then forgets the
 * last id, exactly when the hub restarts.
 */
export function createEventStream({ onEvent, onState, onGap }: Options): EventStream {
  let logs: string | null = null
  let usage = false
  let lastId: string | null = null
  let failures = 0
  let connectedOnce = false
  let abort = new AbortController()
  let wake: () => void = () => undefined
  let disposed = false
  let signedOut = false
  /** The current try has its answer, or has ended. */
  let answered = true

  async function readOnce(signal: AbortSignal): Promise<'ended' | 'signed-out'> {
    const query = { ...(logs === null ? {} : { logs }), ...(usage ? { usage: '1' as const } : {}) }
    const url = addressOf('GET /api/events', { query })
    const headers = { accept: 'text/event-stream', ...(lastId === null ? {} : { 'last-event-id': lastId }) }
    const response = await fetch(url, { headers, signal, credentials: 'same-origin', cache: 'no-store' })
    if (response.status === 401) return (await renewSession()) ? 'ended' : 'signed-out'
    if (!response.ok || response.body === null) throw await refusal(response, 'GET /api/events')
    answered = true
    onState('open')
    // What is asked for while the first tries fail is of before the stream, too.
    if ((connectedOnce || failures > 0) && lastId === null) onGap()
    failures = 0
    connectedOnce = true

    const parser = createParser({
      onEvent({ id, data }) {
        if (id !== undefined) lastId = id
        const event = hubEventSchema.safeParse(jsonOrNull(data))
        if (event.success) onEvent(event.data)
      },
    })
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
    for (;;) {
      const chunk = await withDeadline(reader.read(), SILENCE_MS)
      if (chunk === null) {
        await reader.cancel()
        return 'ended'
      }
      if (chunk.done) return 'ended'
      parser.feed(chunk.value)
    }
  }

  async function run(): Promise<void> {
    signedOut = false
    onState('connecting')
    while (!disposed) {
      abort = new AbortController()
      answered = false
      const { signal } = abort
      try {
        const outcome = await readOnce(signal)
        if (outcome === 'signed-out') {
          signedOut = true
          onState('signed-out')
          return
        }
      } catch {
        // Whatever broke it, the answer is the same: say so, wait, try again.
      }
      answered = true
      // Aborted on purpose, e.g. to carry another log: connect again without a word.
      if (signal.aborted) {
        onState('connecting')
        continue
      }
      onState('lost')
      await delay(DELAYS[Math.min(failures++, DELAYS.length - 1)] ?? 10_000)
    }
  }

  function delay(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  void run()
  return {
    watchLogs(server) {
      if (server === logs) return
      logs = server
      abort.abort()
    },
    watchUsage(on) {
      if (on === usage) return
      usage = on
      abort.abort()
    },
    retry() {
      if (signedOut) void run()
      else if (answered) wake()
      else abort.abort()
    },
    dispose() {
      disposed = true
      abort.abort()
      wake()
    },
  }
}

async function withDeadline<T>(promise: Promise<T>, ms: number): Promise<T | null> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const deadline = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), ms)
  })
  try {
    return await Promise.race([promise, deadline])
  } finally {
    clearTimeout(timer)
  }
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
