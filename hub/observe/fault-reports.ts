import type { Redactor } from './redactor.ts'

/** A fault of ours, and what may be told of where it came up. */
export type ReportFault = (error: unknown, requestId?: string | null) => Promise<void>

export interface FaultReportOptions {
  /** Where to; undefined for nowhere. */
  dsn: () => string | undefined
  release: string
  /** Which part of MCP Hub it is. */
  part: 'hub' | 'app'
  redactor: Redactor
  /** Of this process; no report holds a value of it. */
  env: NodeJS.ProcessEnv
}

/** A hub that fails again and again tells it so often in an hour. */
const MAX_AN_HOUR = 60

/** Reports faults to Sentry where there is a DSN; the SDK is loaded with the first one. Never throws. */
export function createFaultReports(options: FaultReportOptions): ReportFault {
  let opened: { dsn: string; send: Promise<ReportFault> } | null = null
  let hour = 0
  let sent = 0

  return async (error, requestId = null) => {
    const dsn = options.dsn()
    if (dsn === undefined) return
    const now = Math.floor(Date.now() / 3_600_000)
    if (now !== hour) sent = 0
    hour = now
    if (++sent > MAX_AN_HOUR) return
    try {
      if (opened?.dsn !== dsn)
        opened = { dsn, send: import('./sentry.ts').then(({ openSentry }) => openSentry(dsn, options)) }
      await (
        await opened.send
      )(error, requestId)
    } catch {
      // The log has the fault; that it could not be reported as well is not worth another one.
    }
  }
}
