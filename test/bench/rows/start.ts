import { setTimeout as delay } from 'node:timers/promises'
import type { Contender, Running } from '../contenders/contender.ts'
import { residentMegabytes } from '../lib/processes.ts'
import { retry } from '../lib/waiting.ts'
import { echo } from '../load/checks.ts'
import type { Lane } from '../load/lane.ts'
import { stdioUpstream } from './fixtures.ts'
import type { Round, RowFigures, Stage } from './stage.ts'

const START_MS = 30_000
const RETRY_MS = 5
/** What a hub still does after its first answer is over by then. */
const IDLE_AFTER_MS = 2_000
const SESSIONS = 200
/** Sessions whose memory is measured, and those before them that let the heap grow to what it stays at. */
const HELD_SESSIONS = 1_000
const WARM_UP_SESSIONS = 500
/** Sessions are opened by this many clients at a time. */
const OPENERS = 16

/** From the start of the process to the first right answer of each of its servers; then what it holds when idle. */
function startStage(servers: number, withSessions: boolean): Stage {
  const row = `start-${servers}`
  return {
    rows: [
      { id: row, title: `cold start with ${servers} stdio server${servers === 1 ? '' : 's'}, and memory when idle` },
      ...(withSessions ? [{ id: 'sessions', title: `${SESSIONS} sessions opened, and what one holds` }] : []),
    ],
    run: async (round) => {
      const started: { contender: Contender; hub: Running; figures: RowFigures }[] = []
      try {
        for (const contender of round.contenders.filter(({ name }) => name !== 'direct')) {
          try {
            started.push({ contender, ...(await coldStart(contender, servers)) })
          } catch (error) {
            round.fault(row, contender.name, error)
          }
        }
        await delay(IDLE_AFTER_MS)
        for (const { contender, hub, figures } of started) {
          figures['idleMb'] = residentMegabytes(hub.pid)
          round.record(row, contender.name, figures)
        }
        if (withSessions && round.wants('sessions')) {
          for (const { contender, hub } of started) await recordSessions(round, contender, hub)
        }
      } finally {
        for (const { hub } of started) await hub.end()
      }
    },
  }
}

async function coldStart(contender: Contender, servers: number): Promise<{ hub: Running; figures: RowFigures }> {
  const upstreams = Array.from({ length: servers }, (_, index) => stdioUpstream(`up${index}`))
  const startedAt = performance.now()
  const hub = await contender.start({ upstreams })
  try {
    await Promise.all(
      upstreams.map(async ({ name }) => {
        const lane = await retry(START_MS, RETRY_MS, () => hub.openLane({ upstream: name, era: 'legacy' }))
        await retry(START_MS, RETRY_MS, () => echo(lane))
        lane.close()
      }),
    )
    return { hub, figures: { startMs: performance.now() - startedAt } }
  } catch (error) {
    await hub.end()
    throw error
  }
}

/** How fast sessions with a connection each are opened, and what a session holds beside its connection, which is Node's. */
async function recordSessions(round: Round, contender: Contender, hub: Running): Promise<void> {
  const lanes: Lane[] = []
  const target = { upstream: 'up0', era: 'legacy' } as const
  const open = (): Promise<Lane> => hub.openLane(target)
  try {
    await openSessions(SESSIONS, lanes, open)
    const startedAt = performance.now()
    await openSessions(SESSIONS, lanes, open)
    const rate = SESSIONS / ((performance.now() - startedAt) / 1000)
    const more = (opener: number): Promise<Lane> => lanes[opener]?.another?.() ?? open()
    await openSessions(WARM_UP_SESSIONS, lanes, more)
    const before = residentMegabytes(hub.pid)
    await openSessions(HELD_SESSIONS, lanes, more)
    const sessionKb = ((residentMegabytes(hub.pid) - before) * 1024) / HELD_SESSIONS
    await echo(lanes.at(-1)!)
    round.record('sessions', contender.name, { rate, sessionKb })
  } catch (error) {
    round.fault('sessions', contender.name, error)
  } finally {
    for (const lane of lanes) lane.close()
  }
}

async function openSessions(count: number, lanes: Lane[], open: (opener: number) => Promise<Lane>): Promise<void> {
  let left = count
  await Promise.all(
    Array.from({ length: OPENERS }, async (_, opener) => {
      while (left-- > 0) lanes.push(await open(opener))
    }),
  )
}

export const startOne: Stage = startStage(1, true)
export const startTwenty: Stage = startStage(20, false)
