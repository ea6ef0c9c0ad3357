import { createHash, randomBytes } from 'node:crypto'
import { chmod, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { ResourceUpdatedNotificationSchema } from '@modelcontextprotocol/sdk/types.js'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { BUILT_HUB_TOKEN, startBuiltHub, type BuiltHub } from '../fixtures/built-hub.ts'
import { fixtureServer } from '../fixtures/hub.ts'
import { startRedis, type TestRedis } from '../fixtures/redis.ts'
import { waitFor } from '../fixtures/wire.ts'

/** MCP sessions of the legacy era that another hub goes on with: two hubs that share nothing but Redis. */

const NOTE = 'note://first'
const accept = { accept: 'application/json, text/event-stream' }
const initialize = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'legacy', version: '1' } },
}
const secret = randomBytes(32).toString('base64url')
const OTHER_KEY = `mcphub_0123456789ab_${secret}`

let redis: TestRedis
let store: Redis
let one: BuiltHub
let two: BuiltHub

async function start(instance: string): Promise<BuiltHub> {
  const hub = await startBuiltHub({
    servers: { a: fixtureServer('echo.ts') },
    env: { REDIS_URL: redis.url, MCP_HUB_INSTANCE: instance },
    prepare: async (folder) => {
      const hash = createHash('sha256').update(secret).digest('hex')
      const key = { id: '0123456789ab', name: 'other', hash, owner: null, permissions: ['mcp:connect'], createdAt: 1 }
      const file = path.join(folder, 'config', 'users.json')
      await writeFile(file, JSON.stringify({ users: [], keys: [key] }))
      await chmod(file, 0o600)
      return {}
    },
  })
  await waitFor(() => hub.said.includes('"state":"running"'), 20_000)
  return hub
}

beforeAll(async () => {
  redis = await startRedis()
  store = new Redis(redis.url)
  store.on('error', () => undefined)
  ;[one, two] = await Promise.all([start('one'), start('two')])
}, 60_000)
afterAll(async () => {
  store.disconnect()
  await one.dispose()
  await two.end()
  await redis.close()
}, 60_000)

const keyOf = (session: string): string => `mcp-hub:client-session:${session}`
/** What other hubs can know of it, once that is so. */
const recorded = (session: string, text = ''): Promise<string> =>
  waitFor(async () => {
    const data = await store.hget(keyOf(session), 'data').catch(() => null)
    return data?.includes(text) === true ? data : null
  }, 10_000)

async function open(hub: BuiltHub): Promise<string> {
  const response = await hub.request('/mcp/a', { method: 'POST', body: initialize, headers: accept })
  await response.text()
  return response.headers.get('mcp-session-id') ?? ''
}

function send(
  hub: BuiltHub,
  session: string,
  message: object,
  more: { token?: string; endpoint?: string } = {},
): Promise<Response> {
  const { token = BUILT_HUB_TOKEN, endpoint = '/mcp/a' } = more
  const headers = { ...accept, 'mcp-session-id': session, authorization: `Bearer ${token}` }
  return hub.request(endpoint, { method: 'POST', body: { jsonrpc: '2.0', ...message }, headers })
}

const ping = async (...[hub, session, more]: [BuiltHub, string, Parameters<typeof send>[3]?]): Promise<number> => {
  const response = await send(hub, session, { id: 2, method: 'ping' }, more)
  await response.text()
  return response.status
}

const listen = (hub: BuiltHub, session: string, lastEventId?: string): Promise<Response> =>
  hub.request('/mcp/a', {
    headers: {
      accept: 'text/event-stream',
      'mcp-session-id': session,
      ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
    },
  })

interface Heard {
  readonly text: string
  /** The id with which it began. */
  firstId: string
  ended: Promise<void>
}

/** Reads a stream from its first event on. */
async function hear(response: Response): Promise<Heard> {
  let text = ''
  const read = async (): Promise<void> => {
    for await (const part of response.body!) text += Buffer.from(part).toString()
  }
  // Also when its hub is killed.
  const ended = read().catch(() => undefined)
  const firstId = await waitFor(() => /^id: (\S+)$/m.exec(text)?.[1], 10_000)
  return {
    get text() {
      return text
    },
    firstId,
    ended,
  }
}

const sessionsOf = async (hub: BuiltHub): Promise<number> =>
  ((await (await hub.request('/api/hub')).json()) as { sessions: number }).sessions

it('goes where its client goes; the hub that had it answers what it was asked and lets go', async () => {
  const session = await open(one)
  const data = await recorded(session)
  expect(JSON.parse(data)).toEqual({
    version: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'legacy', version: '1' },
    logLevel: null,
    subscriptions: [],
  })
  const stream = await hear(await listen(one, session))
  const params = { name: 'slow', arguments: { ms: 1_000 }, _meta: { progressToken: 'p' } }
  const call = await hear(await send(one, session, { id: 3, method: 'tools/call', params }))

  expect(await ping(two, session)).toBe(200)
  await stream.ended
  expect(stream.text).toContain('retry: 1000')
  await call.ended
  expect(call.text).toContain('slept 1000 ms')
  expect([await sessionsOf(one), await sessionsOf(two)]).toEqual([0, 1])

  // The stream goes on under ids that the client has not seen, and a call that was lost is not mistaken for it.
  const again = await hear(await listen(two, session, stream.firstId))
  expect(again.firstId).toMatch(/^1\d{9}g-/)
  await waitFor(() => again.text.includes('notifications/tools/list_changed'), 10_000)
  expect((await listen(two, session, call.firstId)).status).toBe(410)

  // And back, as when a hub that was away is there again.
  expect(await ping(one, session)).toBe(200)
  await again.ended
  expect((await hear(await listen(one, session, again.firstId))).firstId).toMatch(/^2\d{9}g-/)
  expect(await sessionsOf(two)).toBe(0)
})

it('is let go of by a hub that hung meanwhile, when that comes back', async () => {
  const session = await open(one)
  await recorded(session)
  const before = await sessionsOf(one)
  one.child.kill('SIGSTOP')
  try {
    expect(await ping(two, session)).toBe(200)
  } finally {
    one.child.kill('SIGCONT')
  }
  await waitFor(async () => (await sessionsOf(one)) === before - 1)
})

it('is nobody else’s, and of no other endpoint, at another hub', async () => {
  const session = await open(one)
  await recorded(session)
  expect(await ping(two, session, { token: OTHER_KEY })).toBe(404)
  expect(await ping(two, session, { endpoint: '/mcp' })).toBe(404)
  expect(await store.hget(keyOf(session), 'generation')).toBe('0')
  await waitFor(async () => (await (await two.request('/api/audit?limit=10')).text()).includes('mcp.session-foreign'))
  // Nor anybody's when its record cannot be read.
  await store.hset(keyOf(session), 'data', '{"version":1}')
  expect(await ping(two, session)).toBe(404)
  expect(await ping(one, session)).toBe(200)
})

it('is gone everywhere once its client ended it', async () => {
  const session = await open(one)
  await recorded(session)
  expect(await ping(two, session)).toBe(200)
  const headers = { 'mcp-session-id': session }
  expect((await two.request('/mcp/a', { method: 'DELETE', headers })).status).toBe(204)
  await waitFor(async () => (await store.exists(keyOf(session))) === 0)
  expect([await ping(one, session), await ping(two, session)]).toEqual([404, 404])
})

it('stays with its hub while Redis is down, and can go again when that is back', async () => {
  const [early, ended] = [await open(one), await open(one)]
  await Promise.all([early, ended].map((session) => recorded(session)))
  await redis.kill()
  await waitFor(() => [one, two].every(({ said }) => said.includes('"state":"down"')), 10_000)
  const late = await open(one)
  expect(await Promise.all([ping(one, early), ping(one, late), ping(two, early)])).toEqual([200, 200, 404])
  const headers = { 'mcp-session-id': ended }
  expect((await one.request('/mcp/a', { method: 'DELETE', headers })).status).toBe(204)
  await redis.start()
  await recorded(late)
  // The other hub finds out by itself that Redis is back.
  await waitFor(async () => (await ping(two, late)) === 200, 10_000)
  // What was ended meanwhile is gone, too.
  await waitFor(async () => (await store.exists(keyOf(ended))) === 0, 10_000)
  expect(await ping(two, ended)).toBe(404)
}, 30_000)

it('goes on for a client of the SDK whose hub is killed', async () => {
  let hub = one
  const client = new Client({ name: 'sdk', version: '1' })
  const updated: string[] = []
  client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => void updated.push(params.uri))
  const transport = new StreamableHTTPClientTransport(new URL('http://hub.test/mcp/a'), {
    fetch: (url, init) => fetch(hub.url + new URL(url).pathname, init),
    requestInit: { headers: { authorization: `Bearer ${BUILT_HUB_TOKEN}` } },
    reconnectionOptions: {
      initialReconnectionDelay: 100,
      reconnectionDelayGrowFactor: 1,
      maxReconnectionDelay: 100,
      maxRetries: 50,
    },
  })
  await client.connect(transport)
  const session = transport.sessionId ?? ''
  await client.setLoggingLevel('error')
  await client.subscribeResource({ uri: NOTE })
  const record = await recorded(session, NOTE)
  expect(JSON.parse(record)).toMatchObject({ logLevel: 'error', subscriptions: [NOTE] })
  expect(record).not.toContain(BUILT_HUB_TOKEN)

  hub = two
  one.child.kill('SIGKILL')
  const result = await client.callTool({ name: 'echo', arguments: { text: 'still here' } })
  expect(result.content).toEqual([{ type: 'text', text: 'still here' }])
  // Its stream comes back by itself, and brings what it subscribed to at the hub that is gone.
  await waitFor(async () => {
    await client.callTool({ name: 'write', arguments: { uri: NOTE, text: 'changed' } })
    return updated.includes(NOTE)
  }, 10_000)
  expect(transport.sessionId).toBe(session)
  await transport.terminateSession()
  await waitFor(async () => (await store.exists(keyOf(session))) === 0)
  await client.close()
}, 30_000)
