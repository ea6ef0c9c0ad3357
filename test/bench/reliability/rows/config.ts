import { execFileSync, spawn } from 'node:child_process'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { sweepTemporaries } from '../../../../hub/config/atomic-file.ts'

import type { HubStatus } from '../../../../hub/contract/index.ts'
import { brokenConfigs, plant } from '../../../fixtures/broken-config.ts'
import { startBuiltHub, type BuiltHub } from '../../../fixtures/built-hub.ts'
import { temporaryFolder } from '../../../fixtures/built-program.ts'
import { fixtureServer, startHub } from '../../../fixtures/hub.ts'
import { killInTheMiddle } from '../../../fixtures/killed-process.ts'
import { mountSmallDisk } from '../../../fixtures/small-disk.ts'
import { waitFor } from '../../../fixtures/wire.ts'
import { CannotMeasure, repeat, type Row } from '../row.ts'

const fixtures = path.join(import.meta.dirname, '..', '..', '..', 'fixtures')
const writer = path.join(fixtures, 'endless-writer.ts')
const entry = path.join(import.meta.dirname, '..', '..', '..', '..', 'dist', 'hub', 'server.js')

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await temporaryFolder()
  try {
    return await work(folder.path)
  } finally {
    await folder.dispose()
  }
}

const killedWrites: Row = {
  id: 'R1',
  what: 'kill -9 during a write of the configuration',
  must: '0 corrupt of 1,000; the leftovers swept',
  run: ({ short }) =>
    inFolder(async (folder) => {
      const kills = short ? 20 : 1_000
      let corrupt = 0
      await repeat(kills, 2, async (lane) => {
        const file = path.join(folder, `${lane}.json`)
        await killInTheMiddle(writer, [file])
        const { n, end } = JSON.parse(await readFile(file, 'utf8').catch(() => '{}')) as { n?: number; end?: number }
        if (n === undefined || n !== end) corrupt++
      })
      const left = (await readdir(folder)).filter((name) => name.endsWith('.tmp')).length
      await sweepTemporaries(folder)
      const swept = (await readdir(folder)).filter((name) => name.endsWith('.tmp')).length
      return {
        measured: `${corrupt} corrupt of ${kills}; ${left} temporary files, ${swept} after the sweep`,
        pass: corrupt === 0 && left > 0 && swept === 0,
      }
    }),
}

const fullDisk: Row = {
  id: 'R2',
  what: 'the disk is full',
  must: 'refused with a cure, file intact, hub serves, recovers',
  run: () =>
    inFolder(async (folder) => {
      const unmount = mountSmallDisk(folder)
      if (unmount === null) throw new CannotMeasure('this user may not mount a disk')
      const hub = await startHub({}, {}, { hub: { configDir: path.join(folder, 'config') } })
      try {
        const big = { command: 'x', args: ['y'.repeat(50_000)] }
        const add = (name: string, config: object) => hub.api('POST', '/api/servers', { name, config })
        await add('first', { command: 'x' })
        const file = path.join(folder, 'config', 'servers.json')
        const before = await readFile(file, 'utf8')
        const filler = path.join(folder, 'filler')
        await writeFile(filler, Buffer.alloc(2_000_000)).catch(() => undefined)
        const refused = await add('second', big)
        const intact = (await readFile(file, 'utf8')) === before
        const serves = (await hub.api('GET', '/api/servers')).status === 200
        await rm(filler)
        const recovered = (await add('second', big)).status === 201
        const { code } = refused.body as { code?: string }
        return {
          measured: `${refused.status} ${code ?? ''}; ${intact ? 'intact' : 'DAMAGED'}, ${serves ? 'serves' : 'DOWN'}, ${recovered ? 'recovered' : 'NOT recovered'}`,
          pass: code === 'HUB_CONFIG_NOT_SAVED' && intact && serves && recovered,
        }
      } finally {
        await hub.close()
        unmount()
      }
    }),
}

const fsyncOrder: Row = {
  id: 'R3',
  what: 'what a write tells the disk, and in which order',
  must: 'fsync(file), rename, fsync(folder)',
  run: () =>
    inFolder(async (folder) => {
      const trace = path.join(folder, 'trace')
      const target = path.join(folder, 'config.json')
      const program = `import { writeFileAtomic } from ${JSON.stringify(path.join(fixtures, '..', '..', 'hub', 'config', 'atomic-file.ts'))}; await writeFileAtomic(${JSON.stringify(target)}, '{}')`
      const strace = ['-f', '-y', '-e', 'trace=fsync,fdatasync,rename,renameat,renameat2', '-o', trace]
      try {
        execFileSync('strace', [...strace, process.execPath, '--input-type=module', '-e', program], { stdio: 'pipe' })
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new CannotMeasure('strace is not installed')
        throw error
      }
      const steps = (await readFile(trace, 'utf8')).split('\n').flatMap((line) => {
        // A call that another thread interrupts is told in two lines.
        if (/\bfsync\(/.test(line))
          return line.includes('.tmp>') ? ['fsync(file)'] : line.includes(`<${folder}>`) ? ['fsync(folder)'] : []
        return /\brename/.test(line) && line.includes('config.json') && !line.includes('resumed') ? ['rename'] : []
      })
      return { measured: steps.join(', '), pass: steps.join() === 'fsync(file),rename,fsync(folder)' }
    }),
}

/** The built program with the files of a folder: what it exits with, and what it says. */
function firstBoot(configDir: string, dataDir: string): Promise<{ code: number | null; said: string }> {
  return new Promise((resolve, reject) => {
    const env = { PATH: process.env['PATH'] ?? '', PORT: '0', CONFIG_DIR: configDir, DATA_DIR: dataDir }
    const child = spawn(process.execPath, [entry], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    const limit = setTimeout(() => child.kill('SIGKILL'), 30_000)
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (said += data.toString()))
    child.once('error', reject)
    child.once('close', (code) => {
      clearTimeout(limit)
      resolve({ code, said })
    })
  })
}

const statusOf = async (hub: BuiltHub): Promise<HubStatus> =>
  (await (await hub.request('/api/hub')).json()) as HubStatus

const brokenFiles: Row = {
  id: 'R5',
  what: 'broken configuration files',
  must: '40 told with file, place and cure; exit 78 at the first boot; the last good one stays in force',
  run: async ({ short }) => {
    const cases = short ? brokenConfigs.filter((_, index) => index % 10 === 0) : brokenConfigs
    let refused = 0
    let kept = 0
    const hub = await startBuiltHub({ servers: { good: { ...fixtureServer('echo.ts'), hub: { enabled: false } } } })
    try {
      const config = path.join(hub.folder, 'config')
      for (const broken of cases) {
        await inFolder(async (folder) => {
          const file = await plant(folder, broken)
          const { code, said } = await firstBoot(folder, path.join(folder, 'data'))
          const place = [file, ...(broken.at ?? [])].join(':')
          if (code === 78 && said.includes(place) && said.includes(broken.message) && said.includes(broken.cure))
            refused++
        })
        const target = path.join(config, broken.file)
        const before = await readFile(target).catch(() => null)
        await rm(target, { force: true })
        await plant(config, broken)
        const told = await waitFor(
          async () => (await statusOf(hub)).configFaults.find(({ file }) => file === target),
          10_000,
        ).catch(() => null)
        const servers = (await (await hub.request('/api/servers')).json()) as unknown[]
        if (told?.path === broken.key && told.message.includes(broken.message) && servers.length === 1) kept++
        await rm(target, { recursive: true, force: true })
        if (before !== null) await writeFile(target, before)
        await waitFor(async () => (await statusOf(hub)).configFaults.length === 0, 10_000)
      }
      return {
        measured: `${refused} of ${cases.length} refused at the first boot; ${kept} told by a hub that went on`,
        pass: refused === cases.length && kept === cases.length && (short || cases.length >= 40),
      }
    } finally {
      await hub.end()
    }
  },
}

const editedWhileRunning: Row = {
  id: 'R6',
  what: 'system.json edited while the hub runs, every other time with a fault',
  must: 'in force within 1 s; no restart; no half state',
  run: async ({ short }) => {
    const hub = await startBuiltHub({ servers: { echo: fixtureServer('echo.ts') } })
    try {
      const file = path.join(hub.folder, 'config', 'system.json')
      const echo = async (): Promise<{ state: string; pid: number | null } | undefined> =>
        ((await (await hub.request('/api/servers')).json()) as { state: string; pid: number | null }[])[0]
      const { pid } = await waitFor(async () => {
        const found = await echo()
        return found?.state === 'running' ? found : null
      }, 20_000)
      const edits = short ? 6 : 100
      let longest = 0
      let half = 0
      for (let n = 0; n < edits; n++) {
        const faulty = n % 2 === 1
        const origin = `https://n${n}.example.com`
        const started = performance.now()
        // What is right in a file with a fault must not come into force either.
        await writeFile(
          file,
          JSON.stringify({ server: { cors: { origin: [origin] } }, ...(faulty ? { nonsense: n } : {}) }),
        )
        await waitFor(async () => {
          if (faulty) return (await statusOf(hub)).configFaults.some(({ path: at }) => at === 'nonsense')
          return (await hub.request('/api/hub', { headers: { origin } })).status === 200
        }, 10_000)
        longest = Math.max(longest, performance.now() - started)
        if (faulty && (await hub.request('/api/hub', { headers: { origin } })).status !== 403) half++
      }
      const same = (await echo())?.pid === pid && hub.child.exitCode === null
      return {
        measured: `at most ${Math.round(longest)} ms of ${edits} edits; ${same ? 'no restart' : 'RESTARTED'}; ${half} half`,
        pass: longest <= 1_000 && same && half === 0,
      }
    } finally {
      await hub.end()
    }
  },
}

export const configRows: readonly Row[] = [killedWrites, fullDisk, fsyncOrder, brokenFiles, editedWhileRunning]
