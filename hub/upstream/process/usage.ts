import type { Clock } from '../../clock.ts'
import type { Reason, ServerConfig, Usage } from '../../contract/index.ts'
import { say, told } from '../../say.ts'
import type { ProcessInfo, ProcessTable } from './process-table.ts'

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
    else cancelTimer = clock.after(running, () => void sample())
  }

  async function sample(): Promise<void> {
    sampling = true
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

const keyOf = ({ pid, startedAt }: ProcessInfo): string => `${pid} ${startedAt}`

/** The processes of the groups that these lead, and whatever descends from them. */
export function membersOf(pids: readonly number[], all: readonly ProcessInfo[]): ProcessInfo[] {
  const found = new Set(all.filter(({ pid, group }) => pids.includes(pid) || pids.includes(group)))
  for (let size = -1; size !== found.size;) {
    size = found.size
    const parents = new Set([...found].map(({ pid }) => pid))
    for (const one of all) if (parents.has(one.parent)) found.add(one)
  }
  return [...found]
}

function sumOf(
  members: readonly ProcessInfo[],
  before: { at: number; cpu: ReadonlyMap<string, number> } | null,
  now: number,
): Usage {
  let cpuMs = 0
  // A process that is new to us has used its time at some other time.
  for (const one of members) cpuMs += Math.max(0, one.cpuMs - (before?.cpu.get(keyOf(one)) ?? one.cpuMs))
  const elapsed = before === null ? 0 : now - before.at
  return {
    memoryBytes: members.reduce((sum, { rssBytes }) => sum + rssBytes, 0),
    cpuPercent: elapsed <= 0 ? null : Math.round((cpuMs / elapsed) * 1_000) / 10,
    processes: members.length,
    at: now,
  }
}

/** Since when a server exceeds its limits; `told` once that was acted on. */
export interface Excess {
  memorySince?: number
  cpuSince?: number
  told?: boolean
}

/** A peak is no excess: it must last. */
const MEMORY_LASTS_MS = 5_000
const CPU_LASTS_MS = 30_000

const hasLimit = ({ hub }: ServerConfig): boolean => hub?.maxMemoryMb !== undefined || hub?.maxCpuPercent !== undefined

/** Holds a measurement against the limits of an entry. `change` is what has to be told, if anything. */
export function judge(
  config: ServerConfig,
  usage: Usage | null,
  before: Excess,
  now: number,
): { excess: Excess; change: { reason: Reason | null } | null } {
  const { maxMemoryMb, maxCpuPercent } = config.hub ?? {}
  if (usage === null) return { excess: {}, change: null }
  const overMemory = maxMemoryMb !== undefined && usage.memoryBytes > maxMemoryMb * 1_048_576
  const overCpu = maxCpuPercent !== undefined && (usage.cpuPercent ?? 0) > maxCpuPercent
  const excess: Excess = {
    ...(overMemory ? { memorySince: before.memorySince ?? now } : {}),
    ...(overCpu ? { cpuSince: before.cpuSince ?? now } : {}),
  }
  const lastsMemory = excess.memorySince !== undefined && now - excess.memorySince >= MEMORY_LASTS_MS
  const lastsCpu = excess.cpuSince !== undefined && now - excess.cpuSince >= CPU_LASTS_MS
  if (!lastsMemory && !lastsCpu) return { excess, change: before.told === true ? { reason: null } : null }
  if (before.told === true) return { excess: { ...excess, told: true }, change: null }
  const reason: Reason = lastsMemory
    ? told({
        code: 'over-limit',
        message: say`The server uses ${Math.round(usage.memoryBytes / 1_048_576)} MB of memory, more than the ${maxMemoryMb ?? 0} MB of hub.maxMemoryMb`,
        cure: say`Restart it, or raise the limit if it needs that much.`,
      })
    : told({
        code: 'over-limit',
        message: say`The server has used ${Math.round(usage.cpuPercent ?? 0)} % of a CPU for ${CPU_LASTS_MS / 1_000} s, more than the ${maxCpuPercent ?? 0} % of hub.maxCpuPercent`,
        cure: say`Look into its log for what keeps it busy, or raise the limit if it needs that much.`,
      })
  return { excess: { ...excess, told: true }, change: { reason } }
}
