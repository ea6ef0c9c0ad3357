import type { ServerResponse } from 'node:http'
import type { HubEvent } from '../contract/index.ts'
import type { Redactor } from './redactor.ts'

const MAX_HELD = 1_000
const HEARTBEAT_MS = 15_000
const MAX_BUFFERED = 1_048_576

export interface StreamOptions {
  lastEventId: string | undefined
  logsOf: string | null
  usage: boolean
}

/** The events of `/api/events`: numbered, the newest held for readers that come back with `Last-Event-ID`. */
export interface Events {
  emit: (event: HubEvent) => void
  /** Streams to a response until it closes. `logsOf` also sends that server's log lines. */
  stream: (response: ServerResponse, options: StreamOptions) => void
  /** Whether a reader asked for `server.usage`. */
  readonly isUsageWatched: boolean
  onUsageWatched: (() => void) | null
  close: () => void
}

export function createEvents(redactor: Redactor): Events {
  /** Ids of another start of the hub must not be taken for ours. */
  const epoch = Date.now().toString(36)
  const held: { seq: number; event: HubEvent }[] = []
  const readers = new Set<{ response: ServerResponse; logsOf: string | null; usage: boolean }>()
  let seq = 0
  const heartbeat = setInterval(() => {
    for (const { response } of readers) response.write(': keep-alive\n\n')
  }, HEARTBEAT_MS).unref()

  const frame = (at: number, event: HubEvent): string => `id: ${epoch}-${at}\ndata: ${redactor.json(event)}\n\n`

  const events: Events = {
    get isUsageWatched() {
      for (const { usage } of readers) if (usage) return true
      return false
    },
    onUsageWatched: null,
    emit: (event) => {
      // Log lines and measurements are many, and can be read again: they are not held.
      const isLog = event.type === 'server.log'
      const isUsage = event.type === 'server.usage'
      if (!isLog && !isUsage) {
        held.push({ seq: ++seq, event })
        if (held.length > MAX_HELD) held.shift()
      }
      if (readers.size === 0) return
      const text = frame(seq, event)
      for (const { response, logsOf, usage } of readers) {
        if ((isLog && event.server !== logsOf) || (isUsage && !usage)) continue
        response.write(text)
        if (response.writableLength > MAX_BUFFERED) response.destroy()
      }
    },
    stream: (response, { lastEventId, logsOf, usage }) => {
      response.writeHead(200, {
        'content-type': 'text/event-stream',
        'cache-control': 'no-cache, no-transform',
        'x-accel-buffering': 'no',
      })
      response.write('retry: 1000\n\n')
      const [at, last] = lastEventId?.split('-') ?? []
      const from = Number(last)
      if (lastEventId !== undefined) {
        const oldest = held[0]?.seq ?? seq + 1
        if (at !== epoch || !(from >= oldest - 1 && from <= seq)) response.write(frame(seq, { type: 'resync' }))
        else for (const entry of held) if (entry.seq > from) response.write(frame(entry.seq, entry.event))
      }
      const reader = { response, logsOf, usage }
      readers.add(reader)
      if (usage) events.onUsageWatched?.()
      response.once('close', () => readers.delete(reader))
    },
    close: () => {
      clearInterval(heartbeat)
      for (const { response } of readers) response.end()
      readers.clear()
    },
  }
  return events
}
