import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Instance } from '../../hub/upstream/instance.ts'
import { createLanes } from '../../hub/upstream/lanes.ts'
import { memoryUpstream } from '../fixtures/memory-upstream.ts'

const elicitation = { elicitation: {} }

it('a client that can be asked has a connection of its own, which is closed when idle', async () => {
  const { clock, server, upstream, until, call } = memoryUpstream({ command: 'memory', hub: { instanceIdleMs: 500 } })
  upstream.start()
  await until('running')
  expect((await call({ capabilities: { elicitation: {} } })).isError).toBe(false)
  expect(upstream.instances).toHaveLength(2)
  clock.advance(1_000)
  for (let turns = 0; server.connections[1]?.closed !== true && turns < 50; turns++) await turn()
  expect(upstream.instances).toHaveLength(1)
  expect(server.connections.map(({ closed }) => closed)).toEqual([false, true])
})

describe('clients of one principal that can be asked', () => {
  it('come back to the connection that served them last', async () => {
    const { server, upstream, until, call } = memoryUpstream()
    upstream.start()
    await until('running')
    const work = (connection: number): number =>
      server.connections[connection]?.sent.filter((method) => method === 'tools/call').length ?? 0
    server.silent.add('tools/call')
    const [first, second] = ['first', 'second'].map((owner) => call({ owner, capabilities: elicitation }))
    await expect.poll(() => [work(1), work(2)]).toEqual([1, 1])
    first!.cancel('enough')
    second!.cancel('enough')
    server.silent.clear()
    for (let n = 0; n < 3; n++) await call({ owner: 'second', capabilities: elicitation })
    await call({ owner: 'first', capabilities: elicitation })
    expect([work(0), work(1), work(2)]).toEqual([0, 2, 4])
    expect(upstream.instances).toHaveLength(3)
  })

  it('share a connection while it is free: each does not cost a process', async () => {
    const { upstream, until, call } = memoryUpstream()
    upstream.start()
    await until('running')
    for (const owner of ['first', 'second', 'third']) await call({ owner, capabilities: elicitation })
    expect(upstream.instances).toHaveLength(2)
  })
})

describe('the limit of connections for single clients', () => {
  it('closes the one that is idle for the longest time', async () => {
    const { clock, server, upstream, until, call } = memoryUpstream({ command: 'memory', hub: { maxInstances: 2 } })
    upstream.start()
    await until('running')
    for (const principal of ['a', 'b', 'a', 'c']) {
      clock.advance(10)
      expect((await call({ principal, capabilities: elicitation })).isError).toBe(false)
    }
    await expect.poll(() => server.connections.map(({ closed }) => closed)).toEqual([false, false, true, false])
    expect(upstream.instances).toHaveLength(3)
  })

  it('refuses a call while all are in use, and names the setting', async () => {
    const { server, upstream, until, call } = memoryUpstream({ command: 'memory', hub: { maxInstances: 1 } })
    upstream.start()
    await until('running')
    server.silent.add('tools/call')
    const held = call({ principal: 'a', capabilities: elicitation })
    await expect.poll(() => server.connections[1]?.sent.includes('tools/call')).toBe(true)
    const refused = await call({ principal: 'b', capabilities: elicitation })
    expect(refused.message.error).toMatchObject({ code: -31003 })
    expect(refused.message.error?.message).toMatch(
      /one already has 1 .*hub\.maxInstances; limits\.maxInstancesPerServer/,
    )
    held.cancel('enough')
    server.silent.clear()
    expect((await call({ principal: 'b', capabilities: elicitation })).isError).toBe(false)
  })
})

describe('calls that wait for their turn', () => {
  const hub = { maxConcurrentCalls: 1, startTimeoutMs: 200 }

  it('have it when the connection goes on which the call before them was under way', async () => {
    const { server, upstream, until, call } = memoryUpstream({ command: 'memory', hub })
    upstream.start()
    await until('running')
    server.silent.add('tools/call')
    const lost = call({ owner: 'first', capabilities: elicitation })
    await expect.poll(() => server.connections[1]?.sent.includes('tools/call')).toBe(true)
    server.silent.clear()
    const next = call({ owner: 'second', capabilities: elicitation })
    const plain = call()
    await expect.poll(() => server.connections[2]?.sent.includes('tools/list')).toBe(true)
    // What its handshake leaves behind frees a place too.
    for (let turns = 0; turns < 20; turns++) await turn()
    server.connections[1]!.crash()
    expect((await lost).message.error?.message).toContain('exited with code 1')
    expect((await Promise.all([next, plain])).map(({ isError }) => isError)).toEqual([false, false])
  })

  it('have it when a connection does not come up whose handshake took the place', async () => {
    const { server, upstream, until, call } = memoryUpstream({ command: 'memory', hub })
    upstream.start()
    await until('running')
    server.silent.add('initialize')
    const refused = call({ capabilities: elicitation })
    await expect.poll(() => server.connections[1]?.sent.includes('initialize')).toBe(true)
    const plain = call()
    expect((await refused).message.error?.message).toContain('did not start for this client')
    expect((await plain).isError).toBe(false)
  })
})

it('what a client’s own connection offers is told once it is known', async () => {
  const capabilities = { elicitation: {} }
  const known: boolean[] = []
  const { upstream, until } = memoryUpstream(undefined, {
    onCatalog: () => known.push(upstream.catalogFor('person', capabilities) !== null),
  })
  upstream.start()
  await until('running')
  await upstream.instanceFor('person', capabilities)
  expect(known).toEqual([false, true])
})

describe('clients that wait for a connection', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('are served in turn, and one that gave up takes no turn', async () => {
    const instance = { lastUsed: 0 } as unknown as Instance
    const lanes = createLanes({
      open: () => ({ instance, ready: Promise.resolve() }),
      onReady: () => undefined,
      onGone: () => undefined,
      exclusive: true,
      personal: false,
      max: 1,
      waitMs: 1_000,
    })
    const first = await lanes.take({ owner: 'first' })
    const late = lanes.take({ owner: 'late' }).catch((error: unknown) => String(error))
    await vi.advanceTimersByTimeAsync(500)
    let served = false
    const next = lanes.take({ owner: 'next' }).then(() => (served = true))
    await vi.advanceTimersByTimeAsync(500)
    expect(await late).toContain('wait for input')
    first.release()
    await vi.advanceTimersByTimeAsync(0)
    expect(served).toBe(true)
    await next
  })
})
