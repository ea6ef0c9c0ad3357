import type { Results } from './results.ts'

/** One figure to reach: the gate a release must hold, and what we aim for. */
export interface Gate {
  figure: string
  row: string
  /** The row that it is compared with, where that is another. */
  other?: string
  better: 'lower' | 'higher'
  gate: number
  aim: number
  unit: string
  /** For a contender: ours, or the yardstick to see whether the gate can be held on this machine at all. */
  value: (results: Results, who: string) => number
}

const LANES_OF_FAULT_ROWS = 16
const PROGRESS_STEPS = 5
/** The unit of ratios to the yardstick itself, which has no such ratio. */
const TO_YARDSTICK = '× rawproxy'

type Make = (of: (contender: string, key: string) => number) => number

function gate(
  row: string,
  figure: string,
  better: Gate['better'],
  limits: [gate: number, aim: number],
  unit: string,
  make: Make,
): Gate {
  return {
    figure,
    row,
    better,
    gate: limits[0],
    aim: limits[1],
    unit,
    value: (results, who) =>
      results.combine(row, (of) => make((contender, key) => of(contender === 'ours' ? who : contender, key))),
  }
}

function ratio(
  row: string,
  figure: string,
  key: string,
  to: string,
  better: Gate['better'],
  limits: [number, number],
): Gate {
  return gate(row, figure, better, limits, '×', (of) => of('ours', key) / of(to, key))
}

function own(
  row: string,
  figure: string,
  key: string,
  better: Gate['better'],
  limits: [number, number],
  unit: string,
): Gate {
  return gate(row, figure, better, limits, unit, (of) => of('ours', key))
}

/**
 * What the hub adds to a lone call: in ms, and to what the raw forwarder adds. `reference` is what that took, in ms, on the machine
 * where the limits were set; the ratios are what the limits meant there.
 */
function addedLatency(kind: 'stdio' | 'http', [limit, aim]: [number, number], reference: number): Gate[] {
  const row = `echo-${kind}-1`
  return [
    gate(
      row,
      `added latency, ${kind}, p50`,
      'lower',
      [limit, aim],
      'ms',
      (of) => of('ours', 'p50') - of('direct', 'p50'),
    ),
    gate(
      row,
      `added latency, ${kind}, p50, to rawproxy`,
      'lower',
      [limit / reference, aim / reference],
      '×',
      (of) => (of('ours', 'p50') - of('direct', 'p50')) / (of('rawproxy', 'p50') - of('direct', 'p50')),
    ),
  ]
}

/** A figure of one row against one of another, of the same round's medians. */
function against(row: string, other: string, figure: string, limits: [number, number]): Gate {
  return {
    figure,
    row,
    other,
    better: 'higher',
    gate: limits[0],
    aim: limits[1],
    unit: '×',
    value: (results, who) => results.figure(row, who, 'rate') / results.figure(other, who, 'rate'),
  }
}

/** What may not happen once in any row; given to the row that every run should have. */
function never(figure: string, key: string): Gate {
  return {
    figure,
    row: 'echo-stdio-16',
    better: 'lower',
    gate: 0,
    aim: 0,
    unit: '',
    value: (results, who) => results.total(who, key) + (who === 'ours' ? results.total('ours+dead', key) : 0),
  }
}

/** CPU a call first: it is the least noisy. */
const gates: Gate[] = [
  ratio('echo-stdio-16', 'CPU a call, stdio, to rawproxy', 'cpuUs', 'rawproxy', 'lower', [1.8, 1.3]),
  ratio('echo-stdio-64', 'CPU a call, stdio, 64 connections, to rawproxy', 'cpuUs', 'rawproxy', 'lower', [1.8, 1.3]),
  ratio('echo-http-16', 'CPU a call, http, to rawproxy', 'cpuUs', 'rawproxy', 'lower', [1.8, 1.3]),
  ratio('echo-http-64', 'CPU a call, http, 64 connections, to rawproxy', 'cpuUs', 'rawproxy', 'lower', [1.8, 1.3]),
  ratio('echo-modern-stdio', 'CPU a call, 2026-07-28 stdio, to rawproxy', 'cpuUs', 'rawproxy', 'lower', [1.8, 1.3]),
  ratio('echo-modern-http', 'CPU a call, 2026-07-28 http, to rawproxy', 'cpuUs', 'rawproxy', 'lower', [1.8, 1.3]),
  own('lists', 'CPU a tools/list of 10 × 50', 'cpuUs', 'lower', [250, 150], 'µs'),
  own('big-stdio-1mb', 'CPU a 1 MB call, stdio', 'cpuUs', 'lower', [3_000, 1_800], 'µs'),
  ratio('echo-stdio-16', 'rate, stdio, 16 connections, to rawproxy', 'rate', 'rawproxy', 'higher', [0.6, 0.8]),
  ratio('echo-stdio-64', 'rate, stdio, 64 connections, to rawproxy', 'rate', 'rawproxy', 'higher', [0.6, 0.8]),
  ratio('echo-http-16', 'rate, http, 16 connections, to rawproxy', 'rate', 'rawproxy', 'higher', [0.6, 0.8]),
  ratio('echo-http-64', 'rate, http, 64 connections, to rawproxy', 'rate', 'rawproxy', 'higher', [0.6, 0.8]),
  ratio('echo-modern-stdio', 'rate, 2026-07-28 stdio, to rawproxy', 'rate', 'rawproxy', 'higher', [0.6, 0.8]),
  ratio('echo-modern-http', 'rate, 2026-07-28 http, to rawproxy', 'rate', 'rawproxy', 'higher', [0.6, 0.8]),
  ratio('echo-stdio-16', 'rate, stdio, 16 connections, to direct', 'rate', 'direct', 'higher', [0.3, 0.42]),
  ratio('echo-http-16', 'rate, http, 16 connections, to direct', 'rate', 'direct', 'higher', [0.15, 0.2]),
  against('echo-modern-stdio', 'echo-stdio-16', 'rate, 2026-07-28 stdio, to our legacy rate', [0.95, 1.05]),
  against('echo-modern-http', 'echo-http-16', 'rate, 2026-07-28 http, to our legacy rate', [0.95, 1.05]),
  ...addedLatency('stdio', [0.15, 0.1], 0.08),
  ...addedLatency('http', [0.18, 0.12], 0.1),
  ratio('echo-stdio-16', 'p99, stdio, 16 connections, to rawproxy', 'p99', 'rawproxy', 'lower', [1.5, 1]),
  ratio('echo-stdio-64', 'p99, stdio, 64 connections, to rawproxy', 'p99', 'rawproxy', 'lower', [0.8, 0.5]),
  own('open-1000', 'p99 at 1000 calls a second', 'p99', 'lower', [3, 1.5], 'ms'),
  ratio('lists', 'rate, tools/list of 10 × 50, to rawproxy', 'rate', 'rawproxy', 'higher', [0.7, 0.9]),
  ratio('big-stdio-100kb', 'rate, 100 KB, stdio, to rawproxy', 'rate', 'rawproxy', 'higher', [0.7, 0.9]),
  ratio('big-stdio-1mb', 'rate, 1 MB, stdio, to rawproxy', 'rate', 'rawproxy', 'higher', [0.7, 0.9]),
  ratio('big-http-1mb', 'rate, 1 MB, http, to rawproxy', 'rate', 'rawproxy', 'higher', [0.8, 0.9]),
  own('start-1', 'memory idle, 1 server', 'idleMb', 'lower', [75, 65], 'MB'),
  own('start-20', 'memory idle, 20 servers', 'idleMb', 'lower', [80, 70], 'MB'),
  own('echo-stdio-64', 'memory peak, echo, 64 connections', 'peakMb', 'lower', [150, 110], 'MB'),
  own('big-stdio-1mb', 'memory peak, 1 MB, 4 connections', 'peakMb', 'lower', [250, 180], 'MB'),
  own('start-1', 'cold start, 1 stdio server', 'startMs', 'lower', [250, 170], 'ms'),
  ratio('start-20', 'cold start, 20 stdio servers, to rawproxy', 'startMs', 'rawproxy', 'lower', [1.2, 1.05]),
  own('sessions', 'sessions opened', 'rate', 'higher', [1_500, 2_000], '/s'),
  own('sessions', 'memory a session', 'sessionKb', 'lower', [30, 15], 'KB'),
  own('kill-stdio', 'stdio server killed: back after', 'backMs', 'lower', [300, 100], 'ms'),
  own(
    'kill-stdio',
    'stdio server killed: failed calls (16 in flight)',
    'failed',
    'lower',
    [LANES_OF_FAULT_ROWS, LANES_OF_FAULT_ROWS],
    '',
  ),
  own('kill-stdio', 'stdio server killed: clients that must reconnect', 'broken', 'lower', [0, 0], ''),
  own('restart-http', 'http server restarted: back after it', 'backMs', 'lower', [100, 100], 'ms'),
  own(
    'restart-http',
    'http server restarted: failed calls (16 in flight)',
    'failed',
    'lower',
    [LANES_OF_FAULT_ROWS, LANES_OF_FAULT_ROWS],
    '',
  ),
  own('restart-http', 'http server restarted: clients that must reconnect', 'broken', 'lower', [0, 0], ''),
  own('progress', 'progress relayed, spread out', 'spread', 'higher', [PROGRESS_STEPS, PROGRESS_STEPS], 'of 5'),
  own(
    'progress',
    'progress relayed, in one write with the result',
    'joined',
    'higher',
    [PROGRESS_STEPS, PROGRESS_STEPS],
    'of 5',
  ),
  own('progress', 'first progress before the result', 'leadMs', 'higher', [50, 80], 'ms'),
  gate(
    'dead',
    'CPU a call beside 20 dead servers, to without',
    'lower',
    [1.15, 1.05],
    '×',
    (of) => of('ours+dead', 'cpuUs') / of('ours', 'cpuUs'),
  ),
  gate(
    'dead',
    'rate beside 20 dead servers, to without',
    'higher',
    [0.9, 0.95],
    '×',
    (of) => of('ours+dead', 'rate') / of('ours', 'rate'),
  ),
  gate(
    'dead',
    'first call on /mcp beside 20 dead servers, later than without',
    'lower',
    [500, 100],
    'ms',
    (of) => of('ours+dead', 'firstMs') - of('ours', 'firstMs'),
  ),
]

gates.push(
  never('calls without an answer, all rows', 'hung'),
  never('calls answered wrongly or to another client, all rows', 'wrong'),
)

export type Verdict = 'aim' | 'pass' | 'out of reach' | 'FAIL' | 'not measured'

export interface Judgement {
  value: number
  /** The same figure of the raw forwarder. */
  yardstick: number
  verdict: Verdict
}

/** The gates of the rows that were asked for. */
export function measuredGates(results: Results): Gate[] {
  return gates.filter(({ row, other }) => results.has(row) && (other === undefined || results.has(other)))
}

export function judge(gate: Gate, results: Results): Judgement {
  const value = gate.value(results, 'ours')
  const yardstick = gate.unit === TO_YARDSTICK ? Number.NaN : gate.value(results, 'rawproxy')
  const reaches = (figure: number, limit: number): boolean =>
    gate.better === 'lower' ? figure <= limit : figure >= limit
  return { value, yardstick, verdict: verdict() }

  function verdict(): Verdict {
    if (Number.isNaN(value)) return 'not measured'
    if (reaches(value, gate.aim)) return 'aim'
    if (reaches(value, gate.gate)) return 'pass'
    // What a forwarder that does nothing else cannot hold says more of the machine than of the hub.
    return Number.isNaN(yardstick) || reaches(yardstick, gate.gate) ? 'FAIL' : 'out of reach'
  }
}
