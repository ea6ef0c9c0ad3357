import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { wholeShape } from '../../hub/catalog/shape.ts'
import { createAggregatedView } from '../../hub/gateway/aggregated-view.ts'
import { ListWatch } from '../../hub/gateway/list-watch.ts'
import { createServerView } from '../../hub/gateway/server-view.ts'
import type { Admission, View, Viewer } from '../../hub/gateway/view.ts'
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
