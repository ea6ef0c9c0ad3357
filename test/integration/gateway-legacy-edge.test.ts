import { request as httpRequest, type IncomingMessage } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TOKEN, fixtureServer, startHub, type TestHub } from '../fixtures/hub.ts'
import { LegacyWire, ModernWire, textOf, waitFor, type Answers, type Message } from '../fixtures/wire.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await startHub({
    echo: fixtureServer('echo.ts'),
    interactive: fixtureServer('interactive.ts', '--era', 'legacy'),
    crash: fixtureServer('crash.ts'),
  })
  await Promise.all(['echo', 'interactive', 'crash'].map((name) => hub.until(name, 'running')))
})
afterAll(() => hub.close())

const open = (
  path: string,
  options: { version?: string; capabilities?: Record<string, unknown>; answers?: Answers; token?: string } = {},
): Promise<LegacyWire> =>
  LegacyWire.open(hub.url + path, { headers: { authorization: `Bearer ${options.token ?? TOKEN}` }, ...options })

/** Cancels a request, as often as it takes for it to have arrived before its cancellation. */
async function cancel(client: LegacyWire, id: number, pending: Promise<unknown>): Promise<void> {
  const done = pending.then(
    () => true,
    () => true,
  )
  const again = (): Promise<false> =>
    client.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id } }).then(() => false)
  while (!(await Promise.race([done, again()])));
}

/** How many sessions the hub has. */
async function sessions(): Promise<number> {
  const text = await (await fetch(`${hub.url}/api/metrics`, { headers: hub.headers })).text()
  return Number(/^mcp_hub_sessions(?:\{[^}]*\})? (\d+)$/m.exec(text)?.[1])
}

const call = (id: number, name: string, args: object): object => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name, arguments: args },
})

describe('a batch', () => {
  it('is answered message by message in 2025-03-26', async () => {
    const client = await open('/mcp/echo', { version: '2025-03-26' })
    const { status, messages } = await client.batch([
      call(1, 'echo', { text: 'one' }),
      { jsonrpc: '2.0', method: 'notifications/initialized' },
      { jsonrpc: '2.0', id: 2, method: 'ping' },
      { jsonrpc: '2.0', id: 3, method: 'initialize', params: { protocolVersion: '2025-03-26' } },
    ])
    expect(status).toBe(200)
    const byId = new Map(messages.map((message) => [message.id, message]))
    expect(textOf(byId.get(1) as Message)).toBe('one')
    expect(byId.get(2)).toMatchObject({ result: {} })
    expect(byId.get(3)).toMatchObject({ error: { code: -32601 } })
  })

  it.each(['2024-11-05', '2025-06-18', '2025-11-25'])('is refused in %s', async (version) => {
    const client = await open('/mcp/echo', { version })
    const response = await client.post([call(1, 'echo', { text: 'one' })])
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ error: { code: -32600 } })
  })

  it('goes on when one of its requests is cancelled', async () => {
    const client = await open('/mcp/echo', { version: '2025-03-26' })
    const answers = client.batch([call(1, 'slow', { ms: 60_000 }), call(2, 'slow', { ms: 300, steps: 1 })])
    await cancel(client, 1, answers)
    const { messages } = await answers
    expect(messages.map(({ id }) => id)).toEqual([2])
  })
})

describe('a cancelled request', () => {
  it('ends its response without an answer', async () => {
    const client = await open('/mcp/echo')
    const response = client.post(call(7, 'slow', { ms: 60_000, steps: 1 }))
    await cancel(client, 7, response)
    expect((await response).status).toBe(202)
    expect(textOf(await client.request('tools/call', { name: 'echo', arguments: { text: 'next' } }))).toBe('next')
  })

  it('is not sent to a server that is still starting', async () => {
    const client = await open('/mcp')
    const config = fixtureServer('slow-start.ts', '--delay', '1500')
    await hub.api('POST', '/api/servers', { name: 'slow', config })
    const args = { uri: 'note://first', text: 'must not be written' }
    // In the modern era who closes the response cancels; a client that goes before it is greeted leaves no session behind.
    const before = await sessions()
    const away = new AbortController()
    const write = { name: 'slow__write', arguments: args }
    const left = [
      new ModernWire(`${hub.url}/mcp`, { headers: hub.headers }).request('tools/call', write, { signal: away.signal }),
      LegacyWire.open(`${hub.url}/mcp/slow`, { headers: hub.headers, signal: away.signal }),
    ]
    const response = client.post(call(8, 'slow__write', args))
    await cancel(client, 8, response)
    expect((await response).status).toBe(202)
    away.abort()
    await Promise.allSettled(left)
    expect((await hub.until('slow', 'starting')).state).toBe('starting')
    await hub.until('slow', 'running')
    const note = await (await open('/mcp/slow')).request('resources/read', { uri: 'note://first' })
    expect(note.result?.['contents']).toMatchObject([{ text: 'The first note' }])
    // The one that has just read.
    expect(await sessions()).toBe(before + 1)
  })

  it('leaves the stream of an HTTP+SSE session open', async () => {
    const stream = await openSse('/sse/echo')
    await stream.post({ jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: '2024-11-05' } })
    await waitFor(() => stream.messages.find(({ id }) => id === 1))
    await stream.post(call(2, 'slow', { ms: 60_000 }))
    await stream.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 2 } })
    await stream.post(call(3, 'echo', { text: 'still open' }))
    expect(textOf(await waitFor(() => stream.messages.find(({ id }) => id === 3)))).toBe('still open')
    expect((await stream.post([call(4, 'echo', { text: 'a batch' })])).status).toBe(400)
    stream.close()
  })
})

it('a client of HTTP+SSE that says too much of itself is told so, and can say less', async () => {
  const stream = await openSse('/sse/echo')
  const initialize = (id: number, text: string): Promise<unknown> => {
    const params = { protocolVersion: '2024-11-05', capabilities: { experimental: { much: { text } } } }
    return stream.post({ jsonrpc: '2.0', id, method: 'initialize', params })
  }
  await initialize(1, 'x'.repeat(70_000))
  await initialize(2, 'x')
  const answer = await waitFor(() => stream.messages.find(({ id }) => id === 2))
  expect(answer.result).toBeDefined()
  expect(stream.messages.find(({ id }) => id === 1)?.error?.message).toContain('limits.maxClientBytes')
  stream.close()
})

/** The stream of an HTTP+SSE client and the address that it posts to. */
async function openSse(path: string): Promise<{
  messages: Message[]
  post: (body: unknown) => Promise<{ status: number }>
  close: () => void
}> {
  const messages: Message[] = []
  let address = ''
  const response = await new Promise<IncomingMessage>((resolve) =>
    httpRequest(hub.url + path, { headers: hub.headers }, resolve).end(),
  )
  let text = ''
  response.on('data', (chunk: Buffer) => {
    text += chunk.toString()
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const event = text.slice(0, end)
      text = text.slice(end + 2)
      const data = /^data: (.*)$/m.exec(event)?.[1] ?? ''
      if (event.startsWith('event: endpoint')) address = data
      else if (data !== '') messages.push(JSON.parse(data) as Message)
    }
  })
  await waitFor(() => address !== '')
  return {
    messages,
    post: (body) =>
      fetch(hub.url + address, {
        method: 'POST',
        headers: { ...hub.headers, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    close: () => response.destroy(),
  }
}

describe('a session', () => {
  it('belongs to its key and its endpoint, and ends with DELETE', async () => {
    const mine = await open('/mcp/echo')
    for (const [path, token] of [
      ['/mcp/echo', `${TOKEN}-other`],
      ['/mcp', TOKEN],
    ] as const) {
      const response = await fetch(hub.url + path, {
        method: 'POST',
        headers: { ...mine.headers, authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' }),
      })
      expect(response.status).toBe(404)
    }
    expect(await mine.close()).toBe(204)
    expect((await mine.request('ping')).status).toBe(404)
  })

  it.each(['POST', 'GET', 'DELETE'])('refuses a %s with a version that does not exist', async (method) => {
    const client = await open('/mcp/echo')
    const response = await fetch(client.url, {
      method,
      headers: {
        ...client.headers,
        'mcp-protocol-version': '2020-01-01',
        accept: 'text/event-stream',
        'content-type': 'application/json',
      },
      ...(method === 'POST' ? { body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' }) } : {}),
    })
    expect(response.status).toBe(400)
  })

  it.each(['server/discover', 'subscriptions/listen', 'tasks/update'])('knows no %s', async (method) => {
    expect(await (await open('/mcp/echo')).request(method, { notifications: {} })).toMatchObject({
      error: { code: -32601 },
    })
  })
})

it('a batch with a version header of the modern era is refused', async () => {
  const response = await fetch(`${hub.url}/mcp/echo`, {
    method: 'POST',
    headers: { ...hub.headers, 'content-type': 'application/json', 'mcp-protocol-version': '2026-07-28' },
    body: JSON.stringify([{ jsonrpc: '2.0', id: 1, method: 'tools/list' }]),
  })
  expect(response.status).toBe(400)
  expect(await response.json()).toMatchObject({ error: { code: -32600 } })
})

it('a number that JavaScript cannot hold is refused as an id, not answered under another one', async () => {
  const client = await open('/mcp/echo')
  const response = await fetch(client.url, {
    method: 'POST',
    headers: { ...client.headers, 'content-type': 'application/json' },
    body: '{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}',
  })
  expect(response.status).toBe(400)
  expect(await response.text()).toContain('id must be')
})

it.each([
  [{ 'content-encoding': 'gzip' }, 415, 'Content-Encoding gzip'],
  [{ 'content-type': 'application/json-patch' }, 415, 'Content-Type'],
  [{}, 400, 'not UTF-8'],
])('a body that is something else than JSON in UTF-8 is refused as such (%j)', async (headers, status, why) => {
  const client = await open('/mcp/echo')
  const bytes = Buffer.from('{"jsonrpc":"2.0","id":1,"method":"x\\ufffd\xff"}', 'latin1')
  const response = await fetch(client.url, {
    method: 'POST',
    headers: { ...client.headers, 'content-type': 'application/json', ...headers },
    body: bytes,
  })
  expect(response.status).toBe(status)
  expect(await response.text()).toContain(why)
})

it.each([
  ['/mcp', {}, 'GET, POST, DELETE'],
  ['/mcp', { 'mcp-protocol-version': '2026-07-28' }, 'POST'],
  ['/sse', {}, 'GET'],
])('what %s does not take is refused with what it does (%j)', async (path, headers, allowed) => {
  const response = await fetch(hub.url + path, { method: 'PUT', headers: { ...hub.headers, ...headers } })
  expect([response.status, response.headers.get('allow')]).toEqual([405, allowed])
})

describe('the stream of a session', () => {
  it('brings after a reconnect what was sent in between, once, and then what is new', async () => {
    const client = await open('/mcp/echo')
    const first = await client.listen()
    const toggle = (): Promise<unknown> => client.request('tools/call', { name: 'toggle' })
    await toggle()
    await waitFor(() => first.messages.length === 1)
    const seen = first.lastEventId() ?? ''
    first.close()
    await first.ended
    await toggle()
    // The hub reads the list anew before it tells of it.
    const names = async (): Promise<string> => JSON.stringify((await client.request('tools/list')).result)
    await expect.poll(names).not.toContain('"extra"')

    const second = await client.listen({ 'last-event-id': seen })
    await waitFor(() => second.messages.length === 1)
    await toggle()
    await waitFor(() => second.messages.length === 2)
    const third = await client.listen({ 'last-event-id': second.lastEventId() ?? '' })
    await second.ended
    await toggle()
    await waitFor(() => third.messages.length === 1)
    expect([...second.messages, ...third.messages].map(({ method }) => method)).toEqual(
      Array(3).fill('notifications/tools/list_changed'),
    )
    third.close()
  })

  it('of a call can be resumed, and brings the rest of the call', async () => {
    const client = await open('/mcp/echo')
    const abort = new AbortController()
    const seen: Message[] = []
    const params = { name: 'slow', arguments: { ms: 600, steps: 3 }, _meta: { progressToken: 'p' } }
    await client
      .request('tools/call', params, {
        id: 41,
        signal: abort.signal,
        onMessage: (message) => {
          seen.push(message)
          abort.abort()
        },
      })
      .catch(() => undefined)
    expect(seen).toHaveLength(1)
    const rest = await client.listen({ 'last-event-id': '1-1' })
    await rest.ended
    expect(rest.messages.map(({ params, id }) => id ?? params?.['progress'])).toEqual([2, 3, 41])
  })

  it('brings an answer of several megabytes to a client that was away when it came', async () => {
    const client = await open('/mcp/echo')
    const big = { name: 'big', arguments: { bytes: 3_000_000 } }
    const streams = { accept: 'text/event-stream, application/json' }
    await client.request('tools/call', big, { ...streams, id: 51 })
    const rest = await client.listen({ 'last-event-id': '1-0' })
    await rest.ended
    expect(rest.messages.map(({ id }) => id)).toEqual([51])
    expect(textOf(rest.messages[0] as Message)).toHaveLength(3_000_000)
  })
})

describe('a question of a server', () => {
  const elicitation = { elicitation: { form: {} } }

  it('is withdrawn when its call is cancelled', async () => {
    const client = await open('/mcp/interactive', { capabilities: elicitation })
    const seen: Message[] = []
    const response = expect(
      client.request(
        'tools/call',
        { name: 'ask_user', arguments: { message: 'Still there?' } },
        { id: 51, onMessage: (message) => seen.push(message) },
      ),
    ).rejects.toThrow('No answer')
    const question = await waitFor(() => seen.find(({ method }) => method === 'elicitation/create'))
    await client.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 51 } })
    await response
    expect(seen.at(-1)).toMatchObject({ method: 'notifications/cancelled', params: { requestId: question.id } })
  })

  it.each([{ error: 'no' }, { error: {} }, { error: null }])(
    'that is answered with %j fails at the server, which need not wait',
    async (body) => {
      const client = await open('/mcp/interactive', { capabilities: elicitation })
      const answer = await client.request(
        'tools/call',
        { name: 'ask_user', arguments: { message: '?' } },
        { onMessage: ({ method, id }) => void (method !== undefined && client.send({ jsonrpc: '2.0', id, ...body })) },
      )
      expect(textOf(answer)).toMatch(/none of JSON-RPC|no result/)
    },
  )

  it('never goes to a client that cannot answer its kind', async () => {
    const client = await open('/mcp/interactive', {
      capabilities: elicitation,
      answers: { 'elicitation/create': () => ({ action: 'accept', content: { answer: 'x' } }) },
    })
    const answer = await client.request('tools/call', { name: 'ask_link', arguments: { message: 'Open?' } })
    expect(answer.before).toEqual([])
    expect(textOf(answer)).toContain('does not support')
  })

  it('is told to a modern client of forms only as one that it does not support', async () => {
    const client = new ModernWire(`${hub.url}/mcp/interactive`, { headers: hub.headers, capabilities: elicitation })
    const answer = await client.request('tools/call', { name: 'ask_link', arguments: { message: 'Open?' } })
    expect(textOf(answer)).toContain('does not support')
  })
})
