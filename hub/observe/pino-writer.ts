import { stat } from 'node:fs/promises'
import pino from 'pino'
import { SonicBoom } from 'sonic-boom'
import { shiftFiles } from './log-file.ts'
import type { LogWriter } from './log.ts'
import type { LogSettings } from './log-settings.ts'
import type { Redactor } from './redactor.ts'

/** Bytes that wait for a disk or a reader that does not take them; lines beyond are lost, and counted. */
const MAX_HELD = 4 * 1_048_576
/** How often it is looked whether the file is still the one that its name stands for. */
const LOOK_MS = 5_000
const FLUSH_MS = 2_000

export interface PinoWriterOptions {
  settings: Pick<LogSettings, 'file' | 'maxBytes' | 'maxFiles' | 'rotation'>
  redactor: Redactor
  onProblem: (text: string) => void
  lookMs?: number
}

/**
 * Lines by pino, written in the background: a full disk, or a reader that stands still, costs lines and never a call. Where
 * the hub owns the rotation, it puts full files aside itself; else, and also when somebody takes the file away, it notices
 * and begins a new one.
 */
export function createPinoWriter({ settings, redactor, onProblem, lookMs = LOOK_MS }: PinoWriterOptions): LogWriter {
  const { file } = settings
  const where = file ?? 'stdout'
  let failing = false
  let opened = false
  let lost = 0
  /** Of the open file; null for what is none, such as a pipe. */
  let current: { size: number; inode: number } | null = null
  let turning = false
  let ended = false
  /** Bytes that are not out yet. */
  let held = 0
  let waiters: (() => void)[] = []
  let destination = open()

  const logger = pino(
    {
      level: 'debug',
      base: null,
      messageKey: 'message',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
      hooks: { streamWrite: (line) => `${redactor.json(JSON.parse(line))}\n` },
    },
    {
      write: (line) => {
        held += Buffer.byteLength(line)
        destination.write(line)
      },
    },
  )

  function open(): SonicBoom {
    // Not pino.destination, which flushes at the exit: it throws where no file was open, and waits for who reads stdout.
    const made = new SonicBoom({
      dest: file ?? 1,
      sync: false,
      append: true,
      mkdir: true,
      mode: 0o640,
      maxLength: MAX_HELD,
    })
    made.on('ready', () => {
      opened = true
      turning = false
      if (file !== null) void measure(file)
    })
    made.on('write', (bytes: number) => {
      held -= bytes
      if (held <= 0) settle()
      if (current !== null) current.size += bytes
      if (failing) recovered()
      if (settings.rotation === 'hub' && current !== null && current.size > settings.maxBytes) void turn()
    })
    made.on('drop', (line: string) => {
      held -= Buffer.byteLength(line)
      lost++
    })
    made.on('error', (error: Error) => {
      turning = false
      settle()
      if (!failing) onProblem(`The log cannot be written to ${where}: ${error.message}`)
      failing = true
    })
    return made
  }

  async function measure(path: string): Promise<void> {
    const found = await stat(path).catch(() => null)
    current = found?.isFile() === true ? { size: found.size, inode: found.ino } : null
  }

  function settle(): void {
    const waiting = waiters
    waiters = []
    for (const done of waiting) done()
  }

  function recovered(): void {
    failing = false
    const missing = lost
    lost = 0
    logger.info({ lost: missing }, 'The log is written again')
  }

  async function turn(): Promise<void> {
    if (turning || file === null) return
    turning = true
    await shiftFiles(file, settings.maxFiles)
    // Where it could not be put aside, it goes on as it is until it has grown as much again.
    if (current !== null) current.size = 0
    if (!ended) destination.reopen()
  }

  async function look(path: string): Promise<void> {
    if (!opened) {
      held = 0
      destination = open()
      return
    }
    if (current === null || turning) return
    const found = await stat(path).catch(() => null)
    if (found?.ino !== current.inode && !ended) destination.reopen()
  }

  const looking = file === null ? null : setInterval(() => void look(file), lookMs).unref()

  return {
    write: (level, message, data) => {
      // Without a file there is nothing that could hold a line.
      if (!opened && failing) lost++
      else logger[level](data, message)
    },
    flush: () =>
      new Promise((resolve) => {
        if (held <= 0 || failing) {
          resolve()
          return
        }
        const timer = setTimeout(resolve, FLUSH_MS)
        waiters.push(() => {
          clearTimeout(timer)
          resolve()
        })
      }),
    reopen: () => {
      if (opened && file !== null) destination.reopen()
    },
    end: () => {
      if (ended) return
      ended = true
      if (looking !== null) clearInterval(looking)
      // A pipe whose reader stands still would hold up the end for good.
      if (!opened || failing || file === null) return
      try {
        destination.flushSync()
        destination.end()
      } catch {
        // The process ends: nobody is left to be told.
      }
    },
  }
}
