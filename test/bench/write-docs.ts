import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { format, resolveConfig } from 'prettier'
import { root } from './lib/programs.ts'
import { gateTable, rowTable } from './report.ts'
import { createResults } from './results.ts'
import type { RowFigures, RowInfo } from './rows/stage.ts'

/** What `run.ts` writes beside its tables, as far as the documentation needs it. */
export interface Report {
  startedAt: string
  minutes: number
  rounds: number
  window: { ms: number }
  machine: { node: string; cpus: number; cpu: string; load: number[]; loadAfter: number[] }
  faults: { row: string; contender: string; error: string }[]
  rows: Record<string, Record<string, RowFigures>[]>
}

const BEGIN = '<!-- Written by `npm run bench -- --write-docs`; what is changed here by hand is lost. -->'
const END = '<!-- End of what is written. -->'
const document = join(root, 'docs', 'performance.md')

/** Puts the tables of a run into docs/performance.md. */
export async function writeDocs(jsonFile: string, rows: readonly RowInfo[], names: readonly string[]): Promise<void> {
  const report = JSON.parse(readFileSync(jsonFile, 'utf8')) as Report
  const results = createResults()
  for (const [row, rounds] of Object.entries(report.rows))
    for (const [round, contenders] of rounds.entries())
      for (const [contender, figures] of Object.entries(contenders))
        results.add(row, contender, round, revived(figures))
  const { machine } = report
  const text = [
    `Run of ${report.startedAt.slice(0, 10)}: ${report.rounds} round${report.rounds === 1 ? '' : 's'} in ${report.minutes} minutes, ` +
      `Node ${machine.node}, ${machine.cpus} cores (${machine.cpu}), load ${String(machine.load[0])} before and ${String(machine.loadAfter[0])} after.`,
    report.faults.length === 0
      ? 'Every contender could do what it was asked.'
      : `${report.faults.length} times a contender could not do what it was asked: ${[...new Set(report.faults.map(({ row, contender }) => `${contender} in \`${row}\``))].join(', ')}.`,
    '### Gates',
    gateTable(results).text,
    '### Rows',
    'Medians over the rounds.',
    ...rows.filter(({ id }) => results.has(id)).map((row) => rowTable(row, names, results)),
  ].join('\n\n')
  const before = readFileSync(document, 'utf8')
  const from = before.indexOf(BEGIN)
  const to = before.indexOf(END)
  if (from === -1 || to < from) throw new Error(`${document} has lost the lines between which the tables stand`)
  const after = `${before.slice(0, from)}${BEGIN}\n\n${text}\n\n${before.slice(to)}`
  writeFileSync(document, await format(after, { ...(await resolveConfig(document)), parser: 'markdown' }))
}

/** JSON has no infinity and no NaN; both came out as null. */
function revived(figures: RowFigures): RowFigures {
  return Object.fromEntries(
    Object.entries(figures).map(([key, value]) => [key, (value as number | null) === null ? Number.NaN : value]),
  )
}
