import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join, parse } from 'node:path'
import type { ProcessTable } from './process-table.ts'
import { MARK_VARIABLE, signal, type ProcessReaper } from './process-tree.ts'

/**
 * The server processes that run, kept on disk with their start times: a hub that was killed cannot end them, so the next
 * one does, and nothing else that got the same pid since.
 */
export interface ProcessJournal {
  /** Ends what hubs left behind that were killed; the number of servers. */
  reap: () => Promise<number>
  /** The mark for a server that is about to be started. */
  nextMark: () => string
  add: (pid: number, mark: string) => void
  remove: (pid: number) => void
  /** The last act of a process that ends: kills every group at once, without waiting. */
  killAll: () => void
}

interface Journal {
  /** Start time of the hub that wrote it; its pid is in the file's name. */
  owner: string
  processes: [pid: number, startTime: string, mark: string][]
}

const REAP_GRACE_MS = 500

/**
 * One file for each hub beside `file`: while a reload goes on two hubs share the folder, and the new one must not end the
 * servers of the old one, which still answers.
 */
export async function createProcessJournal(
  file: string,
  table: ProcessTable,
  reaper: ProcessReaper,
): Promise<ProcessJournal> {
  const entries = new Map<number, { startTime: string; mark: string }>()
  const { dir, name, ext } = parse(file)
  const own = join(dir, `${name}-${process.pid}${ext}`)
  const owner = await table.startTimeOf(process.pid)
  // Marks of other folders are of hubs that are none of ours.
  const folder = createHash('sha256').update(file).digest('hex').slice(0, 12)
  let serial = 0
  let writing: Promise<void> = Promise.resolve()

  function save(): void {
    writing = writing.then(async () => {
      await mkdir(dir, { recursive: true })
      const processes = [...entries].map(([pid, { startTime, mark }]): Journal['processes'][number] => [
        pid,
        startTime,
        mark,
      ])
      const journal: Journal = { owner, processes }
      await writeFile(`${own}.tmp`, JSON.stringify(journal), { mode: 0o600 })
      await rename(`${own}.tmp`, own)
    })
    writing.catch(() => undefined)
  }

  async function reapFiles(): Promise<number> {
    let reaped = 0
    for (const found of await readdir(dir).catch(() => [])) {
      const isOurs = found.startsWith(`${name}-`) && found.endsWith(ext)
      const pid = isOurs ? Number(found.slice(name.length + 1, -ext.length)) : NaN
      if (!Number.isInteger(pid) || pid === process.pid) continue
      const journal = await readJournal(join(dir, found))
      if (journal.owner !== '' && (await table.startTimeOf(pid)) === journal.owner) continue
      const ends = journal.processes.map(async ([left, startTime, mark]) => {
        if (startTime === '' || (await table.startTimeOf(left)) !== startTime) return 0
        await reaper.end(left, mark, REAP_GRACE_MS)
        return 1
      })
      reaped += (await Promise.all(ends)).reduce<number>((sum, one) => sum + one, 0)
      await rm(join(dir, found), { force: true })
    }
    return reaped
  }

  /** What was started in the moment of the kill stands in no file, and a daemon may have outlived its group. */
  async function reapMarked(): Promise<number> {
    let reaped = 0
    for (const { pid, value } of await table.marked(MARK_VARIABLE, `${folder}.`)) {
      const [, hub = '', started = ''] = value.split('.')
      if (oneWord(await table.startTimeOf(Number(hub))) === started) continue
      if (signal(pid, 'SIGKILL')) reaped++
    }
    return reaped
  }

  return {
    reap: async () => (await reapFiles()) + (await reapMarked()),
    nextMark: () => `${folder}.${process.pid}.${oneWord(owner)}.${++serial}`,
    add(pid, mark) {
      const entry = { startTime: '', mark }
      entries.set(pid, entry)
      void table.startTimeOf(pid).then((startTime) => {
        entry.startTime = startTime
        save()
      })
    },
    remove(pid) {
      if (entries.delete(pid)) save()
    },
    killAll() {
      for (const pid of entries.keys()) signal(process.platform === 'win32' ? pid : -pid, 'SIGKILL')
    },
  }
}

const oneWord = (text: string): string => text.replace(/\W+/g, '_')

/** A journal cut off by a power failure names nothing that still runs. */
async function readJournal(file: string): Promise<Journal> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Journal
  } catch {
    return { owner: '', processes: [] }
  }
}
