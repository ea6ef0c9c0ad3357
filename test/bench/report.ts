import { cpus, loadavg } from 'node:os'
import { judge, measuredGates, type Gate } from './gates.ts'
import type { Results } from './results.ts'
import type { RowInfo } from './rows/stage.ts'

/** How a figure is shown; in the order of the columns. */
const columns: [key: string, title: string, digits: number][] = [
  ['cpuUs', 'CPU µs', 0],
  ['rate', '/s', 0],
  ['p50', 'p50 ms', 2],
  ['p99', 'p99 ms', 2],
  ['peakMb', 'peak MB', 0],
  ['startMs', 'start ms', 0],
  ['idleMb', 'idle MB', 0],
  ['sessionKb', 'KB each', 1],
  ['backMs', 'back ms', 0],
  ['spread', 'spread', 0],
  ['joined', 'joined', 0],
  ['leadMs', 'lead ms', 0],
  ['firstMs', 'first ms', 0],
  ['nextMs', 'next ms', 2],
  ['failed', 'failed', 0],
  ['hung', 'hung', 0],
  ['wrong', 'wrong', 0],
  ['broken', 'broken', 0],
]

function table(rows: string[][]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const line = (row: string[]): string =>
    `| ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0))).join(' | ')} |`
  const rule = `|${widths.map((width, column) => (column === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`
  const [head = [], ...rest] = rows
  return [line(head), rule, ...rest.map(line)].join('\n')
}

function shown(value: number, digits: number): string {
  return Number.isNaN(value) ? '-' : value.toFixed(digits)
}

/** One row of the benchmark: a line for each contender, a column for each figure it has. */
export function rowTable(row: RowInfo, names: readonly string[], results: Results): string {
  const present = names.filter((name) => columns.some(([key]) => !Number.isNaN(results.figure(row.id, name, key))))
  const used = columns.filter(([key]) => {
    const values = present.map((name) => results.figure(row.id, name, key)).filter((value) => !Number.isNaN(value))
    // Faults are shown where there are any.
    return ['failed', 'hung', 'wrong', 'broken'].includes(key) ? values.some((value) => value > 0) : values.length > 0
  })
  const body = present.map((name) => [
    name,
    ...used.map(([key, , digits]) => shown(results.figure(row.id, name, key), digits)),
  ])
  return `${row.title} (\`${row.id}\`)\n\n${table([['', ...used.map(([, title]) => title)], ...body])}`
}

function withUnit(gate: Gate, value: number): string {
  const digits = Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : 2
  return `${shown(value, digits)}${gate.unit === '' || Number.isNaN(value) ? '' : ` ${gate.unit}`}`
}

export function gateTable(results: Results): { text: string; failed: number } {
  const rows = measuredGates(results).map((gate) => {
    const { value, yardstick, verdict } = judge(gate, results)
    const sign = gate.better === 'lower' ? '≤' : '≥'
    return [
      gate.figure,
      withUnit(gate, value),
      withUnit(gate, yardstick),
      `${sign} ${withUnit(gate, gate.gate)}`,
      `${sign} ${withUnit(gate, gate.aim)}`,
      verdict,
    ]
  })
  const failed = rows.filter((row) => row[5] === 'FAIL' || row[5] === 'not measured').length
  return { text: table([['figure', 'ours', 'rawproxy', 'gate', 'aim', ''], ...rows]), failed }
}

/** Without it a figure cannot be judged later. */
export function machine(): object {
  const [cpu] = cpus()
  return {
    node: process.version,
    cpus: cpus().length,
    cpu: cpu?.model ?? '',
    load: loadavg().map((load) => Number(load.toFixed(2))),
  }
}
