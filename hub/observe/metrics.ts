import type { Registry } from 'prom-client'
import { serverStates, type ServerStatus } from '../contract/index.ts'
import { callBounds, createCallCounts, type CallSeries, type CountedRequest } from './call-counts.ts'

export interface MetricsOptions {
  /** `monitoring.enabled` and `monitoring.metricsInterval`, as they are in force. */
  settings: () => { enabled: boolean; intervalMs: number | null }
  version: string
  servers: () => readonly ServerStatus[]
  sessions: () => number
  listens: () => number
  eventReaders: () => number
  /** Requests that the history lost. */
  dropped: () => number
  /** How often a name was locked because of wrong passwords. */
  lockouts: () => number
  /** How often a password was not looked at because too many waited. */
  refusedPasswords: () => number
  /** When the newest backup was made, in milliseconds since the epoch; null where there is none. */
  newestBackup: () => Promise<number | null>
}

export interface Metrics {
  count: (requests: readonly CountedRequest[]) => void
  /** The text that Prometheus scrapes; null while figures are off. */
  scrape: () => Promise<{ contentType: string; text: string } | null>
}

/** What a hub does and how it is, for Prometheus. prom-client is loaded by the first scrape: who does not scrape pays for counting only. */
export function createMetrics(options: MetricsOptions): Metrics {
  const calls = createCallCounts()
  let registry: Promise<Registry> | null = null
  /** The gauges as they were read last. */
  let sample: { at: number; text: string } | null = null

  async function load(): Promise<Registry> {
    const { Counter, Gauge, Registry, collectDefaultMetrics } = await import('prom-client')
    const registry = new Registry()
    collectDefaultMetrics({ register: registry })
    const gauge = (name: string, help: string, value: () => number): void => {
      new Gauge({
        name,
        help,
        registers: [registry],
        collect() {
          this.set(value())
        },
      })
    }
    gauge('mcp_hub_sessions', 'Open sessions of legacy clients', options.sessions)
    gauge('mcp_hub_streams', 'Open subscription streams of modern clients', options.listens)
    gauge('mcp_hub_event_readers', 'Open readers of /api/events', options.eventReaders)
    new Gauge({
      name: 'mcp_hub_info',
      help: 'The version of the hub',
      labelNames: ['version'],
      registers: [registry],
    }).set({ version: options.version }, 1)
    new Gauge({
      name: 'mcp_hub_server_state',
      help: '1 for the state that a server is in',
      labelNames: ['server', 'state'],
      registers: [registry],
      collect() {
        this.reset()
        for (const { name, state } of options.servers())
          for (const candidate of serverStates)
            this.set({ server: name, state: candidate }, candidate === state ? 1 : 0)
      },
    })
    new Counter({
      name: 'mcp_hub_server_restarts_total',
      help: 'Restarts of a server that was lost',
      labelNames: ['server'],
      registers: [registry],
      collect() {
        this.reset()
        for (const { name, restarts } of options.servers()) this.inc({ server: name }, restarts)
      },
    })
    new Counter({
      name: 'mcp_hub_history_dropped_total',
      help: 'Requests that could not be kept in the history',
      registers: [registry],
      collect() {
        this.reset()
        this.inc(options.dropped())
      },
    })
    new Counter({
      name: 'mcp_hub_lockouts_total',
      help: 'How often a name was locked at an address because of wrong passwords',
      registers: [registry],
      collect() {
        this.reset()
        this.inc(options.lockouts())
      },
    })
    new Counter({
      name: 'mcp_hub_sign_ins_refused_total',
      help: 'How often a password was not looked at because too many waited',
      registers: [registry],
      collect() {
        this.reset()
        this.inc(options.refusedPasswords())
      },
    })
    new Gauge({
      name: 'mcp_hub_backup_timestamp_seconds',
      help: 'When the newest backup was made, 0 for never',
      registers: [registry],
      async collect() {
        this.set(((await options.newestBackup()) ?? 0) / 1_000)
      },
    })
    return registry
  }

  return {
    count: (requests) => {
      if (options.settings().enabled) calls.count(requests)
    },
    scrape: async () => {
      const { enabled, intervalMs } = options.settings()
      if (!enabled) return null
      const loaded = await (registry ??= load())
      const at = performance.now()
      // To read them is what costs something, and with many who scrape it would be for each.
      if (sample === null || intervalMs === null || at - sample.at >= intervalMs)
        sample = { at, text: (await loaded.metrics()).trimEnd() }
      return { contentType: loaded.contentType, text: `${sample.text}\n\n${renderCalls([...calls.series()])}` }
    },
  }
}

/**
 * Counts and durations of calls in Prometheus's text format. They are counted in plain numbers, because prom-client's own
 * histogram costs more a call than the hub may spend on all of its bookkeeping.
 */
export function renderCalls(series: readonly CallSeries[]): string {
  const lines = [
    '# HELP mcp_hub_requests_total Requests of clients by how they ended',
    '# TYPE mcp_hub_requests_total counter',
  ]
  for (const one of series)
    for (const [outcome, count] of one.outcomes)
      lines.push(`mcp_hub_requests_total{${labels(one)},outcome="${outcome}"} ${count}`)
  lines.push(
    '# HELP mcp_hub_request_duration_seconds How long requests of clients took',
    '# TYPE mcp_hub_request_duration_seconds histogram',
  )
  for (const one of series) {
    let below = 0
    for (const [index, bound] of callBounds.entries()) {
      below += one.buckets[index] ?? 0
      lines.push(`mcp_hub_request_duration_seconds_bucket{${labels(one)},le="${bound}"} ${below}`)
    }
    below += one.buckets[callBounds.length] ?? 0
    lines.push(
      `mcp_hub_request_duration_seconds_bucket{${labels(one)},le="+Inf"} ${below}`,
      `mcp_hub_request_duration_seconds_sum{${labels(one)}} ${one.sumMs / 1_000}`,
      `mcp_hub_request_duration_seconds_count{${labels(one)}} ${below}`,
    )
  }
  return `${lines.join('\n')}\n`
}

function labels({ server, method, tool }: CallSeries): string {
  return `server="${escape(server)}",method="${escape(method)}",tool="${escape(tool)}"`
}

function escape(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
