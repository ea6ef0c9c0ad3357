import { appendFile } from 'node:fs/promises'
import type { Redactor } from './redactor.ts'

export type LogLevel = 'error' | 'warn' | 'info' | 'debug'
/** A constant message and its data; secrets are redacted by key and by value. */
export type Log = (level: LogLevel, message: string, data?: Record<string, unknown>) => void

const ORDER: LogLevel[] = ['error', 'warn', 'info', 'debug']
const SECRET_KEY = /token|secret|password|authorization|cookie|api[-_]?key/i

/** What is named like a secret is taken for one. */
export function withoutSecretKeys(data: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, SECRET_KEY.test(key) ? '[redacted]' : value]),
  )
}

/** One JSON line a message, on stdout or appended to a file. */
export function createLog(options: { level: LogLevel; file: string | null; redactor: Redactor }): Log {
  let writing: Promise<unknown> = Promise.resolve()
  return (level, message, data = {}) => {
    if (ORDER.indexOf(level) > ORDER.indexOf(options.level)) return
    const entry = {
      time: new Date().toISOString(),
      level,
      message,
      ...withoutSecretKeys(data),
    }
    const line = `${options.redactor.json(entry)}\n`
    const { file } = options
    if (file === null) process.stdout.write(line)
    else writing = writing.then(() => appendFile(file, line, { mode: 0o640 })).catch(() => process.stderr.write(line))
  }
}
