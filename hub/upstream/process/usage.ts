import type { Clock } from '../../clock.ts'
import type { Reason, ServerConfig, Usage } from '../../contract/index.ts'
import type { ProcessTable } from './process-table.ts'
import type { Excess } from './usage-figures.ts'

/** A server, as its consumption is measured. */
export interface MeasuredServer {
  readonly name: string
  readonly config: ServerConfig
  /** The processes that the hub started for it. */
  readonly pids: readonly number[]
  measured: (usage: Usage | null) => void
  /** It consumes more than it may; null when no longer. */
  overLimit: (reason: Reason | null, restart: boolean) => void
}

export interface UsageMonitorOptions {
  table: Pick<ProcessTable, 'list'>
  clock: Clock
  servers: () => readonly MeasuredServer[]
  /** Somebody looks at the figures. */
  isWatched: () => boolean
  onSample: () => void
}

/** Measures what server processes consume: all of them in one look, and only while somebody watches or a limit is set. */
export interface UsageMonitor {
  /** Watchers, servers or limits changed. */
  update: () => void
  dispose: () => void
}

const WATCHED_MS = 1_000
const LIMITED_MS = 5_000

export function createUsageMonitor(options: UsageMonitorOptions): UsageMonitor {
  const { clock } = options
  let cancelTimer: () => void = () => undefined
  /** Of the timer that runs; null when there is none. */
  let running: number | null = null
  let sampling = false
  let before: { at: number; cpu: ReadonlyMap<string, number> } | null = null
  let excess = new Map<string, Excess>()
  let disposed = false

  function interval(): number | null {
    if (disposed) return null
    if (options.isWatched()) return WATCHED_MS
    return options.servers().some((server) => hasLimit(server.config) && server.pids.length > 0) ? LIMITED_MS : null
  }

  function schedule(): void {
    cancelTimer()
    running = interval()
    if (running === null) before = null
    else cancelTimer = clock.after(running, () => void sample().catch(failed))
  }

  /** A look that fails is no reason for none ever after. */
  function failed(): void {
    sampling = false
    schedule()
  }

  async function sample(): Promise<void> {
    sampling = true
    const { judge, keyOf, membersOf, sumOf } = await import('./usage-figures.ts')
    const all = await options.table.list()
    const now = clock.steady()
    const cpu = new Map(all.map((one) => [keyOf(one), one.cpuMs]))
    const still = new Map<string, Excess>()
    for (const server of options.servers()) {
      const members = membersOf(server.pids, all)
      const usage = members.length === 0 ? null : sumOf(members, before, now)
      server.measured(usage)
      const next = judge(server.config, usage, excess.get(server.name) ?? {}, now)
      still.set(server.name, next.excess)
      if (next.change !== null) server.overLimit(next.change.reason, server.config.hub?.overLimit === 'restart')
    }
    excess = still
    before = { at: now, cpu }
    sampling = false
    options.onSample()
    schedule()
  }

  return {
    update: () => {
      if (!sampling && interval() !== running) schedule()
    },
    dispose: () => {
      disposed = true
      cancelTimer()
    },
  }
}

const hasLimit = ({ hub }: ServerConfig): boolean => hub?.maxMemoryMb !== undefined || hub?.maxCpuPercent !== undefined
