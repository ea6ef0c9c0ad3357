import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { ServerStatus } from '../../../hub/contract/index.ts'
import { temporaryFolder } from '../../fixtures/built-program.ts'
import { fixtureServer } from '../../fixtures/hub.ts'
import { startHubProcess } from './hub-process.ts'
import { createBrood, eventually, openFiles, type Brood } from './processes.ts'

/** `npm run chaos` runs the long form. */
const isLong = process.env['MCP_HUB_CHAOS'] === 'long'
const CYCLES = isLong ? 200 : 6
const KILLS = isLong ? 50 : 4

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let brood: Brood
beforeEach(async () => {
  folder = await temporaryFolder('mcp-hub-lifecycle-')
  brood = createBrood()
})
afterEach(async () => {
  brood.end()
  await folder.dispose()
})

const nobodyLeft = (withinMs: number): Promise<true> =>
  eventually(`no process is left of ${JSON.stringify(brood.living())}`, withinMs, () =>
    brood.living().length === 0 ? true : null,
  )

it(
  `${CYCLES} cycles of start and stop leave no process and no open file`,
  async () => {
    const server = { ...fixtureServer('chaos.ts', '--fork'), env: brood.env }
    const hub = await startHubProcess(folder.path, { one: server, two: server })
    try {
      await hub.until('running')
      // The server, and a shell with its `sleep` in either session.
      await eventually('both servers have forked', 10_000, () => (brood.living().length >= 6 ? true : null))
      let filesBefore = 0
      for (let cycle = 0; cycle < CYCLES; cycle++) {
        await Promise.all(['one', 'two'].map((name) => hub.api('POST', `/api/servers/${name}/disable`)))
        await hub.until('disabled')
        await nobodyLeft(2_000)
        await Promise.all(['one', 'two'].map((name) => hub.api('POST', `/api/servers/${name}/enable`)))
        await hub.until('running')
        if (cycle === 0) filesBefore = openFiles(hub.pid)
      }
      await eventually(`open files are ${filesBefore} again`, 10_000, () =>
        openFiles(hub.pid) <= filesBefore ? true : null,
      )
    } finally {
      expect(await hub.quit()).toBe(0)
    }
    await nobodyLeft(2_000)
    const journals = (await readdir(path.join(folder.path, 'data'))).filter((name) => name.startsWith('processes'))
    expect(journals, 'nothing for the next hub to look for').toEqual([])
  },
  isLong ? 30 * 60_000 : 60_000,
)

it(
  `${KILLS} kills of the hub leave no process once it is started again`,
  async () => {
    const servers = {
      plain: { ...fixtureServer('echo.ts'), env: brood.env },
      forking: { ...fixtureServer('chaos.ts', '--fork'), env: brood.env },
      // Does not notice that its input ended: nobody but the next hub ends it.
      deaf: { command: '/bin/sh', args: ['-c', 'trap "" TERM HUP; while :; do sleep 1; done'], env: brood.env },
    }
    for (let kill = 0; kill < KILLS; kill++) {
      const hub = await startHubProcess(folder.path, servers)
      const found = await eventually('two servers run', 30_000, async () => {
        const all = await hub.api<ServerStatus[]>('GET', '/api/servers')
        return all.filter(({ state }) => state === 'running').length === 2 ? all : null
      })
      await eventually('the servers have forked', 10_000, () => (brood.living().length >= 6 ? true : null))
      // Nothing is left of the hub before: of each server there is just the one process that this hub started.
      const own = new Set(found.map(({ pid }) => pid))
      const leaders = brood.living().filter(({ command }) => /echo\.ts|chaos\.ts|trap "" TERM HUP; /.test(command))
      expect(leaders.filter(({ pid }) => !own.has(pid))).toEqual([])
      await hub.kill()
      expect(brood.living()).not.toEqual([])
    }
    const last = await startHubProcess(folder.path, {})
    await nobodyLeft(5_000)
    expect(await last.quit()).toBe(0)
  },
  isLong ? 30 * 60_000 : 60_000,
)
