import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { PassThrough } from 'node:stream'
import { Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openExecConsents, type ExecConsents } from '../../hub/auth/exec-consents.ts'
import { bootstrapCaller, fixedCaller, type Caller } from '../../hub/auth/caller.ts'
import { openIdentityFile } from '../../hub/auth/identity-file.ts'
import { openIdentity } from '../../hub/auth/identity.ts'
import { openBackup } from '../../hub/backup/open-backup.ts'
import { openPins, type Pins } from '../../hub/catalog/pins.ts'
import { createSavedCases, type SavedCases } from '../../hub/cases/saved-cases.ts'
import { runCli } from '../../hub/cli/main.ts'
import { openLocalCluster } from '../../hub/cluster/local.ts'
import type { HubReport } from '../../hub/cli/surroundings.ts'
import { openFiles, type Documents } from '../../hub/config/documents.ts'
import type { EffectiveSetting } from '../../hub/config/effective-settings.ts'
import { entityTag } from '../../hub/config/entity-tag.ts'
import { keptText } from '../../hub/config/kept-text.ts'
import { openDocuments } from '../../hub/config/open-documents.ts'
import { openPostgresDocuments } from '../../hub/config/postgres-documents.ts'
import { openConfigStore, type ConfigStore } from '../../hub/config/store.ts'
import { createConfigVersions, type ConfigVersions } from '../../hub/config/versions.ts'
import { openPostgresStore } from '../../hub/history/postgres-store.ts'
import { createRecorder } from '../../hub/history/recorder.ts'
import { createRedactor } from '../../hub/observe/redactor.ts'
import { say } from '../../hub/say.ts'
import { temporaryFolder } from '../fixtures/built-program.ts'
import { historyOf } from '../fixtures/history-records.ts'
import { fixtureServer, startHub } from '../fixtures/hub.ts'
import { PASSWORD, person } from '../fixtures/people.ts'
import { startPostgres, type TestPostgres } from '../fixtures/postgres.ts'

let postgres: TestPostgres
beforeAll(async () => {
  postgres = await startPostgres()
})
afterAll(() => postgres.stop())

/** One place, as two hubs have it open. */
interface Place {
  open: () => Promise<Documents>
  versions: (documents: Documents) => ConfigVersions
  dispose: () => Promise<void>
}

async function folderPlace(): Promise<Place> {
  const folder = await temporaryFolder()
  return {
    open: () => openFiles(folder.path),
    versions: () =>
      createConfigVersions(path.join(folder.path, 'versions'), (error) => {
        throw error
      }),
    dispose: () => folder.dispose(),
  }
}

/** Each test has a database of its own. */
let databases = 0
async function freshDatabase(): Promise<string> {
  const name = `test_${++databases}`
  const client = new pg.Client({ connectionString: postgres.url })
  await client.connect()
  await client.query(`CREATE DATABASE ${name}`)
  await client.end()
  return postgres.url.replace(/[^/]*$/, name)
}

async function databasePlace(): Promise<Place> {
  const url = await freshDatabase()
  return {
    open: () => openPostgresDocuments({ url, onError: () => undefined }),
    versions: (documents) => documents.versions!,
    dispose: () => Promise.resolve(),
  }
}

describe.each([
  ['files', folderPlace],
  ['PostgreSQL', databasePlace],
])('the configuration in %s', (_name, make) => {
  let place: Place
  let documents: Documents
  let store: ConfigStore
  let versions: ConfigVersions
  const opened: { dispose: () => Promise<void> }[] = []
  async function openAnother(): Promise<ConfigStore> {
    const others = await place.open()
    const other = await openConfigStore(others)
    opened.unshift(other, others)
    return other
  }
  beforeEach(async () => {
    place = await make()
    documents = await place.open()
    store = await openConfigStore(documents)
    versions = place.versions(documents)
    store.onVersion = (texts, by, reason) => void versions.record(texts, by, reason)
  })
  afterEach(async () => {
    for (const one of opened.splice(0)) await one.dispose()
    await store.dispose()
    // Waits until the last one is kept.
    await versions.list()
    await documents.dispose()
    await place.dispose()
  })

  it('is empty at first, and found again by whoever opens it next', async () => {
    expect(store.servers).toEqual({ mcpServers: {} })
    expect(store.faults).toEqual([])
    await store.saveServer('a', { command: 'x' })
    await store.saveProfile('p', { servers: { a: {} } })
    await store.saveSystem(['limits', 'maxListens'], () => 7)
    const other = await openAnother()
    expect(other.servers.mcpServers).toEqual({ a: { command: 'x' } })
    expect(Object.keys(other.profiles.profiles)).toEqual(['p'])
    expect(other.systemAsWritten.limits).toEqual({ maxListens: 7 })
  })

  it('keeps comments and the place of an entry that is renamed', async () => {
    await store.replace({
      servers: '{\n  // mine\n  "mcpServers": { "a": { "command": "x" }, "b": { "command": "y" } }\n}\n',
      system: '{}\n',
      profiles: '{ "profiles": {} }\n',
    })
    await store.saveServer('a', { command: 'z' }, { rename: 'renamed' })
    const other = await openAnother()
    expect(other.texts.servers).toContain('// mine')
    expect(Object.keys(other.servers.mcpServers)).toEqual(['renamed', 'b'])
  })

  it('loses none of many changes at once', async () => {
    await Promise.all(Array.from({ length: 20 }, (_, index) => store.saveServer(`s${index}`, { command: 'x' })))
    expect(Object.keys((await openAnother()).servers.mcpServers)).toHaveLength(20)
  })

  it('refuses a change of what somebody else has changed since it was read', async () => {
    await store.saveServer('a', { command: 'x' })
    const read = entityTag(store.servers.mcpServers['a'])
    const other = await openAnother()
    await other.saveServer('a', { command: 'theirs' })
    await expect(store.saveServer('a', { command: 'mine' }, { ifMatch: read })).rejects.toMatchObject({ status: 412 })
    expect((await openAnother()).servers.mcpServers).toEqual({ a: { command: 'theirs' } })
  })

  it('refuses what is not valid, and stays as it was', async () => {
    await store.saveServer('a', { command: 'x' })
    await expect(store.saveServer('b', { command: 7 } as never)).rejects.toMatchObject({ code: 'HUB_INVALID_CONFIG' })
    const texts = { ...store.texts, profiles: '{ "profiles": 7 }' }
    await expect(store.replace({ ...texts, servers: '{ "mcpServers": {} }' })).rejects.toMatchObject({
      code: 'HUB_INVALID_CONFIG',
    })
    expect((await openAnother()).servers.mcpServers).toEqual({ a: { command: 'x' } })
  })

  it('tells the other hub of a change within a second, and nobody of one’s own', async () => {
    const other = await openAnother()
    let [heard, own] = [0, 0]
    other.watch(() => heard++)
    store.watch(() => own++)
    await store.saveServer('a', { command: 'x' })
    await expect.poll(() => Object.keys(other.servers.mcpServers)).toEqual(['a'])
    expect(heard).toBe(1)
    await other.saveProfile('p', { servers: { a: {} } })
    await expect.poll(() => Object.keys(store.profiles.profiles)).toEqual(['p'])
    expect(own).toBe(1)
  })

  it('keeps versions with who, why and what changed, and goes back to one', async () => {
    await store.saveServer('a', { command: 'x' }, { by: 'ann', reason: 'a tool for us' })
    await store.saveServer('a', { command: 'y' }, { by: 'bob' })
    await store.saveServer('a', { command: 'y' }, { by: 'nobody, since it says the same' })
    const kept = await versions.list()
    expect(kept).toMatchObject([
      { id: 2, by: 'bob', reason: null, changes: [{ file: 'servers', name: 'a', kind: 'changed' }] },
      { id: 1, by: 'ann', reason: 'a tool for us' },
    ])
    const first = await versions.get(1)
    expect(await versions.get(99)).toBeNull()
    await store.replace(first!.files, { by: 'ann', reason: say`Back to version ${1}` })
    expect(store.servers.mcpServers).toEqual({ a: { command: 'x' } })
    const [newest, , oldest] = await versions.list()
    const said = { reason: { code: 'Back to version {0}', params: ['1'] } }
    expect(newest).toMatchObject({ id: 3, by: 'ann', reason: 'Back to version 1', said })
    expect((await versions.get(3))?.said).toEqual(said)
    expect(oldest).not.toHaveProperty('said')
  })

  it('puts all texts in place as one version, unless they are others than an ETag names', async () => {
    const tag = entityTag(store.texts)
    const texts = {
      ...store.texts,
      servers: '{ "mcpServers": { "a": { "command": "a" } } }',
      profiles: '{ "profiles": { "p": { "servers": { "a": {} } } } }',
    }
    await store.replace(texts, { by: 'ada', reason: 'pushed', ifMatch: tag })
    expect(await versions.list()).toMatchObject([{ id: 1, by: 'ada', reason: 'pushed' }])
    expect(store.profiles.profiles).toHaveProperty('p')
    await expect(store.replace(texts, { ifMatch: tag })).rejects.toMatchObject({ code: 'HUB_CHANGED_MEANWHILE' })
  })

  it('keeps users and keys, tells the other hub of them, and keeps them out of the versions', async () => {
    const users = await openIdentityFile(documents)
    const theirs = await place.open()
    const others = await openIdentityFile(theirs)
    opened.unshift(users, others, theirs)
    others.watch()
    const key = { id: '0123456789ab', name: 'k', hash: '0'.repeat(64), owner: null, permissions: [], createdAt: 1 }
    await users.change('keys', key.id, { by: 'ann', reason: 'key.create' }, () => key)
    await expect.poll(() => others.current.keys).toEqual([key])
    await users.change('keys', key.id, { by: 'bob', reason: 'key.delete' }, () => undefined)
    await expect.poll(() => others.current.keys).toEqual([])
    expect(await versions.list()).toEqual([])
    // They have versions of their own, which every hub sees.
    expect(await others.versions()).toMatchObject([
      { id: 3, by: 'bob', reason: 'key.delete', changes: [{ list: 'keys', id: key.id, kind: 'removed' }] },
      { id: 2, by: 'ann', reason: 'key.create', changes: [{ list: 'keys', id: key.id, kind: 'added' }] },
      { id: 1, by: null, changes: [] },
    ])
  })

  describe('users and keys', () => {
    const admin = bootstrapCaller
    const origin = { address: '192.0.2.1', userAgent: 'test', device: null }
    const signedIn = (name: string): Caller => ({
      ...fixedCaller(`user:${name}`, name, 'user', []),
      user: name,
      session: 'a session',
    })
    const entryOf = async (list: 'users' | 'keys', name: string): Promise<unknown> => {
      const found = await documents.read('users')
      const entries = JSON.parse((found.ok ? found.text : null) ?? '') as Record<string, { name: string }[]>
      return entries[list]?.find((entry) => entry.name === name)
    }

    /** Two hubs, of which neither hears of what the other does: each decides by what it read. */
    async function openTwo(people: object[], tokens = [{ value: 'a token', caller: admin }]) {
      if (people.length > 0) {
        const text = JSON.stringify({ users: people, keys: [] })
        await documents.write([{ document: 'users', text, over: await documents.read('users') }], null, null)
      }
      const folder = await temporaryFolder()
      const cluster = openLocalCluster(':memory:')
      opened.unshift(cluster, folder)
      const open = async () => {
        const identity = await openIdentity({
          mode: 'server',
          documents,
          dataDir: folder.path,
          tokens,
          signingKeys: [new Uint8Array(32)],
          auth: () => ({ bcryptRounds: 10 }),
          adminPassword: undefined,
          openCluster: () => Promise.resolve(cluster),
          announceSetup: () => undefined,
          log: () => undefined,
          audit: () => undefined,
        })
        opened.unshift(identity)
        return { ...(await identity.people())!, keys: identity.keys, setupCode: identity.setupCode }
      }
      return [await open(), await open()] as const
    }

    it('stay as an administrator made them, whatever was known before where somebody changes the same one', async () => {
      const names = ['out', 'reset', 'less', 'two', 'gone']
      const [one, other] = await openTwo(names.map((name) => person(name)))

      await other.users.edit(admin, 'out', { disabled: true })
      const next = 'another horse battery staple'
      await expect(one.signIn.changePassword(signedIn('out'), PASSWORD, next, origin)).rejects.toMatchObject({
        code: 'HUB_UNAUTHENTICATED',
      })
      expect(await entryOf('users', 'out')).toEqual({ ...person('out'), disabled: true })

      await other.users.resetPassword(admin, 'reset', undefined)
      await expect(one.signIn.changePassword(signedIn('reset'), PASSWORD, next, origin)).rejects.toMatchObject({
        code: 'HUB_LOGIN_FAILED',
      })
      expect(await entryOf('users', 'reset')).toMatchObject({ mustChangePassword: true })

      await other.users.edit(admin, 'less', { role: 'viewer' })
      await one.users.resetPassword(admin, 'less', next)
      expect(await entryOf('users', 'less')).toMatchObject({ role: 'viewer', mustChangePassword: true })

      await other.users.edit(admin, 'two', { role: 'viewer' })
      expect(await one.users.edit(admin, 'two', { disabled: true })).toMatchObject({ role: 'viewer', disabled: true })
      expect(await entryOf('users', 'two')).toMatchObject({ role: 'viewer', disabled: true })

      const { id } = await other.keys.create(admin, { name: 'leaked' })
      await one.keys.create(admin, { name: 'known here' })
      await other.keys.remove(admin, id)
      await expect(one.keys.edit(admin, id, { name: 'x' })).rejects.toMatchObject({ code: 'HUB_KEY_NOT_FOUND' })
      expect(await entryOf('keys', 'leaked')).toBeUndefined()

      await other.users.remove(admin, 'gone')
      for (const work of [
        () => one.users.edit(admin, 'gone', { role: 'admin' }),
        () => one.users.resetPassword(admin, 'gone', undefined),
        () => one.keys.create({ ...admin, user: 'gone' }, { name: 'of who is gone' }),
      ])
        await expect(work()).rejects.toMatchObject({ code: 'HUB_USER_NOT_FOUND' })
      expect(await entryOf('users', 'gone')).toBeUndefined()
      expect(await entryOf('keys', 'of who is gone')).toBeUndefined()
    })

    it('keep an administrator and one user of each name, whatever was known before', async () => {
      const [one, other] = await openTwo([person('ann', 'admin'), person('bob', 'admin')])
      await other.users.edit(admin, 'bob', { role: 'user' })
      for (const work of [() => one.users.edit(admin, 'ann', { disabled: true }), () => one.users.remove(admin, 'ann')])
        await expect(work()).rejects.toMatchObject({ code: 'HUB_LAST_ADMIN' })
      expect(await entryOf('users', 'ann')).toEqual(person('ann', 'admin'))

      await other.users.create(admin, { name: 'new', role: 'viewer' })
      await expect(one.users.create(admin, { name: 'new', role: 'admin' })).rejects.toMatchObject({
        code: 'HUB_USER_EXISTS',
      })
      expect(await entryOf('users', 'new')).toMatchObject({ role: 'viewer' })
    })

    it('are removed one by one, also where a program wrote them without a blank', async () => {
      const [one] = await openTwo([person('ann', 'admin'), person('bob'), person('eve')])
      for (const name of ['eve', 'bob']) await one.users.remove(admin, name)
      const found = await documents.read('users')
      expect(JSON.parse((found.ok ? found.text : null) ?? '')).toEqual({ users: [person('ann', 'admin')], keys: [] })
    })

    it('begin with one administrator, though two come with the code at once', async () => {
      const [one, other] = await openTwo([], [])
      const code = (await one.setupCode())!
      const done = await Promise.allSettled([
        one.users.setup(code, 'ann', PASSWORD),
        other.users.setup(code, 'bob', PASSWORD),
      ])
      expect(done.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
      expect(done.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'HUB_CONFLICT' } })
    })
  })
})

/** How a hub ends that cannot start, and what it says. */
async function endOf(databaseUrl: string): Promise<{ code: number | null; said: string }> {
  const folder = await temporaryFolder()
  const program = path.join(import.meta.dirname, '..', '..', 'dist', 'hub', 'server.js')
  const hub = spawn(process.execPath, [program], {
    env: { PORT: '0', CONFIG_DIR: folder.path, DATA_DIR: path.join(folder.path, 'data'), DATABASE_URL: databaseUrl },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  hub.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const [code] = (await once(hub, 'exit')) as [number | null]
  await folder.dispose()
  return { code, said }
}

describe('a hub that starts', () => {
  it('ends with 75 when PostgreSQL is down: starting it again may help', async () => {
    const { code, said } = await endOf('postgres://hub@127.0.0.1:1/hub')
    expect({ code, said }).toEqual({
      code: 75,
      said: expect.stringMatching(/^environment DATABASE_URL: .*ECONNREFUSED.*Start PostgreSQL.*\n$/) as string,
    })
  })

  it('ends with 78 when PostgreSQL refuses it: starting it again will not help', async () => {
    const { code, said } = await endOf(postgres.url.replace(/[^/]*$/, 'missing'))
    expect({ code, said }).toEqual({ code: 78, said: expect.stringContaining('"missing" does not exist') as string })
  })
})

describe('a hub whose role may not alter tables', () => {
  async function query<T extends pg.QueryResultRow>(url: string, text: string): Promise<T[]> {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    return client.query<T>(text).then(
      async ({ rows }) => client.end().then(() => rows),
      async (error: unknown) => client.end().then(() => Promise.reject(error as Error)),
    )
  }

  it('is told what to do before the tables are made, and works with the rights that the documentation names', async () => {
    const url = await freshDatabase()
    await query(url, 'CREATE ROLE mcp_hub_run LOGIN')
    const asRun = url.replace('hub@', 'mcp_hub_run@')
    const { code, said } = await endOf(asRun)
    expect({ code, said }).toEqual({
      code: 78,
      said: expect.stringMatching(/permission denied for schema public\. Run mcp-hub database migrate with/) as string,
    })

    let out = ''
    const migrate = (databaseUrl: string): Promise<number> =>
      runCli(['database', 'migrate'], {
        stdin: new PassThrough(),
        out: (text) => (out += text),
        err: (text) => (out += text),
        env: { DATABASE_URL: databaseUrl },
        distDir: '',
        version: '1.2.3',
        signal: new AbortController().signal,
      })
    expect([await migrate(url), await migrate(url), await migrate('')]).toEqual([0, 0, 64])
    const documentation = await readFile(path.join(import.meta.dirname, '../../docs/clustering.md'), 'utf8')
    await query(url, /```sql\n([^`]*GRANT[^`]*)```/.exec(documentation)?.[1] ?? 'no GRANT is documented')

    const running = await startHub({ echo: fixtureServer('echo.ts') }, {}, { hub: { databaseUrl: asRun } })
    try {
      await running.until('echo', 'running')
      expect(
        (await running.api('POST', '/api/servers', { name: 'b', config: { command: 'x', disabled: true } })).status,
      ).toBe(201)
      const call = { server: 'echo', tool: 'echo', arguments: { text: 'hello' } }
      expect((await running.api('POST', '/api/tools/call', call)).status).toBe(200)
      await expect
        .poll(async () => JSON.stringify((await running.api('GET', '/api/audit')).body))
        .toContain('/api/servers')
    } finally {
      await running.close()
    }

    const [day, now] = [86_400_000, Date.now()]
    const store = await openPostgresStore({ url: asRun, onError: () => undefined })
    const { requests, traffic, acts } = historyOf(1)
    const at = [now - 40 * day, now - day, now]
    await store.appendRequests(
      at.flatMap((moment) => requests.map((one) => ({ ...one, at: moment }))),
      traffic,
    )
    await store.appendAudit(acts.map((act) => ({ ...act, at: now - 400 * day })))
    const days = async (): Promise<number> =>
      (await query(url, `SELECT FROM pg_inherits WHERE inhparent = 'hub_requests'::regclass`)).length
    expect(await days()).toBe(3)
    await store.maintain({ maxRows: 1_000, maxBytes: 1e9, maxDays: 30, auditDays: 365 }, now)
    expect(await days()).toBe(2)
    expect((await store.findRequests({}, { limit: 10 })).length).toBeGreaterThanOrEqual(2)
    await store.close()

    for (const forbidden of [
      'CREATE TABLE mine (n integer)',
      'ALTER TABLE hub_requests ADD COLUMN mine text',
      'DROP TABLE hub_audit',
      `UPDATE hub_audit SET target = 'someone else'`,
      'DELETE FROM hub_migrations',
    ])
      await expect(query(asRun, forbidden), forbidden).rejects.toThrow(/permission denied|must be owner/)
  })
})

describe('hubs on one PostgreSQL', () => {
  const hub = async (url: string, reconcileMs?: number) => {
    const documents = await openPostgresDocuments({
      url,
      onError: () => undefined,
      ...(reconcileMs === undefined ? {} : { reconcileMs }),
    })
    const store = await openConfigStore(documents)
    return {
      documents,
      store,
      dispose: async () => {
        await store.dispose()
        await documents.dispose()
      },
    }
  }

  it('lose no change that they make at once, nor a version of it', async () => {
    const url = await freshDatabase()
    // They bring the tables to their form at once, too.
    const hubs = await Promise.all([hub(url), hub(url), hub(url)])
    await Promise.all(
      hubs.flatMap(({ store }, at) =>
        Array.from({ length: 5 }, (_, index) =>
          store.saveServer(`s${at}-${index}`, { command: 'x' }, { by: `hub ${at}` }),
        ),
      ),
    )
    const last = await hub(url)
    expect(Object.keys(last.store.servers.mcpServers)).toHaveLength(15)
    const versions = await last.documents.versions.list()
    expect(versions.map(({ id }) => id)).toEqual(Array.from({ length: 15 }, (_, index) => 15 - index))
    for (const one of [...hubs, last]) await one.dispose()
  })

  it('take over the files of the first one, once', async () => {
    const url = await freshDatabase()
    const folder = await temporaryFolder()
    await writeFile(path.join(folder.path, 'servers.json'), '{ "mcpServers": { "a": { "command": "x" } } } // mine\n')
    const said: string[] = []
    const open = () =>
      openDocuments({
        configDir: folder.path,
        dataDir: folder.path,
        databaseUrl: url,
        sources: undefined,
        log: (_level, message) => said.push(message),
      })
    const first = await open()
    expect((await openConfigStore(first)).texts.servers).toContain('// mine')
    expect(await first.versions?.list()).toMatchObject([{ id: 1, by: null, reason: `Taken over from ${folder.path}` }])
    await writeFile(path.join(folder.path, 'servers.json'), '{ "mcpServers": 7 }')
    const second = await open()
    expect(Object.keys((await openConfigStore(second)).servers.mcpServers)).toEqual(['a'])
    expect(said).toEqual([expect.stringContaining('taken over'), expect.stringContaining('files are not read')])
    expect(await readFile(path.join(folder.path, 'servers.json'), 'utf8')).toContain('7')
    await first.dispose()
    await second.dispose()
    await folder.dispose()
  })

  it('are what mcp-hub config show shows, and not the files that they took over', async () => {
    const url = await freshDatabase()
    const folder = await temporaryFolder()
    const file = path.join(folder.path, 'system.json')
    await writeFile(file, '{ "auth": { "maxLoginAttempts": 3 } }')
    const attempts = async (): Promise<unknown> => {
      let out = ''
      const code = await runCli(['config', 'show', '--json'], {
        stdin: new PassThrough(),
        out: (text) => (out += text),
        err: (text) => (out += text),
        env: { CONFIG_DIR: folder.path, DATA_DIR: folder.path, DATABASE_URL: url },
        distDir: folder.path,
        version: '1.2.3',
        signal: new AbortController().signal,
      })
      expect([code, out]).toEqual([0, expect.any(String)])
      return (JSON.parse(out) as EffectiveSetting[]).find(({ name }) => name === 'auth.maxLoginAttempts')
    }
    expect(await attempts()).toMatchObject({ value: 3, origin: { from: 'file', file, line: 1 } })
    const documents = await openDocuments({
      configDir: folder.path,
      dataDir: folder.path,
      databaseUrl: url,
      sources: undefined,
      log: () => undefined,
    })
    await documents.dispose()
    await writeFile(file, '{ "auth": { "maxLoginAttempts": 9 } }')
    expect(await attempts()).toMatchObject({ value: 3, origin: { file: 'system.json in PostgreSQL' } })
    await folder.dispose()
  })

  it('are what mcp-hub doctor examines, which makes no table', async () => {
    const url = await freshDatabase()
    const folder = await temporaryFolder()
    const file = path.join(folder.path, 'servers.json')
    await writeFile(file, '{ "mcpServers": { "a": { "command": "x", "disabled": true } } }')
    const doctor = async (databaseUrl = url): Promise<{ code: number; steps: HubReport['steps'] }> => {
      let out = ''
      const code = await runCli(['doctor', '--json'], {
        stdin: new PassThrough(),
        out: (text) => (out += text),
        err: () => undefined,
        env: { CONFIG_DIR: folder.path, DATA_DIR: folder.path, DATABASE_URL: databaseUrl, PORT: '0' },
        distDir: folder.path,
        version: '1.2.3',
        signal: new AbortController().signal,
      })
      return { code, steps: (JSON.parse(out) as { hub: HubReport }).hub.steps }
    }
    const step = (id: string, message: string) => expect.objectContaining({ id, message }) as unknown
    const first = await doctor()
    expect([first.code, first.steps]).toEqual([
      0,
      expect.arrayContaining([step('postgresql', 'answers; a start takes over the files')]),
    ])
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    const { rows } = await client.query<{ name: string }>(`SELECT tablename FROM pg_tables WHERE schemaname = 'public'`)
    await client.end()
    expect(rows).toEqual([])
    const documents = await openDocuments({
      configDir: folder.path,
      dataDir: folder.path,
      databaseUrl: url,
      sources: undefined,
      log: () => undefined,
    })
    await documents.dispose()
    await writeFile(file, '{ broken')
    const second = await doctor()
    expect([second.code, second.steps]).toEqual([
      0,
      expect.arrayContaining([step('configuration', 'PostgreSQL: 1 servers, no fault')]),
    ])
    expect((await doctor(postgres.url.replace(/[^/]*$/, 'missing'))).code).toBe(78)
    await folder.dispose()
  })

  it('do not take over files with faults', async () => {
    const url = await freshDatabase()
    const folder = await temporaryFolder()
    await writeFile(path.join(folder.path, 'servers.json'), '{ "mcpServers": 7 }')
    const open = () =>
      openDocuments({
        configDir: folder.path,
        dataDir: folder.path,
        databaseUrl: url,
        sources: undefined,
        log: () => undefined,
      })
    await expect(open()).rejects.toThrow('servers.json')
    await writeFile(path.join(folder.path, 'servers.json'), '{ "mcpServers": {} }')
    await (await open()).dispose()
    await folder.dispose()
  })

  it('are served by the command line as by the API: keys, an archive, and what restoring does not touch', async () => {
    const url = await freshDatabase()
    const folder = await temporaryFolder()
    const [configDir, dataDir] = [path.join(folder.path, 'config'), path.join(folder.path, 'data')]
    await mkdir(configDir)
    await writeFile(path.join(configDir, 'servers.json'), '{ "mcpServers": { "of-the-file": { "command": "x" } } }')
    const cli = async (...args: string[]): Promise<string> => {
      let said = ''
      const code = await runCli(args, {
        stdin: new PassThrough(),
        out: (text) => (said += text),
        err: (text) => (said += text),
        env: { CONFIG_DIR: configDir, DATA_DIR: dataDir, DATABASE_URL: url },
        distDir: folder.path,
        version: '1.2.3',
        signal: new AbortController().signal,
      })
      return `${code} ${said}`
    }
    const one = await hub(url)
    await one.store.saveServer('of-the-database', { command: 'x' })
    expect(await cli('key', 'create', '--name', 'ci', '--permissions', 'servers:read')).toMatch(/^0 /)
    const users = await openIdentityFile(one.documents)
    expect(users.current.keys).toMatchObject([{ name: 'ci' }])
    const history = await openPostgresStore({ url, onError: () => undefined })
    expect(await history.findAudit({}, { limit: 5 })).toMatchObject([{ action: 'key.create' }])
    await history.close()

    const archives = path.join(folder.path, 'archives')
    const made = await cli('backup', '--out', archives)
    expect(made).toMatch(/^0 Wrote /)
    const opened = await openBackup(/Wrote (.*?),/.exec(made)?.[1] ?? '', path.join(folder.path, 'stage'))
    expect(opened.texts.servers).toContain('of-the-database')
    expect(opened.texts.servers).not.toContain('of-the-file')
    await opened.dispose()
    expect(await cli('restore', /Wrote (.*?),/.exec(made)?.[1] ?? '')).toContain(
      'PostgreSQL (DATABASE_URL) is as it was',
    )
    const reset = await cli('config', 'reset', '--yes')
    expect(reset).toMatch(/^0 {3}servers: of-the-database removed\nDone/)
    expect((await one.documents.versions.list())[0]).toMatchObject({
      reason: 'Reset to the defaults',
      changes: [{}],
    })
    expect(await cli(...(/config (reset --yes --to \d+)/.exec(reset)?.[0] ?? '').split(' '))).toMatch(/^0 /)
    expect(await one.documents.read('servers')).toMatchObject({
      text: expect.stringContaining('of-the-database') as string,
    })
    expect(await cli('audit', 'export', '--format', 'csv')).toMatch(
      /,config\.reset,[^]*,config\.reset,[^]*,key\.create,/,
    )
    expect(await cli('audit', 'verify')).toMatch(/^0 Whole: 3 entries, 1 to 3/)
    await users.dispose()
    await one.dispose()
    await folder.dispose()
  })

  it('share approved tools, agreed programs and saved cases, and take over those of the first one', async () => {
    const url = await freshDatabase()
    const folder = await temporaryFolder()
    const tool = (description: string) => ({ name: 'write', description })
    const opened = async (): Promise<{
      documents: Documents
      pins: Pins
      consents: ExecConsents
      cases: SavedCases
    }> => {
      const dirs = { configDir: folder.path, dataDir: folder.path }
      const documents = await openDocuments({ ...dirs, databaseUrl: url, sources: undefined, log: () => undefined })
      const onError = (error: unknown): never => {
        throw error
      }
      const pinned = { text: keptText(documents, 'pins'), place: 'pins', onError }
      const pins = await openPins({ ...pinned, policy: () => ({ onChange: 'hold' }) })
      const agreed = { text: keptText(documents, 'exec-consents'), needed: () => true, present: {}, onError }
      const consents = await openExecConsents(agreed)
      pins.watch()
      consents.watch()
      const cases = createSavedCases({ text: keptText(documents, 'saved-cases'), place: 'saved-cases' })
      return { documents, pins, consents, cases }
    }
    const files = await openFiles(folder.path)
    const before = await openPins({
      text: keptText(files, 'pins'),
      place: 'pins',
      policy: () => ({}),
      onError: () => undefined,
    })
    before.observe('old', [tool('as it was')])
    await before.flush()
    const saved = (name: string) =>
      ({
        method: 'tools/call',
        server: 'a',
        target: 'write',
        name,
        arguments: '{}',
        expected: null,
        owner: 'ann',
        savedBy: 'ann',
      }) as const
    await createSavedCases({ text: keptText(files, 'saved-cases'), place: 'saved-cases' }).add(saved('old'))

    const [one, other] = [await opened(), await opened()]
    expect(other.pins.state('old', tool('as it was'))).toBe('approved')
    // Both at once, and neither is lost.
    one.pins.approve('a', tool('one'), 'ann')
    other.pins.quarantine('b', tool('two'), 'bob')
    for (const { pins } of [one, other])
      await expect
        .poll(() => [pins.state('a', tool('one')), pins.state('b', tool('two'))], { timeout: 5_000 })
        .toEqual(['approved', 'quarantined'])
    // What a person decided is not undone by the policy of a hub that sees the tool for the first time.
    other.pins.observe('a', [tool('changed')])
    expect(other.pins.state('a', tool('changed'))).toBe('held')

    const program = { command: '/usr/bin/env', args: ['node'] }
    expect(other.consents.agreed(program)).toBe(false)
    await one.consents.agree('a', program)
    await expect.poll(() => other.consents.agreed(program)).toBe(true)
    // Both at once here, too; the names of the other hub's are taken.
    await Promise.all([one.cases.add(saved('one')), other.cases.add(saved('two'))])
    for (const { cases } of [one, other])
      expect((await cases.all()).map(({ name }) => name).sort()).toEqual(['old', 'one', 'two'])
    await expect(other.cases.add(saved('one'))).rejects.toMatchObject({ code: 'HUB_NAME_COLLISION' })

    for (const { documents, pins, consents } of [one, other]) {
      await pins.flush()
      await consents.dispose()
      await documents.dispose()
    }
    await folder.dispose()
  })

  it('notice a change of which no notice came', async () => {
    const url = await freshDatabase()
    const one = await hub(url, 100)
    await one.store.saveServer('a', { command: 'x' })
    one.store.watch(() => undefined)
    const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: url }) }) })
    // Whoever may connect may notify; what is no hub's is nobody's business.
    for (const payload of ['x', 'null', '{}', '{"document":"toString","version":1}'])
      await sql`SELECT pg_notify('hub_config', ${payload})`.execute(db)
    await sql`UPDATE hub_config SET text = replace(text, '"x"', '"y"'), version = version + 1`.execute(db)
    await db.destroy()
    await expect.poll(() => one.store.servers.mcpServers['a']).toEqual({ command: 'y' })
    await one.dispose()
  })

  it('notice one that hangs within 5 s, and go on when it answers again', async () => {
    const url = await freshDatabase()
    const one = await hub(url)
    await one.store.saveServer('a', { command: 'x' })
    const recorder = createRecorder({
      open: () => openPostgresStore({ url, onError: () => undefined }),
      limits: () => ({ maxRows: 1, maxBytes: 1, maxDays: 1, auditDays: 1 }),
      payloads: () => ({ mode: 'off', maxBytes: 1, redactor: createRedactor() }),
      onBatch: () => undefined,
      onAppended: () => undefined,
      log: () => undefined,
      pingEveryMs: 2_000,
    })
    await (await recorder.store()).ping()
    await postgres.hang()
    const since = performance.now()
    await Promise.all([
      expect.poll(() => recorder.failure?.toString(), { timeout: 5_000 }).toContain('did not answer'),
      expect(one.store.saveServer('b', { command: 'x' })).rejects.toMatchObject({ code: 'HUB_STORE_UNAVAILABLE' }),
    ])
    expect(performance.now() - since).toBeLessThan(5_500)
    expect(one.store.servers.mcpServers).toEqual({ a: { command: 'x' } })
    await postgres.go()
    await expect.poll(() => recorder.failure, { timeout: 5_000 }).toBeNull()
    await expect
      .poll(
        () =>
          one.store.saveServer('c', { command: 'x' }).then(
            () => true,
            () => false,
          ),
        { timeout: 5_000 },
      )
      .toBe(true)
    await recorder.dispose()
    await one.dispose()
  }, 30_000)

  it('keep what is in force while it is down, refuse to save, and go on within 5 s when it is back', async () => {
    const url = await freshDatabase()
    const [one, other] = [await hub(url), await hub(url)]
    await one.store.saveServer('a', { command: 'x' })
    for (const { store } of [one, other]) store.watch(() => undefined)
    await expect.poll(() => Object.keys(other.store.servers.mcpServers)).toEqual(['a'])

    await postgres.kill()
    await expect(one.store.saveServer('b', { command: 'x' })).rejects.toMatchObject({
      code: 'HUB_STORE_UNAVAILABLE',
      status: 503,
    })
    expect(one.store.servers.mcpServers).toEqual({ a: { command: 'x' } })
    expect(one.store.faults).toEqual([])
    await expect(hub(url)).rejects.toMatchObject({ code: 'HUB_STORE_UNAVAILABLE' })

    await postgres.start()
    await one.store.saveServer('b', { command: 'x' })
    await expect.poll(() => Object.keys(other.store.servers.mcpServers), { timeout: 5_000 }).toEqual(['a', 'b'])
    for (const hub of [one, other]) await hub.dispose()
  })
})
