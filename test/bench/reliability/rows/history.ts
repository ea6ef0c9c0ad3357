import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'
import { verifyChain } from '../../../../hub/history/audit-chain.ts'
import { openSqliteStore } from '../../../../hub/history/sqlite-store.ts'
import { temporaryFolder } from '../../../fixtures/built-program.ts'
import { killInTheMiddle } from '../../../fixtures/killed-process.ts'
import { repeat, type Row } from '../row.ts'

const writer = path.join(import.meta.dirname, '..', '..', '..', 'fixtures', 'endless-history.ts')
const cli = path.join(import.meta.dirname, '..', '..', '..', '..', 'dist', 'hub', 'cli.js')

/** What is wrong in a data folder: a file, a sum that does not fit its requests, a break in the chain of acts. */
async function faultsOf(dataDir: string): Promise<string[]> {
  const faults: string[] = []
  for (const name of ['history.db', 'audit.db']) {
    const db = new DatabaseSync(path.join(dataDir, name))
    const result = Object.values(db.prepare('PRAGMA integrity_check').get() ?? {})[0]
    if (result !== 'ok') faults.push(`${name}: ${String(result)}`)
    if (name === 'history.db') {
      const { requests, calls } = db
        .prepare(
          'SELECT (SELECT count(*) FROM hub_requests) AS requests, (SELECT sum(calls) FROM hub_traffic) AS calls',
        )
        .get() as { requests: number; calls: number }
      if (requests !== calls) faults.push(`${requests} requests, ${calls} in the sums`)
    }
    db.close()
  }
  const store = await openSqliteStore({ dataDir, onDamaged: (file) => void faults.push(`${file} is damaged`) })
  const verified = await verifyChain(store.auditChain())
  if (!verified.ok) faults.push('the chain of acts is broken')
  await store.close()
  return faults
}

const killedTransactions: Row = {
  id: 'R4',
  what: 'kill -9 during transactions of SQLite over two tables, and of the audit log',
  must: '0 violations of 300; integrity ok',
  run: async ({ short }) => {
    const kills = short ? 6 : 300
    const faults: string[] = []
    const folder = await temporaryFolder()
    try {
      await repeat(kills, 2, async (lane) => {
        const dataDir = path.join(folder.path, String(lane))
        await mkdir(dataDir, { recursive: true })
        await killInTheMiddle(writer, [dataDir], 40)
        faults.push(...(await faultsOf(dataDir)))
      })
    } finally {
      await folder.dispose()
    }
    return { measured: `${faults.length} violations of ${kills} ${faults[0] ?? ''}`.trim(), pass: faults.length === 0 }
  },
}

async function digest(folder: string): Promise<string> {
  const hash = createHash('sha256')
  const names = (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && /\.(json)$/.test(entry.name))
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort()
  for (const name of names) hash.update(path.relative(folder, name)).update(await readFile(name))
  return hash.digest('hex')
}

const restoreDrill: Row = {
  id: 'R21',
  what: 'everything lost, and put back from a backup',
  must: 'at most 60 s for 100 MB; every byte as it was',
  run: async ({ short }) => {
    const megabytes = short ? 5 : 100
    const folder = await temporaryFolder()
    const at = (...parts: string[]): string => path.join(folder.path, ...parts)
    const run = (...args: string[]) =>
      promisify(execFile)(process.execPath, [cli, ...args], {
        env: { PATH: process.env['PATH'] ?? '', CONFIG_DIR: at('config'), DATA_DIR: at('data') },
      })
    try {
      await mkdir(at('config'))
      await mkdir(at('data', 'accounts'), { recursive: true })
      await writeFile(at('config', 'servers.json'), '{ "mcpServers": { "one": { "command": "node" } } }')
      // Nothing that a compressor would make small.
      for (let n = 0; n < megabytes / 5; n++)
        await writeFile(
          at('data', 'accounts', `${n}.json`),
          JSON.stringify({ sealed: randomBytes(2_500_000).toString('hex') }),
        )
      const before = [await digest(at('config')), await digest(at('data'))].join()
      const { stdout } = await run('backup', '--out', at('archives'), '--json')
      const { name } = JSON.parse(stdout) as { name: string }
      await rm(at('config'), { recursive: true })
      await rm(at('data'), { recursive: true })
      await mkdir(at('config'))
      await mkdir(at('data'))
      const started = performance.now()
      await run('restore', at('archives', name))
      const seconds = (performance.now() - started) / 1_000
      const same = [await digest(at('config')), await digest(at('data'))].join() === before
      return {
        measured: `${seconds.toFixed(1)} s for ${megabytes} MB; ${same ? 'every byte as it was' : 'DIFFERENT'}`,
        pass: seconds <= 60 && same,
      }
    } finally {
      await folder.dispose()
    }
  },
}

export const historyRows: readonly Row[] = [killedTransactions, restoreDrill]
