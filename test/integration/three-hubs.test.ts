import { createHash, randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { AuditPage, HistoryPage, Session } from '../../hub/contract/index.ts'
import { fixtureServer } from '../fixtures/hub.ts'
import { PASSWORD, person } from '../fixtures/people.ts'
import { ADMIN, startThreeHubs, type StandAnswer, type StandHub, type ThreeHubs } from '../fixtures/three-hubs.ts'
import { waitFor } from '../fixtures/wire.ts'

/** What is only right if all hubs agree on it, tried on three that share nothing but PostgreSQL and Redis. */

const ADDRESSES = 20
const API_LIMIT = 100
const MCP_LIMIT = 250
const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'three-hubs', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
}

interface TestKey {
  id: string
  token: string
  entry: object
}

/** Each test has keys of its own, so that what one counts is not what another did. */
function makeKey(): TestKey {
  const [id, secret] = [randomBytes(6).toString('hex'), randomBytes(32).toString('base64url')]
  const hash = createHash('sha256').update(secret).digest('hex')
  const permissions = ['mcp:connect', 'servers:read', 'hub:read']
  return { id, token: `mcphub_${id}_${secret}`, entry: { id, name: id, hash, owner: null, permissions, createdAt: 1 } }
}
const keys = Array.from({ length: 100 }, makeKey)
let given = 0
const takeKey = (): TestKey => keys[given++]!

let stand: ThreeHubs
let one: StandHub
let two: StandHub
let three: StandHub

beforeAll(async () => {
  stand = await startThreeHubs({
    servers: { mcpServers: { a: fixtureServer('echo.ts') } },
    system: {
      server: { trustProxy: ['loopback'] },
      auth: { bcryptRounds: 10 },
      rateLimit: {
        windowMs: 600_000,
        login: false,
        apiRead: { maxRequests: API_LIMIT },
        mcp: { maxRequests: MCP_LIMIT },
      },
    },
    users: {
      users: ['guessed', 'guessed-later', 'ann', 'bob'].map((name) => person(name, 'admin')),
      keys: keys.map(({ entry }) => entry),
    },
  })
  ;[one, two, three] = stand.hubs as [StandHub, StandHub, StandHub]
}, 60_000)
afterAll(() => stand.dispose(), 60_000)

const many = <T>(count: number, work: (index: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => work(index)))
/** From another address each time, so that nginx sends it to another hub. */
const elsewhere = (index: number): number => 1 + (index % ADDRESSES)

/** A request to one hub, past nginx, with the operator's token. */
async function at(
  hub: StandHub,
  route: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  const [method = 'GET', path = '/'] = route.split(' ')
  return fetch(hub.url + path, {
    method,
    headers: {
      authorization: `Bearer ${ADMIN}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
}
const authorization = (token = ''): Record<string, string> => ({ authorization: `Bearer ${token}` })
const get = async <T>(hub: StandHub, path: string): Promise<T> => (await (await at(hub, `GET ${path}`)).json()) as T

const sessionsAt = async (hub: StandHub): Promise<number> => (await get<{ sessions: number }>(hub, '/api/hub')).sessions

const callHeaders = (name: string): Record<string, string> => ({
  ...accept,
  'mcp-protocol-version': '2026-07-28',
  'mcp-method': 'tools/call',
  'mcp-name': name,
})
const callBody = (name: string, args: object): object => ({
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: { name, arguments: args, _meta: META },
})

/** A call of a modern client: no session, any hub may answer. */
const call = (token: string, from: number, name = 'a__echo', args: object = { text: 'hello' }): Promise<StandAnswer> =>
  stand.send('/mcp', { token, from, headers: callHeaders(name), body: callBody(name, args) })

/** The same past nginx. */
const direct = (hub: StandHub, endpoint: string, name: string): Promise<Response> =>
  at(hub, `POST ${endpoint}`, callBody(name, { text: 'hello' }), callHeaders(name))

const initialize = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'legacy', version: '1' } },
}
const accept = { accept: 'application/json, text/event-stream' }

async function openSession(token: string, from: number): Promise<string> {
  return String(
    (await stand.send('/mcp', { token, from, headers: accept, body: initialize })).headers['mcp-session-id'],
  )
}

async function openSessionAt(hub: StandHub, token: string): Promise<string> {
  const response = await at(hub, 'POST /mcp', initialize, { ...accept, ...authorization(token) })
  await response.text()
  return response.headers.get('mcp-session-id') ?? ''
}

function inSession(
  token: string,
  session: string,
  from: number,
  method: string,
  params?: object,
): Promise<StandAnswer> {
  return stand.send('/mcp', {
    token,
    from,
    headers: { ...accept, 'mcp-session-id': session },
    body: { jsonrpc: '2.0', id: 2, method, ...(params === undefined ? {} : { params }) },
  })
}

/** A wrong password through nginx, which goes by the token, though it is nobody's. */
const guess = (name: string, index: number): Promise<StandAnswer> =>
  stand.send('/api/auth/login', { token: `nobody-${index}`, body: { username: name, password: `wrong ${index}` } })

/** The same past nginx, to one after the other. */
async function guessAt(name: string, index: number): Promise<StandAnswer> {
  const answer = await at(stand.hubs[index % 3]!, 'POST /api/auth/login', {
    username: name,
    password: `wrong ${index}`,
  })
  return { status: answer.status, headers: {}, text: await answer.text() }
}

const login = async (hub: StandHub, username: string): Promise<Session> =>
  (await (await at(hub, 'POST /api/auth/login', { username, password: PASSWORD })).json()) as Session

const codesOf = (answers: StandAnswer[]): Record<string, number> => {
  const codes: Record<string, number> = {}
  for (const answer of answers) {
    const code = answer.status === 200 ? 'ok' : (JSON.parse(answer.text) as { code: string }).code
    codes[code] = (codes[code] ?? 0) + 1
  }
  return codes
}

it('find the configuration, the users and the keys that the first of them brought', async () => {
  for (const hub of stand.hubs) {
    const servers = await waitFor(async () => {
      const found = await get<{ name: string; state: string }[]>(hub, '/api/servers')
      return found[0]?.state === 'running' ? found : null
    }, 20_000)
    expect(servers).toMatchObject([{ name: 'a', state: 'running' }])
  }
  for (const hub of [two, three]) expect(hub.said).toContain('The configuration is in PostgreSQL')
  expect(one.said).toContain('taken over into PostgreSQL')
})

it('look at exactly five wrong passwords, whichever of them they come to', async () => {
  const tries = [...Array.from({ length: 10 }, (_, index) => guess('guessed', index))]
  for (let index = 0; index < 20; index++) tries.push(guessAt('guessed', index))
  expect(codesOf(await Promise.all(tries))).toEqual({ HUB_LOGIN_FAILED: 5, HUB_LOGIN_LOCKED: 25 })
})

it('let exactly the limit through, whichever of them it comes to', async () => {
  const { token } = takeKey()
  const reads = await many(API_LIMIT + 50, (index) => stand.send('/api/servers', { token, from: elsewhere(index) }))
  expect(codesOf(reads)).toEqual({ ok: API_LIMIT, HUB_RATE_LIMITED: 50 })
  const calls = await many(MCP_LIMIT + 50, (index) => call(token, elsewhere(index)))
  const passed = calls.filter(({ status }) => status === 200)
  expect([passed.length, calls.filter(({ status }) => status === 429).length]).toEqual([MCP_LIMIT, 50])
  expect(passed.every(({ text }) => text.includes('hello'))).toBe(true)
})

it('lose none of 2,000 requests in sessions, wherever their clients come from next', async () => {
  const clients = keys.slice(given, (given += 20))
  const hubs = new Set<string>()
  const lost: string[] = []
  await many(20, async (client) => {
    const { token } = clients[client]!
    for (let session = 0; session < 20; session++) {
      const id = await openSession(token, elsewhere(client + session))
      hubs.add(id.split('.')[0] ?? '')
      const answers = await many(5, (index) => inSession(token, id, elsewhere(client + session + index), 'ping'))
      for (const { status, text } of answers)
        if (status !== 200 || !text.includes('"result"')) lost.push(`${status} ${text}`)
    }
  })
  expect(lost).toEqual([])
  expect(hubs.size).toBe(3)
}, 60_000)

it('take a change at one into force at all of them within a second, and refuse a lost update', async () => {
  const saved = await at(one, 'PUT /api/profiles/fresh', { config: { servers: { a: {} } } })
  expect(saved.status).toBe(201)
  const tag = saved.headers.get('etag') ?? ''
  // What it serves is in force, not only stored.
  await Promise.all(
    stand.hubs.map((hub) => waitFor(async () => (await direct(hub, '/mcp/fresh', 'echo')).status === 200, 1_000)),
  )
  const change = { config: { servers: { a: {} }, description: 'changed at the second' } }
  expect((await at(two, 'PUT /api/profiles/fresh', change, { 'if-match': tag })).status).toBe(200)
  expect((await at(three, 'PUT /api/profiles/fresh', change, { 'if-match': tag })).status).toBe(412)
  const { versions } = await get<{ versions: { by: string; changes: unknown[] }[] }>(three, '/api/config/versions')
  expect(versions.slice(0, 2)).toMatchObject([
    { changes: [{ file: 'profiles', name: 'fresh', kind: 'changed' }] },
    { changes: [{ file: 'profiles', name: 'fresh', kind: 'added' }] },
  ])
})

it('end the open streams of a key or a user that was taken away at another', async () => {
  const { id, token } = takeKey()
  const session = await login(two, 'bob')
  const open = async (hub: StandHub, path: string, bearer: string | undefined): Promise<{ ended: Promise<string> }> => {
    const response = await at(hub, `GET ${path}`, undefined, { ...authorization(bearer), accept: 'text/event-stream' })
    expect(response.status).toBe(200)
    const over = (): string => 'ended'
    return { ended: response.text().then(over, over) }
  }
  const ofKey = await open(two, '/sse', token)
  const ofUser = await open(three, '/api/events', session.accessToken)
  expect((await at(one, `DELETE /api/keys/${id}`)).status).toBe(204)
  expect((await at(one, 'PUT /api/users/bob', { disabled: true })).status).toBe(200)
  expect(await Promise.race([ofKey.ended, late()])).toBe('ended')
  expect(await Promise.race([ofUser.ended, late()])).toBe('ended')
  expect((await call(token, 1)).status).toBe(401)
})

const late = (): Promise<string> => new Promise((resolve) => setTimeout(() => resolve('still open'), 3_000))

it('drop nothing when one of them is told to end under load', async () => {
  const bad: string[] = []
  const note = ({ status, text }: StandAnswer, wanted: string): void => {
    if (status !== 200 || !text.includes(wanted)) bad.push(`${status} ${text.slice(0, 200)}`)
  }
  let done = false
  let count = 0
  const clients = keys.slice(given, (given += 50))
  const load = many(8, async () => {
    while (!done && count < clients.length * MCP_LIMIT) {
      const { token } = clients[count % clients.length]!
      note(await call(token, elsewhere(count++)), 'hello')
    }
  })
  // Some sessions of hub 2, three of them with a call under way that outlasts the hub's last request.
  // A key for each, so that none comes to its limit by waiting.
  const sessions = await many(8, async () => {
    const { token } = takeKey()
    return { token, id: await openSessionAt(two, token) }
  })
  const slow = { name: 'a__slow', arguments: { ms: 5_000 } }
  const long = sessions
    .slice(0, 3)
    .map(async ({ token, id }) => note(await inSession(token, id, 1, 'tools/call', slow), 'slept'))
  const stream = fetch(`${two.url}/api/events`, { headers: { authorization: `Bearer ${ADMIN}` } }).then((response) =>
    response.text(),
  )
  await waitFor(async () => (await sessionsAt(two)) >= 8)
  const ready = (): Promise<number> => fetch(`${two.url}/health/ready`).then(({ status }) => status)
  expect(await ready()).toBe(200)

  const ended = two.end()
  expect(await waitFor(async () => ((await ready()) === 200 ? null : ready()))).toBe(503)
  expect((await fetch(`${two.url}/health`)).headers.get('connection')).toBe('close')
  expect(await stream).toContain('retry: 1000')
  expect(await ended).toBe(0)
  await Promise.all(long)
  // Its sessions go on at another one, always the same, and at itself when it is back.
  const pingAll = async (): Promise<void> => {
    for (const { token, id } of sessions) note(await inSession(token, id, elsewhere(count), 'ping'), '"result"')
  }
  const before = [await sessionsAt(one), await sessionsAt(three)] as const
  for (let round = 0; round < 3; round++) await pingAll()
  expect([await sessionsAt(one), await sessionsAt(three)]).toEqual([before[0], before[1] + 8])
  await two.start()
  await waitFor(async () => {
    await pingAll()
    return (await sessionsAt(two)) === 8
  }, 10_000)
  await waitFor(async () => (await sessionsAt(three)) === before[1], 10_000)
  done = true
  await load
  expect(count).toBeGreaterThan(100)
  expect(bad).toEqual([])
}, 60_000)

it('serve the sessions of one that is killed at the next request, and give them back', async () => {
  // A key for each, so that none comes to its limit by waiting.
  const sessions = await many(10, async () => {
    const { token } = takeKey()
    return { token, id: await openSessionAt(two, token) }
  })
  const store = new Redis(stand.redis.url)
  const recorded = sessions.map(({ id }) => `mcp-hub:client-session:${id}`)
  await waitFor(async () => (await store.exists(...recorded)) === sessions.length, 10_000)
  store.disconnect()
  const before = [await sessionsAt(one), await sessionsAt(three)] as const
  let heard = ''
  const call = stand.send('/mcp', {
    token: sessions[0]!.token,
    headers: { ...accept, 'mcp-session-id': sessions[0]!.id },
    body: {
      jsonrpc: '2.0',
      id: 2,
      method: 'tools/call',
      params: { name: 'a__slow', arguments: { ms: 60_000, steps: 600 }, _meta: { progressToken: 1 } },
    },
    heard: (text) => (heard = text),
  })
  const outcome = call.then(
    ({ status }) => `answered with ${status}`,
    () => 'cut off',
  )
  await waitFor(() => heard.includes('step 1'), 10_000)

  await two.kill()
  // It may have done its work, so nobody makes it again; and nobody waits for it in vain.
  expect(await outcome).toBe('cut off')
  const pingAll = async (): Promise<void> => {
    const pings = await many(10, (n) => inSession(sessions[n]!.token, sessions[n]!.id, elsewhere(n), 'ping'))
    expect(pings.filter(({ status, text }) => status !== 200 || !text.includes('"result"'))).toEqual([])
  }
  await pingAll()
  expect([await sessionsAt(one), await sessionsAt(three)]).toEqual([before[0], before[1] + sessions.length])

  await two.start()
  await waitFor(async () => {
    await pingAll()
    return (await sessionsAt(two)) === sessions.length
  }, 10_000)
  await waitFor(async () => (await sessionsAt(three)) === before[1], 10_000)
}, 60_000)

it('go on without Redis, more carefully, and as before when it is back', async () => {
  const session = await login(one, 'ann')
  const refreshToken = session.refreshToken
  await stand.redis.kill()
  await waitFor(() => stand.hubs.every(({ said }) => said.includes('"state":"down"')))

  // Whoever has a key is served; limits are each hub's own.
  const { token } = takeKey()
  for (const hub of stand.hubs) {
    const reads = await many(API_LIMIT + 10, () => at(hub, 'GET /api/servers', undefined, authorization(token)))
    expect(reads.filter(({ status }) => status === 200)).toHaveLength(API_LIMIT)
    expect(reads.filter(({ status }) => status === 429)).toHaveLength(10)
  }
  expect((await call(token, 1)).status).toBe(200)
  // Five tries of three hubs: one each.
  expect(codesOf(await many(12, (index) => guessAt('guessed-later', index)))).toEqual({
    HUB_LOGIN_FAILED: 3,
    HUB_LOGIN_LOCKED: 9,
  })
  // Nobody is let in on the chance that they were not signed out.
  const refused = await at(two, 'POST /api/auth/refresh', { refreshToken })
  expect([refused.status, await refused.json()]).toMatchObject([503, { code: 'HUB_STORE_UNAVAILABLE' }])
  expect((await at(three, 'GET /api/users', undefined, authorization(session.accessToken))).status).toBe(503)

  await stand.redis.start()
  await waitFor(
    async () => (await at(three, 'GET /api/users', undefined, authorization(session.accessToken))).status === 200,
    5_000,
  )
  const again = await waitFor(async () => {
    const answer = await at(two, 'POST /api/auth/refresh', { refreshToken })
    return answer.status === 200 ? answer : null
  }, 5_000)
  expect(((await again.json()) as Session).user.name).toBe('ann')
}, 60_000)

it('go on without PostgreSQL with what is in force, and lose neither history nor acts', async () => {
  const { id, token } = takeKey()
  const readiness = (): Promise<number[]> =>
    Promise.all(stand.hubs.map(async (hub) => (await fetch(`${hub.url}/health/ready`)).status))
  await stand.postgres.kill()
  const answers = await many(60, (index) => call(token, elsewhere(index)))
  expect(answers.filter(({ status, text }) => status !== 200 || !text.includes('hello'))).toEqual([])
  const refused = await at(one, 'PUT /api/profiles/lost', { config: { servers: { a: {} } } })
  expect([refused.status, await refused.json()]).toMatchObject([503, { code: 'HUB_STORE_UNAVAILABLE' }])
  expect((await at(two, 'POST /api/servers/a/restart')).status).toBeLessThan(300)
  await waitFor(async () => (await readiness()).every((status) => status === 503))

  await stand.postgres.start()
  const start = Date.now()
  await waitFor(async () => (await readiness()).every((status) => status === 200), 5_000)
  expect((await at(one, 'PUT /api/profiles/kept', { config: { servers: { a: {} } } })).status).toBe(201)
  await waitFor(async () => (await direct(three, '/mcp/kept', 'echo')).status === 200, 5_000 - (Date.now() - start))
  await waitFor(async () => {
    const { items } = await get<HistoryPage>(three, `/api/history?principal=key:${id}&limit=500`)
    return items.length === 60
  }, 5_000)
  const { items: acts } = await get<AuditPage>(three, '/api/audit?limit=50')
  expect(acts.map(({ action }) => action)).toEqual(
    expect.arrayContaining(['POST /api/servers/:name/restart', 'PUT /api/profiles/:name']),
  )
  expect(await get(three, '/api/audit/verify')).toMatchObject({ ok: true })
}, 60_000)
