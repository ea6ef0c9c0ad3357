import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createProcessJournal, journalFile, runningHubs } from '../../hub/upstream/process/journal.ts'
import { systemProcessTable } from '../../hub/upstream/process/process-table.ts'
import { createReaper } from '../../hub/upstream/process/process-tree.ts'

/** A PID namespace of its own, as each container has one: its first process has the pid 1. */
const UNSHARE = ['--user', '--map-root-user', '--pid', '--fork', '--kill-child', '--mount-proc']
const canUnshare = process.platform === 'linux' && spawnSync('unshare', [...UNSHARE, 'true']).status === 0

const sources = path.resolve('hub/upstream/process')
/** A hub as far as its processes go: ends what hubs left, starts one server, and writes it down. */
const HUB = `
import { spawn } from 'node:child_process'
const { createProcessJournal, journalFile } = await import(${JSON.stringify(path.join(sources, 'journal.ts'))})
const { systemProcessTable } = await import(${JSON.stringify(path.join(sources, 'process-table.ts'))})
const { createReaper, MARK_VARIABLE } = await import(${JSON.stringify(path.join(sources, 'process-tree.ts'))})
const table = systemProcessTable()
const journal = await createProcessJournal(journalFile(process.argv[1]), table, createReaper(table))
console.log('reaped ' + await journal.reap())
const mark = journal.nextMark()
const server = spawn('sleep', ['60'], { detached: true, stdio: 'ignore', env: { ...process.env, [MARK_VARIABLE]: mark } })
journal.add(server.pid, mark)
server.once('exit', () => console.log('server ended'))
console.log('pid ' + process.pid)
`

let folder: string
let hubs: ChildProcess[]
beforeEach(async () => {
  hubs = []
  folder = await mkdtemp(path.join(tmpdir(), 'mcp-hub-journal-'))
})
afterEach(async () => {
  for (const hub of hubs) hub.kill('SIGKILL')
  await rm(folder, { recursive: true, force: true })
})

async function startContainer(): Promise<{ said: () => string }> {
  const args = [...UNSHARE, process.execPath, '--input-type=module', '--eval', HUB, folder]
  const hub = spawn('unshare', args, { stdio: ['ignore', 'pipe', 'inherit'] })
  hubs.push(hub)
  let said = ''
  hub.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
  await vi.waitFor(() => expect(said).toContain('pid 1\n'), { timeout: 10_000 })
  return { said: () => said }
}

async function reapHere(): Promise<number> {
  const table = systemProcessTable()
  return (await createProcessJournal(journalFile(folder), table, createReaper(table))).reap()
}

const journals = async (): Promise<string[]> => (await readdir(folder)).filter((name) => name.endsWith('.json')).sort()

it.runIf(canUnshare)(
  'hubs in several containers, and the machine, leave each other the processes and the journals',
  async () => {
    const one = await startContainer()
    await vi.waitFor(async () => expect((await journals()).length).toBe(1))
    const two = await startContainer()
    await vi.waitFor(async () => {
      const found = await journals()
      expect(found).toHaveLength(2)
      for (const name of found) {
        const { processes } = JSON.parse(await readFile(path.join(folder, name), 'utf8')) as { processes: unknown[] }
        expect(processes).toHaveLength(1)
      }
    })
    const both = await journals()
    expect(both.every((name) => /^processes-1\.\d+\.json$/.test(name))).toBe(true)
    // A hub of the machine that was killed makes it look at all processes, those of the containers too.
    await writeFile(path.join(folder, 'processes-999999999.json'), JSON.stringify({ owner: '1', processes: [] }))
    expect(await reapHere()).toBe(0)
    expect(await journals()).toEqual(both)
    expect(await runningHubs(folder)).toEqual([])
    for (const { said } of [one, two]) expect(said()).toBe('reaped 0\npid 1\n')
  },
)

it('a journal of a container that is gone is thrown away after a day, and none of a container that writes', async () => {
  const at = (name: string): string => path.join(folder, name)
  for (const name of ['processes-1.4026539998.json', 'processes-7.4026539999.json'])
    await writeFile(at(name), JSON.stringify({ owner: '5', processes: [] }))
  const yesterday = new Date(Date.now() - 25 * 60 * 60_000)
  await utimes(at('processes-1.4026539998.json'), yesterday, yesterday)
  expect(await reapHere()).toBe(0)
  expect(await journals()).toEqual(['processes-7.4026539999.json'])
})
