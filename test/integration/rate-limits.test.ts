import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { appCaller, desktopClient } from '../../hub/auth/caller.ts'
import { fixtureServer, startHub, TOKEN, type TestHub } from '../fixtures/hub.ts'
import { addKey, ask, login, person, tokenOf } from '../fixtures/people.ts'
import { startRedis, type TestRedis } from '../fixtures/redis.ts'

const limited = {
  auth: { bcryptRounds: 10 },
  rateLimit: {
    login: { maxRequests: 4 },
    apiRead: { maxRequests: 3 },
    apiWrite: { maxRequests: 2 },
    mcp: { maxRequests: 5 },
  },
}
const initialize = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-03-26', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
}
interface RpcAnswer {
  error?: { code: number; message: string }
}
const connect = (hub: TestHub, token: string, body: unknown = initialize, headers: Record<string, string> = {}) =>
  ask<RpcAnswer>(hub, 'POST /mcp', { token, body, headers: { accept: 'application/json', ...headers } })

describe('rate limits', () => {
  let hub: TestHub
  beforeAll(async () => {
    hub = await startHub({ one: fixtureServer('echo.ts'), ask: fixtureServer('interactive.ts') }, limited, {
      users: ['ann', 'bob', 'cat', 'dan'].map((name) => person(name)),
    })
  })
  afterAll(() => hub.close())

  it('count reading and writing of one user apart, and nobody else’s', async () => {
    const [ann, bob] = [await tokenOf(hub, 'ann'), await tokenOf(hub, 'bob')]
    const first = await ask(hub, 'GET /api/servers', { token: ann })
    expect(first.headers.get('ratelimit-policy')).toBe('"apiRead";q=3;w=60')
    expect(first.headers.get('ratelimit')).toMatch(/^"apiRead";r=2;t=\d+$/)
    for (const status of [200, 200, 429])
      expect((await ask(hub, 'GET /api/servers', { token: ann })).status).toBe(status)
    const refused = await ask(hub, 'GET /api/hub', { token: ann })
    expect(refused).toMatchObject({ status: 429, body: { code: 'HUB_RATE_LIMITED', status: 429 } })
    expect(refused.headers.get('content-type')).toContain('application/problem+json')
    expect(refused.headers.get('ratelimit')).toMatch(/^"apiRead";r=0;/)
    const wait = Number(refused.headers.get('retry-after'))
    expect(wait).toBeGreaterThan(0)
    expect(wait).toBeLessThanOrEqual(60)
    expect((await addKey(hub, ann, {})).status).toBe(201)
    expect((await ask(hub, 'GET /api/servers', { token: bob })).status).toBe(200)
  })

  it('count sign-ins by the place that they come from', async () => {
    // Two were made above.
    expect((await login(hub, 'cat')).status).toBe(200)
    expect((await login(hub, 'cat')).status).toBe(200)
    expect(await login(hub, 'dan')).toMatchObject({ status: 429, body: { code: 'HUB_RATE_LIMITED' } })
  })

  it('answer an MCP client over its limit with 429 and a JSON-RPC error, and let others go on', async () => {
    const [{ body: greedy }, { body: modest }] = [await addKey(hub, TOKEN, {}), await addKey(hub, TOKEN, {})]
    for (let call = 0; call < 5; call++) expect((await connect(hub, greedy.secret)).status).toBe(200)
    const refused = await connect(hub, greedy.secret)
    expect(refused).toMatchObject({ status: 429, body: { error: { code: -31003 } } })
    expect(refused.body.error?.message).toContain('rateLimit.mcp')
    expect(refused.headers.get('ratelimit-policy')).toBe('"mcp";q=5;w=60')
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    const other = await connect(hub, modest.secret)
    expect(other.status).toBe(200)
    expect(other.headers.get('ratelimit')).toMatch(/^"mcp";r=4;/)
  })

  it('count each message of a batch', async () => {
    const { secret } = (await addKey(hub, TOKEN, {})).body
    const session = (await connect(hub, secret)).headers.get('mcp-session-id') ?? ''
    const batch = [1, 2, 3, 4].map((id) => ({ jsonrpc: '2.0', id, method: 'ping' }))
    expect((await connect(hub, secret, batch, { 'mcp-session-id': session })).status).toBe(200)
    expect((await connect(hub, secret)).status).toBe(429)
  })

  it('do not hold for the answer that a server waits for, or its call would hang', async () => {
    const { secret } = (await addKey(hub, TOKEN, {})).body
    const headers = { authorization: `Bearer ${secret}` }
    const client = new Client({ name: 'test', version: '1' }, { capabilities: { elicitation: {} } })
    // initialize, initialized, the stream, tools/list, and the call: the answer would be the sixth.
    client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'accept', content: { answer: 'blue' } }))
    await client.connect(new StreamableHTTPClientTransport(new URL(`${hub.url}/mcp`), { requestInit: { headers } }))
    await client.listTools()
    const result = await client.callTool({ name: 'ask__ask_user', arguments: {} })
    expect(JSON.stringify(result.content)).toContain('blue')
    await expect(client.listTools()).rejects.toThrow(/rateLimit\.mcp/)
    await client.close()
  })

  it('count who comes with a wrong token by the place', async () => {
    const answers = []
    for (let attempt = 0; attempt < 7; attempt++) answers.push((await connect(hub, 'wrong')).status)
    expect(answers).toEqual([401, 401, 401, 401, 401, 429, 429])
  })

  it('do not hold for MCP_HUB_TOKEN', async () => {
    for (let call = 0; call < 12; call++) {
      expect((await connect(hub, TOKEN)).status).toBe(200)
      expect((await ask(hub, 'GET /api/servers', { token: TOKEN })).status).toBe(200)
    }
  })
})

it('on the desktop nobody is limited unless system.json says so', async () => {
  const tokens = [
    { value: 'the-app-of-this-computer', caller: appCaller },
    { value: 'a-client-of-this-computer', caller: desktopClient },
  ]
  const free = await startHub({}, {}, { hub: { mode: 'desktop', tokens } })
  const answer = await connect(free, 'a-client-of-this-computer')
  expect(answer.status).toBe(200)
  expect(answer.headers.get('ratelimit')).toBeNull()
  expect(
    (await ask(free, 'GET /api/servers', { token: 'the-app-of-this-computer' })).headers.get('ratelimit'),
  ).toBeNull()
  await free.close()
  const told = await startHub({}, { rateLimit: { mcp: { maxRequests: 1 } } }, { hub: { mode: 'desktop', tokens } })
  expect((await connect(told, 'a-client-of-this-computer')).status).toBe(200)
  expect((await connect(told, 'a-client-of-this-computer')).status).toBe(429)
  await told.close()
})

it('the guide’s windowMs and maxRequests hold for the API, and false takes a limit away', async () => {
  const rateLimit = { windowMs: 30_000, maxRequests: 2, apiWrite: false }
  const hub = await startHub({}, { rateLimit }, { users: [person('ann')] })
  const token = await tokenOf(hub, 'ann')
  expect((await ask(hub, 'GET /api/servers', { token })).headers.get('ratelimit-policy')).toBe('"apiRead";q=2;w=30')
  for (let write = 0; write < 4; write++) {
    const made = await addKey(hub, token, {})
    expect([made.status, made.headers.get('ratelimit')]).toEqual([201, null])
  }
  await hub.close()
})

describe('of several hubs on one Redis', () => {
  let redis: TestRedis
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.close())

  it('exactly the limit passes, however many ask at once', async () => {
    const system = { rateLimit: { mcp: { maxRequests: 20 } } }
    const tokens = [{ value: 'the-same-key-at-every-hub', caller: { ...desktopClient, id: 'key:shared' } }]
    const hubs = await Promise.all([1, 2, 3].map(() => startHub({}, system, { hub: { tokens, redisUrl: redis.url } })))
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, index) => connect(hubs[index % 3] as TestHub, 'the-same-key-at-every-hub')),
    )
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(20)
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(40)
    await Promise.all(hubs.map((hub) => hub.close()))
  })
})
