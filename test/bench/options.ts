import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { contenderNames, type ContenderName } from './contenders/contender.ts'
import { root } from './lib/programs.ts'
import type { Window } from './load/driver.ts'

export interface Options {
  rounds: number
  /** Beginnings of row ids; none means all. */
  rows: string[]
  contenders: readonly ContenderName[]
  window: Window
  hub: string
  nodeFlags: string[]
  /** Writes the tables into the documentation, after the run or, with `docsOnly`, from the JSON of an earlier one. */
  writeDocs: boolean
  docsOnly: boolean
  /** Where the JSON goes. */
  out: string
}

/** As `npm run hub`, the published bundle and the app start it. */
const SHIPPED_FLAGS = [
  '--max-old-space-size=512',
  '--max-semi-space-size=8',
  '--initial-old-space-size=64',
  '--expose-gc',
]

export const usage = `npm run bench -- [options]
  --rounds N           rounds, 5 unless told (medians over them)
  --rows a,b           only rows whose id begins with one of these, and only their gates
  --contenders a,b     of ${contenderNames.join(', ')}
  --quick              one round with short windows, to see that everything works
  --write-docs         also writes the tables of docs/performance.md
  --docs-only          measures nothing: writes those tables from the JSON of an earlier run
  --hub FILE           the built hub, dist/hub/server.js unless told
  --node-flags "…"     more flags for the Node of our hub, such as --cpu-prof
  --out FILE           the JSON, test/bench/results/latest.json unless told`

export function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: 'string' },
      rows: { type: 'string' },
      contenders: { type: 'string' },
      quick: { type: 'boolean', default: false },
      'write-docs': { type: 'boolean', default: false },
      'docs-only': { type: 'boolean', default: false },
      hub: { type: 'string', default: join(root, 'dist', 'hub', 'server.js') },
      'node-flags': { type: 'string', default: '' },
      out: { type: 'string', default: join(root, 'test', 'bench', 'results', 'latest.json') },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(usage)
    process.exit(0)
  }
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 5))
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 50) throw new Error('--rounds takes a number from 1 to 50')
  const asked = values.contenders?.split(',') ?? contenderNames
  const unknown = asked.filter((name) => !contenderNames.some((known) => known === name))
  if (unknown.length > 0) throw new Error(`There is no contender ${unknown.join(', ')}`)
  return {
    rounds,
    rows: values.rows?.split(',') ?? [],
    contenders: contenderNames.filter((name) => asked.includes(name)),
    window: values.quick ? { warmUpMs: 50, ms: 200 } : { warmUpMs: 80, ms: 300 },
    writeDocs: values['write-docs'] || values['docs-only'],
    docsOnly: values['docs-only'],
    hub: values.hub,
    nodeFlags: [...SHIPPED_FLAGS, ...values['node-flags'].split(' ')].filter((flag) => flag !== ''),
    out: values.out,
  }
}
