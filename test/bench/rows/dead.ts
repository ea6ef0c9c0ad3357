import { setTimeout as delay } from 'node:timers/promises'
import type { Contender } from '../contenders/contender.ts'
import { residentMegabytes } from '../lib/processes.ts'
import { retry } from '../lib/waiting.ts'
import { echo } from '../load/checks.ts'
import { figuresOf, runClosed, type Window } from '../load/driver.ts'
import { openLanes } from './load-stage.ts'
import { stdioUpstream } from './fixtures.ts'
import type { RowFigures, Stage } from './stage.ts'

const EACH = 5
const LANES = 16
const START_MS = 30_000
const SETTLE_MS = 1_500
const WINDOW_MS = 1_000

/** Servers that are not there, end at once, never answer, or refuse the connection: 20 in all. */
export function deadServers(): Record<string, object> {
  const kinds: Record<string, object> = {
    missing: { command: '/nonexistent/mcp-server', args: [] },
    ending: { command: process.execPath, args: ['-e', 'process.exit(1)'] },
    silent: { command: 'sleep', args: ['600'] },
    // Port 9 (discard) has no listener on any machine of today.
    refusing: { type: 'http', url: 'http://127.0.0.1:9/mcp' },
  }
  return Object.fromEntries(
    Object.entries(kinds).flatMap(([kind, entry]) =>
      Array.from({ length: EACH }, (_, index) => [`${kind}${index}`, entry] as const),
    ),
  )
}

async function measure(contender: Contender, window: Window): Promise<RowFigures> {
  const startedAt = performance.now()
  const hub = await contender.start({ upstreams: [stdioUpstream('up')] })
  try {
    const aggregated = await retry(START_MS, 5, () => hub.openLane({ upstream: null, era: 'legacy' }))
    await retry(START_MS, 5, () => echo(aggregated))
    const firstMs = performance.now() - startedAt
    const calledAt = performance.now()
    await echo(aggregated)
    const nextMs = performance.now() - calledAt
    aggregated.close()
    const lanes = await openLanes(hub, { lanes: LANES, upstream: 'up' })
    await runClosed(hub.pid, lanes, { warmUpMs: 0, ms: SETTLE_MS }, echo)
    const { rate, p99, cpuUs, failed, hung, wrong } = figuresOf([
      await runClosed(hub.pid, lanes, { ...window, ms: WINDOW_MS }, echo),
    ])
    for (const lane of lanes) lane.close()
    await delay(SETTLE_MS)
    return { firstMs, nextMs, rate, p99, cpuUs, failed, hung, wrong, idleMb: residentMegabytes(hub.pid) }
  } finally {
    await hub.end()
  }
}

export const dead: Stage = {
  rows: [{ id: 'dead', title: '20 dead servers beside one live stdio server, 16 connections' }],
  run: async (round) => {
    const alone = round.contenders.find(({ name }) => name === 'ours')
    if (alone === undefined) return
    for (const [label, contender] of [
      ['ours', alone],
      ['ours+dead', round.oursWithDead],
    ] as const) {
      try {
        round.record('dead', label, await measure(contender, round.window))
      } catch (error) {
        round.fault('dead', label, error)
      }
    }
  },
}
