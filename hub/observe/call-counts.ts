import type { Outcome } from '../contract/index.ts'

/** What is counted of a request. */
export interface CountedRequest {
  server: string | null
  method: string
  name: string | null
  outcome: Outcome
  durationMs: number
}

export interface CallSeries {
  server: string
  method: string
  tool: string
  /** Calls by how they ended. */
  outcomes: Map<Outcome, number>
  /** Calls in each span of duration, the last one without an end. */
  buckets: number[]
  sumMs: number
}

/** Upper bounds in seconds. */
export const callBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] as const
const MAX_SERIES = 1_000
const OTHER = 'other'
const METHODS: ReadonlySet<string> = new Set([
  'initialize',
  'ping',
  'server/discover',
  'subscriptions/listen',
  'tools/list',
  'tools/call',
  'prompts/list',
  'prompts/get',
  'resources/list',
  'resources/templates/list',
  'resources/read',
  'resources/subscribe',
  'resources/unsubscribe',
  'completion/complete',
  'logging/setLevel',
  'tasks/get',
  'tasks/list',
  'tasks/result',
  'tasks/cancel',
  'tasks/update',
])

/** Counts requests by server, method and tool. Clients choose names, so there is an end to how many are told apart. */
export function createCallCounts(): {
  count: (requests: readonly CountedRequest[]) => void
  series: () => Iterable<CallSeries>
} {
  const all = new Map<string, CallSeries>()

  function seriesOf({ server, method, name }: CountedRequest): CallSeries {
    const labels = {
      server: server ?? '',
      method: METHODS.has(method) ? method : OTHER,
      tool: method === 'tools/call' && server !== null ? (name ?? '') : '',
    }
    const key = `${labels.server}\n${labels.method}\n${labels.tool}`
    const known = all.get(key)
    if (known !== undefined) return known
    // Beyond the limit a server's tools are one; the servers themselves are the configuration's.
    if (all.size >= MAX_SERIES && labels.tool !== OTHER && labels.tool !== '')
      return seriesOf({ server, method, name: OTHER, outcome: 'ok', durationMs: 0 })
    const made: CallSeries = {
      ...labels,
      outcomes: new Map(),
      buckets: new Array<number>(callBounds.length + 1).fill(0),
      sumMs: 0,
    }
    all.set(key, made)
    return made
  }

  return {
    count: (requests) => {
      // Most are of the tool of the one before.
      let before: CountedRequest | null = null
      let series: CallSeries | null = null
      for (const request of requests) {
        const { server, method, name } = request
        if (series === null || server !== before?.server || method !== before.method || name !== before.name)
          series = seriesOf(request)
        before = request
        series.outcomes.set(request.outcome, (series.outcomes.get(request.outcome) ?? 0) + 1)
        const found = callBounds.findIndex((bound) => request.durationMs <= bound * 1_000)
        const bucket = found === -1 ? callBounds.length : found
        series.buckets[bucket] = (series.buckets[bucket] ?? 0) + 1
        series.sumMs += request.durationMs
      }
    },
    series: () => all.values(),
  }
}
