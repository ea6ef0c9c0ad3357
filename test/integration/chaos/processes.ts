import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { signal } from '../../../hub/upstream/process/process-tree.ts'

/** The processes of one test, wherever they went: their environment carries a variable that only it has set. */
export interface Brood {
  env: Record<string, string>
  /** Those that live now. */
  living: () => { pid: number; command: string }[]
  /** After a test that failed: nothing of it may stay. */
  end: () => void
}

export function createBrood(): Brood {
  const id = randomUUID()
  const living: Brood['living'] = () =>
    readdirSync('/proc')
      .map(Number)
      .filter((pid) => Number.isInteger(pid) && read(`/proc/${pid}/environ`).includes(`CHAOS_RUN=${id}`))
      .map((pid) => ({ pid, command: read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ') }))
  return {
    env: { CHAOS_RUN: id },
    living,
    end: () => {
      for (const { pid } of living()) signal(pid, 'SIGKILL')
    },
  }
}

/** A process that ended in the meantime has nothing to read. */
function read(file: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return ''
  }
}

export function residentBytes(pid: number): number {
  return Number(/VmRSS:\s*(\d+)/.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) * 1_024
}

export function openFiles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length
}

/** Waits for a condition; what it waited for is told when it does not come. */
export async function eventually<T>(
  what: string,
  withinMs: number,
  look: () => Promise<T | null> | T | null,
): Promise<T> {
  for (const deadline = Date.now() + withinMs; ;) {
    const found = await look()
    if (found !== null) return found
    if (Date.now() > deadline) throw new Error(`Not within ${withinMs / 1_000} s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
