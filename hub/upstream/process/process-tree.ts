import { execFile } from 'node:child_process'
import type { ProcessTable } from './process-table.ts'

/** Every process that a server starts inherits this variable, so that those which leave its process group are found too. */
export const MARK_VARIABLE = 'MCP_HUB_SERVER'

const POLL_MS = 50
/** A process that forks while it is looked for is caught by looking again. */
const MAX_SWEEPS = 5

/** Ends what a server started, wherever it went. */
export interface ProcessReaper {
  /**
   * Ends the process group of `pid` (on Windows its tree) and every process that carries the mark: SIGTERM, then SIGKILL for
   * what is left after `graceMs`. With `graceMs` 0 it is killed at once. What is gone is no error.
   */
  end: (pid: number, mark: string, graceMs: number) => Promise<void>
}

export function createReaper(table: ProcessTable, platform: NodeJS.Platform = process.platform): ProcessReaper {
  let scan: { next: Promise<{ pid: number; value: string }[]>; begun: boolean } | null = null

  /** One look at all processes serves every server that is being ended; it must have begun after it was asked for. */
  function marked(): Promise<{ pid: number; value: string }[]> {
    if (scan !== null && !scan.begun) return scan.next
    const before = scan?.next ?? Promise.resolve([])
    const mine = { next: before, begun: false }
    mine.next = before.then(async () => {
      mine.begun = true
      const found = await table.marked(MARK_VARIABLE, '')
      if (scan === mine) scan = null
      return found
    })
    scan = mine
    return mine.next
  }

  const strays = async (mark: string): Promise<number[]> =>
    (await marked()).filter(({ pid, value }) => value === mark && pid !== process.pid).map(({ pid }) => pid)

  async function end(pid: number, mark: string, graceMs: number): Promise<void> {
    if (pid <= 1) return
    if (platform === 'win32') {
      await new Promise<void>((resolve) => {
        execFile('taskkill', ['/pid', String(pid), '/t', '/f'], { windowsHide: true }, () => resolve())
      })
      return
    }
    if (graceMs > 0) {
      const left = await strays(mark)
      signal(-pid, 'SIGTERM')
      for (const stray of left) signal(stray, 'SIGTERM')
      for (let waited = 0; waited < graceMs; waited += POLL_MS) {
        if (!signal(-pid, 0) && !left.some((stray) => signal(stray, 0))) break
        await new Promise((resolve) => setTimeout(resolve, POLL_MS))
      }
    }
    signal(-pid, 'SIGKILL')
    for (let sweep = 0; sweep < MAX_SWEEPS; sweep++) {
      const left = await strays(mark)
      if (left.length === 0) return
      for (const stray of left) signal(stray, 'SIGKILL')
      await new Promise((resolve) => setTimeout(resolve, sweep * POLL_MS))
    }
  }

  return { end }
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
