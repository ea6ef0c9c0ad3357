import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { SessionClient } from '../../hub/gateway/call.ts'
import { legacyHello, recordedCall, scripted } from '../fixtures/scripted-channel.ts'
import { memoryUpstream } from '../fixtures/memory-upstream.ts'

/** A client that writes down what it hears, and answers what it is asked with its name. */
function listener(name: string): SessionClient & { heard: [string, unknown][] } {
  const heard: [string, unknown][] = []
  return {
    heard,
    hear: (method, params) => void heard.push([method, params]),
    askAside: () => Promise.resolve({ roots: [{ uri: `file:///${name}` }] }),
  }
}

const rootsOf = (name: string, id: string): object => ({
  jsonrpc: '2.0',
  id,
  result: { roots: [{ uri: `file:///${name}` }] },
})
const isAnnouncement = (message: object): boolean =>
  'method' in message && message.method === 'notifications/roots/list_changed'

it('the end of a visit to a page is not told to a modern client, whose era does not have it', async () => {
  const { connection, last } = scripted(({ method }) => (method === 'initialize' ? legacyHello : undefined), {
    era: 'legacy',
  })
  await connection.start()
  const calls = (['legacy', 'modern'] as const).map((clientEra) => recordedCall({ clientEra }))
  for (const call of calls) {
    connection.call(call)
    const params = { elicitationId: 'v' }
    last().say({ method: 'notifications/elicitation/complete', params }, last().sent.at(-1)!.id)
  }
  expect(calls.map(({ notified }) => notified.length)).toEqual([1, 0])
})

describe('what a server says outside of any call', () => {
  const asked = { elicitation: {} }
  const rooted = { roots: {}, ...asked }
  async function setUp() {
    const running = memoryUpstream()
    running.upstream.start()
    await running.until('running')
    const say = (connection: number, message: object): void =>
      running.server.connections[connection]!.handlers.onMessage({ jsonrpc: '2.0', ...message }, null)
    const told = (connection: number): object[] => running.server.connections[connection]!.told
    return { ...running, say, told }
  }

  it('is heard by the only client of a connection, and by nobody where there are several', async () => {
    const { call, say } = await setUp()
    const [mine, other] = [listener('mine'), listener('other')]
    await call({ client: mine, capabilities: asked })
    for (const connection of [0, 1]) say(connection, { method: 'notifications/custom', params: { connection } })
    expect(mine.heard).toEqual([['notifications/custom', { connection: 1 }]])
    await call({ client: other, owner: 'other', capabilities: asked })
    say(1, { method: 'notifications/custom' })
    expect([mine.heard.length, other.heard.length]).toEqual([1, 0])
  })

  it('is heard by nobody once the connection of one client carries a subscription of another', async () => {
    const { upstream, server, call, say } = await setUp()
    server.results['resources/subscribe'] = {}
    const mine = listener('mine')
    await call({ client: mine, capabilities: asked })
    const client = { owner: 'other', principal: 'person', capabilities: asked, wantsLogs: false }
    await upstream.subscribe({ uri: 'r://1', client, updated: () => undefined })
    expect(server.connections[1]!.sent).toContain('resources/subscribe')
    say(1, { method: 'notifications/custom' })
    expect(mine.heard).toEqual([])
  })

  it('is heard by a client whose subscription was there before its first call', async () => {
    const { upstream, server, call, say } = await setUp()
    server.results['resources/subscribe'] = {}
    const mine = listener('mine')
    const client = { owner: 'client', principal: 'person', capabilities: asked, wantsLogs: false }
    await upstream.subscribe({ uri: 'r://1', client, updated: () => undefined })
    await call({ client: mine, capabilities: asked })
    say(1, { method: 'notifications/custom' })
    expect(mine.heard).toEqual([['notifications/custom', undefined]])
  })

  it('is no question, but for roots: those of the client that the connection was opened for', async () => {
    const { upstream, say, told } = await setUp()
    await upstream.instanceFor('person', rooted, { owner: 'client', client: listener('mine') })
    say(1, { id: 'r', method: 'roots/list' })
    say(1, { id: 'e', method: 'elicitation/create', params: {} })
    await expect.poll(() => told(1)).toContainEqual(rootsOf('mine', 'r'))
    expect(told(1)).toContainEqual(expect.objectContaining({ id: 'e', error: expect.anything() as object }))
  })

  it('concerns the roots of one client: each that has any has a connection of its own', async () => {
    const { call, upstream, say, told } = await setUp()
    const [mine, other] = [listener('mine'), listener('other')]
    await call({ client: mine, capabilities: rooted })
    await call({ client: other, owner: 'other', capabilities: rooted })
    for (const connection of [1, 2]) say(connection, { id: 'r', method: 'roots/list' })
    await expect.poll(() => told(1)).toContainEqual(rootsOf('mine', 'r'))
    await expect.poll(() => told(2)).toContainEqual(rootsOf('other', 'r'))
    const served = { principal: 'person', capabilities: rooted, wantsLogs: false }
    upstream.rootsChanged({ ...served, owner: 'other' }, other)
    upstream.rootsChanged({ ...served, owner: 'stranger' }, listener('stranger'))
    upstream.rootsChanged({ ...served, owner: 'other', capabilities: asked }, other)
    const announced = [0, 1, 2].map((connection) => told(connection).filter(isAnnouncement).length)
    expect(announced).toEqual([0, 0, 1])
  })

  it('asks the client that took over a connection for its roots, once there may be no more connections', async () => {
    const { call, say, told } = await setUp()
    const owners = Array.from({ length: 9 }, (_, n) => `client-${n}`)
    for (const owner of owners) await call({ owner, client: listener(owner), capabilities: rooted })
    const [at] = [1, 2, 3, 4, 5, 6, 7, 8].filter((connection) => told(connection).some(isAnnouncement))
    say(at!, { id: 'r', method: 'roots/list' })
    await expect.poll(() => told(at!)).toContainEqual(rootsOf('client-8', 'r'))
  })
})

describe('the subscription to what a modern server tells', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout'] }))
  afterEach(() => void vi.useRealTimers())

  it('that a server cannot take now ends nothing, and is asked for again', async () => {
    const { upstream, server, until } = memoryUpstream()
    const capabilities = { tools: { listChanged: true } }
    server.results['server/discover'] = {
      resultType: 'complete',
      supportedVersions: ['2026-07-28'],
      capabilities,
    }
    server.silent.add('subscriptions/listen')
    upstream.start()
    await until('running')
    const listens = (): number =>
      server.connections[0]!.sent.filter((method) => method === 'subscriptions/listen').length
    for (let turns = 0; listens() < 1 && turns < 50; turns++) await turn()
    server.stuck = true
    upstream.setTasks(new Set(['t']))
    expect(listens()).toBe(2)
    server.stuck = false
    vi.advanceTimersByTime(1_000)
    expect(listens()).toBe(3)
  })

  it.each(['is acknowledged', 'is never acknowledged'])(
    'that %s leaves none of those open that it replaced',
    async (how) => {
      const { upstream, server, until } = memoryUpstream()
      server.results['server/discover'] = {
        resultType: 'complete',
        supportedVersions: ['2026-07-28'],
        capabilities: { tools: { listChanged: true } },
      }
      server.silent.add('subscriptions/listen')
      upstream.start()
      await until('running')
      const { handlers, sent } = server.connections[0]!
      for (let turns = 0; !sent.includes('subscriptions/listen') && turns < 50; turns++) await turn()
      for (const task of ['a', 'b', 'c']) upstream.setTasks(new Set([task]))
      expect(upstream.instance?.connection.inFlight).toBe(4)
      const method = 'notifications/subscriptions/acknowledged'
      if (how === 'is acknowledged') handlers.onMessage({ jsonrpc: '2.0', method, params: {} }, sent.length)
      else vi.advanceTimersByTime(2_000)
      await vi.waitUntil(() => (upstream.instance?.connection.inFlight ?? 0) <= 1)
      expect(upstream.instance?.connection.inFlight).toBe(1)
    },
  )
})
