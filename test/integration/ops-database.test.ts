import { execFileSync, spawnSync, type SpawnSyncReturns } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, open, readdir, readFile, rename, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { ICronJob } from 'kubernetes-models/batch/v1'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import type { HistoryPage, ServerStatus } from '../../hub/contract/index.ts'
import { targetSchema } from '../../hub/contract/publish.ts'
import { createBundle, type Bundle } from '../../hub/publish/bundle.ts'
import { startPostgres, type TestPostgres } from '../fixtures/postgres.ts'
import { publishTo } from '../fixtures/target-bundle.ts'
import { openMachine, type Ended, type Machine } from '../fixtures/target-machine.ts'

/** Backup and restore of published hubs that have configuration, users and history in PostgreSQL, over TLS, its address in a file. */

const MINUTE = 60_000
let postgres: TestPostgres
let machine: Machine
let bundle: string
/** A backup of all that the first test made. */
let archive: string
const at = (...parts: string[]): string => path.join(machine.root, ...parts)
const ops = (script: string, args: string[] = [], env: Record<string, string> = {}): Promise<Ended> =>
  machine.ops(bundle, script, args, env)
const remote = (name: string) => ({ url: `https://${name}.example.com/mcp`, hub: { enabled: false } })

beforeAll(async () => {
  ;[postgres, machine] = await Promise.all([startPostgres(), openMachine({ instances: 2 })])
  archive = path.join(machine.folder, 'kept.tar')
  bundle = await publishTo(machine, 'bundle', { one: remote('one') }, { instances: 2, services: ['database'] })
  // Several hubs are not started without a database: .env is made for who fills it in, and nothing else.
  const empty = await ops('deploy.sh')
  expect(empty).toMatchObject({
    code: 69,
    stderr: expect.stringMatching(/DATABASE_URL is empty in .*\.env\. 2 hubs need a database/) as string,
  })
  expect(await machine.environment()).toMatchObject({
    DATABASE_URL: '',
    MCP_HUB_TOKEN: expect.stringMatching(/.{32}/) as string,
  })
  expect(existsSync(at('current')) || existsSync(at('releases', path.basename(bundle)))).toBe(false)
  await writeFile(at('.env'), `DATABASE_URL_FILE=${at('database-url')}\n`)
  await writeFile(at('database-url'), `${postgres.verifiedUrl}\n`)
  const deployed = await ops('deploy.sh')
  expect(deployed.code, deployed.stderr).toBe(0)
}, MINUTE)
afterAll(async () => {
  await machine.dispose()
  await postgres.stop()
}, MINUTE)

async function api<T>(method: string, route: string, body?: object): Promise<T> {
  const { MCP_HUB_TOKEN: token } = await machine.environment()
  const response = await fetch(`http://127.0.0.1:${machine.basePort}${route}`, {
    method,
    headers: { authorization: `Bearer ${token ?? ''}`, 'content-type': 'application/json' },
    body: body === undefined ? null : JSON.stringify(body),
  })
  const text = await response.text()
  expect(response.ok, `${method} ${route}: ${text}`).toBe(true)
  return (text === '' ? null : JSON.parse(text)) as T
}
const add = (name: string): Promise<unknown> => api('POST', '/api/servers', { name, config: remote(name) })

/** What somebody who uses the hub would miss. */
async function holds(): Promise<{ servers: string[]; users: string[]; history: string[] }> {
  const [servers, users, history] = await Promise.all([
    api<ServerStatus[]>('GET', '/api/servers'),
    api<{ name: string }[]>('GET', '/api/users'),
    api<HistoryPage>('GET', '/api/history?limit=500'),
  ])
  return {
    servers: servers.map(({ name }) => name).sort(),
    users: users.map(({ name }) => name),
    history: history.items.map(({ at, method }) => `${at} ${method}`),
  }
}

async function query(text: string, url = postgres.url): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(text)).rows
  } finally {
    await client.end()
  }
}

/** Everything in the database, and the files of the hub, in one text. */
async function everything(): Promise<string> {
  const dump = execFileSync('pg_dump', ['--data-only', '--table=hub_config', '--table=hub_audit', postgres.url], {
    encoding: 'utf8',
  })
  const files = (await readdir(at('config'))).sort()
  return [dump.replace(/^\\(?:un)?restrict .*$/gm, ''), ...files, await readFile(at('.env'), 'utf8')].join('\n')
}

/** An archive like the kept one, with one of its files changed, and a list that is right. */
async function archiveWith(name: string, change: (file: string) => Promise<void>): Promise<string> {
  const folder = path.join(machine.folder, 'changed')
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder)
  execFileSync('tar', ['-xf', archive, '-C', folder])
  await change(path.join(folder, name))
  const members = (await readdir(folder)).filter((name) => name !== 'SHA256SUMS')
  await writeFile(path.join(folder, 'SHA256SUMS'), execFileSync('sha256sum', members, { cwd: folder }))
  execFileSync('tar', ['-cf', `${folder}.tar`, '--format=ustar', '-C', folder, 'SHA256SUMS', ...members])
  return `${folder}.tar`
}

const clusterBundle = (): Promise<Bundle> =>
  createBundle({
    servers: {},
    system: {},
    target: targetSchema.parse({ domain: 'hub.test', mode: 'kubernetes', instances: 2, services: ['database'] }),
    distDir: path.resolve(import.meta.dirname, '../../dist'),
    version: '1.0.0',
  })

/** Runs what the backup job of a cluster has PostgreSQL's programs do, with the secret and the dump at other places. */
function clusterProgram({ files }: Bundle, secret: string, dump: string): (word: string) => SpawnSyncReturns<string> {
  const job = parse(files.find((file) => file.path === 'k8s/backup.yaml')?.text ?? '', { version: '1.1' }) as ICronJob
  const container = job.spec.jobTemplate.spec?.template.spec?.initContainers?.find(({ name }) => name === 'database')
  const [command = '', ...args] = (container?.command ?? []).map((text) =>
    text.replaceAll('/run/secrets/hub_env', secret).replaceAll('/dump/database.dump', dump),
  )
  const given = Object.fromEntries((container?.env ?? []).map(({ name, value }) => [name, value ?? '']))
  const env = { PATH: process.env['PATH'] ?? '', LC_ALL: 'C', ...given }
  // Without an input: bash takes a socket for a remote login, and reads a profile.
  return (word) => spawnSync(command, [...args, word], { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'pipe'] })
}

async function overwrite(file: string, place: number): Promise<void> {
  const handle = await open(file, 'r+')
  await handle.write(Buffer.alloc(64, 0x55), 0, 64, place)
  await handle.close()
}

describe('with a database', () => {
  it('a backup holds a dump of the database that can be read, and a trial finds it whole', async () => {
    await add('kept')
    await api('POST', '/api/users', { name: 'anna', password: 'correct horse battery staple', role: 'user' })
    await expect.poll(async () => (await holds()).history.length).toBeGreaterThan(0)
    const result = await ops('backup.sh')
    expect(result.code, result.stderr).toBe(0)
    expect(result.stderr).toContain(`Not in it, keep it elsewhere: ${at('database-url')}`)
    await cp(at('backups/latest'), archive, { dereference: true })
    const members = execFileSync('tar', ['-tf', archive], { encoding: 'utf8' })
    expect(members.split('\n').filter(Boolean).sort()).toEqual(
      [...['.env', 'SHA256SUMS', 'database.dump'], ...[0, 1].map((n) => `hub-${machine.basePort + n}.tar.gz`)].sort(),
    )
    const dump = execFileSync('tar', ['-xOf', archive, 'database.dump'])
    const script = execFileSync('pg_restore', ['--file=-'], { input: dump, encoding: 'utf8' })
    for (const told of ['kept.example.com', 'anna', 'COPY public.hub_requests_', 'COPY public.hub_audit'])
      expect(script).toContain(told)
    expect((await ops('restore-drill.sh')).code).toBe(0)
  })

  it.each([
    ['pg_dump', 'PG_DUMP'],
    ['pg_restore', 'PG_RESTORE'],
  ])('a backup without %s fails aloud, and deletes nothing', async (_program, variable) => {
    const old = Array.from({ length: 9 }, (_, n) => `mcp-hub-2020010${n + 1}T000000000000000Z.tar`)
    for (const name of old) {
      await writeFile(at('backups', name), '')
      await utimes(at('backups', name), 0, 0)
    }
    const before = await readdir(at('backups'))
    const missing = path.join(machine.folder, 'missing')
    const result = await ops('backup.sh', [], { [variable]: missing })
    expect(result).toMatchObject({ code: 69, stderr: expect.stringContaining('postgresql-client') as string })
    expect(result.stderr).toContain(missing)
    expect(await readdir(at('backups'))).toEqual(before)
  })

  it('where the database is named no more, nothing is started anew, by a script or by hand', async () => {
    const [before, running] = [await readFile(at('.env'), 'utf8'), await machine.pm2('pid')]
    await writeFile(at('.env'), before.replace(/^DATABASE_URL_FILE=.*$/m, ''))
    for (const [script, ...args] of [['deploy.sh'], ['hubs.sh', 'start']])
      expect(await ops(script ?? '', args)).toMatchObject({
        code: 69,
        stderr: expect.stringContaining('DATABASE_URL is empty') as string,
      })
    expect(await machine.pm2('pid')).toBe(running)
    const hub = spawnSync(process.execPath, [`--env-file=${at('.env')}`, at('current/hub/server.js')], {
      encoding: 'utf8',
      env: { MCP_HUB_SHARED: 'yes', PORT: '0', CONFIG_DIR: at('config'), DATA_DIR: path.join(machine.folder, 'alone') },
    })
    await writeFile(at('.env'), before)
    expect(hub).toMatchObject({ status: 78, stderr: expect.stringContaining('one of several hubs') as string })
  })

  it('a backup of a database that another certificate proves fails aloud', async () => {
    const stranger = path.join(machine.folder, 'stranger.pem')
    await cp(at('tls/fullchain.pem'), stranger)
    // In .env itself, where it stands for most.
    const before = await readFile(at('.env'), 'utf8')
    const other = `DATABASE_URL=${postgres.url}?sslmode=verify-full&sslrootcert=${stranger}`
    await writeFile(at('.env'), before.replace(/^DATABASE_URL=$/m, '').replace(/^DATABASE_URL_FILE=.*$/m, other))
    const result = await ops('backup.sh')
    await writeFile(at('.env'), before)
    expect(result).toMatchObject({ code: 73, stderr: expect.stringMatching(/certificate.*No older backup/s) as string })
  })

  it('a backup of a database that does not answer fails aloud', async () => {
    await postgres.kill()
    const result = await ops('backup.sh')
    await postgres.start()
    expect(result).toMatchObject({ code: 73, stderr: expect.stringContaining('No older backup was deleted') as string })
  })

  it.each([
    ['cut off', async (dump: string) => truncate(dump, (await stat(dump)).size - 300)],
    ['with other bytes in the middle', async (dump: string) => overwrite(dump, (await stat(dump)).size - 300)],
    ['that is none', (dump: string) => writeFile(dump, 'no dump')],
  ])('a dump %s changes nothing, although its list is right', async (_what, change) => {
    const before = await everything()
    const result = await ops('restore.sh', [await archiveWith('database.dump', change), '--with-env'])
    expect(result).toMatchObject({ code: 65, stderr: expect.stringContaining('nothing was changed') as string })
    expect(await everything()).toBe(before)
  })

  it('an archive with a dump is not restored where a program for it is missing', async () => {
    const before = await everything()
    for (const variable of ['PG_RESTORE', 'PG_DUMP', 'PSQL']) {
      const result = await ops('restore.sh', [archive], { [variable]: path.join(machine.folder, 'missing') })
      expect(result, variable).toMatchObject({
        code: 69,
        stderr: expect.stringContaining('postgresql-client') as string,
      })
    }
    expect(await everything()).toBe(before)
  })

  it('what a cluster does with its archives brings all of the database to another one, and over what is there', async () => {
    await query('CREATE DATABASE cluster')
    const cluster = postgres.url.replace(/postgres$/, 'cluster')
    const [secret, dump] = [path.join(machine.folder, 'hub_env'), path.join(machine.folder, 'cluster.dump')]
    const run = clusterProgram(await clusterBundle(), secret, dump)
    const cli = (...args: string[]): string =>
      execFileSync(process.execPath, [path.join(bundle, 'hub/cli.js'), ...args], {
        encoding: 'utf8',
        env: {
          CONFIG_DIR: at('config'),
          DATA_DIR: path.join(machine.folder, 'cluster-data'),
          DATABASE_URL: postgres.url,
        },
      })
    await writeFile(secret, `DATABASE_URL=\nDATABASE_URL_FILE=${at('database-url')}\n`)
    expect(run('dump')).toMatchObject({ status: 0, stderr: '' })
    const archives = path.join(machine.folder, 'cluster-archives')
    cli('backup', '--out', archives, '--keep', '30', '--dump', dump)
    await rm(dump)
    const [kept = ''] = await readdir(archives)

    const elsewhere = path.join(machine.folder, 'elsewhere')
    const folders = ['--config', path.join(elsewhere, 'config'), '--data', path.join(elsewhere, 'data')]
    expect(cli('restore', path.join(archives, kept), ...folders, '--dump-to', dump)).toContain(`is in ${dump}`)
    await writeFile(secret, `DATABASE_URL='${cluster}?sslmode=no-verify'\n`)
    for (const _time of ['into an empty one', 'over what is there'])
      expect(run('restore')).toMatchObject({ status: 0, stderr: '' })
    const tables = ['--data-only', '--table=hub_config', '--table=hub_audit', '--table=hub_requests*']
    const [there, here] = [cluster, postgres.url].map((url) =>
      execFileSync('pg_dump', [...tables, url], { encoding: 'utf8' }).replace(/^\\(?:un)?restrict .*$/gm, ''),
    )
    expect(there).toContain('one.example.com')
    expect(there).toBe(here)

    // What cannot be read changes nothing, and what cannot be reached is no dump.
    await truncate(dump, (await stat(dump)).size - 300)
    expect(run('restore').status).not.toBe(0)
    expect(execFileSync('psql', ['-tAc', 'SELECT count(*) > 0 FROM hub_config', cluster], { encoding: 'utf8' })).toBe(
      't\n',
    )
    await writeFile(secret, `DATABASE_URL=postgres://hub@127.0.0.1:1/none\n`)
    expect(run('dump').status).not.toBe(0)
    await rm(dump)
    expect(run('restore')).toMatchObject({ status: 0, stdout: expect.stringContaining('holds no dump') as string })
  })

  it('an archive whose .env names a file that is not here is refused before anything is touched', async () => {
    const [before, running] = [await everything(), await machine.pm2('pid')]
    await rename(at('database-url'), at('database-url-elsewhere'))
    const refused = await ops('restore.sh', [archive, '--with-env'])
    const here = await ops('restore.sh', [archive])
    await rename(at('database-url-elsewhere'), at('database-url'))
    for (const [{ code, stderr }, env] of [
      [refused, "the archive's .env"],
      [here, at('.env')],
    ] as const)
      expect({ code, stderr }).toMatchObject({
        code: 69,
        stderr: expect.stringContaining(`DATABASE_URL_FILE in ${env} names ${at('database-url')}:`) as string,
      })
    expect(await everything()).toBe(before)
    expect(await machine.pm2('pid')).toBe(running)
  })

  describe('an archive whose .env names another database', () => {
    const restore = async (url: string, env: Record<string, string> = {}): Promise<Ended> => {
      const named = await archiveWith('.env', async (file) => {
        const text = await readFile(file, 'utf8')
        await writeFile(file, `${text.replace(/^DATABASE_URL(?:_FILE)?=.*$/gm, '')}\nDATABASE_URL=${url}\n`)
      })
      return ops('restore.sh', [named, '--with-env'], env)
    }
    const kept = async (): Promise<string[]> =>
      (await readdir(at('backups'))).filter((name) => name.startsWith('before-restore-'))

    it('that does not answer is refused before anything is touched', async () => {
      const [before, running] = [await everything(), await machine.pm2('pid')]
      const result = await restore('postgres://hub@127.0.0.1:1/none')
      expect(result, result.stderr).toMatchObject({
        code: 69,
        stderr: expect.stringMatching(/archive's \.env names it.*restore without --with-env/s) as string,
      })
      expect(await everything()).toBe(before)
      expect(await machine.pm2('pid')).toBe(running)
    })

    it('keeps what is in that one, and a failure brings back both and .env', { timeout: MINUTE }, async () => {
      await query('CREATE DATABASE theirs')
      const theirs = postgres.url.replace(/postgres$/, 'theirs')
      await query('CREATE TABLE hub_config (n integer); INSERT INTO hub_config VALUES (7)', theirs)
      // Stands between the scripts and the hubs: with that database they are not healthy.
      const curl = path.join(machine.folder, 'bin/curl')
      const text = `#!/bin/sh\nif grep -q /theirs '${at('.env')}'; then exit 22; fi\nexec curl "$@"\n`
      await writeFile(curl, text, { mode: 0o755 })
      const here = async () => ({ ...(await holds()), history: [], environment: await machine.environment() })
      const before = await here()
      const result = await restore(theirs, { CURL: curl, HEALTH_SECONDS: '3' })
      expect(result.code, result.stderr).toBe(75)
      expect(await here()).toEqual(before)
      expect(await query('SELECT n FROM hub_config', theirs)).toEqual([{ n: 7 }])
      expect(await kept()).toHaveLength(1)
    })
  })

  it(
    'a restore brings back servers, users and history after all was lost, and touches nobody else’s table',
    async () => {
      const kept = await holds()
      await add('added-since')
      await query(
        'CREATE TABLE others (n integer); INSERT INTO others VALUES (7); CREATE TABLE hub_of_a_later_release (n integer)',
      )
      await query('DROP TABLE hub_config, hub_config_versions, hub_requests, hub_traffic, hub_audit, hub_migrations')
      await rm(at('config'), { recursive: true })
      await mkdir(at('config'))
      const result = await ops('restore.sh', [archive])
      expect(result.code, result.stderr).toBe(0)
      const now = await holds()
      expect(now).toEqual({ ...kept, history: expect.arrayContaining(kept.history) as string[] })
      expect(now.servers).toEqual(['kept', 'one'])
      expect(now.users).toContain('anna')
      expect(await query('SELECT n FROM others')).toEqual([{ n: 7 }])
      expect(await query("SELECT relname FROM pg_class WHERE relname = 'hub_of_a_later_release'")).toEqual([])
      await add('after')
    },
    MINUTE,
  )
})
