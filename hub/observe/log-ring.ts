import type { LogLine } from '../contract/index.ts'
import type { Redactor } from './redactor.ts'

const MAX_LINES = 2_000
const MAX_TEXT = 10_000

/** The newest log lines of one server, bounded; `onLines` hears of new ones in batches. */
export interface LogRing {
  add: (stream: LogLine['stream'], level: LogLine['level'], text: string) => void
  lines: () => LogLine[]
}

export function createLogRing(options: { redactor: Redactor; onLines: (lines: LogLine[]) => void }): LogRing {
  const ring: LogLine[] = []
  let seq = 0
  let fresh: LogLine[] = []
  let timer: NodeJS.Timeout | null = null

  return {
    add(stream, level, text) {
      for (const part of text.split('\n')) {
        const line: LogLine = {
          seq: ++seq,
          at: Date.now(),
          stream,
          level,
          text: options.redactor.head(part, MAX_TEXT),
        }
        ring.push(line)
        fresh.push(line)
      }
      if (ring.length > MAX_LINES) ring.splice(0, ring.length - MAX_LINES)
      if (fresh.length > MAX_LINES) fresh = fresh.slice(-MAX_LINES)
      timer ??= setTimeout(() => {
        timer = null
        const lines = fresh
        fresh = []
        options.onLines(lines)
      }, 100).unref()
    },
    lines: () => [...ring],
  }
}
