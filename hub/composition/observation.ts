import type { Pins } from '../catalog/pins.ts'
import type { BackupSource } from '../backup/backup-source.ts'
import { fixedDefault } from '../config/settings.ts'
import type { ConfigStore } from '../config/store.ts'
import type { OnExchange } from '../gateway/exchange.ts'
import type { Gateway } from '../gateway/gateway.ts'
import { createHistory } from '../history/create-history.ts'
import type { Recorder } from '../history/recorder.ts'
import type { HubOptions } from '../hub.ts'
import { createEvents, type Events } from '../observe/events.ts'
import { createFaultReports, type ReportFault } from '../observe/fault-reports.ts'
import { createMetrics, type Metrics } from '../observe/metrics.ts'
import { logRequests } from '../observe/request-lines.ts'
import { createWebhooks, type Webhooks } from '../observe/webhooks.ts'
import type { Supervisor } from '../upstream/supervisor.ts'
import type { Access } from './access.ts'

export interface ObservationOptions {
  options: HubOptions
  config: ConfigStore
  pins: Pins
  backups: BackupSource
  baseUrl: () => string | null
  allowPrivateAddresses: () => boolean
  /** Made later than what watches them. */
  parts: () => { supervisor: Supervisor; gateway: Gateway; access: Access }
}

/** What the hub keeps and tells of itself and of its calls. */
export interface Observation {
  events: Events
  history: Recorder
  webhooks: Webhooks
  metrics: Metrics
  reportFault: ReportFault
  onExchange: OnExchange
}

export function createObservation(given: ObservationOptions): Observation {
  const { options, config, parts } = given
  const { redactor, traces } = options
  const events = createEvents(redactor)
  const history = createHistory({
    mode: options.mode,
    dataDir: options.dataDir,
    databaseUrl: options.databaseUrl,
    system: () => config.system,
    redactor,
    events,
    log: options.log,
    onBatch: (requests) => {
      metrics.count(requests)
      if (options.isDebug?.() === true) logRequests(options.log, requests)
      options.worked?.(requests.length)
    },
  })
  const webhooks = createWebhooks({
    version: options.version,
    env: options.env,
    configDir: options.configDir,
    allowPrivateAddresses: given.allowPrivateAddresses,
    hubUrl: given.baseUrl,
    pinState: given.pins.state,
    redactor,
    log: options.log,
  })
  webhooks.apply(config.system.monitoring?.webhooks)
  const metrics = createMetrics({
    settings: () => {
      const { enabled = fixedDefault('monitoring.enabled'), metricsInterval = null } = config.system.monitoring ?? {}
      return { enabled, intervalMs: metricsInterval }
    },
    version: options.version,
    servers: () => [...parts().supervisor.upstreams.values()].map((upstream) => upstream.status()),
    sessions: () => parts().gateway.sessions,
    listens: () => parts().gateway.listens,
    eventReaders: () => events.readers,
    dropped: () => history.dropped,
    lockouts: () => parts().access.lockouts,
    refusedPasswords: () => parts().access.identity.refusedPasswords,
    newestBackup: given.backups.newest,
  })
  return {
    events,
    history,
    webhooks,
    metrics,
    reportFault: createFaultReports({
      dsn: () => config.system.monitoring?.sentryDsn,
      release: options.version,
      part: 'hub',
      redactor,
      env: process.env,
    }),
    onExchange:
      traces === null
        ? history.record
        : (exchange, params, reply) => {
            history.record(exchange, params, reply)
            traces.end(exchange)
          },
  }
}
