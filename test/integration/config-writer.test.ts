import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { replaceEditedFile, sweepTemporaries, writeFileAtomic } from '../../hub/config/atomic-file.ts'
import { temporaryFolder } from '../fixtures/built-program.ts'
import { startHub, TOKEN } from '../fixtures/hub.ts'
import { killInTheMiddle } from '../fixtures/killed-process.ts'
import { addKey, ask, login, PASSWORD } from '../fixtures/people.ts'
import { mountSmallDisk } from '../fixtures/small-disk.ts'

/** `npm run bench:reliability` kills a thousand; a few show the same in a test run. */
const KILLS = Number(process.env['MCP_HUB_KILLS'] ?? 40)
const writer = path.join(import.meta.dirname, '..', 'fixtures', 'endless-writer.ts')

let folder: Awaited<ReturnType<typeof temporaryFolder>>
beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(() => folder.dispose())

/** Kills a writer in the middle of its work; whether the file is whole. */
async function killOnce(file: string): Promise<boolean> {
  await killInTheMiddle(writer, [file])
  const { n, end } = JSON.parse(await readFile(file, 'utf8')) as { n: number; end: number }
  return n === end
}

describe('the writer of configuration', () => {
  it(
    `leaves a whole file after each of ${KILLS} kills, and nothing else once the folder was swept`,
    async () => {
      let left = KILLS
      let whole = 0
      const lane = async (name: string): Promise<void> => {
        while (left-- > 0) if (await killOnce(path.join(folder.path, name))) whole++
      }
      await Promise.all([lane('a.json'), lane('b.json')])
      expect(whole).toBe(KILLS)
      // The kills did hit writes: some left a temporary file.
      expect((await readdir(folder.path)).filter((name) => name.endsWith('.tmp')).length).toBeGreaterThan(0)
      await sweepTemporaries(folder.path)
      expect((await readdir(folder.path)).sort()).toEqual(['a.json', 'b.json'])
    },
    KILLS * 1_000 + 30_000,
  )

  it('keeps what was there before, the mode and the link that a person made', async () => {
    const real = path.join(folder.path, 'real.json')
    const linked = path.join(folder.path, 'linked.json')
    await writeFile(real, 'before', { mode: 0o640 })
    await symlink('real.json', linked)
    await replaceEditedFile(linked, 'after')
    expect([await readFile(real, 'utf8'), await readFile(`${real}.bak`, 'utf8')]).toEqual(['after', 'before'])
    expect((await stat(real)).mode & 0o777).toBe(0o640)
    // What holds secrets is never written through a link.
    await writeFileAtomic(linked, 'secret')
    expect([await readFile(real, 'utf8'), await readFile(linked, 'utf8')]).toEqual(['after', 'secret'])
  })

  it('leaves the temporary files of writers that live', async () => {
    const mine = `.x.json.${process.pid}.1.tmp`
    await writeFile(path.join(folder.path, mine), '')
    await writeFile(path.join(folder.path, '.x.json.4194304.1.tmp'), '')
    await sweepTemporaries(folder.path)
    expect(await readdir(folder.path)).toEqual([mine])
  })
})

describe('a full disk', () => {
  it('leaves the configuration as it was, is told, and does no harm once there is space again', async (context) => {
    const disk = path.join(folder.path, 'disk')
    await mkdir(disk)
    const unmount = mountSmallDisk(disk, 4)
    if (unmount === null) return context.skip('this user may not mount a disk')
    const [configDir, dataDir] = [path.join(disk, 'config'), path.join(disk, 'data')]
    const hub = await startHub({}, {}, { hub: { configDir, dataDir, adminPassword: PASSWORD } })
    try {
      expect((await hub.api('POST', '/api/servers', { name: 'first', config: { command: 'x' } })).status).toBe(201)
      const file = path.join(configDir, 'servers.json')
      const before = await readFile(file, 'utf8')
      const filler = path.join(disk, 'filler')
      const key = await addKey(hub, TOKEN, { permissions: ['servers:read'] })
      expect((await hub.api('GET', '/api/keys')).status).toBe(200)
      await writeFile(filler, Buffer.alloc(5_000_000)).catch(() => undefined)
      // When it was used is kept with the sessions, on the same disk.
      expect((await ask(hub, 'GET /api/servers', { token: key.body.secret })).status).toBe(200)

      const big = { command: 'x', args: ['y'.repeat(50_000)] }
      const refused = await hub.api('POST', '/api/servers', { name: 'second', config: big })
      expect(refused).toMatchObject({ status: 507, body: { code: 'HUB_CONFIG_NOT_SAVED' } })
      expect(JSON.stringify(refused.body)).toContain('ENOSPC')
      expect(await readFile(file, 'utf8')).toBe(before)
      expect((await hub.api('GET', '/api/servers')).status).toBe(200)
      const used = [{ id: key.body.id, lastUsedFrom: '127.0.0.1' }]
      expect(await hub.api('GET', '/api/keys')).toMatchObject({ status: 200, body: used })
      expect(await login(hub, 'admin')).toMatchObject({
        status: 503,
        body: { code: 'HUB_STORE_UNAVAILABLE', cure: expect.stringContaining('space') as string },
      })

      await rm(filler)
      expect((await login(hub, 'admin')).status).toBe(200)
      expect((await hub.api('POST', '/api/servers', { name: 'second', config: big })).status).toBe(201)
      expect((await readdir(configDir)).filter((name) => name.endsWith('.tmp'))).toEqual([])
    } finally {
      await hub.close()
      unmount()
    }
  })
})
