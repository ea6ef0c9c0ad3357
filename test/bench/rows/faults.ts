import { setTimeout as delay } from 'node:timers/promises'
import type { Contender, ContenderName } from '../contenders/contender.ts'
import { retry } from '../lib/waiting.ts'
import { Failed, Wrong, echo, upstreamPid } from '../load/checks.ts'
import { Crossed, Hung, NoMessage, type Lane } from '../load/lane.ts'
import { openLanes } from './load-stage.ts'
import { startHttpUpstream, stdioUpstream } from './fixtures.ts'
import type { Round, RowFigures, Stage } from './stage.ts'

const LANES = 16
const START_MS = 30_000
const BEFORE_MS = 400
const DOWN_MS = 300
const AFTER_MS = 2_000
const PAUSE_AFTER_FAILURE_MS = 5

interface Outcome {
  sentAt: number
  doneAt: number
  end: 'ok' | 'failed' | 'hung' | 'wrong' | 'broken'
}

/** Keeps the lanes calling until `over`, and writes down how each call ended. */
async function keepCalling(lanes: Lane[], outcomes: Outcome[], over: () => boolean): Promise<void> {
  await Promise.all(
    lanes.map(async (lane) => {
      while (!over()) {
        const sentAt = performance.now()
        const end = await echo(lane).then(() => 'ok' as const, endOf)
        outcomes.push({ sentAt, doneAt: performance.now(), end })
        if (end === 'failed') await delay(PAUSE_AFTER_FAILURE_MS)
        // The client would have to connect anew, which is what the row counts.
        else if (end !== 'ok') return
      }
    }),
  )
}

function endOf(error: unknown): Outcome['end'] {
  if (error instanceof Failed) return 'failed'
  if (error instanceof Hung) return 'hung'
  if (error instanceof Wrong || error instanceof Crossed) return 'wrong'
  return error instanceof NoMessage ? 'failed' : 'broken'
}

function figuresOf(outcomes: Outcome[], from: number, tellsOfReturn: (outcome: Outcome) => boolean): RowFigures {
  const count = (end: Outcome['end']): number => outcomes.filter((outcome) => outcome.end === end).length
  const back = outcomes.filter((outcome) => outcome.end === 'ok' && tellsOfReturn(outcome)).map(({ doneAt }) => doneAt)
  return {
    backMs: Math.min(...back) - from,
    failed: count('failed'),
    hung: count('hung'),
    wrong: count('wrong'),
    broken: count('broken'),
  }
}

async function killUnderLoad(contender: Contender): Promise<RowFigures> {
  const hub = await contender.start({ upstreams: [stdioUpstream('up')] })
  const lanes = await retry(START_MS, 10, () => openLanes(hub, { lanes: LANES, upstream: 'up' }))
  try {
    const pid = await retry(START_MS, 10, () => upstreamPid(lanes[0]!))
    const outcomes: Outcome[] = []
    let over = false
    const calling = keepCalling(lanes, outcomes, () => over)
    await delay(BEFORE_MS)
    const killedAt = performance.now()
    process.kill(pid, 'SIGKILL')
    await delay(AFTER_MS)
    over = true
    await calling
    // A call sent before may have been on its way back.
    return figuresOf(outcomes, killedAt, ({ sentAt }) => sentAt > killedAt)
  } finally {
    for (const lane of lanes) lane.close()
    await hub.end()
  }
}

async function restartUnderLoad(contender: Contender): Promise<RowFigures> {
  const first = await startHttpUpstream('up')
  const hub = await contender.start({ upstreams: [first.config] })
  const lanes = await retry(START_MS, 10, () => openLanes(hub, { lanes: LANES, upstream: 'up' }))
  let second: Awaited<ReturnType<typeof startHttpUpstream>> | null = null
  try {
    await retry(START_MS, 10, () => echo(lanes[0]!))
    const outcomes: Outcome[] = []
    let over = false
    const calling = keepCalling(lanes, outcomes, () => over)
    await delay(BEFORE_MS)
    first.child.kill('SIGKILL')
    await delay(DOWN_MS)
    second = await startHttpUpstream('up', 'legacy', first.port)
    const upAt = performance.now()
    await delay(AFTER_MS)
    over = true
    await calling
    return figuresOf(outcomes, upAt, ({ doneAt }) => doneAt > upAt)
  } finally {
    for (const lane of lanes) lane.close()
    await hub.end()
    await first.end()
    await second?.end()
  }
}

/** `direct` has no hub to recover, and a hub on the SDK's `Client` never does. */
function faultStage(
  id: string,
  title: string,
  without: readonly ContenderName[],
  run: (contender: Contender) => Promise<RowFigures>,
): Stage {
  return {
    rows: [{ id, title }],
    run: async (round: Round) => {
      for (const contender of round.contenders.filter(({ name }) => !without.includes(name))) {
        try {
          round.record(id, contender.name, await run(contender))
        } catch (error) {
          round.fault(id, contender.name, error)
        }
      }
    },
  }
}

export const stdioKill: Stage = faultStage(
  'kill-stdio',
  'stdio server SIGKILLed under load, 16 connections',
  ['direct', 'sdk'],
  killUnderLoad,
)
/** The raw forwarder does not open a new session with the server either. */
export const httpRestart: Stage = faultStage(
  'restart-http',
  'HTTP server ended for 300 ms under load, its sessions forgotten, 16 connections',
  ['direct', 'sdk', 'rawproxy'],
  restartUnderLoad,
)
