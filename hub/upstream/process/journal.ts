import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join, parse } from 'node:path'
import { pidSpace, systemProcessTable, type ProcessTable } from './process-table.ts'
import { createReaper, killAtOnce, MARK_VARIABLE, signal, type ProcessReaper } from './process-tree.ts'

/**
 * The server processes that run, kept on disk with their start times: a hub that was killed cannot end them, so the next
 * one does, and nothing else that got the same pid since.
 */
export interface ProcessJournal {
  /** Ends what hubs left behind that were killed; the number of servers. */
  reap: () => Promise<number>
  /** Nothing runs any more: the next hub need not look for it. */
  end: () => Promise<void>
  /** What the marks of this hub's servers begin with. */
  readonly ownMarks: string
  /** The mark for a server that is about to be started. */
  nextMark: () => string
  add: (pid: number, mark: string) => void
  /** When the system says that a process of ours was started. */
  startTimeOf: (pid: number) => Promise<string>
  remove: (pid: number) => void
  /** The last act of a process that ends: kills every group at once, without waiting. */
  killAll: () => void
}

interface Journal {
  /** Start time of the hub that wrote it; its pid is in the file's name, and in a container the number of its namespace. */
  owner: string
  processes: [pid: number, startTime: string, mark: string][]
}

const REAP_GRACE_MS = 500
/**
 * A hub in another container has pids that say nothing here, so that it lives is told by its journal's age: it is written so
 * often, and thrown away when it is as old as `FORGOTTEN_MS`. What a container ran has ended with it.
 */
const REWRITE_MS = 60 * 60_000
const FORGOTTEN_MS = 24 * REWRITE_MS

/** Where a hub keeps its journal; to be read by whoever ends what it left behind. */
export const journalFile = (dataDir: string): string => join(dataDir, 'processes.json')

/** Processes of the hubs that use this folder now, as far as they are seen from here: not those of another container. */
export async function runningHubs(dataDir: string): Promise<number[]> {
  const { dir, name, ext } = parse(journalFile(dataDir))
  const table = systemProcessTable()
  const found = await Promise.all(
    (await journalsIn(dir, name, ext)).map(async ({ file, pid, space }) => {
      if (space !== pidSpace()) return []
      const { owner } = await readJournal(file)
      return owner !== '' && (await table.startTimeOf(pid)) === owner ? [pid] : []
    }),
  )
  return found.flat()
}

interface Found {
  file: string
  pid: number
  space: string
}

const fileName = (name: string, ext: string, pid: number, space: string): string =>
  `${name}-${pid}${space === '' ? '' : `.${space}`}${ext}`

async function journalsIn(dir: string, name: string, ext: string): Promise<Found[]> {
  return (await readdir(dir).catch(() => [])).flatMap((found) => {
    const [, pid, space = ''] = /-(\d+)(?:\.(\d+))?\.\w+$/.exec(found) ?? []
    return pid !== undefined && found === fileName(name, ext, Number(pid), space)
      ? [{ file: join(dir, found), pid: Number(pid), space }]
      : []
  })
}

/** Ends what the hubs of this folder left behind that are gone; for whoever starts no other hub that would do it. */
export async function reapLeftBehind(dataDir: string): Promise<number> {
  const table = systemProcessTable()
  return (await createProcessJournal(journalFile(dataDir), table, createReaper(table))).reap()
}

/**
 * One file for each hub beside `file`: while a reload goes on two hubs share the folder, and the new one must not end the
 * servers of the old one, which still answers.
 */
export async function createProcessJournal(
  file: string,
  table: ProcessTable,
  reaper: ProcessReaper,
): Promise<ProcessJournal> {
  const entries = new Map<number, { startTime: string; known: Promise<string>; mark: string }>()
  const { dir, name, ext } = parse(file)
  const space = pidSpace()
  const own = join(dir, fileName(name, ext, process.pid, space))
  const owner = await table.startTimeOf(process.pid)
  // Marks of other folders, and of containers that a machine looks into, are of hubs that are none of ours.
  const folder = createHash('sha256').update(`${file}\n${space}`).digest('hex').slice(0, 12)
  const ownMarks = `${folder}.${process.pid}.${oneWord(owner)}.`
  let serial = 0
  let writing: Promise<void> = Promise.resolve()
  let queued = false
  let begun = false
  let rewriting: NodeJS.Timeout | undefined

  /**
   * A hub with processes has a journal, from before the first of them: where there is none of a hub that is gone, nothing
   * was left, and nobody need look at every process of the machine.
   */
  function begin(): void {
    begun = true
    rewriting = setInterval(save, REWRITE_MS).unref()
    try {
      mkdirSync(dir, { recursive: true })
      writeFileSync(own, JSON.stringify({ owner, processes: [] } satisfies Journal), { mode: 0o600 })
    } catch {
      // As a journal that cannot be written later.
    }
  }

  /** Servers that start together are written together. */
  function save(): void {
    if (queued) return
    queued = true
    writing = writing.then(async () => {
      queued = false
      const processes = [...entries].map(([pid, { startTime, mark }]): Journal['processes'][number] => [
        pid,
        startTime,
        mark,
      ])
      const journal: Journal = { owner, processes }
      await mkdir(dir, { recursive: true })
      await writeFile(`${own}.tmp`, JSON.stringify(journal), { mode: 0o600 })
      await rename(`${own}.tmp`, own)
    })
    // A full disk now must not keep what comes later from being written.
    writing = writing.catch(() => undefined)
  }

  /** Null when no hub is gone that had processes. */
  async function reapFiles(): Promise<number | null> {
    let reaped: number | null = null
    for (const { file: found, pid, space: where } of await journalsIn(dir, name, ext)) {
      if (found === own) continue
      if (where !== space) {
        if (Date.now() - (await writtenAt(found)) > FORGOTTEN_MS) await rm(found, { force: true })
        continue
      }
      const journal = await readJournal(found)
      if (journal.owner !== '' && (await table.startTimeOf(pid)) === journal.owner) continue
      const ended = await Promise.all(
        journal.processes.map(([left, startTime, mark]) => reaper.endLeft(left, startTime, mark, REAP_GRACE_MS)),
      )
      reaped = (reaped ?? 0) + ended.filter(Boolean).length
      await rm(found, { force: true })
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
    reap: async () => {
      const reaped = await reapFiles()
      return reaped === null ? 0 : reaped + (await reapMarked())
    },
    end: async () => {
      clearInterval(rewriting)
      await writing
      if (entries.size === 0) await rm(own, { force: true })
    },
    ownMarks,
    nextMark: () => {
      if (!begun) begin()
      return `${ownMarks}${++serial}`
    },
    add(pid, mark) {
      const entry = { startTime: '', known: table.startTimeOf(pid), mark }
      entries.set(pid, entry)
      void entry.known.then((startTime) => {
        entry.startTime = startTime
        save()
      })
    },
    startTimeOf: (pid) => entries.get(pid)?.known ?? Promise.resolve(''),
    remove(pid) {
      if (entries.delete(pid)) save()
    },
    killAll: () => killAtOnce([...entries.keys()]),
  }
}

const oneWord = (text: string): string => text.replace(/\W+/g, '_')

/** Now where it is gone meanwhile. */
const writtenAt = async (file: string): Promise<number> => (await stat(file).catch(() => null))?.mtimeMs ?? Date.now()

/** A journal cut off by a power failure names nothing that still runs. */
async function readJournal(file: string): Promise<Journal> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Journal
  } catch {
    return { owner: '', processes: [] }
  }
}
