import { describe, expect, it } from 'vitest'
import type { Reason } from '../../hub/contract/index.ts'
import { McpError, rpc } from '../../hub/gateway/json-rpc.ts'
import { createHealthProbe } from '../../hub/upstream/health.ts'
import { defaultLimits } from '../../hub/upstream/limits.ts'
import { fakeClock } from '../fixtures/clock.ts'

const INTERVAL = 30_000

/** A server whose answers to probes the test decides. */
function setUp(era: 'legacy' | 'modern' = 'legacy', limits: Partial<typeof defaultLimits> = {}) {
  const clock = fakeClock()
  const told: string[] = []
  const asked: { method: string; answer: (error?: Error) => Promise<void> }[] = []
  const connection = {
    hello: { era, version: '', capabilities: {}, serverInfo: null, instructions: null },
    received: 0,
    busy: false,
    lastFailure: null as Reason | null,
    request: (method: string) =>
      new Promise<unknown>((resolve, reject) => {
        asked.push({
          method,
          answer: async (error) => {
            if (error === undefined) resolve({})
            else reject(error)
            await new Promise((done) => setImmediate(done))
          },
        })
      }),
  }
  const probe = createHealthProbe({
    connection,
    clock,
    limits: { ...defaultLimits, healthCheckIntervalMs: INTERVAL, healthCheckMisses: 2, ...limits },
    onImpaired: ({ code }) => told.push(`impaired ${code}`),
    onRecovered: () => told.push('recovered'),
    onDead: ({ code }) => told.push(`dead ${code}`),
  })
  return { clock, told, asked, connection, probe }
}
const silence = new McpError(rpc.timeout, 'No answer')
const gone = new McpError(rpc.serverUnavailable, 'gone')
const refused: Reason = { code: 'connection-refused', message: 'refused', cure: '' }

it.each([
  ['legacy', 'ping'],
  ['modern', 'server/discover'],
] as const)('a server of the %s era is asked by %s', (era, method) => {
  const { clock, asked } = setUp(era)
  clock.advance(INTERVAL)
  expect(asked.map((one) => one.method)).toEqual([method])
})

it('a server from which something came is not asked', () => {
  const { clock, asked, connection } = setUp()
  connection.received++
  clock.advance(INTERVAL)
  expect(asked).toHaveLength(0)
  clock.advance(INTERVAL)
  expect(asked).toHaveLength(1)
})

it('misses make it degraded, and one more than allowed ends it', async () => {
  const { clock, told, asked } = setUp()
  clock.advance(INTERVAL)
  await asked[0]!.answer(silence)
  clock.advance(1_000)
  await asked[1]!.answer(silence)
  expect(told).toEqual(['impaired unresponsive', 'impaired unresponsive'])
  clock.advance(1_000)
  await asked[2]!.answer(silence)
  expect(told.at(-1)).toBe('dead unresponsive')
  clock.advance(10 * INTERVAL)
  expect(asked).toHaveLength(3)
})

it('an answer makes it well again, and the misses are forgotten', async () => {
  const { clock, told, asked } = setUp()
  clock.advance(INTERVAL)
  await asked[0]!.answer(silence)
  clock.advance(1_000)
  await asked[1]!.answer()
  expect(told).toEqual(['impaired unresponsive', 'recovered'])
  clock.advance(INTERVAL)
  await asked[2]!.answer(silence)
  expect(told.at(-1)).toBe('impaired unresponsive')
})

it('anything that came while it was asked is an answer', async () => {
  const { clock, told, asked, connection } = setUp()
  clock.advance(INTERVAL)
  connection.received++
  await asked[0]!.answer(silence)
  expect(told).toEqual([])
})

describe('a server that works on a call', () => {
  it('is degraded, but given as long as a call may take', async () => {
    const { clock, told, asked, connection } = setUp('legacy', { callTimeoutMs: 120_000 })
    connection.busy = true
    clock.advance(INTERVAL)
    for (let asking = 0; asking < 80; asking++) {
      await asked[asking]!.answer(silence)
      clock.advance(1_000)
    }
    expect(new Set(told)).toEqual(new Set(['impaired unresponsive']))
    for (let asking = 80; told.at(-1) !== 'dead unresponsive'; asking++) {
      await asked[asking]!.answer(silence)
      clock.advance(1_000)
      expect(asking).toBeLessThan(95)
    }
  })
})

describe('a remote server', () => {
  it('is ended with the network’s reason', async () => {
    const { clock, told, asked, connection } = setUp('legacy', { healthCheckMisses: 0 })
    connection.lastFailure = refused
    clock.advance(INTERVAL)
    await asked[0]!.answer(gone)
    expect(told).toEqual(['dead connection-refused'])
  })
  it('that asks for a sign-in is not asked again', async () => {
    const { clock, told, asked, connection } = setUp()
    connection.lastFailure = { code: 'needs-auth', message: '401', cure: '' }
    clock.advance(INTERVAL)
    await asked[0]!.answer(gone)
    expect(told).toEqual(['dead needs-auth'])
  })
  it.each<[string, Error, Reason | null]>([
    ['does not know the method', new McpError(rpc.methodNotFound, 'x'), null],
    ['is asked too often', gone, { code: 'http-status', message: 'HTTP status 429', cure: '' }],
  ])('that %s lives', async (_what, error, reason) => {
    const { clock, told, asked, connection } = setUp()
    connection.lastFailure = reason
    clock.advance(INTERVAL)
    await asked[0]!.answer(error)
    expect(told).toEqual([])
  })
  it('is asked at once when there is a doubt, and once at a time', () => {
    const { asked, probe } = setUp()
    probe.check()
    probe.check()
    expect(asked).toHaveLength(1)
  })
})

it('an interval of 0 turns probes off', () => {
  const { clock, asked, probe } = setUp('legacy', { healthCheckIntervalMs: 0 })
  clock.advance(10 * INTERVAL)
  probe.check()
  expect(asked).toHaveLength(0)
  expect(clock.pending).toBe(0)
})

it('a probe that is done with asks no more', async () => {
  const { clock, told, asked, probe } = setUp()
  clock.advance(INTERVAL)
  probe.dispose()
  await asked[0]!.answer(silence)
  clock.advance(10 * INTERVAL)
  expect({ told, asked: asked.length, timers: clock.pending }).toEqual({ told: [], asked: 1, timers: 0 })
})
