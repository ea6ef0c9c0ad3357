import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { HubOptions, Reason, Usage } from '../../hub/contract/index.ts'
import type { ProcessInfo } from '../../hub/upstream/process/process-table.ts'
import { judge, membersOf, type Excess } from '../../hub/upstream/process/usage-figures.ts'
import { createUsageMonitor } from '../../hub/upstream/process/usage.ts'
import { fakeClock } from '../fixtures/clock.ts'

const MB = 1_048_576
const info = (pid: number, parent: number, group: number, megabytes = 10, cpuMs = 0): ProcessInfo => ({
  pid,
  parent,
  group,
  startedAt: '1',
  rssBytes: megabytes * MB,
  cpuMs,
})

describe('to a server belong', () => {
  it('its group, and what descends from it in a group of its own', () => {
    const all = [
      info(10, 1, 10),
      info(11, 10, 10),
      info(12, 1, 10),
      info(20, 11, 20),
      info(21, 20, 20),
      info(30, 1, 30),
    ]
    expect(membersOf([10], all).map(({ pid }) => pid)).toEqual([10, 11, 12, 20, 21])
  })
})

function setUp(hub: HubOptions = {}) {
  const clock = fakeClock()
  const processes: ProcessInfo[] = [info(10, 1, 10, 100, 1_000)]
  const state = { watched: false, looks: 0, usage: null as Usage | null, told: [] as (Reason | null)[], samples: 0 }
  const monitor = createUsageMonitor({
    clock,
    table: {
      list: () => {
        state.looks++
        return Promise.resolve([...processes])
      },
    },
    servers: () => [
      {
        name: 'one',
        config: { command: 'x', hub },
        pids: [10],
        measured: (usage) => (state.usage = usage),
        overLimit: (reason) => state.told.push(reason),
      },
    ],
    isWatched: () => state.watched,
    onSample: () => state.samples++,
  })
  const advance = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 500) {
      clock.advance(500)
      await turn()
    }
  }
  return { clock, processes, state, monitor, advance }
}

it('nothing is measured while nobody watches and no limit is set', async () => {
  const { state, monitor, advance, clock } = setUp()
  monitor.update()
  await advance(60_000)
  expect(state.looks).toBe(0)
  expect(clock.pending).toBe(0)
})

it('somebody who watches gets one look a second, and CPU from the second on', async () => {
  const { state, monitor, advance, processes } = setUp()
  state.watched = true
  monitor.update()
  monitor.update()
  await advance(1_000)
  expect(state.usage).toMatchObject({ memoryBytes: 100 * MB, cpuPercent: null, processes: 1 })
  processes.splice(0, 1, info(10, 1, 10, 90, 1_250), info(11, 10, 10, 20, 5_000))
  await advance(1_000)
  expect(state.usage).toMatchObject({ memoryBytes: 110 * MB, cpuPercent: 25, processes: 2 })
  expect(state).toMatchObject({ looks: 2, samples: 2 })
  state.watched = false
  await advance(10_000)
  expect(state.looks).toBeLessThanOrEqual(3)
})

it('with a limit it looks every five seconds, also when nobody watches', async () => {
  const { state, monitor, advance } = setUp({ maxMemoryMb: 50 })
  monitor.update()
  await advance(20_000)
  expect(state.looks).toBe(4)
  expect(state.told).toMatchObject([
    {
      code: 'over-limit',
      message: 'The server uses 100 MB of memory, more than the 50 MB of hub.maxMemoryMb',
      cure: expect.any(String) as string,
    },
  ])
})

it('somebody who begins to watch does not wait for the slow look', async () => {
  const { state, monitor, advance } = setUp({ maxMemoryMb: 500 })
  monitor.update()
  await advance(1_000)
  state.watched = true
  monitor.update()
  await advance(1_000)
  expect(state.looks).toBe(1)
})

describe('a limit', () => {
  const usage = (memory: number, cpu: number): Usage => ({
    memoryBytes: memory * MB,
    cpuPercent: cpu,
    processes: 1,
    at: 0,
  })
  const hub = { maxMemoryMb: 100, maxCpuPercent: 80 }
  const run = (measurements: [at: number, memory: number, cpu: number][]): (string | null)[] => {
    let excess: Excess = {}
    return measurements.flatMap(([at, memory, cpu]) => {
      const next = judge({ command: 'x', hub }, usage(memory, cpu), excess, at)
      excess = next.excess
      return next.change === null ? [] : (next.change.reason?.message ?? null)
    })
  }
  it('is not exceeded by a peak', () => {
    expect(
      run([
        [0, 200, 0],
        [4_000, 200, 0],
        [5_000, 50, 0],
        [6_000, 200, 0],
        [10_000, 200, 0],
      ]),
    ).toEqual([])
  })
  it('of memory is told once, and told when it is kept again', () => {
    expect(
      run([
        [0, 200, 0],
        [5_000, 200, 0],
        [10_000, 300, 0],
        [15_000, 50, 0],
        [20_000, 50, 0],
      ]),
    ).toEqual([expect.stringContaining('200 MB of memory'), null])
  })
  it('of CPU is exceeded after half a minute', () => {
    expect(
      run([
        [0, 0, 95],
        [29_000, 0, 95],
      ]),
    ).toEqual([])
    expect(
      run([
        [0, 0, 95],
        [30_000, 0, 95],
      ]),
    ).toEqual([expect.stringContaining('95 % of a CPU for 30 s')])
  })
})
