import type { ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { limitsSchema, type Limits } from '../../hub/contract/index.ts'
import { TOKEN, fixtureServer, startHub, type TestHub } from '../fixtures/hub.ts'
import { startHttpFixture } from '../fixtures/mcp-servers/fixtures.ts'
import { answerBasics, openStream, sendEvent, sendJson, startScripted } from '../fixtures/scripted-server.ts'
import { LegacyWire, ModernWire, textOf, waitFor, type Message } from '../fixtures/wire.ts'

const opened: (() => Promise<unknown>)[] = []
let logged: string[] = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

async function hubWith(limits: Partial<Limits>, servers: Record<string, unknown> = {}): Promise<TestHub> {
  logged = []
  const log = (_level: string, message: string): void => void logged.push(message)
  const hub = await startHub({ echo: fixtureServer('echo.ts'), ...servers }, { limits }, { hub: { log } })
  opened.push(hub.close)
  await Promise.all(['echo', ...Object.keys(servers)].map((name) => hub.until(name, 'running')))
  return hub
}

const modern = (hub: TestHub, path = '/mcp/echo', capabilities = {}): ModernWire =>
  new ModernWire(hub.url + path, { headers: hub.headers, capabilities })
const legacy = (hub: TestHub, token = TOKEN): Promise<LegacyWire> =>
  LegacyWire.open(`${hub.url}/mcp/echo`, { headers: { authorization: `Bearer ${token}` } })
const echo = (text: string): Record<string, unknown> => ({ name: 'echo', arguments: { text } })
const slow = { name: 'slow', arguments: { ms: 60_000, steps: 1 } }

/** Starts calls that stay open, until the next one is refused; the refusal. */
async function refusalAfter(client: ModernWire, open: number, params: Record<string, unknown>): Promise<string> {
  const abort = new AbortController()
  opened.push(() => {
    abort.abort()
    return Promise.resolve()
  })
  for (let n = 0; n < open; n++) client.request('tools/call', params, { signal: abort.signal }).catch(() => undefined)
  let refusal = ''
  await expect
    .poll(async () => {
      const one = AbortSignal.timeout(200)
      const answer = await client.request('tools/call', params, { signal: one }).catch(() => null)
      return (refusal = answer?.error?.message ?? '')
    })
    .not.toBe('')
  return refusal
}

it('the defaults are those that the documentation names', () => {
  expect(limitsSchema.parse({})).toMatchObject({ maxRequestBytes: 4 * 1_048_576, maxResponseBytes: 16 * 1_048_576 })
})

describe('a limit of system.json holds and its error names it:', () => {
  it('maxRequestBytes, with and without Content-Length', async () => {
    const hub = await hubWith({ maxRequestBytes: 5_000 })
    expect(textOf(await modern(hub).request('tools/call', echo('x'.repeat(3_000))))).toHaveLength(3_000)
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping', params: { text: 'x'.repeat(6_000) } })
    for (const sent of [body, new Blob([body]).stream()]) {
      const response = await fetch(`${hub.url}/mcp/echo`, {
        method: 'POST',
        headers: { ...hub.headers, 'content-type': 'application/json' },
        body: sent,
        ...(typeof sent === 'string' ? {} : { duplex: 'half' }),
      })
      expect(response.status).toBe(413)
      expect(await response.text()).toContain('larger than 5000 bytes (limits.maxRequestBytes)')
    }
  })

  it('maxHeaderBytes', async () => {
    const hub = await hubWith({ maxHeaderBytes: 4_096 })
    const response = await fetch(`${hub.url}/mcp/echo`, { headers: { ...hub.headers, 'x-large': 'x'.repeat(5_000) } })
    expect(response.status).toBe(431)
    expect(await response.text()).toContain('larger than 4096 bytes (limits.maxHeaderBytes)')
  })

  it('maxNestingDepth', async () => {
    const hub = await hubWith({ maxNestingDepth: 20 })
    const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)])
    expect((await modern(hub).request('tools/call', { ...echo('a'), deep: nested(10) })).error).toBeUndefined()
    const refused = await modern(hub).request('tools/call', { ...echo('a'), deep: nested(30) })
    expect(refused).toMatchObject({ status: 400, error: { code: -32600 } })
    expect(refused.error?.message).toContain('limits.maxNestingDepth')
  })

  it('maxCallsPerClient, of which a call that is nested too deep to be passed on takes no place', async () => {
    const hub = await hubWith({ maxNestingDepth: 20_000, maxCallsPerClient: 1 })
    const wire = modern(hub)
    const deep = '['.repeat(10_000) + ']'.repeat(10_000)
    const message = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { ...echo('a'), _meta: wire.envelope() } }
    const body = JSON.stringify(message).replace('"name"', `"deep":${deep},"name"`)
    const sent = await fetch(wire.url, { method: 'POST', headers: wire.headersFor('tools/call', echo('a')), body })
    expect(await sent.json()).toMatchObject({ id: 1, error: { code: -32603 } })
    expect(textOf(await wire.request('tools/call', echo('b')))).toBe('b')
  })

  it('maxSessions and maxSessionsPerPrincipal', async () => {
    const hub = await hubWith({ maxSessions: 3, maxSessionsPerPrincipal: 2 })
    const first = await legacy(hub)
    await legacy(hub)
    await expect(legacy(hub)).rejects.toThrow('limits.maxSessionsPerPrincipal')
    await legacy(hub, `${TOKEN}-other`)
    await expect(legacy(hub, `${TOKEN}-other`)).rejects.toThrow('limits.maxSessions)')
    const sse = await fetch(`${hub.url}/sse/echo`, { headers: { ...hub.headers, accept: 'text/event-stream' } })
    expect([sse.status, Number(sse.headers.get('retry-after'))]).toEqual([429, 5])
    expect(await sse.text()).toContain('limits.maxSessions)')
    await first.close()
    await legacy(hub)
  })

  it('maxClientBytes: of what a client says of itself, in both eras', async () => {
    const hub = await hubWith({ maxClientBytes: 1_000 })
    const capabilities = { experimental: { much: { text: 'x'.repeat(1_000) } } }
    const refusal = { code: -31003, message: expect.stringContaining('limits.maxClientBytes') as string }
    const talkative = modern(hub, '/mcp/echo', capabilities)
    expect((await talkative.request('tools/call', echo('a'))).error).toMatchObject(refusal)
    const named = (declared: object): ModernWire =>
      new ModernWire(`${hub.url}/mcp/echo`, {
        headers: hub.headers,
        capabilities: { ...declared },
        name: 'x'.repeat(1_000),
      })
    const logged = { ...echo('a'), _meta: { 'io.modelcontextprotocol/logLevel': 'info' } }
    expect((await named({ elicitation: {} }).request('tools/call', echo('a'))).error).toMatchObject(refusal)
    expect((await named({}).request('tools/call', logged)).error).toMatchObject(refusal)
    expect(textOf(await named({}).request('tools/call', echo('a')))).toBe('a')
    expect(
      textOf(await modern(hub, '/mcp/echo', { elicitation: {} }).request('tools/call', echo('x'.repeat(2_000)))),
    ).toHaveLength(2_000)
    const options = { headers: hub.headers, capabilities }
    await expect(LegacyWire.open(`${hub.url}/mcp/echo`, options)).rejects.toThrow('limits.maxClientBytes')
  })

  it('maxListens', async () => {
    const hub = await hubWith({ maxListens: 1 })
    const listening = await modern(hub).listen({ toolsListChanged: true })
    const refused = await modern(hub).request('subscriptions/listen', { notifications: {} })
    expect(refused.error?.message).toContain('limits.maxListens')
    listening.close()
    await expect
      .poll(() =>
        modern(hub)
          .listen({})
          .then(({ close }) => close(), String),
      )
      .toBeUndefined()
  })

  it('maxListensPerPrincipal: one key does not use up what there is for all', async () => {
    const hub = await hubWith({ maxListens: 2, maxListensPerPrincipal: 1 })
    const other = new ModernWire(`${hub.url}/mcp/echo`, { headers: { authorization: `Bearer ${TOKEN}-other` } })
    const listening = await modern(hub).listen({ toolsListChanged: true })
    const refused = await modern(hub).request('subscriptions/listen', { notifications: {} })
    expect(refused.error).toMatchObject({ code: -31003 })
    expect(refused.error?.message).toContain('1 subscriptions open (limits.maxListensPerPrincipal)')
    const another = await other.listen({})
    another.close()
    listening.close()
    await expect
      .poll(() =>
        modern(hub)
          .listen({})
          .then(({ close }) => close(), String),
      )
      .toBeUndefined()
  })

  it('maxSubscriptionsPerPrincipal: sessions and listens of one key together, and nobody else’s', async () => {
    const hub = await hubWith({ maxSubscriptionsPerPrincipal: 2 })
    const [one, two, other] = await Promise.all([legacy(hub), legacy(hub), legacy(hub, `${TOKEN}-other`)])
    const subscribe = (client: LegacyWire, uri: string): Promise<string | undefined> =>
      client.request('resources/subscribe', { uri }).then(({ error }) => error && `${error.code} ${error.message}`)
    for (const client of [one, one, two]) expect(await subscribe(client, 'note://first')).toBeUndefined()
    expect(await subscribe(one, 'note://second')).toMatch(/^-31003 .*2 .*limits\.maxSubscriptionsPerPrincipal/)
    const wanted = { resourceSubscriptions: ['note://first'] }
    const refused = await modern(hub).request('subscriptions/listen', { notifications: wanted })
    expect(refused.error?.message).toContain('limits.maxSubscriptionsPerPrincipal')
    expect(await subscribe(other, 'note://first')).toBeUndefined()
    // Each way in which one ends makes room.
    await one.request('resources/unsubscribe', { uri: 'note://first' })
    const listening = await modern(hub).listen(wanted)
    expect(listening.messages[0]?.params?.['notifications']).toEqual(wanted)
    expect(await subscribe(one, 'note://second')).toContain('-31003')
    listening.close()
    await expect.poll(() => subscribe(one, 'note://second')).toBeUndefined()
    await two.close()
    expect(await subscribe(one, 'note://first')).toBeUndefined()
  })

  it('maxSubscriptionUriBytes: in both eras, by bytes and not by characters', async () => {
    const hub = await hubWith({ maxSubscriptionUriBytes: 20 })
    const session = await legacy(hub)
    const long = `note://${'ä'.repeat(7)}`
    const refused = [
      await session.request('resources/subscribe', { uri: long }),
      await modern(hub).request('subscriptions/listen', { notifications: { resourceSubscriptions: [long] } }),
    ]
    for (const { error } of refused)
      expect(error).toMatchObject({
        code: -31003,
        message: expect.stringContaining('limits.maxSubscriptionUriBytes') as string,
      })
    expect((await session.request('resources/subscribe', { uri: 'note://first' })).error).toBeUndefined()
    await session.close()
  })

  it('maxReplayBytesPerSession: a client that reconnects gets the answer, or is told that it is gone', async () => {
    const hub = await hubWith({ maxReplayBytesPerSession: 20_000 })
    const session = await legacy(hub)
    const streams = { accept: 'text/event-stream, application/json' }
    const sizes = [30_000, 12_000, 15_000]
    for (const [at, bytes] of sizes.entries())
      await session.request('tools/call', { name: 'big', arguments: { bytes } }, { ...streams, id: `call "${at}"` })
    const answers = await Promise.all(
      sizes.map(async (_, at) => {
        const stream = await session.listen({ 'last-event-id': `${at + 1}-0` })
        await stream.ended
        return stream.messages
      }),
    )
    expect(answers.map((messages) => messages.map(({ id }) => id))).toEqual(sizes.map((_, at) => [`call "${at}"`]))
    for (const [gone] of answers.slice(0, 2))
      expect(gone?.error).toMatchObject({
        code: -31003,
        message: expect.stringContaining('limits.maxReplayBytesPerSession') as string,
      })
    expect(textOf(answers[2]?.[0] as Message)).toHaveLength(15_000)
    await session.close()
  })

  it('maxReplayBytesPerSession: of its own stream a client hears again what it may have missed', async () => {
    const hub = await hubWith({ maxReplayBytesPerSession: 1 })
    const session = await legacy(hub)
    const toggle = (): Promise<unknown> => session.request('tools/call', { name: 'toggle' })
    const names = async (): Promise<string> => JSON.stringify((await session.request('tools/list')).result)
    const first = await session.listen()
    await toggle()
    await waitFor(() => first.messages.length === 1)
    const seen = first.lastEventId() ?? ''
    first.close()
    await first.ended
    await toggle()
    await expect.poll(names).not.toContain('"extra"')
    const second = await session.listen({ 'last-event-id': seen })
    await waitFor(() => second.messages.find(({ method }) => method === 'notifications/tools/list_changed'))
    second.close()
    await session.close()
  })

  it('maxReplayBytes: what sessions keep together; the oldest gives up first', async () => {
    const hub = await hubWith({ maxReplayBytes: 20_000 })
    const sessions = [await legacy(hub), await legacy(hub)]
    const streams = { accept: 'text/event-stream, application/json', id: 1 }
    for (const session of sessions)
      await session.request('tools/call', { name: 'big', arguments: { bytes: 15_000 } }, streams)
    const [old, recent] = await Promise.all(
      sessions.map(async (session) => {
        const stream = await session.listen({ 'last-event-id': '1-0' })
        await stream.ended
        return stream.messages[0]
      }),
    )
    expect(old?.error).toMatchObject({
      code: -31003,
      message: expect.stringMatching(/limits\.maxReplayBytes\b/) as string,
    })
    expect(textOf(recent as Message)).toHaveLength(15_000)
  })

  it('maxParkedCalls', async () => {
    const hub = await hubWith(
      { maxParkedCalls: 1 },
      { interactive: fixtureServer('interactive.ts', '--era', 'legacy') },
    )
    const client = modern(hub, '/mcp/interactive', { elicitation: {} })
    const ask = { name: 'ask_user', arguments: { message: '?' } }
    expect(await client.request('tools/call', ask)).toMatchObject({ result: { resultType: 'input_required' } })
    expect(textOf(await client.request('tools/call', ask))).toContain('limits.maxParkedCalls')
  })

  it('maxCallsPerClient, in both eras', async () => {
    const hub = await hubWith({ maxCallsPerClient: 2 })
    expect(await refusalAfter(modern(hub), 2, slow)).toContain('limits.maxCallsPerClient')
    const session = await legacy(hub)
    for (const id of [1, 2]) session.request('tools/call', slow, { id }).catch(() => undefined)
    await expect
      .poll(async () => {
        const answer = await session.request('tools/call', echo('third'))
        return answer.error?.message ?? ''
      })
      .toContain('limits.maxCallsPerClient')
    await session.close()
  })

  it('maxCallsPerServer and maxQueuedCallsPerServer', async () => {
    const hub = await hubWith({ maxCallsPerServer: 2, maxQueuedCallsPerServer: 1 })
    expect(await refusalAfter(modern(hub), 3, slow)).toMatch(
      /limits\.maxCallsPerServer.*limits\.maxQueuedCallsPerServer/,
    )
  })

  it.each(['stdio', 'http'])(
    'maxCallsPerServer counts what a server works on, not what waits for a person (%s)',
    async (form) => {
      const remote = form === 'http' ? await startHttpFixture('canary', '--http', '--era', 'legacy') : null
      if (remote !== null) opened.push(() => remote.stop())
      const entry = remote === null ? fixtureServer('canary.ts', '--era', 'legacy') : { type: 'http', url: remote.url }
      const hub = await hubWith({ maxCallsPerServer: 1 }, { canary: entry })
      const asking = modern(hub, '/mcp/canary', { elicitation: {} })
      const ask = { name: 'ask', arguments: { text: '?' } }
      for (let n = 0; n < 3; n++)
        expect((await asking.request('tools/call', ask)).result).toMatchObject({ resultType: 'input_required' })
      expect(textOf(await modern(hub, '/mcp/canary').request('tools/call', echo('not held up')))).toBe('not held up')
      expect(textOf(await asking.request('tools/call', echo('nor is its own')))).toBe('nor is its own')
    },
  )

  it('maxStdioLineBytes and maxResponseBytes on a pipe: the call concerned fails, the others go on', async () => {
    const hub = await hubWith({ maxStdioLineBytes: 60_000, maxResponseBytes: 30_000 })
    const big = (bytes: number): Record<string, unknown> => ({ name: 'big', arguments: { bytes } })
    const [line, answer, fine] = await Promise.all([
      modern(hub).request('tools/call', big(100_000)),
      modern(hub).request('tools/call', big(40_000)),
      modern(hub).request('tools/call', big(20_000)),
    ])
    expect(line.error?.message).toContain('60000 bytes (limits.maxStdioLineBytes)')
    expect(answer.error?.message).toContain('30000 bytes (limits.maxResponseBytes)')
    expect(textOf(fine)).toHaveLength(20_000)
  })

  it('maxResponseBytes on HTTP+SSE: the call concerned fails at once, the others go on', async () => {
    let stream: ServerResponse | null = null
    const waiting: unknown[] = []
    const tools = ['slow', 'head', 'tail'].map((name) => ({ name, inputSchema: { type: 'object' } }))
    const server = await startScripted((asked) => {
      if (asked.message === null) {
        stream = asked.response
        openStream(stream)
        stream.write('event: endpoint\ndata: /messages\n\n')
        return
      }
      asked.response.writeHead(202).end()
      const { id, method, params } = asked.message
      const result = { content: [{ type: 'text', text: 'x'.repeat(100_000) }] }
      if (id === undefined || stream === null) return
      if (method === 'initialize')
        sendEvent(stream, {
          jsonrpc: '2.0',
          id,
          result: {
            protocolVersion: '2025-11-25',
            capabilities: { tools: {} },
            serverInfo: { name: 's', version: '1' },
          },
        })
      else if (method === 'tools/list') sendEvent(stream, { jsonrpc: '2.0', id, result: { tools } })
      else if (params?.['name'] === 'slow') waiting.push(id)
      else if (params?.['name'] === 'head') sendEvent(stream, { jsonrpc: '2.0', id, result })
      else sendEvent(stream, { result, jsonrpc: '2.0', id })
      if (params?.['name'] === 'tail') sendEvent(stream, { jsonrpc: '2.0', id: waiting[0], result: { content: [] } })
    })
    opened.push(server.close)
    const hub = await hubWith({ maxResponseBytes: 30_000 }, { s: { type: 'sse', url: server.url } })
    const client = modern(hub, '/mcp/s')
    const held = client.request('tools/call', { name: 'slow' })
    await waitFor(() => waiting.length > 0)
    for (const name of ['head', 'tail'])
      expect((await client.request('tools/call', { name })).error?.message).toContain(
        '30000 bytes (limits.maxResponseBytes)',
      )
    expect((await held).result).toMatchObject({ content: [] })
  })

  it('maxBufferedBytesPerReader: a client that does not read is cut off, and the log says so', async () => {
    const piece = 'x'.repeat(100_000)
    const server = await startScripted((asked) => {
      if (answerBasics(asked, { era: 'modern', tools: ['flood'] })) return
      const { response, message } = asked
      if (message?.method !== 'tools/call') {
        sendJson(response, { jsonrpc: '2.0', id: message?.id, error: { code: -32601, message: 'no' } }, 404)
        return
      }
      openStream(response)
      for (let n = 0; n < 300; n++)
        sendEvent(response, { jsonrpc: '2.0', method: 'notifications/custom', params: { n, piece } })
      sendEvent(response, { jsonrpc: '2.0', id: message.id, result: { resultType: 'complete', content: [] } })
      response.end()
    })
    opened.push(server.close)
    const hub = await hubWith({ maxBufferedBytesPerReader: 1_000_000 }, { s: { type: 'http', url: server.url } })
    const client = modern(hub, '/mcp/s')
    const params = { name: 'flood', arguments: {}, _meta: client.envelope() }
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params })
    const headers = Object.entries({ ...client.headersFor('tools/call', params), 'content-length': body.length })
    const { hostname, port } = new URL(hub.url)
    const socket = connect(Number(port), hostname)
    let isClosed = false
    socket.on('close', () => (isClosed = true)).on('error', () => undefined)
    socket.write(
      `POST /mcp/s HTTP/1.1\r\nhost: ${hostname}\r\n${headers.map(([key, value]) => `${key}: ${value}\r\n`).join('')}\r\n${body}`,
    )
    // Its window is full before the flood has passed: nothing here reads.
    await waitFor(() => logged.find((text) => text.includes('limits.maxBufferedBytesPerReader')), 10_000)
    socket.resume()
    await waitFor(() => isClosed)
  })
})
