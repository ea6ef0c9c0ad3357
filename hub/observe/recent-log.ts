import { withoutSecretKeys, type Log } from './log.ts'

const MAX_ENTRIES = 2_000

export interface LogEntry {
  at: string
  level: Parameters<Log>[0]
  message: string
  data: Record<string, unknown>
}

export interface RememberedLog {
  log: Log
  entries: () => LogEntry[]
}

/** Passes a log on and remembers its newest entries above `debug`, for diagnostics. */
export function rememberLog(log: Log): RememberedLog {
  const entries: LogEntry[] = []
  return {
    log: (level, message, data = {}) => {
      // There may be many, and what went wrong must not be pushed out by them.
      if (level !== 'debug')
        entries.push({ at: new Date().toISOString(), level, message, data: withoutSecretKeys(data) })
      if (entries.length > MAX_ENTRIES) entries.shift()
      log(level, message, data)
    },
    entries: () => [...entries],
  }
}
