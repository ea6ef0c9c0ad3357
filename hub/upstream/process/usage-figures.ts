import type { Reason, ServerConfig, Usage } from '../../contract/index.ts'
import { say, told } from '../../say.ts'
import type { ProcessInfo } from './process-table.ts'

/** One process, also where its pid is used again. */
export const keyOf = ({ pid, startedAt }: ProcessInfo): string => `${pid} ${startedAt}`

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

/** What they use together; their share of a CPU since they were measured before. */
export function sumOf(
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
