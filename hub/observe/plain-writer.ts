import { appendFileSync, write, writeSync } from 'node:fs'
import { appendFile } from 'node:fs/promises'
import { promisify, styleText } from 'node:util'
import type { LogLevel, LogWriter } from './log.ts'
import type { Redactor } from './redactor.ts'

const COLOURS = { error: 'red', warn: 'yellow', info: 'green', debug: 'gray' } as const

export interface PlainWriter extends LogWriter {
  /** Whether something is on its way to the file. */
  busy: () => boolean
}

/** Lines that wait; those beyond are lost. */
const MAX_WAITING = 10_000
const STDOUT = 1
const writeDescriptor = promisify(write)

export interface PlainWriterOptions {
  file: () => string | null
  redactor: Redactor
  onProblem: (text: string) => void
  /** Writes to `process.stdout`, which waits for whoever reads it; else to its descriptor, in the background. */
  viaStream: boolean
}

/** Writes without pino: the lines of a start, those of the desktop, and what a person reads on a terminal. */
export function createPlainWriter({ file, redactor, onProblem, viaStream }: PlainWriterOptions): PlainWriter {
  let waiting: string[] = []
  let writing: Promise<void> | null = null
  let failed = false

  async function bringOut(): Promise<void> {
    while (waiting.length > 0) {
      const text = waiting.join('')
      waiting = []
      const path = file()
      try {
        if (path === null) await writeDescriptor(STDOUT, text)
        else await appendFile(path, text, { mode: 0o640 })
        failed = false
      } catch (error) {
        if (!failed) onProblem(`The log cannot be written to ${path ?? 'stdout'}: ${String(error)}`)
        failed = true
      }
    }
    writing = null
  }

  return {
    write: (level, message, data) => {
      const time = new Date().toISOString()
      const isStdout = file() === null
      if (isStdout && process.stdout.isTTY) {
        process.stdout.write(redactor.text(readable(time, level, message, data)))
        return
      }
      // In pino's order of the keys.
      const line = `${redactor.json({ level, time, ...data, message })}\n`
      if (isStdout && viaStream) process.stdout.write(line)
      else if (waiting.length < MAX_WAITING) {
        waiting.push(line)
        writing ??= bringOut()
      }
    },
    busy: () => writing !== null,
    flush: () => writing ?? Promise.resolve(),
    // It opens its file anew each time.
    reopen: () => undefined,
    end: () => {
      const path = file()
      const text = waiting.join('')
      waiting = []
      try {
        if (text === '') return
        if (path === null) writeSync(STDOUT, text)
        else appendFileSync(path, text, { mode: 0o640 })
      } catch {
        // The process ends: nobody is left to be told.
      }
    },
  }
}

/** `14:03:22 warn  Server state server=github state=failed` */
function readable(time: string, level: LogLevel, message: string, data: Record<string, unknown>): string {
  const told = Object.entries(data)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${styleText('dim', `${key}=`)}${valueText(value)}`)
  return `${styleText('dim', time.slice(11, 19))} ${styleText(COLOURS[level], level.padEnd(5))} ${message}${told.join('')}\n`
}

function valueText(value: unknown): string {
  return typeof value === 'string' && /^[\w./:@-]+$/.test(value) ? value : JSON.stringify(value)
}
