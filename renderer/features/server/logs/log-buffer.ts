import type { LogLine } from '../../../../hub/contract/index.ts'

export type Level = LogLine['level']

export const MAX_LINES = 100_000
/** Cut in blocks, so that a full buffer is not copied for each new line. */
const CUT = 10_000

export const levels = ['error', 'warn', 'info', 'debug'] as const

/** Adds what is new by sequence number. A hub that was restarted counts anew: then its answer replaces all. */
export function mergeLines(held: readonly LogLine[], read: readonly LogLine[]): readonly LogLine[] {
  const last = held.at(-1)?.seq ?? -1
  const newest = read.at(-1)
  if (newest === undefined) return held
  if (newest.seq < last) return read
  const added = read.filter(({ seq }) => seq > last)
  if (added.length === 0) return held
  const all = [...held, ...added]
  return all.length > MAX_LINES ? all.slice(all.length - MAX_LINES + CUT) : all
}

/** Puts what was written before in front of what is held. */
export function prependLines(held: readonly LogLine[], older: readonly LogLine[]): readonly LogLine[] {
  const first = held[0]?.seq ?? Infinity
  return [...older.filter(({ seq }) => seq < first), ...held]
}

export interface LogFilter {
  readonly text: string
  /** This level and worse. */
  readonly level: Level
}

export function filterLines(lines: readonly LogLine[], { text, level }: LogFilter): readonly LogLine[] {
  const words = text.toLowerCase()
  const worst = levels.indexOf(level)
  if (words === '' && worst === levels.length - 1) return lines
  return lines.filter((line) => levels.indexOf(line.level) <= worst && line.text.toLowerCase().includes(words))
}

export function logText(lines: readonly LogLine[]): string {
  return lines
    .map(({ at, stream, level, text }) => `${new Date(at).toISOString()} ${stream} ${level.padEnd(5)} ${text}\n`)
    .join('')
}
