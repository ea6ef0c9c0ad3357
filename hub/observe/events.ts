import type { ServerResponse } from 'node:http'
import type { HubEvent, Permission } from '../contract/index.ts'
import type { Redactor } from './redactor.ts'

const MAX_HELD = 1_000
const HEARTBEAT_MS = 15_000
const MAX_BUFFERED = 1_048_576

interface ReaderOptions {
  logsOf: string | null
  usage: boolean
  /** A narrowed reader gets only what concerns servers that it sees. */
  narrowed: boolean
  sees: (server: string) => boolean
  may: (permission: Permission) => boolean
}

export interface StreamOptions extends ReaderOptions {
  lastEventId: string | undefined
}

/** The events of `/api/events`: numbered, the newest held for readers that come back with `Last-Event-ID`. */
export interface Events {
  /** How many streams are open. */
  readonly readers: number
  emit: (event: HubEvent) => void
  /** Streams to a response until it closes. `logsOf` also sends that server's log lines. */
  stream: (response: ServerResponse, options: StreamOptions) => void
  /** Whether a reader asked for `server.usage`. */
  readonly isUsageWatched: boolean
  onUsageWatched: (() => void) | null
  close: () => void
}

/** What the same needs over REST: the stream tells nobody more. */
const needs: Readonly<Record<HubEvent['type'], Permission>> = {
  'hub.changed': 'hub:read',
  'server.changed': 'servers:read',
  'server.removed': 'servers:read',
  'server.usage': 'servers:read',
  'server.log': 'servers:read',
  'account.changed': 'servers:read',
  'catalog.changed': 'servers:read',
  'profiles.changed': 'servers:read',
  'config.pushed': 'config:push',
  'history.appended': 'history:own',
  resync: 'hub:read',
}

/** The server that an event is about; null for none, undefined when it is nobody's business but everybody's. */
function subjectOf(event: HubEvent): string | null | undefined {
  switch (event.type) {
    case 'server.changed':
      return event.server.name
    case 'server.removed':
      return event.name
    case 'catalog.changed':
    case 'server.log':
      return event.server
    case 'resync':
      return null
    default:
      return undefined
  }
}

function isFor(event: HubEvent, reader: ReaderOptions): boolean {
  if (!reader.may(needs[event.type])) return false
  if (event.type === 'server.log' && event.server !== reader.logsOf) return false
  if (event.type === 'server.usage' && !reader.usage) return false
  if (!reader.narrowed) return true
  const subject = subjectOf(event)
  return subject === null || (subject !== undefined && reader.sees(subject))
}

/** They are many, and what they tell of can be read again. */
const notHeld: ReadonlySet<HubEvent['type']> = new Set(['server.log', 'server.usage', 'history.appended'])

export function createEvents(redactor: Redactor): Events {
  /** Ids of another start of the hub must not be taken for ours. */
  const epoch = Date.now().toString(36)
  const held: { seq: number; event: HubEvent }[] = []
  const readers = new Set<ReaderOptions & { response: ServerResponse }>()
  let seq = 0
  const heartbeat = setInterval(() => {
    for (const { response } of readers) response.write(': keep-alive\n\n')
  }, HEARTBEAT_MS).unref()

  const frame = (at: number, event: HubEvent): string => `id: ${epoch}-${at}\ndata: ${redactor.json(event)}\n\n`

  const events: Events = {
    get readers() {
      return readers.size
    },
    get isUsageWatched() {
      for (const { usage } of readers) if (usage) return true
      return false
    },
    onUsageWatched: null,
    emit: (event) => {
      if (!notHeld.has(event.type)) {
        held.push({ seq: ++seq, event })
        if (held.length > MAX_HELD) held.shift()
      }
      if (readers.size === 0) return
      const text = frame(seq, event)
      for (const reader of readers) {
        if (!isFor(event, reader)) continue
        const { response } = reader
        response.write(text)
        if (response.writableLength > MAX_BUFFERED) response.destroy()
      }
    },
    stream: (response, { lastEventId, ...options }) => {
      // Its client left while the caller was looked up: 'close' does not come again.
      if (response.destroyed) return
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
        else
          for (const entry of held)
            if (entry.seq > from && isFor(entry.event, options)) response.write(frame(entry.seq, entry.event))
      }
      const reader = { ...options, response }
      readers.add(reader)
      if (options.usage) events.onUsageWatched?.()
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
