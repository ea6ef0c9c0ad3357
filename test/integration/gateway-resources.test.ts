import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fixtureServer, startHub, type TestHub } from '../fixtures/hub.ts'
import { LegacyWire, ModernWire, textOf, type Answer } from '../fixtures/wire.ts'

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
