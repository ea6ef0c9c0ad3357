import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createRedactor } from '../../hub/observe/redactor.ts'
import { createHubSupervisor, type HubProcess, type HubSupervisor } from '../../main/hub/supervisor.ts'
import type { ExitReason } from '../../preload/contract.ts'

interface Fork {
  sent: { type: string }[]
  killed: boolean
  exit: (code: number | null, reason?: ExitReason) => void
  ready: () => void
}

let forks: Fork[]
let reaps: number
let endReap: () => void
let supervisor: HubSupervisor
beforeEach(() => {
  vi.useFakeTimers()
  forks = []
  reaps = 0
  supervisor = createHubSupervisor({
    fork: () => {
      const fork: Fork = { sent: [], killed: false, exit: () => undefined, ready: () => undefined }
      forks.push(fork)
      const process: HubProcess = {
        pid: forks.length,
        hello: () => undefined,
        send: (message) => fork.sent.push(message),
        kill: () => {
          fork.killed = true
          fork.exit(null, 'killed')
        },
        onMessage: (listener) => (fork.ready = () => listener({ type: 'ready', apiPort: 1 })),
        onLine: () => undefined,
        onExit: (listener) => (fork.exit = (code, reason = 'crashed') => listener(code, reason)),
      }
      return process
    },
    hello: () => ({}) as ReturnType<Parameters<typeof createHubSupervisor>[0]['hello']>,
    onState: () => undefined,
    onOverview: () => undefined,
    onFaults: () => undefined,
    keepSecret: () => Promise.resolve(),
    reap: () => {
      reaps++
      return new Promise((resolve) => (endReap = resolve))
    },
    onLine: () => undefined,
    redactor: createRedactor(),
    random: () => 0.5,
  })
})
afterEach(() => {
  vi.useRealTimers()
})

it('tells where the hub is once it has started, or that it did not', async () => {
  expect(await supervisor.started()).toBeNull()
  supervisor.start()
  const asked = supervisor.started()
  forks[0]?.ready()
  expect(await asked).toMatchObject({ port: 1 })

  supervisor.restart()
  forks[0]?.exit(0)
  const again = supervisor.started()
  forks[1]?.exit(1)
  expect(await again).toBeNull()
})

function crashes(count: number): void {
  for (let crash = 0; crash < count; crash++) {
    forks.at(-1)!.exit(1)
    vi.advanceTimersByTime(10_000)
  }
}

it('gives up after five crashes, and ends what they left behind, once', () => {
  supervisor.start()
  crashes(4)
  expect(supervisor.state).toMatchObject({ state: 'starting', crashes: 4 })
  // Each hub that follows does it itself at its start.
  expect(reaps).toBe(0)
  crashes(1)
  expect(supervisor.state).toMatchObject({ state: 'failed', crashes: 5 })
  expect([forks.length, reaps]).toEqual([5, 1])
})

it('ends at once what was left by a hub that cannot read its configuration', () => {
  supervisor.start()
  forks[0]!.exit(78)
  expect(supervisor.state.state).toBe('failed')
  expect(reaps).toBe(1)
})

it('tells of a hub that it ends itself why, not that it was killed', () => {
  supervisor.start()
  vi.advanceTimersByTime(15_000)
  expect(supervisor.state.lastExit?.reason).toBe('not-ready')
  vi.advanceTimersByTime(300)
  forks[1]!.ready()
  // It answers no ping.
  vi.advanceTimersByTime(40_000)
  expect(supervisor.state.lastExit?.reason).toBe('silent')
  vi.advanceTimersByTime(700)
  forks[2]!.exit(1)
  expect(supervisor.state.lastExit).toMatchObject({ code: 1, reason: 'crashed' })
})

it.each([
  ['a hub that had to be killed', () => vi.advanceTimersByTime(8_000)],
  ['a hub that ended by itself', () => forks[0]!.exit(0)],
])('stops only when nothing is left of %s', async (_what, end) => {
  supervisor.start()
  forks[0]!.ready()
  let stopped = false
  const stopping = supervisor.stop().then(() => (stopped = true))
  expect(forks[0]!.sent).toContainEqual({ type: 'shutdown' })
  end()
  await vi.advanceTimersByTimeAsync(0)
  expect({ reaps, stopped }).toEqual({ reaps: 1, stopped: false })
  endReap()
  await stopping
  expect(forks).toHaveLength(1)
})

it('quitting while a crashed hub waits to be started again ends what it left', async () => {
  supervisor.start()
  forks[0]!.exit(1)
  expect(supervisor.state.state).toBe('backoff')
  const stopping = supervisor.stop()
  expect(reaps).toBe(1)
  endReap()
  await stopping
  vi.advanceTimersByTime(60_000)
  expect(forks).toHaveLength(1)
})
