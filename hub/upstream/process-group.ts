import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'

const POLL_MS = 50

/**
 * Ends a process group (on Windows a process tree): SIGTERM, then SIGKILL when something of it is left after `graceMs`.
 * With `graceMs` 0 it is killed at once. A group that is gone is no error.
 */
export async function endGroup(pid: number | undefined, graceMs: number): Promise<void> {
  if (pid === undefined || pid <= 1) return
  if (process.platform === 'win32') {
    await new Promise<void>((resolve) => {
      execFile('taskkill', ['/pid', String(pid), '/t', '/f'], () => resolve())
    })
    return
  }
  if (graceMs > 0) {
    if (!signalGroup(pid, 'SIGTERM')) return
    for (let waited = 0; waited < graceMs; waited += POLL_MS) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
      if (!signalGroup(pid, 0)) return
    }
  }
  signalGroup(pid, 'SIGKILL')
}

function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-pid, signal)
    return true
  } catch {
    return false
  }
}

/**
 * The server processes that run, kept on disk with their start times: a hub that was killed cannot end them, so the next
 * one does, and nothing else that got the same pid since.
 */
export interface ProcessJournal {
  reap: () => Promise<number>
  add: (pid: number) => void
  remove: (pid: number) => void
}

export function createProcessJournal(file: string): ProcessJournal {
  const entries = new Map<number, string>()
  let writing: Promise<void> = Promise.resolve()

  function save(): void {
    writing = writing.then(async () => {
      await mkdir(dirname(file), { recursive: true })
      await writeFile(`${file}.tmp`, JSON.stringify([...entries]), { mode: 0o600 })
      await rename(`${file}.tmp`, file)
    })
    writing.catch(() => undefined)
  }

  return {
    async reap() {
      const text = await readFile(file, 'utf8').catch(() => '[]')
      let left: [number, string][] = []
      try {
        left = JSON.parse(text) as [number, string][]
      } catch {
        // A journal cut off by a power failure names nothing that still runs.
      }
      let reaped = 0
      for (const [pid, startTime] of left) {
        if (startTime === '' || startTimeOf(pid) !== startTime) continue
        await endGroup(pid, 500)
        reaped++
      }
      return reaped
    },
    add(pid) {
      entries.set(pid, startTimeOf(pid))
      save()
    },
    remove(pid) {
      if (entries.delete(pid)) save()
    },
  }
}

/** Field 22 of /proc/PID/stat, which with the pid names a process for good; empty where there is no /proc. */
function startTimeOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  } catch {
    return ''
  }
}
