import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import {
  appendFile,
  chmod,
  cp,
  link,
  mkdir,
  readdir,
  readFile,
  realpath,
  rm,
  symlink,
  stat,
  utimes,
  writeFile,
} from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ServerStatus } from '../../hub/contract/index.ts'
import { publishTo } from '../fixtures/target-bundle.ts'
import { openMachine, type Ended, type Machine } from '../fixtures/target-machine.ts'

const MINUTE = 60_000
let machine: Machine
let bundle: string
/** The same, with backups encrypted for two people. */
let encrypting: string
let keys: { file: string; recipient: string }[]
const at = (...parts: string[]): string => path.join(machine.root, ...parts)
const archives = async (): Promise<string[]> =>
  (await readdir(at('backups'))).filter((name) => name.endsWith('.tar')).sort()
const ops = (script: string, ...args: string[]): Promise<Ended> => machine.ops(bundle, script, args)
const encrypted = (script: string, ...args: string[]): Promise<Ended> => machine.ops(encrypting, script, args)

beforeAll(async () => {
  machine = await openMachine()
  bundle = await publishTo(machine, 'bundle', { one: { url: 'https://one.example.com/mcp', hub: { enabled: false } } })
  const deployed = await ops('deploy.sh')
  expect(deployed.code, deployed.stderr).toBe(0)
  keys = ['mine', 'safe', 'strange'].map((name) => {
    const file = path.join(machine.folder, `${name}.key`)
    execFileSync('age-keygen', ['-o', file], { stdio: 'ignore' })
    return { file, recipient: execFileSync('age-keygen', ['-y', file], { encoding: 'utf8' }).trim() }
  })
  encrypting = await publishTo(
    machine,
    'encrypting',
    {},
    { backupRecipients: keys.slice(0, 2).map(({ recipient }) => recipient) },
  )
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

describe('a backup for public keys', () => {
  const newest = async (): Promise<string> => path.basename(await realpath(at('backups/latest')))
  /** What a restore that is refused must leave alone. */
  const everything = async (): Promise<unknown> => [
    await machine.environment(),
    await readdir(at('backups')),
    await servers(),
  ]

  it.each(['backup.sh', 'deploy.sh'])('is not begun where age is missing, by %s', async (script) => {
    const before = await everything()
    const result = await machine.ops(encrypting, script, [], { AGE: path.join(machine.folder, 'missing') })
    expect(result).toMatchObject({ code: 69, stderr: expect.stringContaining('apt-get install --yes age') as string })
    expect(await everything()).toEqual(before)
  })

  it('that age does not write whole fails aloud, and leaves nothing behind', async () => {
    const short = path.join(machine.folder, 'bin/short-age')
    await writeFile(short, '#!/bin/sh\nage "$@" | head -c -1\n', { mode: 0o755 })
    const before = await readdir(at('backups'))
    const result = await machine.ops(encrypting, 'backup.sh', [], { AGE: short })
    expect(result).toMatchObject({ code: 73, stderr: expect.stringMatching(/not whole.*No older backup/s) as string })
    expect(await readdir(at('backups'))).toEqual(before)
  })

  it('is there in no plain text, counts with the others, and either person reads it', async () => {
    const result = await encrypted('backup.sh')
    expect(result.code, result.stderr).toBe(0)
    expect(result.stderr).toContain('from before the encryption')
    const name = await newest()
    expect(name).toMatch(/^mcp-hub-\d+T\d+Z\.tar\.age$/)
    const kept = (await readdir(at('backups'))).filter((file) => /\.tar(?:\.age)?$/.test(file))
    expect(kept).toHaveLength(7)
    expect((await readdir(at('backups'))).filter((file) => file.startsWith('.stage'))).toEqual([])
    execFileSync('sha256sum', ['--check', '--strict', `${name}.sha256`], { cwd: at('backups') })
    for (const { file } of keys.slice(0, 2)) {
      const archive = execFileSync('age', ['--decrypt', '--identity', file, at('backups', name)])
      expect(execFileSync('tar', ['-t'], { input: archive, encoding: 'utf8' })).toContain('.env\n')
    }
    const { JWT_SECRET: secret = '' } = await machine.environment()
    expect(secret).not.toBe('')
    expect((await readFile(at('backups', name))).includes(secret)).toBe(false)
  })

  it('is restored on trial by whoever has a key, and by others only looked at', async () => {
    const looked = await encrypted('restore-drill.sh')
    expect(looked, looked.stderr).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('was not restored') as string,
    })
    const tried = await encrypted('restore-drill.sh', '--identity', keys[1]?.file ?? '')
    expect(tried, tried.stderr).toMatchObject({ code: 0, stdout: expect.stringContaining('restored in') as string })
  })

  it('is refused without the right key, and when it is damaged; nothing is changed', async () => {
    const before = await everything()
    const archive = at('backups', await newest())
    expect(await encrypted('restore.sh', archive)).toMatchObject({
      code: 64,
      stderr: expect.stringContaining('--identity FILE') as string,
    })
    const [mine, , strange] = keys
    expect(await encrypted('restore.sh', archive, '--identity', strange?.file ?? '')).toMatchObject({
      code: 65,
      stderr: expect.stringMatching(/no identity matched.*nothing was changed/s) as string,
    })
    const damaged = path.join(machine.folder, 'damaged.tar.age')
    const content = await readFile(archive)
    content[content.length - 100] = (content.at(-100) ?? 0) ^ 1
    await writeFile(damaged, content)
    expect(await encrypted('restore.sh', damaged, '--identity', mine?.file ?? '')).toMatchObject({
      code: 65,
      stderr: expect.stringContaining('nothing was changed') as string,
    })
    await writeFile(`${damaged}.sha256`, await readFile(`${archive}.sha256`))
    expect(await encrypted('restore-drill.sh', damaged)).toMatchObject({
      code: 65,
      stderr: expect.stringContaining('checksum') as string,
    })
    expect(await everything()).toEqual(before)
  })
})

describe('a restore', () => {
  it(
    'brings back everything after all of it was lost, and the same from an archive that is encrypted',
    { timeout: 2 * MINUTE },
    async () => {
      await add('kept')
      const before = await machine.environment()
      expect((await ops('backup.sh')).code).toBe(0)
      const archive = path.join(machine.folder, 'kept.tar')
      await cp(at('backups/latest'), archive, { dereference: true })
      execFileSync('age', ['--recipient', keys[0]?.recipient ?? '', '--output', `${archive}.age`, archive])
      const trees: string[][] = []
      const aside: string[][] = []
      async function lose(): Promise<void> {
        for (const name of ['.env', 'config', `data/${machine.basePort}`, 'data/accounts'])
          await rm(at(name), { recursive: true, force: true })
        await mkdir(at('config'))
      }
      for (const restore of [
        async () => lose().then(() => ops('restore.sh', archive)),
        async () =>
          add('added-since').then(() => encrypted('restore.sh', `${archive}.age`, '--identity', keys[0]?.file ?? '')),
      ]) {
        const result = await restore()
        expect(result.code, result.stderr).toBe(0)
        expect(await servers()).toEqual(['kept', 'one'])
        expect(await machine.environment()).toEqual(before)
        trees.push((await readdir(at('config'))).filter((name) => name.endsWith('.json')).sort())
        aside.push((await readdir(at(`data/${machine.basePort}`))).filter((name) => name.startsWith('before-restore-')))
      }
      expect(trees[1]).toEqual(trees[0])
      // What the first moved aside is the only copy; what the second did is in the backup before it.
      expect(aside).toEqual([[expect.stringMatching('before-restore')], aside[0]])
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
    // What is kept of the present is encrypted, and comes back without a private key.
    const result = await machine.ops(encrypting, 'restore.sh', [archive], { CURL: curl, HEALTH_SECONDS: '6' })
    expect(result.code, result.stderr).toBe(75)
    expect(await realpath(at('backups/latest'))).toMatch(/\.tar\.age$/)
    expect(await servers()).toEqual(['in-force', 'kept', 'one'])
  })
})

describe('a restore over a configuration that cannot be read', () => {
  it('keeps the .env that it replaces, and puts it back when it fails', { timeout: MINUTE }, async () => {
    const archive = path.join(machine.folder, 'kept.tar')
    await appendFile(at('.env'), 'MINE=written since\n')
    await writeFile(at('config/servers.json'), '{ "mcpServers": { "one"')
    const never = path.join(machine.folder, 'bin/curl')
    await writeFile(never, '#!/bin/sh\nexit 22\n', { mode: 0o755 })
    const result = await machine.ops(bundle, 'restore.sh', [archive, '--with-env'], {
      CURL: never,
      HEALTH_SECONDS: '1',
    })
    expect(result.code, result.stderr).toBe(76)
    expect(await machine.environment()).toMatchObject({ MINE: 'written since' })
    const kept = (await readdir(at('backups'))).filter((name) => /^before-restore-.*\.env$/.test(name))
    expect(kept).toHaveLength(1)
    const [file = ''] = kept.map((name) => at('backups', name))
    expect(result.stderr).toContain(file)
    expect(await readFile(file, 'utf8')).toContain('MINE=written since')
    expect((await stat(file)).mode & 0o777).toBe(0o600)
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
    const [name = ''] = aside
    expect(`${result.stdout}${result.stderr}`).toContain(at('backups', name))
    expect((await stat(at('backups', name))).mode & 0o777).toBe(0o600)
    expect(brokenServers(await readFile(at('backups', name)))).toBe('{ "mcpServers": { "one"')
    expect(await archives()).not.toEqual(before)
    expect((await ops('restore-drill.sh')).code).toBe(0)
    await utimes(at('backups', name), 0, 0)
  })

  it(
    'encrypts it where backups are, and a backup deletes what was put aside long ago',
    { timeout: 2 * MINUTE },
    async () => {
      const [dump, env] = [at('backups/before-restore-2020.dump'), at('backups/before-restore-2020.env')]
      for (const file of [dump, env]) await writeFile(file, '')
      for (const file of [dump, env]) await utimes(file, 0, 0)
      await writeFile(at('config/servers.json'), '{ "mcpServers": { "canary"')
      const result = await machine.ops(encrypting, 'deploy.sh', ['--config', 'replace'])
      expect(result.code, result.stderr).toBe(0)
      const aside = (await readdir(at('backups'))).filter((name) => name.startsWith('broken-config-'))
      expect(aside).toEqual([expect.stringMatching(/\.tar\.age$/)])
      expect([existsSync(dump), existsSync(env)]).toEqual([false, true])
      const file = at('backups', aside[0] ?? '')
      expect(await readFile(file, 'latin1')).not.toContain('canary')
      const archive = execFileSync('age', ['--decrypt', '--identity', keys[0]?.file ?? '', file])
      expect(brokenServers(archive)).toBe('{ "mcpServers": { "canary"')
    },
  )
})

function brokenServers(archive: Buffer): string {
  return execFileSync('tar', ['-xO', './servers.json'], { input: archive, encoding: 'utf8' })
}
