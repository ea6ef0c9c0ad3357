import { execFile, spawnSync } from 'node:child_process'
import { coalesce } from './coalesce.ts'
import { descendantsOf, isOlder, type ProcessInfo, type ProcessTable } from './process-table.ts'

/** Every process that a server starts inherits this variable, so that those which leave its process group are found too. */
export const MARK_VARIABLE = 'MCP_HUB_SERVER'

const POLL_MS = 50
/** A process that forks while it is looked for is caught by looking again. */
const MAX_SWEEPS = 5

/** Ends what a server started, wherever it went. */
export interface ProcessReaper {
  /**
   * Ends the process group of `pid` (on Windows its tree) and every process that carries the mark: SIGTERM, then SIGKILL for
   * what is left after `graceMs`. With `graceMs` 0 it is killed at once. What is gone is no error. `startedAt` tells a tree on
   * Windows from that of a stranger with the same pid.
   */
  end: (pid: number, mark: string, graceMs: number, startedAt: Promise<string>) => Promise<void>
  /** The same for what a hub left behind that is gone; false when nothing of it is there, or only a stranger with its pid. */
  endLeft: (pid: number, startedAt: string, mark: string, graceMs: number) => Promise<boolean>
}

export function createReaper(
  table: ProcessTable,
  platform: NodeJS.Platform = process.platform,
  taskkill: (args: readonly string[]) => Promise<void> = runTaskkill,
): ProcessReaper {
  return platform === 'win32' ? windowsReaper(table, taskkill) : posixReaper(table)
}

function posixReaper(table: ProcessTable): ProcessReaper {
  /** One look at all processes serves every server that is being ended. */
  const marked = coalesce(() => table.marked(MARK_VARIABLE, ''))

  const strays = async (mark: string): Promise<number[]> =>
    (await marked()).filter(({ pid, value }) => value === mark && pid !== process.pid).map(({ pid }) => pid)

  async function end(pid: number, mark: string, graceMs: number): Promise<void> {
    if (pid <= 1) return
    if (graceMs > 0) {
      const left = await strays(mark)
      signal(-pid, 'SIGTERM')
      for (const stray of left) signal(stray, 'SIGTERM')
      for (let waited = 0; waited < graceMs; waited += POLL_MS) {
        if (!signal(-pid, 0) && !left.some((stray) => signal(stray, 0))) break
        await pause(POLL_MS)
      }
    }
    signal(-pid, 'SIGKILL')
    for (let sweep = 0; sweep < MAX_SWEEPS; sweep++) {
      const left = await strays(mark)
      if (left.length === 0) return
      for (const stray of left) signal(stray, 'SIGKILL')
      await pause(sweep * POLL_MS)
    }
  }

  return {
    end,
    endLeft: async (pid, startedAt, mark, graceMs) => {
      if (startedAt === '' || (await table.startTimeOf(pid)) !== startedAt) return false
      await end(pid, mark, graceMs)
      return true
    },
  }
}

/**
 * Windows has neither groups nor marks, and a job object needs native code. What it has is the pid of the parent, which stays
 * in a process when the parent ends: so a tree is found from its root, or from the root's pid and start time when that is gone.
 */
function windowsReaper(table: ProcessTable, taskkill: (args: readonly string[]) => Promise<void>): ProcessReaper {
  async function endTree(pid: number, startedAt: string): Promise<boolean> {
    for (let sweep = 0; sweep < MAX_SWEEPS; sweep++) {
      const all = await table.list()
      // Where there is no list to look in, taskkill finds the tree of a root that lives.
      const victims = all.length === 0 ? [pid] : treeOf(pid, startedAt, all)
      if (victims.length === 0) return sweep > 0
      await taskkill(taskkillArgs(victims))
      if (all.length === 0) return true
    }
    return true
  }

  return {
    end: async (pid, _mark, _graceMs, startedAt) => {
      if (pid > 4) await endTree(pid, await startedAt)
    },
    endLeft: async (pid, startedAt) => startedAt !== '' && (await endTree(pid, startedAt)),
  }
}

/**
 * The process with its descendants; when it is gone, those that it left. What a process started that is itself gone cannot be
 * found. Without a start time only a root that lives counts.
 */
export function treeOf(pid: number, startedAt: string, all: readonly ProcessInfo[]): number[] {
  const found = all.find((one) => one.pid === pid)
  const isOurs = found !== undefined && (startedAt === '' || found.startedAt === startedAt)
  if (startedAt === '' && !isOurs) return []
  // A newer process with its pid has children of its own.
  const roots = isOurs
    ? [found]
    : all.filter(
        (one) =>
          one.parent === pid && !isOlder(one, startedAt) && (found === undefined || isOlder(one, found.startedAt)),
      )
  return roots.flatMap((root) => [root, ...descendantsOf(root, all)]).map((one) => one.pid)
}

export const taskkillArgs = (pids: readonly number[]): string[] => [
  '/f',
  '/t',
  ...pids.flatMap((pid) => ['/pid', String(pid)]),
]

function runTaskkill(args: readonly string[]): Promise<void> {
  return new Promise((resolve) => {
    execFile('taskkill', args, { windowsHide: true }, () => resolve())
  })
}

/** The last act of a process that ends: nothing is waited for that takes longer than the kill itself. */
export function killAtOnce(pids: readonly number[], platform: NodeJS.Platform = process.platform): void {
  if (platform !== 'win32') for (const pid of pids) signal(-pid, 'SIGKILL')
  else if (pids.length > 0) spawnSync('taskkill', taskkillArgs(pids), { windowsHide: true, timeout: 5_000 })
}

/** False when there is nobody to signal. */
export function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, name)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
