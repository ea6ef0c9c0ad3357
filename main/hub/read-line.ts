const LEVELS = ['error', 'warn', 'info', 'debug'] as const

/** A line that the hub printed: its log's at the level that it has there, anything else as it is. */
export function readHubLine(line: string): { level: (typeof LEVELS)[number]; message: string; data: object | null } {
  if (line.startsWith('{'))
    try {
      const { level, message, time: _time, ...data } = JSON.parse(line) as Record<string, unknown>
      const known = LEVELS.find((name) => name === level)
      if (known !== undefined && typeof message === 'string') return { level: known, message, data }
    } catch {
      // A line that only looks like one of the log.
    }
  return { level: 'info', message: line, data: null }
}
