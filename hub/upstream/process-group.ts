import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join, parse } from 'node:path'

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

interface Journal {
  /** Start time of the hub that wrote it; its pid is in the file's name. */
  owner: string
  processes: [pid: number, startTime: string][]
}

/**
 * One file for each hub beside `file`: while a reload goes on two hubs share the folder, and the new one must not end the
 * servers of the old one, which still answers.
 */
export function createProcessJournal(file: string): ProcessJournal {
  const entries = new Map<number, string>()
  const { dir, name, ext } = parse(file)
  const own = join(dir, `${name}-${process.pid}${ext}`)
  const owner = startTimeOf(process.pid)
  let writing: Promise<void> = Promise.resolve()

  function save(): void {
    writing = writing.then(async () => {
      await mkdir(dir, { recursive: true })
      const journal: Journal = { owner, processes: [...entries] }
      await writeFile(`${own}.tmp`, JSON.stringify(journal), { mode: 0o600 })
      await rename(`${own}.tmp`, own)
    })
    writing.catch(() => undefined)
  }

  return {
    async reap() {
      let reaped = 0
      for (const found of await readdir(dir).catch(() => [])) {
        const pid =
          found.startsWith(`${name}-`) && found.endsWith(ext) ? Number(found.slice(name.length + 1, -ext.length)) : NaN
        if (!Number.isInteger(pid) || pid === process.pid) continue
        const journal = await readJournal(join(dir, found))
        if (journal.owner !== '' && startTimeOf(pid) === journal.owner) continue
        for (const [left, startTime] of journal.processes) {
          if (startTime === '' || startTimeOf(left) !== startTime) continue
          await endGroup(left, 500)
          reaped++
        }
        await rm(join(dir, found), { force: true })
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

/** A journal cut off by a power failure names nothing that still runs. */
async function readJournal(file: string): Promise<Journal> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Journal
  } catch {
    return { owner: '', processes: [] }
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
