import type { Redactor } from './redactor.ts'
import type { LogSettings } from './log-settings.ts'
import { createPlainWriter } from './plain-writer.ts'

export type LogLevel = 'error' | 'warn' | 'info' | 'debug'
/** A constant message and its data; secrets are redacted by key and by value. Never throws, and never waits for the disk. */
export type Log = (level: LogLevel, message: string, data?: Record<string, unknown>) => void

const ORDER: LogLevel[] = ['error', 'warn', 'info', 'debug']
const SECRET_KEY = /token|secret|password|authorization|cookie|api[-_]?key/i
const MAX_DEPTH = 5
/** Keys of each line; data that has one of them is told under another. */
const OWN_KEYS: Readonly<Record<string, string>> = { message: 'detail', level: 'itsLevel', time: 'itsTime' }

/** What is named like a secret is taken for one, however deep it stands. */
export function withoutSecretKeys(data: Record<string, unknown>, depth = 0): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, SECRET_KEY.test(key) ? '[redacted]' : inner(value, depth + 1)]),
  )
}

function inner(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return value
  if (Array.isArray(value)) return value.map((item) => inner(item, depth + 1))
  return Object.getPrototypeOf(value) === Object.prototype
    ? withoutSecretKeys(value as Record<string, unknown>, depth)
    : value
}

/** What brings lines out; there is one from the first line on, and pino once the start is over. */
export interface LogWriter {
  /** May throw where the data cannot be told as JSON. */
  write: (level: LogLevel, message: string, data: Record<string, unknown>) => void
  /** Resolves once all that was written so far is out, or cannot be brought out. */
  flush: () => Promise<void>
  /** Somebody has put the file aside. */
  reopen: () => void
  /** What is held is brought out at once; for the end of the process. */
  end: () => void
}

export interface HubLog {
  log: Log
  readonly level: LogLevel
  /** Other settings, from the next line on. */
  apply: (settings: LogSettings) => void
  /** From here on pino writes, off the path of whoever logs. It is not part of a start, which it would make slower. */
  handOver: () => Promise<void>
  reopen: () => void
  flush: () => Promise<void>
  end: () => void
}

export interface HubLogOptions {
  settings: LogSettings
  redactor: Redactor
  /** Where to tell of it when the log itself cannot be written. */
  onProblem: (text: string) => void
  /** Lines for stdout go through `process.stdout`, which is not always a file descriptor: in Electron. */
  viaStream?: boolean
}

/** One JSON line a message on stdout or in a file, or a readable one on a terminal. */
export function createHubLog({ redactor, onProblem, viaStream = false, ...options }: HubLogOptions): HubLog {
  let { settings } = options
  const plain = createPlainWriter({ file: () => settings.file, redactor, onProblem, viaStream })
  let writer: LogWriter = plain
  let openPino: ((settings: LogSettings) => LogWriter) | null = null

  return {
    log: (level, message, data = {}) => {
      if (ORDER.indexOf(level) > ORDER.indexOf(settings.level)) return
      try {
        writer.write(level, message, named(withoutSecretKeys(data)))
      } catch (error) {
        onProblem(`A line of the log could not be written: ${message} (${String(error)})`)
      }
    },
    get level() {
      return settings.level
    },
    apply: (next) => {
      const before = settings
      settings = next
      const elsewhere = (['file', 'maxBytes', 'maxFiles', 'rotation'] as const).some((key) => before[key] !== next[key])
      if (openPino === null || !elsewhere) return
      const left = writer
      writer = openPino(next)
      void left.flush().finally(left.end)
    },
    handOver: async () => {
      // A person who looks on needs no speed.
      if (openPino !== null || (settings.file === null && process.stdout.isTTY)) return
      const { createPinoWriter } = await import('./pino-writer.ts')
      while (plain.busy()) await plain.flush()
      openPino = (current) => createPinoWriter({ settings: current, redactor, onProblem })
      writer = openPino(settings)
    },
    reopen: () => writer.reopen(),
    flush: () => writer.flush(),
    end: () => writer.end(),
  }
}

function named(data: Record<string, unknown>): Record<string, unknown> {
  if (!Object.keys(data).some((key) => Object.hasOwn(OWN_KEYS, key))) return data
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [Object.hasOwn(OWN_KEYS, key) ? (OWN_KEYS[key] ?? key) : key, value]),
  )
}
