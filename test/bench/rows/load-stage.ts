import type { Contender, Running } from '../contenders/contender.ts'
import { echo } from '../load/checks.ts'
import { figuresOf, runClosed, type Sample, type Window } from '../load/driver.ts'
import type { Lane } from '../load/lane.ts'
import type { Era } from '../programs/answers.ts'
import type { UpstreamConfig } from '../programs/upstream-config.ts'
import type { Round, RowInfo, Stage } from './stage.ts'

export interface LoadRow extends RowInfo {
  lanes: number
  /** The era of the client; contenders that do not speak it are left out. */
  era?: Era
  upstream: string | null
  run: (pid: number, lanes: Lane[], window: Window) => Promise<Sample>
}

export interface LoadStageOptions {
  rows: LoadRow[]
  /** The servers of the stage, started for one round. */
  servers: () => Promise<{ upstreams: UpstreamConfig[]; end: () => Promise<void> }>
  joinLists?: boolean
}

const WARM_UP_LANES = 16
/**
 * A hub runs for days: what the compiler still does in its first tens of thousands of calls is no cost of a call. With fewer of
 * them hubs are compared at different stages of it (docs/performance.md, "A hub costs more while it is being compiled"). Each era
 * has code of its own.
 */
const WARM_UP_CALLS = 60_000
const WARM_UP_MS = 500
const WARM_UP_MAX_MS = 6_000
const SLICES = 3

/** All contenders run at once and take turns row by row, so that figures that are compared were measured within seconds. */
export function loadStage(options: LoadStageOptions): Stage {
  return {
    rows: options.rows,
    run: async (round) => {
      const servers = await options.servers()
      const rows = options.rows.filter(({ id }) => round.wants(id))
      const eras = new Set(rows.map(({ era = 'legacy' }) => era))
      const running = new Map<Contender, Running>()
      try {
        for (const contender of round.contenders) {
          if (options.joinLists === true && contender.name === 'direct') continue
          try {
            running.set(contender, await start(contender, servers.upstreams, eras, options.joinLists ?? false))
          } catch (error) {
            round.fault(options.rows[0]?.id ?? '', contender.name, error)
          }
        }
        for (const row of rows) await runRow(row, running, round)
      } finally {
        for (const hub of running.values()) await hub.end()
        await servers.end()
      }
    },
  }
}

async function start(
  contender: Contender,
  all: UpstreamConfig[],
  eras: ReadonlySet<Era>,
  joinLists: boolean,
): Promise<Running> {
  const upstreams = all.filter(({ era }) => contender.eras.includes(era))
  const hub = await contender.start({ upstreams, joinLists })
  try {
    for (const era of eras) {
      const upstream = upstreams.find((one) => one.era === era)
      if (upstream !== undefined) await warmUp(hub, upstream.name, era)
    }
  } catch (error) {
    await hub.end()
    throw error
  }
  return hub
}

async function warmUp(hub: Running, upstream: string, era: Era): Promise<void> {
  const lanes = await openLanes(hub, { lanes: WARM_UP_LANES, upstream, era })
  const until = performance.now() + WARM_UP_MAX_MS
  for (let calls = 0; calls < WARM_UP_CALLS && performance.now() < until;)
    calls += (await runClosed(hub.pid, lanes, { warmUpMs: 0, ms: WARM_UP_MS }, echo)).latencies.length
  for (const lane of lanes) lane.close()
}

export function openLanes(hub: Running, row: Pick<LoadRow, 'lanes' | 'upstream' | 'era'>): Promise<Lane[]> {
  const { upstream, era = 'legacy' } = row
  return Promise.all(Array.from({ length: row.lanes }, () => hub.openLane({ upstream, era })))
}

/** The window is cut in slices, and contenders take turns slice by slice: what disturbs one disturbs all. */
async function runRow(row: LoadRow, running: ReadonlyMap<Contender, Running>, round: Round): Promise<void> {
  const turns: { contender: Contender; hub: Running; lanes: Lane[]; samples: Sample[] }[] = []
  const era = row.era ?? 'legacy'
  for (const [contender, hub] of running) {
    if (!contender.eras.includes(era)) continue
    try {
      turns.push({ contender, hub, lanes: await openLanes(hub, row), samples: [] })
    } catch (error) {
      round.fault(row.id, contender.name, error)
    }
  }
  for (let slice = 0; slice < SLICES; slice++) {
    for (const { hub, lanes, samples } of turns) samples.push(await row.run(hub.pid, lanes, round.window))
  }
  for (const { contender, lanes, samples } of turns) {
    round.record(row.id, contender.name, { ...figuresOf(samples) })
    for (const lane of lanes) lane.close()
  }
}
