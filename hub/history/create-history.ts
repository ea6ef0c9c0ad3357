import { defaultOf, fixedDefault } from '../config/settings.ts'
import type { SystemFile } from '../contract/index.ts'
import type { Events } from '../observe/events.ts'
import type { Log } from '../observe/log.ts'
import type { Redactor } from '../observe/redactor.ts'
import type { PayloadOptions } from './payloads.ts'
import { createRecorder, type Recorder, type RecorderOptions } from './recorder.ts'
import type { HistoryLimits, HistoryStore } from './store.ts'

/** A database elsewhere may go away and come back without a call that would notice. */
const PING_MS = 2_000

export interface HistoryOptions {
  mode: 'desktop' | 'server'
  dataDir: string
  /** PostgreSQL; null for SQLite in the data folder. */
  databaseUrl: string | null
  system: () => SystemFile
  redactor: Redactor
  events: Events
  log: Log
  onBatch: RecorderOptions['onBatch']
}

/** History and audit as the configuration wants them. Nothing is loaded or opened before there is something to write. */
export function createHistory(options: HistoryOptions): Recorder {
  const { redactor, log, databaseUrl } = options
  let settings: SystemFile['history']
  let payloads: PayloadOptions | null = null

  /** Made anew only when the configuration is: it is asked for at each call. */
  function payloadOptions(): PayloadOptions {
    const { history } = options.system()
    if (payloads === null || settings !== history) {
      settings = history
      payloads = {
        mode: history?.payloads ?? 'off',
        maxBytes: history?.maxPayloadBytes ?? fixedDefault('history.maxPayloadBytes'),
        redactor,
      }
    }
    return payloads
  }

  function limits(): HistoryLimits {
    const { maxRows, maxBytes, maxDays, auditDays } = options.system().history ?? {}
    const where = { mode: options.mode, production: false }
    return {
      maxRows: maxRows ?? defaultOf('history.maxRows', where),
      maxBytes: maxBytes ?? defaultOf('history.maxBytes', where),
      maxDays: maxDays ?? defaultOf('history.maxDays', where),
      auditDays: auditDays ?? defaultOf('history.auditDays', where),
    }
  }

  async function open(): Promise<HistoryStore> {
    if (databaseUrl !== null) {
      const { openPostgresStore } = await import('./postgres-store.ts')
      return openPostgresStore({
        url: databaseUrl,
        onError: (error) => log('warn', 'A connection to PostgreSQL was lost', { error: error.message }),
      })
    }
    const { openSqliteStore } = await import('./sqlite-store.ts')
    return openSqliteStore({
      dataDir: options.dataDir,
      onDamaged: (file, asideAs, message) =>
        log('error', 'A database file is damaged: it was put aside, and an empty one begun', {
          file,
          asideAs,
          message,
        }),
    })
  }

  return createRecorder({
    open,
    limits,
    payloads: payloadOptions,
    onBatch: options.onBatch,
    onAppended: (count, dropped) => options.events.emit({ type: 'history.appended', count, dropped }),
    log,
    ...(databaseUrl === null ? {} : { pingEveryMs: PING_MS }),
  })
}
