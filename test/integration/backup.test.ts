import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { PassThrough } from 'node:stream'
import { create, extract } from 'tar'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createBackup, listBackups, newestArchive } from '../../hub/backup/create-backup.ts'
import { decryptFile, encryptFile } from '../../hub/backup/encryption.ts'
import { openBackup } from '../../hub/backup/open-backup.ts'
import { restoreBackup } from '../../hub/backup/restore-backup.ts'
import { scheduleBackups } from '../../hub/backup/scheduler.ts'
import { systemClock } from '../../hub/clock.ts'
import { runCli } from '../../hub/cli/main.ts'
import type { Backups, HistoryPage, Problem } from '../../hub/contract/index.ts'
import { HubError } from '../../hub/hub-error.ts'
import { told } from '../../hub/say.ts'
import { temporaryFolder } from '../fixtures/built-program.ts'
import { fixtureServer, startHub, type TestHub } from '../fixtures/hub.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
/** Other tests use this machine, too. */
const PATIENCE = { timeout: 20_000 }
const at = (...parts: string[]): string => path.join(folder.path, ...parts)
const folders = () => ({ configDir: at('config'), dataDir: at('data'), secretsFile: at('data', 'secrets.json') })
const options = (keep = 30) => ({ ...folders(), into: at('archives'), keep, version: '1.2.3' })

beforeAll(async () => {
  folder = await temporaryFolder()
  await mkdir(at('config'))
  await mkdir(at('data', 'accounts'), { recursive: true })
  await writeFile(at('config', 'servers.json'), '{ "mcpServers": { "one": { "command": "node" } } } // mine\n')
  await writeFile(at('config', 'users.json'), '{ "users": [] }\n')
  await writeFile(at('config', 'ca.pem'), 'not the hub’s')
  await writeFile(at('data', 'secrets.json'), '{ "A": "sealed" }')
  await writeFile(at('data', 'saved-cases.json'), '{ "version": 1, "cases": [] }')
  await writeFile(at('data', 'accounts', 'a.json'), '{}')
})
afterAll(() => folder.dispose())

/** As of a compose file that names a variable and gives it nothing. */
const UNSET = { MCP_HUB_SECRETS_FILE: '', ACCOUNTS_DIR: '' }

async function cli(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', '']
  const code = await runCli(args, {
    stdin: new PassThrough(),
    out: (text) => (out += text),
    err: (text) => (err += text),
    env: { CONFIG_DIR: at('config'), DATA_DIR: at('data'), ...UNSET },
    distDir: folder.path,
    version: '1.2.3',
    signal: new AbortController().signal,
  })
  return { code, out, err }
}

const codeOf = (error: unknown): string =>
  error instanceof HubError ? `${error.code}: ${error.message}` : String(error)

describe('an encrypted backup', () => {
  it('is opened by each of its keys, by age itself and by restore, and by nobody else', async () => {
    const keys = ['one', 'two', 'other'].map((name) => {
      execFileSync('age-keygen', ['--output', at(`${name}.key`)], { stdio: 'ignore' })
      return execFileSync('age-keygen', ['-y', at(`${name}.key`)], { encoding: 'utf8' }).trim()
    })
    const made = await cli('backup', '--out', at('closed'), '--keep', '1', '--recipients', keys.slice(0, 2).join(','))
    expect(made).toMatchObject({ code: 0, err: '' })
    const [name = '', ...others] = await readdir(at('closed'))
    expect([name, others]).toEqual([expect.stringMatching(/^mcp-hub-.*\.tar\.gz\.age$/), []])
    expect((await listBackups(at('closed'))).map((backup) => backup.name)).toEqual([name])
    expect(await newestArchive(at('closed'))).not.toBeNull()
    const archive = at('closed', name)
    execFileSync('age', ['--decrypt', '--identity', at('one.key'), '--output', at('plain.tar.gz'), archive])
    await (await openBackup(at('plain.tar.gz'), at('opened'))).dispose()
    expect((await cli('backup', 'verify', archive)).err).toContain('--identity KEY_FILE')
    expect(await cli('backup', 'verify', archive, '--identity', at('other.key'))).toMatchObject({
      code: 65,
      err: expect.stringContaining('cannot be decrypted with') as string,
    })
    // Beside that of the clear: what is there is put aside, and what was there comes back.
    const users = await readFile(at('config', 'users.json'), 'utf8')
    await writeFile(at('config', 'users.json'), '{ "users": [] }')
    expect(await cli('restore', archive, '--identity', at('two.key'))).toMatchObject({ code: 0, err: '' })
    expect(await readFile(at('config', 'users.json'), 'utf8')).toBe(users)
    // A byte that changed is found.
    const bytes = await readFile(archive)
    bytes[bytes.length - 40] = (bytes[bytes.length - 40] ?? 0) ^ 1
    await writeFile(at('closed', 'damaged.age'), bytes)
    expect((await cli('restore', at('closed', 'damaged.age'), '--identity', at('two.key'))).code).toBe(65)
    const [one = ''] = keys
    const mistyped = one.slice(0, -1) + (one.endsWith('q') ? 'p' : 'q')
    expect(await cli('backup', '--out', at('closed'), '--recipients', mistyped)).toMatchObject({
      code: 64,
      err: expect.stringContaining('its checksum is wrong') as unknown,
    })
    expect((await cli('backup', '--out', at('closed'), '--recipients', 'age1wrong')).err).toContain(
      '--recipients age1wrong',
    )
  })
})

it.each([0, 1, 65_536, 65_537, 200_000])('%d bytes are as age writes and reads them', async (size) => {
  const [plain, ours, theirs, back, key] = ['plain', 'ours', 'theirs', 'back', 'key'].map((name) =>
    at(`${name}-${size}`),
  )
  if (!plain || !ours || !theirs || !back || !key) throw new Error('no names')
  const content = randomBytes(size)
  await writeFile(plain, content)
  execFileSync('age-keygen', ['--output', key], { stdio: 'ignore' })
  const recipient = execFileSync('age-keygen', ['-y', key], { encoding: 'utf8' }).trim()
  await encryptFile(plain, ours, [recipient])
  expect(execFileSync('age', ['--decrypt', '--identity', key, ours])).toEqual(content)
  execFileSync('age', ['--recipient', recipient, '--output', theirs, plain])
  await decryptFile(theirs, back, key)
  expect(await readFile(back)).toEqual(content)
  // Cut off where a chunk ends, or before: neither is taken for the whole.
  for (const cut of [1, (size % 65_536) + 16]) {
    await rm(back, { force: true })
    await writeFile(ours, (await readFile(theirs)).subarray(0, -cut))
    await expect(decryptFile(ours, back, key)).rejects.toThrow('cannot be decrypted')
  }
})

describe('a backup', () => {
  it('holds the sign-ins that hubs share, and puts them back there', async () => {
    const shared = { ...folders(), accountsDir: at('shared') }
    await mkdir(at('shared'))
    await writeFile(at('shared', 'b.json'), '{"of":"all"}')
    await writeFile(at('shared', 'identity.db'), 'who is signed in now')
    const { name } = await createBackup({ ...shared, into: at('with-shared'), keep: 1, version: '1.2.3' })
    const opened = await openBackup(at('with-shared', name), at('opened'))
    const accounts = opened.manifest.files.map((file) => file.path).filter((member) => member.includes('/accounts/'))
    expect(accounts).toEqual(['data/accounts/b.json'])
    await opened.dispose()
    await rm(at('shared', 'b.json'))
    const elsewhere = { configDir: at('new/config'), dataDir: at('new/data'), secretsFile: at('new/secrets.json') }
    await restoreBackup(at('with-shared', name), { ...elsewhere, accountsDir: at('shared') })
    expect(await readFile(at('shared', 'b.json'), 'utf8')).toBe('{"of":"all"}')
    expect(await readFile(at('shared', 'identity.db'), 'utf8')).toBe('who is signed in now')
  })

  it('is written, checked, and put back after everything was lost', async () => {
    const made = await cli('backup', '--out', at('archives'), '--json')
    expect(made.err).toBe('')
    const { name } = JSON.parse(made.out) as { name: string }
    expect((await cli('backup', 'verify', at('archives', name))).out).toMatch(
      /^Whole: 5 files of .*, by MCP Hub 1\.2\.3\.$/m,
    )

    await rm(at('data'), { recursive: true })
    await writeFile(at('config', 'servers.json'), '{ "mcpServers": {} }')
    await writeFile(at('config', 'profiles.json'), '{ "profiles": {} }')
    const restored = await cli('restore', at('archives', name))
    expect([restored.code, restored.err]).toEqual([0, ''])
    expect(await readFile(at('config', 'servers.json'), 'utf8')).toContain('// mine')
    expect(await readFile(at('data', 'secrets.json'), 'utf8')).toBe('{ "A": "sealed" }')
    expect(await readFile(at('data', 'accounts', 'a.json'), 'utf8')).toBe('{}')
    expect(await readFile(at('data', 'saved-cases.json'), 'utf8')).toBe('{ "version": 1, "cases": [] }')
    // What the archive did not have is gone, what is none of the hub's is left, and what was there can be had back.
    expect(await readdir(at('config'))).toEqual(['ca.pem', 'servers.json', 'users.json'])
    const before = /is in (.*)\n/.exec(restored.out)?.[1] ?? ''
    expect((await readdir(path.join(before, 'config'))).sort()).toEqual(['profiles.json', 'servers.json', 'users.json'])
  })

  it('deletes older ones, but only after it was made', async () => {
    for (let n = 0; n < 4; n++) await createBackup(options(3))
    const kept = await listBackups(at('archives'))
    expect(kept).toHaveLength(3)

    await expect(createBackup({ ...options(1), configDir: at('nowhere') })).rejects.toThrow(/nowhere cannot be read/)
    await mkdir(at('empty'))
    await expect(createBackup({ ...options(1), configDir: at('empty') })).rejects.toThrow('holds no configuration')
    await expect(createBackup({ ...options(1), secretsFile: at('config') })).rejects.toThrow(/could not be copied/)
    expect(await listBackups(at('archives'))).toEqual(kept)
    // Nor does anything half done stay.
    expect((await readdir(at('archives'))).filter((name) => name.startsWith('.'))).toEqual([])
  })

  it('ends although the history is written all the while, and holds one moment of it', async () => {
    const { DatabaseSync } = await import('node:sqlite')
    const writer = new DatabaseSync(at('data', 'history.db'), { timeout: 5_000 })
    writer.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; CREATE TABLE calls (n INTEGER, text TEXT)')
    // More than the hundred pages that a step has where nobody says otherwise.
    const rows = 'WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 2000)'
    writer.exec(`INSERT INTO calls ${rows} SELECT n, hex(randomblob(400)) FROM c`)
    const insert = writer.prepare('INSERT INTO calls VALUES (0, ?)')
    let turn: NodeJS.Immediate
    const write = (): void => {
      insert.run('meanwhile')
      turn = setImmediate(write)
    }
    write()
    const { name } = await createBackup({ ...options(1), into: at('busy') }).finally(() => {
      clearImmediate(turn)
      writer.close()
    })
    const opened = await openBackup(at('busy', name), at('opened'))
    const copy = new DatabaseSync(opened.fileOf('data/history.db'), { readOnly: true })
    expect(copy.prepare('SELECT count(*) AS n FROM calls WHERE n > 0').get()).toEqual({ n: 2_000 })
    copy.close()
    await opened.dispose()
    for (const end of ['', '-wal', '-shm']) await rm(at('data', `history.db${end}`), { force: true })
  })

  it('of a database that is damaged is not kept', async () => {
    const { DatabaseSync } = await import('node:sqlite')
    const file = at('data', 'history.db')
    const database = new DatabaseSync(file)
    database.exec('CREATE TABLE calls (text TEXT)')
    for (let n = 0; n < 50; n++) database.prepare('INSERT INTO calls VALUES (?)').run('x'.repeat(1_000))
    database.close()
    const bytes = await readFile(file)
    await writeFile(file, bytes.fill(0xff, 3 * 4_096, 4 * 4_096))
    const before = await readdir(at('archives'))
    expect(await createBackup(options()).catch(codeOf)).toMatch(/HUB_BACKUP_REFUSED.*(?:damaged|malformed)/)
    expect(await readdir(at('archives'))).toEqual(before)
    await rm(file)
  })

  it('takes away what one that was killed left behind, and nothing that is at work', async () => {
    const folder = at('archives')
    const [old, fresh, restore] = [
      path.join(folder, '.stage-killed'),
      path.join(folder, '.stage-at-work'),
      at('data', '.restore-killed'),
    ]
    for (const stage of [old, fresh, restore]) await mkdir(stage)
    const before = new Date(Date.now() - 2 * 86_400_000)
    for (const stage of [old, restore]) await utimes(stage, before, before)
    await createBackup(options())
    expect((await readdir(folder)).filter((name) => name.startsWith('.'))).toEqual(['.stage-at-work'])
    expect(await readdir(at('data'))).not.toContain('.restore-killed')
    await rm(fresh, { recursive: true })
  })

  it('leaves other files in its folder alone', async () => {
    await writeFile(at('archives', 'mcp-hub-notes.tar.gz'), 'mine')
    await createBackup(options(1))
    expect(await readdir(at('archives'))).toHaveLength(2)
    await rm(at('archives', 'mcp-hub-notes.tar.gz'))
  })

  it('that is encrypted is refused, with the command that decrypts it', async () => {
    const archive = at('some.tar.gz.age')
    await writeFile(archive, 'age-encryption.org/v1\n-> X25519 abc\n')
    for (const command of [['restore'], ['backup', 'verify']]) {
      const { code, err } = await cli(...command, archive)
      expect(code).toBe(65)
      expect(err).toMatch(/encrypted with age.*age --decrypt/s)
    }
  })

  it('is not restored under a running hub', async () => {
    const [newest] = await listBackups(at('archives'))
    const hub = await startHub({ echo: fixtureServer('echo.ts') })
    await hub.until('echo', 'running')
    const archive = at('archives', newest?.name ?? '')
    await vi.waitFor(async () => {
      const refused = await cli('restore', archive, '--config', hub.configDir, '--data', hub.dataDir)
      expect([refused.code, refused.err]).toEqual([69, expect.stringContaining(`(pid ${process.pid})`)])
    }, PATIENCE)
    await hub.close()
  })
})

describe('an archive that is not what it says', () => {
  const secret = (): string => at('outside')
  /** A good archive, unpacked, changed, and packed again. */
  async function tampered(change: (root: string) => Promise<void>, entries = ['mcp-hub-backup']): Promise<string> {
    const [good] = await listBackups(at('archives'))
    const work = at('tampered')
    await rm(work, { recursive: true, force: true })
    await mkdir(work)
    await extract({ file: at('archives', good?.name ?? ''), cwd: work })
    await change(path.join(work, 'mcp-hub-backup'))
    const file = path.join(work, 'bad.tar.gz')
    await create({ gzip: true, cwd: work, file, preservePaths: true }, entries)
    return file
  }

  it.each<[string, RegExp, (root: string) => Promise<void>, string[]?]>([
    [
      'a file beside it',
      /it has the file evil/,
      (root) => writeFile(path.join(root, '..', 'evil'), 'x'),
      ['mcp-hub-backup', 'evil'],
    ],
    [
      'a file above it',
      /it has the file \.\.\/outside/,
      () => writeFile(secret(), 'x'),
      ['mcp-hub-backup', '../outside'],
    ],
    ['a file of another name', /config\/cron\.json/, (root) => writeFile(path.join(root, 'config', 'cron.json'), 'x')],
    ['a link', /is a SymbolicLink/, (root) => symlink('/etc/passwd', path.join(root, 'data', 'pins.json'))],
    [
      'a folder that is a link',
      /is a SymbolicLink/,
      async (root) => {
        await rm(path.join(root, 'config'), { recursive: true })
        await symlink('/tmp', path.join(root, 'config'))
      },
    ],
    [
      'a damaged file',
      /config\/servers\.json is damaged/,
      (root) => writeFile(path.join(root, 'config', 'servers.json'), '{}'),
    ],
    ['a missing file', /config\/servers\.json is missing/, (root) => rm(path.join(root, 'config', 'servers.json'))],
    ['no manifest', /has no manifest\.json/, (root) => rm(path.join(root, 'manifest.json'))],
    ['another format', /of another format/, (root) => writeFile(path.join(root, 'manifest.json'), '{"format": 2}')],
    [
      'a bomb',
      /unpacks to more than|ratio exceeded/,
      async (root) => {
        await writeFile(path.join(root, 'data', 'history.db'), '')
        await truncate(path.join(root, 'data', 'history.db'), 150 * 1_048_576)
      },
    ],
  ])(
    '%s: refused, and nothing of it is used',
    async (_what, message, change, entries) => {
      const file = await tampered(change, entries)
      const before = await readFile(at('config', 'servers.json'), 'utf8')
      const error: unknown = await openBackup(file, at('stage')).catch((reason: unknown) => reason)
      expect(codeOf(error)).toMatch(message)
      expect(codeOf(error)).toMatch(/^HUB_BACKUP_REFUSED/)
      expect(await readdir(folder.path)).not.toContain('stage')

      const { code, err } = await cli('restore', file)
      expect([code, err]).toEqual([65, expect.stringMatching(message)])
      expect(await readFile(at('config', 'servers.json'), 'utf8')).toBe(before)
    },
    20_000,
  )

  it.each([
    ['cut off', async (file: string) => truncate(file, 300)],
    ['empty', async (file: string) => truncate(file, 0)],
    ['no archive at all', async (file: string) => writeFile(file, 'hello')],
  ])('%s: refused', async (_what, change) => {
    const file = await tampered(() => Promise.resolve())
    await change(file)
    expect((await cli('backup', 'verify', file)).code).toBe(65)
  })

  it('whose configuration would not be valid is refused with the fault in it', async () => {
    await writeFile(at('config', 'system.json'), '{\n  "server": { "port": "x" }\n}')
    const error: unknown = await createBackup(options()).catch((reason: unknown) => reason)
    await rm(at('config', 'system.json'))
    expect(error).toMatchObject({ code: 'HUB_BACKUP_REFUSED', faults: [{ file: 'config/system.json', line: 2 }] })
  })
})

it('backups are made by themselves when they are due, and a failure is told and tried again', async () => {
  let tick: () => void = () => undefined
  const clock = {
    ...systemClock,
    now: () => Date.now() + 10,
    after: (_ms: number, run: () => void) => ((tick = run), () => undefined),
  }
  const into = at('scheduled')
  let configDir = at('nowhere')
  const logged: string[] = []
  const schedule = scheduleBackups(
    () => ({ ...options(2), configDir, into, everyHours: 1 / 3_600_000 }),
    (level) => logged.push(level),
    clock,
  )
  tick()
  await vi.waitFor(() => expect(String(schedule.failure)).toMatch('nowhere cannot be read'), PATIENCE)
  // In words that a page knows in its language.
  const unread = { code: '{0} cannot be read', params: [configDir] }
  expect(told({ failure: schedule.failure }).said).toMatchObject({
    failure: { code: '{0}: {1}', params: [unread, expect.any(String)] },
  })
  configDir = at('config')
  await vi.waitFor(async () => {
    tick()
    expect(await listBackups(into)).toHaveLength(2)
  }, PATIENCE)
  expect(schedule.failure).toBeNull()
  expect(new Set(logged)).toEqual(new Set(['error', 'info']))
  await schedule.dispose()
})

describe('the API of a running hub', () => {
  let hub: TestHub
  beforeAll(async () => {
    hub = await startHub({ one: fixtureServer('echo.ts') })
    await hub.until('one', 'running')
  })
  afterAll(() => hub.close())
  const list = async (): Promise<Backups> => (await hub.api('GET', '/api/backups')).body as Backups

  it('makes, lists, hands out and deletes archives, with the history of an open database', async () => {
    await hub.api('POST', '/api/tools/call', { server: 'one', tool: 'echo', arguments: { text: 'kept' } })
    await vi.waitFor(async () => {
      expect(((await hub.api('GET', '/api/history')).body as HistoryPage).items.length).toBeGreaterThan(0)
    }, PATIENCE)
    const { status, body } = await hub.api('POST', '/api/backups')
    expect(status).toBe(201)
    const { name } = body as { name: string }
    expect(await list()).toMatchObject({ keep: 30, everyHours: null, failure: null, backups: [{ name }] })

    const response = await fetch(`${hub.url}/api/backups/${name}`, { headers: hub.headers })
    expect(response.headers.get('content-type')).toBe('application/gzip')
    const file = at('downloaded.tar.gz')
    await writeFile(file, Buffer.from(await response.arrayBuffer()))
    const opened = await openBackup(file, at('downloaded'))
    const { DatabaseSync } = await import('node:sqlite')
    const database = new DatabaseSync(opened.fileOf('data/history.db'), { readOnly: true })
    expect(database.prepare('SELECT name FROM hub_requests').all()).toMatchObject([{ name: 'echo' }])
    database.close()
    await opened.dispose()

    expect((await hub.api('DELETE', `/api/backups/${name}`)).status).toBe(204)
    expect((await list()).backups).toEqual([])
  })

  it('brings the configuration of an archive into force', async () => {
    const { name } = (await hub.api('POST', '/api/backups')).body as { name: string }
    await hub.api('DELETE', '/api/servers/one')
    expect((await hub.api('POST', `/api/backups/${name}/restore`)).status).toBe(204)
    await hub.until('one', 'running')
  })

  it.each(['mcp-hub-20260101T000000000Z.tar.gz', '..%2F..%2Fconfig%2Fservers.json', 'servers.json'])(
    'knows no archive named %s',
    async (name) => {
      for (const [method, route] of [
        ['GET', ''],
        ['DELETE', ''],
        ['POST', '/restore'],
      ] as const) {
        const { status, body } = await hub.api(method, `/api/backups/${name}${route}`)
        expect([status, (body as Problem).code]).toEqual([404, 'HUB_BACKUP_NOT_FOUND'])
      }
    },
  )
})
