import { afterEach, describe, expect, it } from 'vitest'
import { fixtureServer, startHub, type TestHub } from '../fixtures/hub.ts'
import { answerBasics, sendJson, startScripted } from '../fixtures/scripted-server.ts'
import { LegacyWire, ModernWire, waitFor, type Answer, type Listening } from '../fixtures/wire.ts'

const opened: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

async function hubWith(servers: Record<string, unknown>, waitFor = Object.keys(servers)): Promise<TestHub> {
  const hub = await startHub(servers)
  opened.push(hub.close)
  await Promise.all(waitFor.map((name) => hub.until(name, 'running')))
  return hub
}
const modern = (hub: TestHub, path: string): ModernWire => new ModernWire(hub.url + path, { headers: hub.headers })
const legacy = (hub: TestHub, path: string, capabilities = {}): Promise<LegacyWire> =>
  LegacyWire.open(hub.url + path, { headers: hub.headers, capabilities })
const namesIn = ({ result }: Answer): string[] => (result?.['tools'] as { name: string }[]).map(({ name }) => name)
const told = ({ messages }: Listening): (string | undefined)[] =>
  messages.map(({ method }) => method).filter((method) => method?.endsWith('/list_changed'))

describe('how long a list may be kept', () => {
  /** A modern server that says it of its one tool. */
  async function saying(ttlMs: number, cacheScope: string): Promise<{ type: string; url: string }> {
    const server = await startScripted((asked) => {
      const { response, message } = asked
      const tools = [{ name: 't', inputSchema: { type: 'object' } }]
      if (message?.method === 'tools/list')
        sendJson(response, {
          jsonrpc: '2.0',
          id: message.id,
          result: { resultType: 'complete', tools, ttlMs, cacheScope },
        })
      else answerBasics(asked, { era: 'modern', tools: [] })
    })
    opened.push(server.close)
    return { type: 'http', url: server.url }
  }

  it('is passed on to modern clients; of several servers the shortest time and the narrower scope', async () => {
    const hub = await hubWith({
      long: await saying(60_000, 'public'),
      short: await saying(30_000, 'public'),
      mine: await saying(90_000, 'private'),
    })
    const said = async (path: string): Promise<unknown[]> => {
      const { result } = await modern(hub, path).request('tools/list')
      return [result?.['ttlMs'], result?.['cacheScope']]
    }
    expect(await said('/mcp/long')).toEqual([60_000, 'public'])
    expect(await said('/mcp')).toEqual([30_000, 'private'])
    await hub.api('PUT', '/api/profiles/open', { config: { servers: { long: {}, short: {} } } })
    expect(await said('/mcp/open')).toEqual([30_000, 'public'])
    await hub.api('POST', '/api/servers', { name: 'old', config: fixtureServer('echo.ts') })
    await hub.until('old', 'running')
    expect(await said('/mcp')).toEqual([0, 'private'])
    // No legacy client is told what its era does not have.
    expect((await (await legacy(hub, '/mcp/long')).request('tools/list')).result).not.toHaveProperty('ttlMs')
  })
})

describe('a change of a list', () => {
  it('is told to those whose list it changes, and to nobody else', async () => {
    const hub = await hubWith({ one: fixtureServer('echo.ts'), two: fixtureServer('echo.ts') })
    await hub.api('PUT', '/api/profiles/few', { config: { servers: { one: { tools: { include: ['echo'] } } } } })
    const changed = { toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true }
    const concerned = await Promise.all(
      ['/mcp', '/mcp/one'].flatMap((path) => [
        modern(hub, path).listen(changed),
        legacy(hub, path).then((client) => client.listen()),
      ]),
    )
    const others = await Promise.all(
      ['/mcp/few', '/mcp/two'].flatMap((path) => [
        modern(hub, path).listen(changed),
        legacy(hub, path).then((client) => client.listen()),
      ]),
    )
    const session = await legacy(hub, '/mcp/one')
    for (let n = 1; n <= 2; n++) {
      await session.request('tools/call', { name: 'toggle' })
      for (const client of concerned) await waitFor(() => told(client).length === n)
    }
    for (const client of concerned) expect(told(client)).toEqual(Array(2).fill('notifications/tools/list_changed'))
    for (const client of others) expect(told(client)).toEqual([])
    for (const { close } of [...concerned, ...others]) close()
  })

  it('that came before a session opened its stream is told when it does', async () => {
    const hub = await hubWith({ one: fixtureServer('echo.ts') })
    const session = await legacy(hub, '/mcp')
    const before = namesIn(await session.request('tools/list'))
    const other = await legacy(hub, '/mcp')
    await other.request('tools/call', { name: 'one__toggle' })
    await waitFor(async () => namesIn(await other.request('tools/list')).length !== before.length)
    const listening = await session.listen()
    await waitFor(() => told(listening).length > 0)
    listening.close()
    // Told once: a stream that is opened again brings nothing new.
    const again = await session.listen()
    await other.request('tools/call', { name: 'one__toggle' })
    await waitFor(() => told(again).length > 0)
    expect(told(again)).toEqual(['notifications/tools/list_changed'])
    again.close()
  })
})

describe('a server that is slow to start', () => {
  const DELAY_MS = 4_000
  const slow = fixtureServer('slow-start.ts', '--delay', String(DELAY_MS))

  it.each([{}, { elicitation: {} }])(
    'holds up neither the lists nor the calls of the others; its own are told when it is there (%j)',
    async (capabilities) => {
      const hub = await hubWith({ fast: fixtureServer('echo.ts'), slow }, ['fast'])
      const session = await legacy(hub, '/mcp', capabilities)
      const listening = await session.listen()
      const first = namesIn(await session.request('tools/list'))
      const answer = await session.request('tools/call', { name: 'fast__echo', arguments: { text: 'at once' } })
      expect((await hub.until('slow', 'starting', 'running')).state).toBe('starting')
      expect(answer.result).toMatchObject({ content: [{ text: 'at once' }] })
      expect(first).toContain('fast__echo')
      expect(first.filter((name) => name.startsWith('slow__'))).toEqual([])
      await waitFor(() => told(listening).includes('notifications/tools/list_changed'), 2 * DELAY_MS)
      expect(namesIn(await session.request('tools/list'))).toContain('slow__echo')
      listening.close()
    },
  )
})
