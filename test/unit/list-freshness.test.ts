import { describe, expect, it } from 'vitest'
import { listKinds, mergeFreshness, unkept, type Freshness, type ListKind } from '../../hub/upstream/catalog.ts'
import { memoryUpstream } from '../fixtures/memory-upstream.ts'

describe('the list of a server that does not tell of changes', () => {
  const changes: (readonly ListKind[])[] = []
  async function setUp(): Promise<ReturnType<typeof memoryUpstream> & { reads: () => number }> {
    changes.length = 0
    const running = memoryUpstream({ command: 'memory' }, { onCatalog: (kinds) => changes.push(kinds) })
    running.upstream.start()
    await running.until('running')
    const reads = (): number => running.server.connections[0]!.sent.filter((method) => method === 'tools/list').length
    return { ...running, reads }
  }
  const names = (upstream: { catalog: { lists: { tools: object[] } } }): unknown[] =>
    upstream.catalog.lists.tools.map((tool) => (tool as { name: string }).name)

  it('is read anew when it is asked for and older than a minute, and what changed is told', async () => {
    const { clock, server, upstream, reads } = await setUp()
    server.tools = ['work', 'more']
    upstream.freshen('person', {})
    clock.advance(60_001)
    expect(reads()).toBe(1)
    upstream.freshen('person', {})
    upstream.freshen('person', {})
    expect(names(upstream)).toEqual(['work'])
    await expect.poll(() => names(upstream)).toEqual(['work', 'more'])
    expect(reads()).toBe(2)
    expect(changes).toEqual([listKinds, ['tools']])
  })

  it('that is the same as before is told to nobody, and stays the same object', async () => {
    const { clock, upstream, reads } = await setUp()
    const before = upstream.catalog
    clock.advance(60_001)
    upstream.freshen('person', {})
    await expect.poll(reads).toBe(2)
    await expect.poll(() => upstream.instance?.connection.inFlight).toBe(0)
    expect(upstream.catalog).toBe(before)
    expect(changes).toEqual([listKinds])
  })

  it('is read anew for a client with a connection of its own, too', async () => {
    const { clock, server, upstream, call } = await setUp()
    const capabilities = { elicitation: {} }
    await call({ capabilities })
    server.tools = ['other']
    clock.advance(60_001)
    upstream.freshen('person', capabilities)
    await expect.poll(() => names({ catalog: upstream.catalogFor('person', capabilities)! })).toEqual(['other'])
  })
})

describe('what a client with a connection of its own was offered', () => {
  it('stays known when that is closed, until the plain one offers something else', async () => {
    const { clock, server, upstream, until, call } = memoryUpstream({ command: 'memory', hub: { instanceIdleMs: 500 } })
    const capabilities = { elicitation: {} }
    upstream.start()
    await until('running')
    expect(upstream.catalogFor('person', capabilities)).toBeNull()
    await call({ capabilities })
    const offered = upstream.catalogFor('person', capabilities)
    expect(offered?.lists.tools).toHaveLength(1)
    clock.advance(1_000)
    await expect.poll(() => upstream.instances).toHaveLength(1)
    expect(upstream.catalogFor('person', capabilities)).toBe(offered)
    server.tools = []
    clock.advance(60_001)
    upstream.freshen('person', capabilities)
    await expect.poll(() => upstream.catalogFor('person', capabilities)).toBeNull()
  })
})

it('lists put together are kept for the shortest time, and by one client alone as soon as one list is', () => {
  const of = (ttlMs: number, cacheScope: Freshness['cacheScope']): Freshness => ({ ttlMs, cacheScope })
  expect(mergeFreshness([of(5, 'public'), null, of(3, 'public')])).toEqual(of(3, 'public'))
  expect(mergeFreshness([of(5, 'public'), of(9, 'private')])).toEqual(of(5, 'private'))
  expect(mergeFreshness([of(5, 'public'), unkept])).toEqual(of(0, 'private'))
  expect(mergeFreshness([null])).toEqual(unkept)
})
