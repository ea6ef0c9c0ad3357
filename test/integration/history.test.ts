import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client'
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bootstrapCaller, fixedCaller } from '../../hub/auth/caller.ts'
import {
  roleGrants,
  type AuditEntry,
  type AuditPage,
  type AuditVerification,
  type HistoryPage,
  type HubEvent,
  type RequestDetail,
  type RequestRecord,
  type Stats,
} from '../../hub/contract/index.ts'
import { fixtureServer, startHub, TOKEN, type TestHub } from '../fixtures/hub.ts'
import { startHttpFixture } from '../fixtures/mcp-servers/fixtures.ts'
import { startPostgres, type TestPostgres } from '../fixtures/postgres.ts'

const ANNA = 'annas-token-0123456789'
const anna = fixedCaller('user:anna', 'anna', 'user', roleGrants.user)
const tokens = [
  { value: TOKEN, caller: bootstrapCaller },
  { value: ANNA, caller: anna },
]

async function connect(hub: TestHub, endpoint: string, token = TOKEN): Promise<Client> {
  const client = new Client({ name: 'legacy-test', version: '1.2' })
  const requestInit = { headers: { authorization: `Bearer ${token}` } }
  await client.connect(new StreamableHTTPClientTransport(new URL(hub.url + endpoint), { requestInit }))
  return client
}

async function connectModern(hub: TestHub, endpoint: string): Promise<ModernClient> {
  const client = new ModernClient(
    { name: 'modern-test', version: '3' },
    { capabilities: {}, versionNegotiation: { mode: { pin: '2026-07-28' } } },
  )
  await client.connect(new ModernTransport(new URL(hub.url + endpoint), { requestInit: { headers: hub.headers } }))
  return client
}

async function get<T>(hub: TestHub, path: string, token = TOKEN): Promise<T> {
  const response = await fetch(hub.url + path, { headers: { authorization: `Bearer ${token}` } })
  expect(response.status, await response.clone().text()).toBe(200)
  return (await response.json()) as T
}

/** Asks until the answer is as wished: what happened is written a moment later. */
async function until<T>(ask: () => Promise<T>, good: (answer: T) => boolean): Promise<T> {
  for (const deadline = Date.now() + 10_000; ;) {
    const answer = await ask()
    if (good(answer)) return answer
    if (Date.now() > deadline) throw new Error(`It did not become so: ${JSON.stringify(answer).slice(0, 2_000)}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const history = (hub: TestHub, query: string, count: number): Promise<RequestRecord[]> =>
  until(
    async () => (await get<HistoryPage>(hub, `/api/history?${query}`)).items,
    (items) => items.length >= count,
  )

it('knows when a call waited, went to the server, was told of and was answered, in order', async () => {
  const hub = await startHub({ single: { ...fixtureServer('echo.ts'), hub: { maxConcurrentCalls: 1 } } })
  await hub.until('single', 'running')
  const slow = { name: 'slow', arguments: { ms: 200, steps: 4 } }
  const echo = { name: 'echo', arguments: { text: 'x' } }
  const onprogress = (): void => undefined
  const legacy = await connect(hub, '/mcp/single')
  await Promise.all([legacy.callTool(slow, undefined, { onprogress }), legacy.callTool(echo)])
  const modern = await connectModern(hub, '/mcp/single')
  await Promise.all([modern.callTool(slow, { onprogress }), modern.callTool(echo)])
  for (const label of ['legacy-test 1.2', 'modern-test 3']) {
    const query = `server=single&client=${encodeURIComponent(label)}&name=`
    const [first] = await history(hub, `${query}slow`, 1)
    const [second] = await history(hub, `${query}echo`, 1)
    expect(first).toMatchObject({ waitedMs: null, notifications: 4 })
    const order = [first!.sentMs!, first!.notifiedMs!, first!.repliedMs!, first!.durationMs + 0.01]
    expect(order).toEqual(order.toSorted((a, b) => a - b))
    expect(first!.repliedMs! - first!.sentMs!).toBeGreaterThan(190)
    // The server takes one call at a time; `at` is in whole milliseconds.
    expect(second!.waitedMs).not.toBeNull()
    expect(second!.at + second!.sentMs!).toBeGreaterThan(first!.at + first!.repliedMs! - 2)
    expect(second).toMatchObject({
      notifications: 0,
      notifiedMs: null,
      firstByteMs: null,
      askedMs: null,
      clientMs: null,
    })
  }
  const csv = await fetch(`${hub.url}/api/history/export?format=csv&name=slow`, {
    headers: hub.headers,
  })
  expect((await csv.text()).split('\r\n')[0]).toContain(
    'waitedMs,sentMs,notifiedMs,repliedMs,notifications,firstByteMs,askedMs,clientMs',
  )
  await Promise.all([legacy.close(), modern.close()])
  await hub.close()
})

it('knows when an answer began that came in pieces, and how long a client was waited for', async () => {
  const remote = await startHttpFixture('interactive', '--http', '--era', 'modern')
  const hub = await startHub({
    pipe: fixtureServer('echo.ts'),
    remote: { type: 'http', url: remote.url },
    asking: fixtureServer('interactive.ts', '--era', 'legacy'),
  })
  await Promise.all(['pipe', 'remote', 'asking'].map((name) => hub.until(name, 'running')))
  const client = new Client({ name: 'slow-person', version: '1' }, { capabilities: { elicitation: {} } })
  const taken = 150
  client.setRequestHandler(ElicitRequestSchema, async () => {
    await new Promise((resolve) => setTimeout(resolve, taken))
    return { action: 'accept', content: { answer: 'yes' } }
  })
  const requestInit = { headers: hub.headers }
  await client.connect(new StreamableHTTPClientTransport(new URL(`${hub.url}/mcp`), { requestInit }))
  await client.callTool({ name: 'pipe__echo', arguments: { text: 'x'.repeat(1_000_000) } })
  await client.callTool({ name: 'remote__ask_twice', arguments: {} })
  await client.callTool({ name: 'asking__ask_user', arguments: { message: 'Sure?' } })
  const of = async (server: string): Promise<RequestRecord> =>
    (await history(hub, `server=${server}&method=tools/call`, 1))[0]!
  const expectOrder = (...moments: (number | null)[]): void => {
    expect(moments).not.toContain(null)
    expect(moments).toEqual(moments.toSorted((a, b) => a! - b!))
  }
  const large = await of('pipe')
  expectOrder(large.sentMs, large.firstByteMs, large.repliedMs)
  expect(large).toMatchObject({ askedMs: null, clientMs: null })
  for (const [server, questions] of [
    ['asking', 1],
    ['remote', 2],
  ] as const) {
    const asked = await of(server)
    expectOrder(asked.sentMs, asked.askedMs, asked.repliedMs)
    expect(asked.clientMs).toBeGreaterThan(questions * (taken - 10))
    expect(asked.clientMs).toBeLessThan(asked.repliedMs! - asked.askedMs! + 0.02)
  }
  const first = await of('remote')
  expectOrder(first.sentMs, first.firstByteMs, first.askedMs)
  await client.close()
  await hub.close()
  await remote.stop()
})

describe('the history of requests', () => {
  let hub: TestHub
  beforeAll(async () => {
    hub = await startHub(
      {
        echo: fixtureServer('echo.ts'),
        modern: fixtureServer('modern-echo.ts'),
      },
      {},
      { hub: { tokens } },
    )
    await Promise.all([hub.until('echo', 'running'), hub.until('modern', 'running')])
  })
  afterAll(() => hub.close())

  it('has each request of a legacy client: who, with what, where, how long, how much, and how it ended', async () => {
    const client = await connect(hub, '/mcp')
    await client.listTools()
    await client.callTool({ name: 'echo__echo', arguments: { text: 'hello' } })
    await client.callTool({ name: 'echo__fail', arguments: {} })
    await expect(client.callTool({ name: 'echo__nothing', arguments: {} })).rejects.toThrow('Unknown tool')
    const items = await history(hub, 'client=legacy-test%201.2', 5)
    expect(items.map(({ method, server, name, outcome }) => [method, server, name, outcome])).toEqual([
      ['tools/call', null, null, 'error'],
      ['tools/call', 'echo', 'fail', 'tool-error'],
      ['tools/call', 'echo', 'echo', 'ok'],
      ['tools/list', null, null, 'ok'],
      ['initialize', null, null, 'ok'],
    ])
    expect(items[0]).toMatchObject({ errorCode: -32602, errorMessage: 'Unknown tool: echo__nothing' })
    const call = items[2]!
    expect(call).toMatchObject({ principal: 'key:bootstrap', endpoint: '/mcp', errorCode: null, traceId: null })
    expect(call.durationMs).toBeGreaterThan(0)
    expect(call.bytesIn).toBeGreaterThan(80)
    expect(call.bytesOut).toBeGreaterThan(60)
    expect(Math.abs(Date.now() - call.at)).toBeLessThan(30_000)
    // Payloads are off unless asked for.
    expect(await get<RequestDetail>(hub, `/api/history/${call.id}`)).toEqual({ ...call, request: null, response: null })
    await client.close()
  })

  it('has those of a modern client, and of calls by hand', async () => {
    const client = await connectModern(hub, '/mcp/modern')
    await client.callTool({ name: 'echo', arguments: { text: 'hello' } })
    await hub.api('POST', '/api/tools/call', { server: 'modern', tool: 'echo', arguments: { text: 'x' } })
    const items = await history(hub, 'server=modern', 2)
    expect(items.map(({ client: label, endpoint, name, outcome }) => [label, endpoint, name, outcome])).toEqual([
      ['mcp-hub-ui', '/api/tools/call', 'echo', 'ok'],
      ['modern-test 3', '/mcp/modern', 'echo', 'ok'],
    ])
    await client.close()
  })

  it('tells apart what was cancelled', async () => {
    const client = await connect(hub, '/mcp/echo')
    const controller = new AbortController()
    const call = client.callTool({ name: 'slow', arguments: { ms: 20_000, steps: 1 } }, undefined, {
      signal: controller.signal,
    })
    setTimeout(() => controller.abort(), 100)
    await expect(call).rejects.toThrow()
    expect((await history(hub, 'name=slow', 1))[0]).toMatchObject({ outcome: 'cancelled', bytesOut: 0 })
    await client.close()
  })

  it('shows a user their own requests and no other, whatever they ask for', async () => {
    const client = await connect(hub, '/mcp/echo', ANNA)
    await client.callTool({ name: 'add', arguments: { a: 1, b: 2 } })
    const mine = await until(
      () => get<HistoryPage>(hub, '/api/history?name=add', ANNA),
      ({ items }) => items.length > 0,
    )
    expect(mine.items.map(({ principal }) => principal)).toEqual(['user:anna'])
    const others = await get<HistoryPage>(hub, '/api/history?principal=key:bootstrap&limit=500', ANNA)
    expect(others.items.every(({ principal }) => principal === 'user:anna')).toBe(true)
    const [foreign] = await history(hub, 'principal=key:bootstrap', 1)
    const refused = await fetch(`${hub.url}/api/history/${foreign!.id}`, {
      headers: { authorization: `Bearer ${ANNA}` },
    })
    expect(refused.status).toBe(404)
    for (const path of ['/api/stats', '/api/audit', '/api/audit/export', '/api/audit/verify'])
      expect((await fetch(hub.url + path, { headers: { authorization: `Bearer ${ANNA}` } })).status, path).toBe(403)
    await client.close()
  })

  it('answers wrong parameters with the name of each', async () => {
    for (const [query, field] of [
      ['limit=0', 'limit'],
      ['cursor=abc', 'cursor'],
      ['outcome=great', 'outcome'],
      ['from=yesterday', 'from'],
      ['colour=red', 'colour'],
    ]) {
      const { status, body } = await hub.api('GET', `/api/history?${query}`)
      expect(status, query).toBe(400)
      expect(JSON.stringify(body), query).toContain(field)
    }
  })

  it('exports as NDJSON and as CSV that a spreadsheet takes for text', async () => {
    const client = await connect(hub, '/mcp/echo')
    await expect(client.callTool({ name: '=HYPERLINK("http://evil")', arguments: {} })).rejects.toThrow()
    await history(hub, 'q=hyperlink', 1)
    const ndjson = await fetch(`${hub.url}/api/history/export?server=echo`, { headers: hub.headers })
    expect(ndjson.headers.get('content-disposition')).toMatch(/attachment; filename="mcp-hub-history-.*\.ndjson"/)
    const lines = (await ndjson.text())
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as RequestRecord)
    expect(lines.map(({ name }) => name)).toContain('echo')
    expect(lines.every(({ server }) => server === 'echo')).toBe(true)
    const csv = await (
      await fetch(`${hub.url}/api/history/export?format=csv&q=hyperlink`, { headers: hub.headers })
    ).text()
    const [head, row] = csv.split('\r\n')
    expect(head).toBe(
      'id,at,durationMs,principal,client,endpoint,server,method,name,bytesIn,bytesOut,outcome,errorCode,errorMessage,traceId,requestId,waitedMs,sentMs,notifiedMs,repliedMs,notifications,firstByteMs,askedMs,clientMs',
    )
    expect(row).toContain(`"'=HYPERLINK(""http://evil"")"`)
    await client.close()
  })

  it('sums up what went through', async () => {
    const stats = await get<Stats>(hub, '/api/stats?window=hour')
    const items = (await get<HistoryPage>(hub, '/api/history?limit=500')).items.filter(({ server }) => server !== null)
    expect(stats.total.calls).toBe(items.length)
    expect(stats.total.errors).toBe(items.filter(({ outcome }) => !['ok', 'cancelled'].includes(outcome)).length)
    expect(stats.errorRate).toBeCloseTo(stats.total.errors / stats.total.calls)
    expect(stats.points).toHaveLength(60)
    expect(stats.servers.map(({ server }) => server).sort()).toEqual(['echo', 'modern'])
    expect(stats.clients.map(({ client }) => client)).toContain('legacy-test')
    expect(stats.dropped).toBe(0)
  })

  it('tells on the event stream that there is something new, and gives what a broken stream missed', async () => {
    const first = await readEvents(
      hub,
      null,
      (event) => event.type === 'history.appended',
      async () => {
        await hub.api('POST', '/api/tools/call', { server: 'echo', tool: 'echo', arguments: { text: 'x' } })
      },
    )
    expect(first.events.find(({ type }) => type === 'history.appended')).toMatchObject({ dropped: 0 })
    // The stream is broken now; what happens meanwhile comes with the next one.
    await hub.api('POST', '/api/servers/modern/restart')
    await hub.until('modern', 'running')
    const second = await readEvents(
      hub,
      first.lastId,
      (event) => isState(event, 'running'),
      () => Promise.resolve(),
    )
    expect(second.events.map(({ type }) => type)).not.toContain('resync')
    expect(second.events.some((event) => isState(event, 'stopping'))).toBe(true)
    const foreign = await readEvents(
      hub,
      'another-start-7',
      ({ type }) => type === 'resync',
      () => Promise.resolve(),
    )
    // What happens from now on may come behind it; what happened before does not come again.
    expect(foreign.events[0]?.type).toBe('resync')
    expect(foreign.events.some((event) => isState(event, 'stopping'))).toBe(false)
  })
})

function isState(event: HubEvent, state: string): boolean {
  return event.type === 'server.changed' && event.server.name === 'modern' && event.server.state === state
}

async function readEvents(
  hub: TestHub,
  lastId: string | null,
  enough: (event: HubEvent) => boolean,
  meanwhile: () => Promise<void>,
): Promise<{ events: HubEvent[]; lastId: string }> {
  const controller = new AbortController()
  const response = await fetch(`${hub.url}/api/events`, {
    headers: { ...hub.headers, ...(lastId === null ? {} : { 'last-event-id': lastId }) },
    signal: controller.signal,
  })
  const events: HubEvent[] = []
  let last = ''
  const done = Promise.withResolvers<undefined>()
  const parser = createParser({
    onEvent: ({ id, data }: EventSourceMessage) => {
      last = id ?? last
      const event = JSON.parse(data) as HubEvent
      events.push(event)
      if (enough(event)) done.resolve(undefined)
    },
  })
  const reading = (async () => {
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) parser.feed(chunk)
  })().catch(() => undefined)
  await meanwhile()
  await done.promise
  controller.abort()
  await reading
  return { events, lastId: last }
}

describe('payloads', () => {
  it.each([
    ['full', (text: string) => text.replace('value-of-the-known-secret', '[secret]')],
    [
      'redacted',
      (text: string) => text.replace(/ghp_\w+/, '[redacted]').replace('value-of-the-known-secret', '[secret]'),
    ],
  ])('%s', async (mode, shown) => {
    const hub = await startHub(
      { echo: { ...fixtureServer('echo.ts'), env: { S: '${secret:KNOWN}' } } },
      { history: { payloads: mode, maxPayloadBytes: 400 } },
    )
    await hub.until('echo', 'running')
    const client = await connect(hub, '/mcp/echo')
    const text = 'key ghp_0123456789abcdefghij0123456789abcdef and value-of-the-known-secret'
    await client.callTool({ name: 'echo', arguments: { text, password: 'hunter2hunter2' } })
    await client.callTool({ name: 'big', arguments: { bytes: 5_000 } })
    const [big, small] = await history(hub, 'method=tools/call', 2)
    const detail = await get<RequestDetail>(hub, `/api/history/${small!.id}`)
    expect(JSON.parse(detail.request!)).toMatchObject({
      name: 'echo',
      arguments: { text: shown(text), password: mode === 'full' ? 'hunter2hunter2' : '[redacted]' },
    })
    expect(JSON.parse(detail.response!)).toMatchObject({ content: [{ type: 'text', text: shown(text) }] })
    const cut = await get<RequestDetail>(hub, `/api/history/${big!.id}`)
    expect(cut.response!.length).toBeLessThan(450)
    expect(cut.response).toMatch(/… \d+ more$/)
    expect((await history(hub, 'q=ghp', mode === 'full' ? 1 : 0)).length).toBe(mode === 'full' ? 1 : 0)
    await client.close()
    await hub.close()
  })
})

describe('the audit log', () => {
  let hub: TestHub
  beforeAll(async () => {
    hub = await startHub(
      { echo: fixtureServer('echo.ts') },
      {},
      { hub: { tokens, adminPassword: 'a-good-long-password-1' } },
    )
  })
  afterAll(() => hub.close())

  const acts = (query: string, count: number): Promise<AuditEntry[]> =>
    until(
      async () => (await get<AuditPage>(hub, `/api/audit?${query}`)).items,
      (items) => items.length >= count,
    )

  it('has each act with who, from where, to what and how it ended, and no secret', async () => {
    const config = { ...fixtureServer('echo.ts'), env: { PLAIN_LOOKING: 'canary-in-the-environment' } }
    await hub.api('POST', '/api/servers', { name: 'second', config })
    await hub.api('PUT', '/api/servers/second', { config: { command: '' } })
    await hub.api('DELETE', '/api/servers/second')
    await fetch(`${hub.url}/api/auth/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username: 'admin', password: '12345' }),
    })
    const annas = { authorization: `Bearer ${ANNA}`, 'x-request-id': 'proxy-request-1' }
    await fetch(`${hub.url}/api/servers/echo/restart`, { method: 'POST', headers: annas })
    // Strangers do not fill the log.
    await fetch(`${hub.url}/api/servers/echo/restart`, { method: 'POST' })
    const items = await acts('', 5)
    expect(items.map(({ actor, action, target, outcome, status }) => [actor, action, target, outcome, status])).toEqual(
      [
        ['user:anna', 'POST /api/servers/:name/restart', 'echo', 'refused', 403],
        ['anonymous', 'auth.login', 'admin', 'refused', null],
        ['key:bootstrap', 'DELETE /api/servers/:name', 'second', 'done', 200],
        ['key:bootstrap', 'PUT /api/servers/:name', 'second', 'failed', 400],
        ['key:bootstrap', 'POST /api/servers', 'second', 'done', 201],
      ],
    )
    expect(items[0]).toMatchObject({ address: '127.0.0.1', requestId: 'proxy-request-1', role: 'user' })
    expect(items[1]).toMatchObject({ address: '127.0.0.1', role: null })
    expect(items[4]!.details).toContain('PLAIN_LOOKING')
    const all = JSON.stringify(items)
    expect(all).not.toContain('canary-in-the-environment')
    expect(all).not.toContain('12345')
  })

  it('is searched, exported and verified', async () => {
    expect((await acts('q=restart anna', 1)).map(({ outcome }) => outcome)).toEqual(['refused'])
    expect(await acts('action=POST%20/api/servers', 1)).toHaveLength(1)
    const lines = (await (await fetch(`${hub.url}/api/audit/export`, { headers: hub.headers })).text()).trimEnd()
    expect(lines.split('\n')).toHaveLength(5)
    const csv = await (await fetch(`${hub.url}/api/audit/export?format=csv`, { headers: hub.headers })).text()
    expect(csv.split('\r\n')[0]).toMatch(/^seq,at,actor,.*,hash$/)
    const newest = (await acts('', 5))[0]!
    expect(await get<AuditVerification>(hub, '/api/audit/verify')).toEqual({
      ok: true,
      entries: 5,
      head: newest.hash,
      firstSeq: 1,
      lastSeq: 5,
      broken: null,
    })
  })

  it('stays whole wherever the details of an act are cut, also in the middle of a character', async () => {
    for (const before of ['', 'x'])
      await hub.api('PUT', '/api/profiles/none', { description: before + '😀'.repeat(3_000) })
    const cut = await acts('q=profiles', 2)
    expect(cut.map(({ details }) => details?.length)).toEqual([4_000, 4_000])
    expect(await get<AuditVerification>(hub, '/api/audit/verify')).toMatchObject({ ok: true, entries: 7 })
  })
})

describe('with PostgreSQL', () => {
  let postgres: TestPostgres
  beforeAll(async () => {
    postgres = await startPostgres()
  }, 60_000)
  afterAll(() => postgres.stop())

  it('several hubs share one history, and lose nothing while the database is away', async () => {
    const servers = { echo: fixtureServer('echo.ts') }
    const hubs = await Promise.all([1, 2].map(() => startHub(servers, {}, { hub: { databaseUrl: postgres.url } })))
    const [first, second] = hubs as [TestHub, TestHub]
    await Promise.all(hubs.map((hub) => hub.until('echo', 'running')))
    const clients = await Promise.all(hubs.map((hub) => connect(hub, '/mcp/echo')))
    const call = (text: string): Promise<unknown> =>
      Promise.all(clients.map((client) => client.callTool({ name: 'echo', arguments: { text } })))
    await call('before')
    expect(await history(second, 'name=echo', 2)).toHaveLength(2)
    expect((await fetch(`${first.url}/health/ready`)).status).toBe(200)

    await postgres.kill()
    // Calls go on; what they leave behind is held.
    for (let round = 0; round < 25; round++) await call(`${round}`)
    await first.api('POST', '/api/servers/echo/disable')
    const notReady = await until(
      () => fetch(`${first.url}/health/ready`),
      ({ status }) => status === 503,
    )
    expect(((await notReady.json()) as { status: string }).status).toBe('not ready')
    const away = await first.api('GET', '/api/history')
    expect(away).toMatchObject({ status: 503, body: { code: 'HUB_STORE_UNAVAILABLE' } })

    await postgres.start()
    const restoredAt = Date.now()
    await until(
      () => fetch(`${first.url}/health/ready`),
      ({ status }) => status === 200,
    )
    expect(Date.now() - restoredAt).toBeLessThan(5_000)
    expect(await history(second, 'name=echo&limit=500', 52)).toHaveLength(52)
    await until(
      () => get<AuditPage>(second, '/api/audit'),
      ({ items }) => items.some(({ action }) => action === 'POST /api/servers/:name/disable'),
    )
    expect(await get<AuditVerification>(second, '/api/audit/verify')).toMatchObject({ ok: true })
    expect((await get<Stats>(first, '/api/stats')).total.calls).toBe(52)
    await Promise.all(clients.map((client) => client.close()))
    await Promise.all(hubs.map((hub) => hub.close()))
  })

  it('takes what a key with an odd name does, and refuses such names', async () => {
    const odd = 'a\0b\ud83d'
    const hub = await startHub({}, {}, { hub: { databaseUrl: postgres.url } })
    for (const [route, body] of [
      ['/api/keys', { name: odd }],
      ['/api/keys', { name: 'a\ud83d' }],
      ['/api/admin/deploy-keys', { name: odd }],
      ['/api/users', { name: 'a\ud83d', role: 'user' }],
    ] as const)
      expect(await hub.api('POST', route, body)).toMatchObject({ status: 400 })
    await hub.close()

    const caller = fixedCaller('key:odd', odd, 'user', [])
    const old = await startHub(
      {},
      {},
      { hub: { databaseUrl: postgres.url, tokens: [...tokens, { value: 'odd-token-0123456789', caller }] } },
    )
    await fetch(`${old.url}/api/servers/none/restart`, {
      method: 'POST',
      headers: { authorization: 'Bearer odd-token-0123456789' },
    })
    await until(
      () => get<AuditPage>(old, '/api/audit'),
      ({ items }) => items.some(({ actor }) => actor === 'key:odd'),
    )
    expect((await fetch(`${old.url}/health/ready`)).status).toBe(200)
    expect(await get<AuditVerification>(old, '/api/audit/verify')).toMatchObject({ ok: true })
    await old.close()
  })
})
