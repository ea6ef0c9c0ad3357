import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fixtureServer, startHub, type TestHub } from '../fixtures/hub.ts'
import {
  answerBasics,
  openStream,
  sendEvent,
  sendJson,
  startScripted,
  type ScriptedServer,
} from '../fixtures/scripted-server.ts'
import { LegacyWire, ModernWire, waitFor } from '../fixtures/wire.ts'

const CLIENTS = 20
const wanted = {
  toolsListChanged: true,
  resourcesListChanged: true,
  resourceSubscriptions: ['file:///legacy', 'file:///modern'],
}

interface Watched {
  server: ScriptedServer
  /** The resources that the hub is subscribed to now, once for each time. */
  subscribed: () => unknown[]
  tell: (params: Record<string, unknown>) => void
}

/** A server with one resource, which takes a moment to take a subscription to it. */
async function startWatched(era: 'legacy' | 'modern'): Promise<Watched> {
  const streams = new Map<ServerResponse, unknown[]>()
  const asked: unknown[] = []
  const uri = `file:///${era}`
  const server = await startScripted((request) => {
    const capabilities = { resources: { subscribe: true, listChanged: true } }
    if (answerBasics(request, { era, tools: [], capabilities })) return
    const { response, message } = request
    const respond = (result: object): void => sendJson(response, { jsonrpc: '2.0', id: message?.id, result })
    if (message === null || message.method === 'subscriptions/listen') {
      openStream(response)
      const filter = (message?.params?.['notifications'] ?? {}) as { resourceSubscriptions?: unknown[] }
      streams.set(response, filter.resourceSubscriptions ?? [])
      response.once('close', () => streams.delete(response))
      if (message !== null)
        setTimeout(() => {
          const params = { notifications: filter }
          sendEvent(response, { jsonrpc: '2.0', method: 'notifications/subscriptions/acknowledged', params })
        }, 20)
    } else if (message.method === 'resources/list') respond({ resources: [{ uri, name: uri }] })
    else if (message.method === 'resources/templates/list') respond({ resourceTemplates: [] })
    else {
      const of = message.params?.['uri']
      if (message.method === 'resources/subscribe') asked.push(of)
      else asked.splice(asked.indexOf(of), 1)
      setTimeout(respond, 20, {})
    }
  })
  return {
    server,
    subscribed: () => [...asked, ...[...streams.values()].flat()],
    tell: (params) => {
      for (const stream of streams.keys())
        sendEvent(stream, { jsonrpc: '2.0', method: 'notifications/resources/updated', params })
    },
  }
}

let hub: TestHub
let servers: Record<'legacy' | 'modern', Watched>
beforeAll(async () => {
  servers = { legacy: await startWatched('legacy'), modern: await startWatched('modern') }
  hub = await startHub(
    {
      legacy: { type: 'http', url: servers.legacy.server.url },
      modern: { type: 'http', url: servers.modern.server.url },
      starting: fixtureServer('slow-start.ts'),
    },
    // Whoever is left counts, and the next one is refused.
    {
      limits: {
        maxListensPerPrincipal: CLIENTS,
        maxSubscriptionsPerPrincipal: 2 * CLIENTS,
        maxSessionsPerPrincipal: CLIENTS,
        maxBufferedBytesPerReader: 100_000,
      },
    },
  )
  await Promise.all(['legacy', 'modern'].map((name) => hub.until(name, 'running')))
})
afterAll(async () => {
  await hub.close()
  await Promise.all(Object.values(servers).map(({ server }) => server.close()))
})

async function gauge(name: string): Promise<number> {
  const text = await (await fetch(`${hub.url}/api/metrics`, { headers: hub.headers })).text()
  return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\d+)$`, 'm').exec(text)?.[1])
}

const client = (): ModernWire => new ModernWire(`${hub.url}/mcp`, { headers: hub.headers })
const subscribed = (): unknown[] => Object.values(servers).flatMap((server) => server.subscribed())

/** Sends the request and reads nothing of its answer. */
async function unread(): Promise<Socket> {
  const params = { notifications: wanted, _meta: client().envelope() }
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'subscriptions/listen', params })
  const headers = { ...client().headersFor('subscriptions/listen', params), 'content-length': body.length }
  const { hostname, port } = new URL(hub.url)
  const socket = connect(Number(port), hostname).on('error', () => undefined)
  await once(socket, 'connect')
  const lines = Object.entries(headers).map(([key, value]) => `${key}: ${value}\r\n`)
  socket.write(`POST /mcp HTTP/1.1\r\nhost: ${hostname}\r\n${lines.join('')}\r\n${body}`)
  return socket
}
const listens = (): Promise<number> => gauge('mcp_hub_streams')

describe('of subscriptions/listen nothing is left of clients', () => {
  const ways: Record<string, () => Promise<unknown>> = {
    'that close it': async () => {
      const open = await Promise.all(Array.from({ length: CLIENTS }, () => client().listen(wanted)))
      expect(subscribed().sort()).toEqual(wanted.resourceSubscriptions)
      for (const one of open) one.close()
    },
    'that go away before it is acknowledged': () =>
      Promise.all(
        Array.from({ length: CLIENTS }, async (_, n) => {
          const abort = new AbortController()
          const asked = client().post('subscriptions/listen', { notifications: wanted }, { signal: abort.signal })
          setTimeout(() => abort.abort(), n * 2)
          await asked.catch(() => undefined)
        }),
      ),
    'that close their side of the connection only': async () => {
      for (const socket of await Promise.all(Array.from({ length: CLIENTS }, unread))) socket.end()
    },
    'that never read': async () => {
      const sockets = await Promise.all(Array.from({ length: 3 }, unread))
      await waitFor(async () => (await listens()) === 3 && subscribed().length === 2)
      // More than what the system keeps for them between here and there.
      const pad = 'x'.repeat(200_000)
      await waitFor(async () => {
        servers.legacy.tell({ uri: 'file:///legacy', pad })
        return (await listens()) === 0
      }, 15_000)
      for (const socket of sockets) socket.destroy()
    },
  }

  it.each(Object.entries(ways))('%s', async (_what, comeAndGo) => {
    await comeAndGo()
    await expect.poll(listens, { timeout: 5_000 }).toBe(0)
    await expect.poll(subscribed, { timeout: 5_000 }).toEqual([])
    // Nor does it count against those who come after them.
    const next = await Promise.all(Array.from({ length: CLIENTS }, () => client().listen(wanted)))
    for (const { messages } of next) expect(messages[0]?.params?.['notifications']).toEqual(wanted)
    for (const one of next) one.close()
    await expect.poll(listens, { timeout: 5_000 }).toBe(0)
    await expect.poll(subscribed, { timeout: 5_000 }).toEqual([])
  })
})

it('of clients that are gone before initialize is answered no session is left', async () => {
  const open = (signal?: AbortSignal): Promise<LegacyWire> =>
    LegacyWire.open(`${hub.url}/mcp/starting`, { headers: hub.headers, ...(signal === undefined ? {} : { signal }) })
  await hub.api('POST', '/api/servers/starting/restart')
  const gone = Array.from({ length: CLIENTS }, (_, n) => open(AbortSignal.timeout(n * 2)).catch(() => null))
  const opened = (await Promise.all(gone)).filter((session) => session !== null)
  await expect.poll(() => gauge('mcp_hub_sessions'), { timeout: 5_000 }).toBe(opened.length)
  for (const session of opened) await session.close()
  const next = await Promise.all(Array.from({ length: CLIENTS }, () => open()))
  expect(await gauge('mcp_hub_sessions')).toBe(CLIENTS)
  for (const session of next) await session.close()
})
