import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { contenderNames, type Contender, type ContenderName } from './contenders/contender.ts'
import { direct } from './contenders/direct.ts'
import { mcpHub } from './contenders/mcp-hub.ts'
import { ours } from './contenders/ours.ts'
import { rawproxy } from './contenders/rawproxy.ts'
import { sdk } from './contenders/sdk.ts'
import { judge, measuredGates } from './gates.ts'
import { compilePrograms, hubCode } from './lib/programs.ts'
import { readOptions } from './options.ts'
import { gateTable, machine, rowTable } from './report.ts'
import { createResults } from './results.ts'
import { httpCalls, lists, stdioCalls } from './rows/calls.ts'
import { dead, deadServers } from './rows/dead.ts'
import { httpRestart, stdioKill } from './rows/faults.ts'
import { progress } from './rows/progress.ts'
import type { Stage } from './rows/stage.ts'
import { startOne, startTwenty } from './rows/start.ts'
import { writeDocs } from './write-docs.ts'

/** `npm run bench`: interleaved rounds of every contender in one run; see docs/performance.md. */
/** Other hubs are there for comparison and decide no gate: they take part in every other round. */
const peers: readonly ContenderName[] = ['sdk', 'mcp-hub']
const stages: Stage[] = [stdioCalls, httpCalls, lists, startOne, startTwenty, stdioKill, httpRestart, progress, dead]

const names = [...contenderNames, 'ours+dead']
const options = readOptions(process.argv.slice(2))
const allRows = stages.flatMap((stage) => stage.rows)
if (options.docsOnly) {
  await writeDocs(options.out, allRows, names)
  process.exit(0)
}
const unknown = options.rows.filter((start) => !allRows.some(({ id }) => id.startsWith(start)))
if (unknown.length > 0) {
  console.error(`No row begins with ${unknown.join(' or ')}: ${allRows.map(({ id }) => id).join(', ')}`)
  process.exit(2)
}
if (options.contenders.includes('ours') && !existsSync(options.hub)) {
  console.error(`${options.hub} is not there: run npm run build first.`)
  process.exit(2)
}
compilePrograms()

const hubOptions = { server: options.hub, nodeFlags: options.nodeFlags, compiled: hubCode }
const all: Record<ContenderName, Contender> = { direct, rawproxy, sdk, 'mcp-hub': mcpHub, ours: ours(hubOptions) }
const contenders = options.contenders.map((name) => all[name])
const wants = (row: string): boolean => options.rows.length === 0 || options.rows.some((start) => row.startsWith(start))
const wanted = stages.filter((stage) => stage.rows.some(({ id }) => wants(id)))
const results = createResults()
const faults: { round: number; row: string; contender: string; error: string }[] = []
const before = machine()
const startedAt = new Date()

for (let round = 0; round < options.rounds; round++) {
  const present = contenders.filter(({ name }) => round % 2 === 0 || !peers.includes(name))
  const turn = round % present.length
  for (const stage of wanted) {
    console.error(`round ${round + 1} of ${options.rounds}: ${stage.rows.map(({ id }) => id).join(', ')}`)
    await stage.run({
      contenders: [...present.slice(turn), ...present.slice(0, turn)],
      oursWithDead: ours({ ...hubOptions, more: deadServers() }),
      window: options.window,
      wants,
      record: (row, contender, figures) => results.add(row, contender, round, figures),
      fault: (row, contender, error) => {
        const text = error instanceof Error ? error.message : String(error)
        console.error(`  ${row}, ${contender}: ${text}`)
        faults.push({ round, row, contender, error: text })
      },
    })
  }
}

const rows = wanted.flatMap((stage) => stage.rows).filter(({ id }) => results.has(id))
for (const row of rows) console.log(`${rowTable(row, names, results)}\n`)
const summary = gateTable(results)
console.log(summary.text)

mkdirSync(dirname(options.out), { recursive: true })
const report = {
  startedAt: startedAt.toISOString(),
  minutes: Number(((Date.now() - startedAt.getTime()) / 60_000).toFixed(1)),
  rounds: options.rounds,
  window: options.window,
  machine: { ...before, loadAfter: (machine() as { load: number[] }).load },
  gates: measuredGates(results).map((gate) => {
    const { figure, row, better, unit, aim } = gate
    return { figure, row, ...judge(gate, results), gate: gate.gate, aim, better, unit }
  }),
  faults,
  rows: results.toJson(),
}
writeFileSync(options.out, `${JSON.stringify(report, null, 2)}\n`)
console.log(
  `\n${summary.failed === 0 ? 'Every gate is held.' : `${summary.failed} gates are not held.`} Written to ${options.out}`,
)
if (options.writeDocs) await writeDocs(options.out, allRows, names)
process.exitCode = options.contenders.includes('ours') && summary.failed > 0 ? 1 : 0
