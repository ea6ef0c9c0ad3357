import { QueryObserver, type QueryClient } from '@tanstack/vue-query'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { HubEvent, HubStatus, ServerStatus } from '../../hub/contract/index.ts'
import { createLive, type Live } from '../../renderer/lib/live.ts'
import { keys } from '../../renderer/lib/queries.ts'
import { createQueryClient } from '../../renderer/lib/query-client.ts'
import { eventually } from './eventually.ts'

const server = (state: ServerStatus['state']): ServerStatus => ({
  name: 'notes',
  prefix: 'notes',
  state,
  since: 0,
  reason: null,
  attempt: 1,
  nextTryAt: null,
  restarts: 0,
  transport: 'stdio',
  target: 'notes-mcp',
  pid: null,
  era: null,
  protocolVersion: null,
  serverInfo: null,
  instructions: null,
  counts: { tools: 0, resources: 0, resourceTemplates: 0, prompts: 0 },
  endpointPath: '/mcp/notes',
  startedAt: null,
  connections: 0,
  openStreams: 0,
  usage: null,
})
const hubWith = (rssBytes: number): HubStatus => ({
  version: '1.0.0',
  mode: 'server',
  pid: 1,
  startedAt: 0,
  nodeVersion: '24.0.0',
  endpoint: { state: 'listening', url: 'http://127.0.0.1:1/mcp', port: 1, takenBy: null, message: null },
  mcpAuth: 'token',
  configDir: '/config',
  configFaults: [],
  restartNeeded: [],
  sessions: 0,
  rssBytes,
})

/** The streams of events that were asked for, in turn; each is what its request then gets. */
let streams: ReturnType<typeof Promise.withResolvers<Response>>[] = []
let client: QueryClient
let live: Live

beforeEach(() => {
  streams = []
  vi.stubGlobal('fetch', (path: string, { signal }: RequestInit) => {
    if (!path.startsWith('/api/events')) return Promise.resolve(new Response('{}', { status: 404 }))
    const stream = Promise.withResolvers<Response>()
    streams.push(stream)
    signal?.addEventListener('abort', () => stream.reject(new DOMException('aborted', 'AbortError')))
    return stream.promise
  })
  client = createQueryClient()
})
afterEach(() => {
  live.dispose()
  client.clear()
  vi.unstubAllGlobals()
})

/** Opens the stream that was asked for last. */
function openStream(): (event: HubEvent) => void {
  let send: (event: HubEvent) => void = () => undefined
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      send = (event) => controller.enqueue(new TextEncoder().encode(`data: ${JSON.stringify(event)}\n\n`))
    },
  })
  streams.at(-1)?.resolve(new Response(body))
  return (event) => send(event)
}

it('keeps what events say that overtake the answers to which they belong', async () => {
  live = createLive(client)
  const send = openStream()
  const list = Promise.withResolvers<ServerStatus[]>()
  const hub = Promise.withResolvers<HubStatus>()
  void client.query({ queryKey: keys.servers, queryFn: () => list.promise })
  void client.query({ queryKey: keys.hub, queryFn: () => hub.promise })
  const heard: string[] = []
  live.on(({ type }) => heard.push(type))
  send({ type: 'server.changed', server: server('running') })
  send({ type: 'hub.changed', hub: hubWith(2) })
  // Whatever comes behind these is told at once, so they were heard.
  send({ type: 'history.appended', count: 1, dropped: 0 })
  await eventually(() => expect(heard).toHaveLength(1))
  // A moment in which what is told together would be taken.
  await new Promise((resolve) => setTimeout(resolve, 100))
  list.resolve([server('starting')])
  hub.resolve(hubWith(1))
  await eventually(() => expect(client.getQueryData(keys.servers)).toMatchObject([{ state: 'running' }]))
  await eventually(() => expect(client.getQueryData(keys.hub)).toMatchObject({ rssBytes: 2 }))
})

it('has what is of before the stream read again when its first tries failed, and leaves one that gets no answer', async () => {
  live = createLive(client)
  client.setQueryData(keys.hub, hubWith(1))
  streams[0]?.resolve(new Response('', { status: 502 }))
  await eventually(() => expect(live.state.value).toBe('lost'))
  live.retry()
  await eventually(() => expect(streams).toHaveLength(2))
  // Nothing comes of this one.
  live.retry()
  await eventually(() => expect(streams).toHaveLength(3))
  expect(client.getQueryState(keys.hub)?.isInvalidated).toBe(false)
  openStream()
  await eventually(() => expect(client.getQueryState(keys.hub)?.isInvalidated).toBe(true))
})

it('has the page of a server that somebody deleted ask again, and forgets those that nobody looks at', async () => {
  live = createLive(client)
  const send = openStream()
  const ask = vi.fn(() => Promise.reject(new Error('there is no such server')))
  client.setQueryData(keys.server('notes'), server('running'))
  client.setQueryData(keys.server('other'), server('running'))
  const page = new QueryObserver(client, { queryKey: keys.server('notes'), queryFn: ask, retry: false })
  const leave = page.subscribe(() => undefined)
  send({ type: 'server.removed', name: 'notes' })
  send({ type: 'server.removed', name: 'other' })
  await eventually(() => expect(page.getCurrentResult().error?.message).toBe('there is no such server'))
  expect(client.getQueryState(keys.server('other'))).toBeUndefined()
  leave()
})
