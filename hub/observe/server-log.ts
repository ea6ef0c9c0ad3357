import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { LogLine, LogsQuery } from '../contract/index.ts'
import { createLogFile, type LogFile } from './log-file.ts'
import { createLogRing, type LogRing } from './log-ring.ts'
import type { Redactor } from './redactor.ts'

const MAX_BYTES = 2 * 1_048_576
const MAX_FILES = 3
const DEFAULT_LINES = 2_000
const ORDER: readonly LogLine['level'][] = ['error', 'warn', 'info', 'debug']

/** The log of one server: the newest lines in memory, more on disk, where they outlast the hub. */
export interface ServerLog extends LogRing {
  /** The newest lines that fit, oldest first. `more` when there are older ones. */
  query: (query: LogsQuery) => Promise<{ lines: LogLine[]; more: boolean }>
  flush: () => Promise<void>
  /** Deletes what is on disk. */
  remove: () => Promise<void>
}

export interface ServerLogs {
  /** The log of a server; with no name one that is kept in memory only. */
  open: (name: string, onLines: (lines: LogLine[]) => void) => ServerLog
  /** Deletes what servers left that are not configured any more. */
  prune: (names: readonly string[]) => Promise<void>
  flush: () => Promise<void>
}

export function createServerLogs(options: { folder: string; redactor: Redactor }): ServerLogs {
  const open = new Set<ServerLog>()
  const fileOf = (name: string): LogFile =>
    createLogFile({ file: join(options.folder, fileName(name)), maxBytes: MAX_BYTES, maxFiles: MAX_FILES })

  return {
    open: (name, onLines) => {
      const made = createServerLog(name === '' ? null : fileOf(name), options.redactor, onLines)
      if (name === '') return made
      const log: ServerLog = {
        ...made,
        remove: () => {
          open.delete(log)
          return made.remove()
        },
      }
      open.add(log)
      return log
    },
    prune: async (names) => {
      const kept = new Set(names.map(fileName))
      for (const found of await readdir(options.folder).catch(() => [])) {
        const base = found.replace(/\.\d+$/, '')
        if (base.endsWith('.jsonl') && !kept.has(base))
          await createLogFile({ file: join(options.folder, base), maxBytes: MAX_BYTES, maxFiles: MAX_FILES }).remove()
      }
    },
    flush: async () => {
      await Promise.all([...open].map((log) => log.flush()))
    },
  }
}

/** A name that every file system takes. */
function fileName(name: string): string {
  const encoded = encodeURIComponent(name).replace(/[*.]/g, (char) => `%${char.charCodeAt(0).toString(16)}`)
  return `${encoded}.jsonl`
}

function createServerLog(file: LogFile | null, redactor: Redactor, onLines: (lines: LogLine[]) => void): ServerLog {
  const ring = createLogRing({
    redactor,
    onLines: (lines) => {
      file?.append(lines)
      onLines(lines)
    },
  })

  return {
    add: ring.add,
    lines: ring.lines,
    drain: ring.drain,
    query: async ({ limit = DEFAULT_LINES, before = Infinity, level = 'debug', search = '' }) => {
      const worst = ORDER.indexOf(level)
      const words = search.toLowerCase()
      const fits = (line: LogLine): boolean =>
        line.seq < before && ORDER.indexOf(line.level) <= worst && line.text.toLowerCase().includes(words)
      const held = ring.lines()
      // One more than asked for tells that there is more.
      const wanted = limit + 1
      let found = held.filter(fits).slice(-wanted)
      let oldest = Math.min(before, held[0]?.seq ?? Infinity)
      if (file !== null && found.length < wanted) {
        const { parseLine } = await import('./parse-log-line.ts')
        for await (const texts of file.read()) {
          const older = texts.flatMap(parseLine).filter((line) => line.seq < oldest)
          oldest = Math.min(oldest, older[0]?.seq ?? Infinity)
          found = [...older.filter(fits), ...found].slice(-wanted)
          if (found.length >= wanted) break
        }
      }
      return { lines: found.slice(-limit), more: found.length > limit }
    },
    flush: async () => {
      ring.drain()
      await file?.flush()
    },
    remove: async () => {
      ring.drain()
      await file?.remove()
    },
  }
}
