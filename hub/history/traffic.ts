import type { NewRequest, TrafficRow } from './tables.ts'
import { bucketOf, durationBounds, quantile } from './durations.ts'
import type { Stats } from '../contract/index.ts'

/** Statistics of the last hours are kept by minutes, of the last week by quarters of an hour. */
export const trafficSteps = [
  { step: 60, keepMs: 3 * 3_600_000 },
  { step: 900, keepMs: 8 * 86_400_000 },
] as const

/** Clients name themselves, so there may be any number of names; those beyond the limit are counted together. */
const MAX_CLIENTS = 200
const OTHER = 'other'
/** The shortest of the steps. */
const MINUTE_MS = 60_000

export interface TrafficCounter {
  /** The sums of a batch, one row for each span of time, server, client and span of duration. */
  count: (requests: readonly NewRequest[]) => TrafficRow[]
}

export function createTrafficCounter(): TrafficCounter {
  const clients = new Set<string>()

  /** A client by its name alone: a new version is no new client. */
  function clientOf(label: string | null): string {
    const name = label?.replace(/ v?\d\S*$/, '') ?? ''
    if (clients.has(name)) return name
    if (clients.size >= MAX_CLIENTS) return OTHER
    clients.add(name)
    return name
  }

  function rowsFor(rows: Map<string, TrafficRow>, request: NewRequest, server: string, bucket: number): TrafficRow[] {
    const client = clientOf(request.client)
    const { principal } = request
    return trafficSteps.map(({ step }) => {
      const at = Math.floor(request.at / (step * 1_000)) * step * 1_000
      const key = `${step} ${at} ${bucket} ${server}\n${client}\n${principal}`
      const found = rows.get(key)
      if (found !== undefined) return found
      const sums = { calls: 0, errors: 0, bytes_in: 0, bytes_out: 0, last_at: 0 }
      const row = { step, at, server, client, principal, bucket, ...sums }
      rows.set(key, row)
      return row
    })
  }

  return {
    count: (requests) => {
      const rows = new Map<string, TrafficRow>()
      /** Most requests are of the same server, client and minute as the one before: their rows, by span of duration. */
      let known: (TrafficRow[] | undefined)[] = []
      let before: NewRequest | null = null
      let minute = 0
      for (const request of requests) {
        if (request.server === null) continue
        const bucket = bucketOf(request.durationMs)
        if (
          request.server !== before?.server ||
          request.client !== before.client ||
          request.principal !== before.principal ||
          Math.floor(request.at / MINUTE_MS) !== minute
        ) {
          known = []
          before = request
          minute = Math.floor(request.at / MINUTE_MS)
        }
        for (const row of (known[bucket] ??= rowsFor(rows, request, request.server, bucket))) {
          row.calls++
          if (isError(request.outcome)) row.errors++
          row.bytes_in += request.bytesIn
          row.bytes_out += request.bytesOut
          if (request.at > row.last_at) row.last_at = request.at
        }
      }
      return [...rows.values()]
    },
  }
}

/** A client that cancels changed its mind; nothing failed. */
export function isError(outcome: NewRequest['outcome']): boolean {
  return outcome !== 'ok' && outcome !== 'cancelled'
}

const windows = {
  hour: { ms: 3_600_000, step: 60, pointMs: 60_000 },
  day: { ms: 86_400_000, step: 900, pointMs: 900_000 },
  week: { ms: 7 * 86_400_000, step: 900, pointMs: 3_600_000 },
} as const

/** Which spans a window is made of, and where it begins: on the edge of a point, so that no point is cut. */
export function windowOf(
  name: Stats['window'],
  now: number,
): { step: number; pointMs: number; from: number; to: number } {
  const { ms, step, pointMs } = windows[name]
  const to = (Math.floor(now / pointMs) + 1) * pointMs
  return { step, pointMs, from: to - ms, to }
}

class Sum {
  calls = 0
  errors = 0
  bytesIn = 0
  bytesOut = 0
  lastAt = 0
  readonly counts = new Array<number>(durationBounds.length + 1).fill(0)

  add(row: TrafficRow): void {
    this.calls += row.calls
    this.errors += row.errors
    this.bytesIn += row.bytes_in
    this.bytesOut += row.bytes_out
    this.lastAt = Math.max(this.lastAt, row.last_at)
    this.counts[row.bucket] = (this.counts[row.bucket] ?? 0) + row.calls
  }

  get latency(): { p50: number | null; p95: number | null } {
    return { p50: quantile(this.counts, 0.5), p95: quantile(this.counts, 0.95) }
  }

  get traffic(): Stats['total'] {
    const { calls, errors, bytesIn, bytesOut, latency } = this
    return { calls, errors, ...latency, bytesIn, bytesOut }
  }
}

export function toStats(name: Stats['window'], rows: readonly TrafficRow[], now: number, dropped: number): Stats {
  const { pointMs, from, to } = windowOf(name, now)
  const total = new Sum()
  const points = Array.from({ length: (to - from) / pointMs }, () => new Sum())
  const servers = new Map<string, Sum>()
  const clients = new Map<string, { client: string; principal: string; sum: Sum }>()
  for (const row of rows) {
    const point = points[Math.floor((row.at - from) / pointMs)]
    if (point === undefined) continue
    const server = servers.get(row.server) ?? new Sum()
    servers.set(row.server, server)
    const key = `${row.client}\n${row.principal}`
    const client = clients.get(key) ?? { client: row.client, principal: row.principal, sum: new Sum() }
    clients.set(key, client)
    for (const sum of [total, point, server, client.sum]) sum.add(row)
  }
  const byCalls = (a: { calls: number }, b: { calls: number }): number => b.calls - a.calls
  return {
    window: name,
    from,
    to,
    stepMs: pointMs,
    callsPerMinute: Math.round((total.calls / ((to - from) / 60_000)) * 100) / 100,
    errorRate: total.calls === 0 ? 0 : total.errors / total.calls,
    total: total.traffic,
    points: points.map((sum, index) => ({
      at: from + index * pointMs,
      calls: sum.calls,
      errors: sum.errors,
      ...sum.latency,
    })),
    servers: [...servers].map(([server, sum]) => ({ server, ...sum.traffic })).sort(byCalls),
    clients: [...clients.values()]
      .map(({ client, principal, sum }) => ({ client, principal, lastAt: sum.lastAt, ...sum.traffic }))
      .sort(byCalls),
    dropped,
  }
}
