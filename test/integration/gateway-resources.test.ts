import type { ServerResponse } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fixtureServer, startHub, type TestHub } from '../fixtures/hub.ts'
import { answerBasics, openStream, sendEvent, sendJson, startScripted } from '../fixtures/scripted-server.ts'
import { LegacyWire, ModernWire, textOf, waitFor, type Answer, type Listening } from '../fixtures/wire.ts'

let hub: TestHub
beforeAll(async () => {
  // Both list note://first, note://second and upper://{word}.
  const servers = { one: fixtureServer('echo.ts'), two: fixtureServer('modern-echo.ts') }
  hub = await startHub(servers)
  await Promise.all(Object.keys(servers).map((name) => hub.until(name, 'running')))
})
afterAll(() => hub.close())

interface Peer {
  request: (method: string, params?: Record<string, unknown>) => Promise<Answer>
}
const clients: Record<string, (path: string) => Promise<Peer>> = {
  legacy: (path) => LegacyWire.open(hub.url + path, { headers: hub.headers }),
  modern: (path) => Promise.resolve(new ModernWire(hub.url + path, { headers: hub.headers })),
}

describe.each(Object.entries(clients))('a resource that two servers offer, for a %s client', (_era, open) => {
  it('is listed for each, and read from the one that it is listed for', async () => {
    const client = await open('/mcp')
    const uris = ((await client.request('resources/list')).result?.['resources'] as { uri: string }[]).map(
      ({ uri }) => uri,
    )
    expect(uris).toEqual(['note://first', 'note://second', 'note://first#server=two', 'note://second#server=two'])
    const text = `of two, ${Math.random()}`
    const args = { uri: 'note://first', text }
    await client.request('tools/call', { name: 'two__write', arguments: args })
    const read = async (uri: string): Promise<unknown> =>
      ((await client.request('resources/read', { uri })).result?.['contents'] as unknown[])[0]
    expect(await read('note://first')).toMatchObject({ uri: 'note://first', text: 'The first note' })
    expect(await read('note://first#server=two')).toMatchObject({ uri: 'note://first#server=two', text })
    const own = await open('/mcp/two')
    expect((await own.request('resources/read', { uri: 'note://first' })).result?.['contents']).toMatchObject([
      { uri: 'note://first', text },
    ])
  })

  it('and its template and completion likewise', async () => {
    const client = await open('/mcp')
    const { result } = await client.request('resources/templates/list')
    expect((result?.['resourceTemplates'] as { uriTemplate: string }[]).map(({ uriTemplate }) => uriTemplate)).toEqual([
      'upper://{word}',
      'upper://{word}#server=two',
    ])
    const read = await client.request('resources/read', { uri: 'upper://hello#server=two' })
    expect(read.result?.['contents']).toMatchObject([{ uri: 'upper://hello#server=two', text: 'HELLO' }])
    for (const uri of ['upper://{word}', 'upper://{word}#server=two', 'note://first#server=two']) {
      const argument = { name: 'tone', value: 'c' }
      const completed = await client.request('completion/complete', { ref: { type: 'ref/resource', uri }, argument })
      expect(completed.result?.['completion']).toMatchObject({ values: ['cool', 'curt'] })
    }
  })

  it('and one that nobody lists is found with the mark, or refused with how to', async () => {
    const client = await open('/mcp')
    const refused = await client.request('resources/read', { uri: 'else://where' })
    expect(refused.error?.message).toContain('#server=<prefix>')
    // It got to the server, which knows no such resource.
    expect(textOf(await client.request('resources/read', { uri: 'else://where#server=two' }))).toContain('not found')
  })
})

/** What a client was told of resources, as the URIs that it was told. */
const updates = ({ messages }: Listening): unknown[] =>
  messages.flatMap(({ method, params }) => (method === 'notifications/resources/updated' ? [params?.['uri']] : []))

/** Subscribes, and hears. */
const subscribers: Record<string, (path: string, uris: string[], capabilities?: object) => Promise<Listening & Peer>> =
  {
    legacy: async (path, uris, capabilities = {}) => {
      const client = await LegacyWire.open(hub.url + path, { headers: hub.headers, capabilities: { ...capabilities } })
      const listening = await client.listen()
      for (const uri of uris) expect(await client.request('resources/subscribe', { uri })).toMatchObject({ result: {} })
      return { ...listening, request: client.request.bind(client) }
    },
    modern: async (path, uris, capabilities = {}) => {
      const client = new ModernWire(hub.url + path, { headers: hub.headers, capabilities: { ...capabilities } })
      const listening = await client.listen({ resourceSubscriptions: uris })
      expect(listening.messages[0]?.params?.['notifications']).toEqual({ resourceSubscriptions: uris })
      return { ...listening, request: client.request.bind(client) }
    },
  }

describe.each(Object.entries(subscribers))('a subscription to a resource, of a %s client', (_era, subscribe) => {
  const write = (client: Peer, name: string, uri: string): Promise<unknown> =>
    client.request('tools/call', { name, arguments: { uri, text: 'new' } })

  it('hears of its own server’s resource under the URI that it named, and nobody else does', async () => {
    const asked = await subscribe('/mcp', ['note://first#server=two', 'note://second'])
    const other = await subscribe('/mcp', ['note://first'])
    await write(asked, 'two__write', 'note://second')
    await write(asked, 'two__write', 'note://first')
    await write(asked, 'one__write', 'note://second')
    await waitFor(() => updates(asked).length === 2)
    await write(asked, 'one__write', 'note://first')
    await waitFor(() => updates(other).length > 0)
    expect(updates(asked).toSorted()).toEqual(['note://first#server=two', 'note://second'])
    expect(updates(other)).toEqual(['note://first'])
    for (const { close } of [asked, other]) close()
  })

  it('is made on the connection that serves the client', async () => {
    const asked = await subscribe('/mcp/one', ['note://first'], { elicitation: {} })
    const other = await subscribe('/mcp/one', ['note://first', 'note://second'])
    const pid = async (client: Peer): Promise<string> => textOf(await client.request('tools/call', { name: 'pid' }))
    expect(await pid(asked)).not.toBe(await pid(other))
    await write(asked, 'write', 'note://first')
    await waitFor(() => updates(asked).length === 1)
    await write(other, 'write', 'note://second')
    await waitFor(() => updates(other).length === 1)
    expect(updates(other)).toEqual(['note://second'])
    for (const { close } of [asked, other]) close()
  })

  it.each(['one', 'two'])(
    'outlives a restart of the server (%s), and is told what may have been missed',
    async (name) => {
      const asked = await subscribe(`/mcp/${name}`, ['note://first'])
      process.kill((await hub.until(name, 'running')).pid ?? 0, 'SIGKILL')
      await waitFor(() => updates(asked).length === 1, 10_000)
      await write(asked, 'write', 'note://first')
      await waitFor(() => updates(asked).length === 2)
      asked.close()
    },
  )
})

describe('a server is asked', () => {
  /** A server that refuses one URI, and tells of a resource below another. */
  async function scripted(era: 'legacy' | 'modern', uris: string[]) {
    const asked: unknown[] = []
    const streams: ServerResponse[] = []
    const server = await startScripted((request) => {
      const capabilities = { resources: { subscribe: true } }
      if (answerBasics(request, { era, tools: [], capabilities })) return
      const { response, message } = request
      const respond = (result: object): void => sendJson(response, { jsonrpc: '2.0', id: message?.id, result })
      if (message === null || message.method === 'subscriptions/listen') {
        openStream(response)
        streams.push(response)
        if (message === null) return
        asked.push(...(message.params?.['notifications'] as { resourceSubscriptions: unknown[] }).resourceSubscriptions)
        const params = { notifications: message.params?.['notifications'] }
        sendEvent(response, { jsonrpc: '2.0', method: 'notifications/subscriptions/acknowledged', params })
      } else if (message.method === 'resources/list') respond({ resources: uris.map((uri) => ({ uri, name: uri })) })
      else if (message.method === 'resources/templates/list') respond({ resourceTemplates: [] })
      else if (message.method === 'resources/subscribe' && message.params?.['uri'] === 'file:///refused')
        sendJson(response, { jsonrpc: '2.0', id: message.id, error: { code: -32002, message: 'not that one' } })
      else {
        asked.push(message.params?.['uri'])
        respond({})
      }
    })
    const tell = (uri: string): void => {
      for (const stream of streams)
        sendEvent(stream, { jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri } })
    }
    return { server, asked, tell }
  }

  it('for its own resources only, and what it refuses is refused', async () => {
    const left = await scripted('legacy', ['file:///left', 'file:///refused'])
    const right = await scripted('modern', ['file:///right'])
    for (const [name, { server }] of Object.entries({ left, right })) {
      await hub.api('POST', '/api/servers', { name, config: { type: 'http', url: server.url } })
      await hub.until(name, 'running')
    }
    const client = await LegacyWire.open(`${hub.url}/mcp`, { headers: hub.headers })
    const listening = await client.listen()
    const subscribe = (uri: string): Promise<Answer> => client.request('resources/subscribe', { uri })
    expect(await subscribe('file:///right')).toMatchObject({ result: {} })
    expect(await subscribe('file:///left')).toMatchObject({ result: {} })
    expect((await subscribe('file:///refused')).error).toMatchObject({ message: 'not that one' })
    expect((await subscribe('file:///nowhere')).error).toMatchObject({ code: -32602 })
    expect([left.asked, right.asked]).toEqual([['file:///left'], ['file:///right']])
    // What lies below it belongs to it; a name that only begins like it does not.
    for (const { tell } of [left, right]) for (const uri of ['file:///right/below', 'file:///rightly']) tell(uri)
    await waitFor(() => updates(listening).length > 0)
    left.tell('file:///left')
    await waitFor(() => updates(listening).length > 1)
    expect(updates(listening)).toEqual(['file:///right/below', 'file:///left'])
    listening.close()
    await client.close()
    for (const [name, { server }] of Object.entries({ left, right })) {
      await hub.api('DELETE', `/api/servers/${name}`)
      await server.close()
    }
  })
})

it('a server that never answers to a subscription delays neither the acknowledgement nor what others tell', async () => {
  const silent = await startScripted((asked) => {
    if (answerBasics(asked, { era: 'legacy', tools: [], capabilities: { resources: { subscribe: true } } })) return
    const { response, message } = asked
    if (message === null) response.writeHead(405).end()
    else if (message.method === 'resources/list')
      sendJson(response, { jsonrpc: '2.0', id: message.id, result: { resources: [{ uri: 'r://1', name: '1' }] } })
    else if (message.method !== 'resources/subscribe')
      sendJson(response, { jsonrpc: '2.0', id: message.id, error: { code: -32601, message: 'no' } })
  })
  await hub.api('POST', '/api/servers', { name: 'silent', config: { type: 'http', url: silent.url } })
  await hub.until('silent', 'running')
  const client = new ModernWire(`${hub.url}/mcp`, { headers: hub.headers })
  const uris = ['note://first', 'r://1']
  const listening = await client.listen({ resourceSubscriptions: uris })
  await client.request('tools/call', { name: 'one__write', arguments: { uri: 'note://first', text: 'new' } })
  await waitFor(() => updates(listening).length > 0)
  expect(listening.messages.map(({ params }) => params?.['notifications'] ?? params?.['uri'])).toEqual([
    { resourceSubscriptions: uris },
    'note://first',
  ])
  listening.close()
  await hub.api('DELETE', '/api/servers/silent')
  await silent.close()
})
