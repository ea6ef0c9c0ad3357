import { steadyNow } from '../clock.ts'
import type { LogLine } from '../contract/index.ts'
import type { Redactor } from './redactor.ts'

const MAX_LINES = 500
const MAX_TEXT = 10_000
/** Lines kept in each second; a flood would cost everybody else. */
const LINES_A_SECOND = 1_000
const BATCH_MS = 100

/** The newest log lines of one server, bounded; `onLines` hears of new ones in batches. */
export interface LogRing {
  add: (stream: LogLine['stream'], level: LogLine['level'], text: string) => void
  lines: () => LogLine[]
  /** Tells `onLines` at once what waits for the next batch. */
  drain: () => void
}

export function createLogRing(options: {
  redactor: Redactor
  onLines: (lines: LogLine[]) => void
  now?: () => number
  steady?: () => number
}): LogRing {
  const { now = Date.now, steady = steadyNow } = options
  const ring: LogLine[] = []
  /** Greater than any of an earlier run, so that lines of both stay in order. */
  let seq = now() * 1_000
  let fresh: LogLine[] = []
  let timer: NodeJS.Timeout | null = null
  /** By the time that passes: a clock that is set back must not silence a server until it has caught up. */
  let second = -Infinity
  let inSecond = 0
  let dropped = 0

  function push(at: number, stream: LogLine['stream'], level: LogLine['level'], text: string): void {
    const line: LogLine = { seq: ++seq, at, stream, level, text: options.redactor.head(text, MAX_TEXT) }
    ring.push(line)
    fresh.push(line)
  }

  function drain(): void {
    if (timer !== null) clearTimeout(timer)
    timer = null
    const lines = fresh
    fresh = []
    if (lines.length > 0) options.onLines(lines)
  }

  return {
    add(stream, level, text) {
      const at = now()
      const passed = steady()
      if (passed - second >= 1_000) {
        if (dropped > 0) push(at, 'hub', 'warn', `${dropped} lines were left out of the log`)
        second = passed
        inSecond = dropped = 0
      }
      for (const part of text.split('\n')) {
        if (++inSecond > LINES_A_SECOND) dropped++
        else push(at, stream, level, part)
      }
      if (ring.length > MAX_LINES) ring.splice(0, ring.length - MAX_LINES)
      timer ??= setTimeout(drain, BATCH_MS).unref()
    },
    lines: () => [...ring],
    drain,
  }
}
