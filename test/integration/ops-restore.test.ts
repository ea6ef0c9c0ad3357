import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, cp, link, mkdir, readdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ServerStatus } from '../../hub/contract/index.ts'
import { publishTo } from '../fixtures/target-bundle.ts'
import { openMachine, type Ended, type Machine } from '../fixtures/target-machine.ts'

const MINUTE = 60_000
let machine: Machine
let bundle: string
const at = (...parts: string[]): string => path.join(machine.root, ...parts)
const archives = async (): Promise<string[]> =>
  (await readdir(at('backups'))).filter((name) => name.endsWith('.tar')).sort()
const ops = (script: string, ...args: string[]): Promise<Ended> => machine.ops(bundle, script, args)

beforeAll(async () => {
  machine = await openMachine()
  bundle = await publishTo(machine, 'bundle', { one: { url: 'https://one.example.com/mcp', hub: { enabled: false } } })
  const deployed = await ops('deploy.sh')
  expect(deployed.code, deployed.stderr).toBe(0)
}, MINUTE)
afterAll(() => machine.dispose(), MINUTE)

async function api(route: string, init: RequestInit = {}): Promise<Response> {
  const { MCP_HUB_TOKEN: token } = await machine.environment()
  const headers = { authorization: `Bearer ${token ?? ''}`, 'content-type': 'application/json' }
  return fetch(`http://127.0.0.1:${machine.basePort}${route}`, { ...init, headers })
}
const servers = async (): Promise<string[]> =>
  ((await (await api('/api/servers')).json()) as ServerStatus[]).map(({ name }) => name).sort()
async function add(name: string): Promise<void> {
  const config = { url: `https://${name}.example.com/mcp`, hub: { enabled: false } }
  expect((await api('/api/servers', { method: 'POST', body: JSON.stringify({ name, config }) })).ok).toBe(true)
}

describe('a backup', () => {
  it('of a folder that is not there fails aloud, and deletes nothing', async () => {
    const old = Array.from({ length: 9 }, (_, n) => `mcp-hub-2020010${n + 1}T000000000000000Z.tar`)
    for (const name of old) {
      await writeFile(at('backups', name), '')
      await utimes(at('backups', name), 0, 0)
    }
    await cp(at('config'), at('elsewhere'), { recursive: true })
    await rm(at('config'), { recursive: true })
    const result = await ops('backup.sh')
    expect(result).toMatchObject({ code: 73, stderr: expect.stringMatching(/config.*No older backup/s) as string })
    expect(await archives()).toEqual(old)
    await cp(at('elsewhere'), at('config'), { recursive: true })
  })

  it('is read back, and only then old ones go, but never the newest seven', async () => {
    const result = await ops('backup.sh')
    expect(result.code, result.stderr).toBe(0)
    const kept = await archives()
    expect(kept).toHaveLength(7)
    expect(kept.at(-1)).not.toContain('2020')
    expect(await readFile(at('backups/latest'))).toEqual(await readFile(at('backups', kept.at(-1) ?? '')))
    const members = execFileSync('tar', ['-tf', at('backups/latest')], { encoding: 'utf8' })
    expect(members.split('\n').filter(Boolean).sort()).toEqual(['.env', 'SHA256SUMS', `hub-${machine.basePort}.tar.gz`])
  })

  it('is restored on trial, and one that is too old is told of', async () => {
    const fresh = await ops('restore-drill.sh')
    expect(fresh.code, fresh.stderr).toBe(0)
    const copy = at('backups/latest')
    const times = new Date(Date.now() - 30 * 3_600_000)
    await utimes(copy, times, times)
    expect(await ops('restore-drill.sh')).toMatchObject({
      code: 75,
      stderr: expect.stringContaining('30 hours old') as string,
    })
  })
})

describe('an archive that is not what it says', () => {
  type Build = (folder: string) => Promise<string[]>
  const members = ['.env', 'SHA256SUMS']
  const hostile: [string, Build][] = [
    [
      'a file outside',
      async (folder) => {
        await writeFile(path.join(folder, '../evil'), 'evil')
        return [...members, '../evil']
      },
    ],
    [
      'an absolute path',
      async (folder) => {
        await writeFile(path.join(folder, '../evil'), 'evil')
        return [...members, path.join(folder, '../evil')]
      },
    ],
    [
      'a symbolic link',
      async (folder) => {
        await symlink('/etc/passwd', path.join(folder, 'database.dump'))
        return [...members, 'database.dump']
      },
    ],
    [
      'a hard link',
      async (folder) => {
        await link(path.join(folder, '.env'), path.join(folder, 'database.dump'))
        return [...members, 'database.dump']
      },
    ],
    [
      'a set-uid file',
      async (folder) => {
        await chmod(path.join(folder, '.env'), 0o4755)
        return members
      },
    ],
    ['the same name twice', () => Promise.resolve([...members, '.env'])],
    ['a folder', () => Promise.resolve(['.'])],
    [
      'another content than its list says',
      async (folder) => {
        await writeFile(path.join(folder, '.env'), 'JWT_SECRET=mine\n')
        return members
      },
    ],
    [
      'a file that its list does not have',
      async (folder) => {
        await writeFile(path.join(folder, 'database.dump'), 'DROP TABLE users')
        return [...members, 'database.dump']
      },
    ],
  ]

  it.each(hostile)('%s: refused, and nothing is touched', async (what, build) => {
    const folder = path.join(machine.folder, 'hostile', what.replaceAll(' ', '-'), 'content')
    await mkdir(folder, { recursive: true })
    execFileSync('tar', ['-xf', at('backups/latest'), '-C', folder])
    const archive = path.join(folder, '../archive.tar')
    const names = await build(folder)
    const rest = names.includes('.') ? [] : [`hub-${machine.basePort}.tar.gz`]
    execFileSync('tar', ['-P', '-cf', archive, '-C', folder, ...names, ...rest])
    const before = { environment: await readFile(at('.env'), 'utf8'), archives: await archives() }
    const result = await ops('restore.sh', archive, '--with-env')
    expect(result, what).toMatchObject({ code: 65, stderr: expect.stringContaining('nothing was changed') as string })
    expect(result.stderr).toMatch(/not a backup of a hub|damaged/)
    expect(await readFile(at('.env'), 'utf8')).toBe(before.environment)
    expect(await archives()).toEqual(before.archives)
    expect(existsSync(at('evil'))).toBe(false)
  })

  it('one that is no archive at all is refused', async () => {
    await writeFile(path.join(machine.folder, 'text'), 'not an archive')
    expect((await ops('restore.sh', path.join(machine.folder, 'text'))).code).toBe(65)
    expect((await ops('restore.sh', path.join(machine.folder, 'nowhere'))).code).toBe(64)
    expect((await ops('restore.sh')).code).toBe(64)
  })
})

describe('a restore', () => {
  it(
    'brings back everything after all of it was lost, and the same a second time',
    { timeout: 2 * MINUTE },
    async () => {
      await add('kept')
      const before = await machine.environment()
      expect((await ops('backup.sh')).code).toBe(0)
      const archive = path.join(machine.folder, 'kept.tar')
      await cp(at('backups/latest'), archive, { dereference: true })
      const trees: string[][] = []
      for (const lose of [
        async () => {
          for (const name of ['.env', 'config', `data/${machine.basePort}`, 'data/accounts'])
            await rm(at(name), { recursive: true, force: true })
          await mkdir(at('config'))
        },
        () => add('added-since'),
      ]) {
        await lose()
        const result = await ops('restore.sh', archive)
        expect(result.code, result.stderr).toBe(0)
        expect(await servers()).toEqual(['kept', 'one'])
        expect(await machine.environment()).toEqual(before)
        trees.push((await readdir(at('config'))).filter((name) => name.endsWith('.json')).sort())
      }
      expect(trees[1]).toEqual(trees[0])
      expect(existsSync(at('config/config'))).toBe(false)
    },
  )

  it('is taken back when the hubs are not healthy with it', { timeout: 2 * MINUTE }, async () => {
    const archive = path.join(machine.folder, 'kept.tar')
    await add('in-force')
    // Stands between the scripts and the hub: it is not healthy while the restored configuration is there.
    const curl = path.join(machine.folder, 'bin/curl')
    const look = `if ! grep -q in-force '${at('config/servers.json')}'; then exit 22; fi`
    await writeFile(curl, `#!/bin/sh\n${look}\nexec curl "$@"\n`, { mode: 0o755 })
    const result = await machine.ops(bundle, 'restore.sh', [archive], { CURL: curl, HEALTH_SECONDS: '6' })
    expect(result.code, result.stderr).toBe(75)
    expect(await servers()).toEqual(['in-force', 'kept', 'one'])
  })
})

describe('a deploy over a broken configuration', () => {
  it('puts it aside where it is told to replace it, and keeps all else', { timeout: 2 * MINUTE }, async () => {
    await writeFile(at('config/servers.json'), '{ "mcpServers": { "one"')
    const refused = await ops('deploy.sh')
    expect(refused.code, refused.stderr).toBe(73)
    const before = await archives()

    const result = await ops('deploy.sh', '--config', 'replace')
    expect(result.code, result.stderr).toBe(0)
    expect(await servers()).toEqual(['one'])
    const aside = (await readdir(at('backups'))).filter((name) => name.startsWith('broken-config-'))
    expect(aside).toHaveLength(1)
    const [folder = ''] = aside
    expect(`${result.stdout}${result.stderr}`).toContain(at('backups', folder))
    expect(await readFile(at('backups', folder, 'servers.json'), 'utf8')).toBe('{ "mcpServers": { "one"')
    expect(await archives()).not.toEqual(before)
    expect((await ops('restore-drill.sh')).code).toBe(0)
  })
})
