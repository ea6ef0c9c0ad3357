import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it, vi } from 'vitest'
import type { Reply } from '../../hub/gateway/json-rpc.ts'
import { wholeShape } from '../../hub/catalog/shape.ts'
import { createAggregatedView } from '../../hub/gateway/aggregated-view.ts'
import { ListWatch } from '../../hub/gateway/list-watch.ts'
import type { Call } from '../../hub/gateway/call.ts'
import { createServerView } from '../../hub/gateway/server-view.ts'
import { createToolSearchView } from '../../hub/gateway/tool-search-view.ts'
import type { Admission, Route, View, Viewer } from '../../hub/gateway/view.ts'
import type { Upstream } from '../../hub/upstream/upstream.ts'
import { memoryUpstream } from '../fixtures/memory-upstream.ts'

const capabilities = { elicitation: {} }
const viewerOf = (principal: string): Viewer => ({ principal, capabilities, era: 'legacy' })

/** An admission that counts how many tools it was asked for. */
function counted(): Admission & { asked: number } {
  const admission = {
    revision: 0,
    asked: 0,
    admits: () => ++admission.asked > 0,
    instructions: () => null,
  }
  return admission
}

/** A server with a connection of its own for each of these clients. */
async function serverFor(principals: readonly string[]) {
  const running = memoryUpstream({ command: 'memory', hub: { maxInstances: 1_000 } })
  running.upstream.start()
  await running.until('running')
  for (const principal of principals) await running.call({ principal, capabilities })
  return running
}

/** `members` stays the same array, as where nothing is switched on or off. */
const viewOf = (members: readonly Upstream[], admission: Admission): View =>
  createAggregatedView(
    '/mcp',
    () => members,
    () => wholeShape,
    admission,
    { name: 'hub', version: '1' },
  )

describe('an endpoint of several servers', () => {
  const principals = Array.from({ length: 150 }, (_, n) => `person ${n}`)

  it('works out once what it shows to clients whose connections offer the same', async () => {
    const { upstream } = await serverFor(principals)
    const admission = counted()
    const view = viewOf([upstream], admission)
    const lists = new Set(principals.map((principal) => view.listNow('tools', viewerOf(principal))))
    expect(lists.size).toBe(1)
    const { asked } = admission
    for (const principal of principals) void view.route('tools/call', { name: 'one__work' }, viewerOf(principal))
    expect([asked, admission.asked]).toEqual([2, 2])
  })

  it('works out nothing again at a call, though the connections of many clients offer different tools', async () => {
    const running = await serverFor([])
    for (const principal of principals) {
      running.server.tools = ['work', principal]
      await running.call({ principal, capabilities })
    }
    const admission = counted()
    const view = viewOf([running.upstream], admission)
    const callAll = (): void => {
      for (const principal of principals) void view.route('tools/call', { name: 'one__work' }, viewerOf(principal))
    }
    callAll()
    const { asked } = admission
    callAll()
    expect(admission.asked).toBe(asked)
  })
})

it('the endpoint of a server looks once which tools it may not call, whatever each of two connections offers', async () => {
  const running = await serverFor(['first'])
  running.server.tools = ['work', 'more']
  await running.call({ principal: 'second', capabilities })
  const admission = counted()
  const view = createServerView('one', () => running.upstream, admission)
  for (let n = 0; n < 10; n++)
    for (const principal of ['first', 'second']) void view.route('tools/call', { name: 'work' }, viewerOf(principal))
  expect(admission.asked).toBe(3)
  const lists = ['first', 'second', 'first', 'second'].map((each) => view.listNow('tools', viewerOf(each)))
  expect(lists.slice(2)).toEqual(lists.slice(0, 2))
  expect(lists[2]).toBe(lists[0])
})

it('tools are indexed for search once for all clients that are offered the same, whatever others are offered', async () => {
  const running = await serverFor([])
  running.server.tools = ['work', 'more']
  await running.call({ principal: 'person 0', capabilities })
  const inner = viewOf([running.upstream], counted())
  const plain = Array.from({ length: 25 }, (_, n): Viewer => ({ ...viewerOf(`person ${n}`), capabilities: {} }))
  const [one = viewerOf('')] = plain
  const viewers = [...plain, viewerOf('person 0')]
  const reads = [one, viewerOf('person 0')].map((viewer) =>
    vi.spyOn(inner.listNow('tools', viewer) ?? Buffer.alloc(0), 'toString'),
  )
  const view = createToolSearchView(inner, { name: 'hub', version: '1' })
  const found = (viewer: Viewer): Promise<unknown> =>
    new Promise((resolve) => {
      const params = { name: 'search_tools', arguments: { query: 'work more' } }
      const { upstream } = view.route('tools/call', params, viewer) as Route
      upstream.call({ params, finish: ({ message }: Reply) => resolve(message.result) } as unknown as Call)
    })
  for (let round = 0; round < 3; round++) {
    const answers = await Promise.all(viewers.map(found))
    for (const answer of answers.slice(0, -1)) expect(answer).toMatchObject({ structuredContent: { total: 1 } })
    expect(answers.at(-1)).toMatchObject({ structuredContent: { total: 2 } })
  }
  expect(reads.map(({ mock }) => mock.calls.length)).toEqual([1, 1])
})

it('the index of a list that nobody is offered any more is closed', async () => {
  let current: Record<string, Buffer> = {}
  const offer = (...names: string[]): void => {
    const lists = names.map((name) => Buffer.from(JSON.stringify({ tools: [{ name: `one__${name}` }] })))
    current = { first: lists[0]!, second: lists.at(-1)! }
  }
  const inner = { list: (_kind: string, { principal }: Viewer) => current[principal] } as unknown as View
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite')
  const closed = vi.spyOn(DatabaseSync.prototype, 'close')
  const view = createToolSearchView(inner, { name: 'hub', version: '1' })
  const search = async (...principals: string[]): Promise<number> => {
    for (const principal of principals)
      await new Promise<void>((resolve) => {
        const params = { name: 'search_tools', arguments: { query: 'work' } }
        const { upstream } = view.route('tools/call', params, viewerOf(principal)) as Route
        upstream.call({ params, finish: () => resolve() } as unknown as Call)
      })
    return closed.mock.calls.length
  }
  for (const name of ['work', 'more', 'other']) {
    offer(name)
    await search('first')
  }
  expect(closed).toHaveBeenCalledTimes(2)
  expect(await search('second')).toBe(2)
  offer('last', 'other')
  expect(await search('first')).toBe(2)
  expect(await search('second')).toBe(3)
  expect(await search('first', 'second', 'first', 'second')).toBe(3)
  closed.mockRestore()
})

it('what a client was given is remembered, and not kept', () => {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void
  let text = 'a'
  const view = { listNow: () => Buffer.alloc(100_000, text) } as unknown as View
  const watch = new ListWatch(view, viewerOf('person'))
  const given = ((): WeakRef<Buffer> => {
    const list = Buffer.alloc(100_000, text)
    watch.served('tools', list)
    return new WeakRef(list)
  })()
  return new Promise((resolve) => setTimeout(resolve)).then(() => {
    gc()
    expect(given.deref()).toBeUndefined()
    expect(watch.changes(['tools'])).toEqual([])
    text = 'b'
    expect(watch.changes(['tools'])).toEqual(['notifications/tools/list_changed'])
    expect(watch.changes(['tools'])).toEqual([])
  })
})
