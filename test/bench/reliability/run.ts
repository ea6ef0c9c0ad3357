import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { CannotMeasure, type Outcome, type Row } from './row.ts'
import { rows } from './rows.ts'

/** `npm run bench:reliability`: the figures of docs/reliability.md, each with a hub or the parts that it runs with. */
const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '' },
    short: { type: 'boolean', default: false },
  },
})
const wanted = values.rows === '' ? [] : values.rows.split(',')
const unknown = wanted.filter((id) => !rows.some((row) => row.id === id))
if (unknown.length > 0) {
  console.error(`There is no row ${unknown.join(', ')}; there are ${rows.map(({ id }) => id).join(', ')}.`)
  process.exit(2)
}
if (!existsSync(path.join(import.meta.dirname, '..', '..', '..', 'dist', 'hub', 'server.js'))) {
  console.error('The hub is not built: run npm run build first.')
  process.exit(2)
}

async function measure(row: Row): Promise<Outcome & { verdict: string }> {
  try {
    const outcome = await row.run({ short: values.short })
    return { ...outcome, verdict: outcome.pass ? 'pass' : 'FAIL' }
  } catch (error) {
    const cannot = error instanceof CannotMeasure
    const message = error instanceof Error ? error.message : String(error)
    return { measured: message.split('\n')[0] ?? '', pass: false, verdict: cannot ? 'NOT MEASURED' : 'FAIL' }
  }
}

console.log(
  `${cpus().length} CPUs, load ${loadavg()[0]?.toFixed(1)}, Node ${process.version}${values.short ? ', short' : ''}\n`,
)
console.log('| # | what | must reach | measured | |\n| --- | --- | --- | --- | --- |')
const chosen = rows.filter(({ id }) => wanted.length === 0 || wanted.includes(id))
const [only] = chosen
if (chosen.length === 1 && only !== undefined) {
  const { measured, pass, verdict } = await measure(only)
  console.log(`| ${only.id} | ${only.what} | ${only.must} | ${measured} | ${verdict} |`)
  process.exit(pass ? 0 : 1)
}
// A process for each: some rows measure the memory of their own, which must not be what another row left.
let failed = false
for (const { id } of chosen) {
  const args = [...process.execArgv, import.meta.filename, '--rows', id, ...(values.short ? ['--short'] : [])]
  const { status, stdout } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  failed ||= status !== 0
  console.log(stdout.split('\n').find((line) => line.startsWith(`| ${id} `)) ?? `| ${id} | it ended with ${status} |`)
}
process.exit(failed ? 1 : 0)
