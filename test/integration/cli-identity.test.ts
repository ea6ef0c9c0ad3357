import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { runCli } from '../../hub/cli/main.ts'
import type { Session } from '../../hub/contract/index.ts'
import { temporaryFolder } from '../fixtures/built-program.ts'
import { fixtureServer, startHub, type TestHub } from '../fixtures/hub.ts'
import { ask, login, PASSWORD, person } from '../fixtures/people.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await startHub({}, { auth: { bcryptRounds: 10 } }, { users: [person('admin', 'admin'), person('locked')] })
})
afterAll(() => hub.close())

async function run(
  args: string[],
  stdin = '',
  env: Record<string, string> = {},
): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', '']
  const input = new PassThrough()
  input.end(stdin)
  const code = await runCli(args, {
    stdin: input,
    out: (text) => (out += text),
    err: (text) => (err += text),
    env: { CONFIG_DIR: hub.configDir, DATA_DIR: hub.dataDir, ...env },
    distDir: hub.dataDir,
    version: '1.2.3',
    signal: new AbortController().signal,
  })
  return { code, out, err }
}

/** The hub has read the file again. */
const seen = (name: string, state: object): Promise<void> =>
  expect.poll(async () => (await hub.api('GET', `/api/users/${name}`)).body, { timeout: 10_000 }).toMatchObject(state)

it('adds a user whom the running hub lets in, and who must change the password', async () => {
  expect(await run(['user', 'add', 'ann', '--role', 'operator'], `${PASSWORD}\n`)).toMatchObject({
    code: 0,
    out: 'Added ann (operator).\n',
  })
  await seen('ann', { role: 'operator' })
  expect((await login(hub, 'ann')).body).toMatchObject({ mustChangePassword: true, user: { role: 'operator' } })
  expect(await readFile(path.join(hub.configDir, 'users.json'), 'utf8')).not.toContain(PASSWORD)
  const again = await run(['user', 'add', 'ann'], `${PASSWORD}\n`)
  expect(again).toMatchObject({ code: 73, err: expect.stringContaining('already a user ann') as string })
})

it('refuses what the API refuses, and names the cure', async () => {
  expect(await run(['user', 'add', 'weak'], 'password1234\n')).toMatchObject({
    code: 73,
    err: expect.stringContaining('would be guessed') as string,
  })
  expect((await run(['user', 'add', 'weak'])).err).toContain('No password was given.')
  expect(await run(['user', 'add', 'weak', '--role', 'king'])).toMatchObject({ code: 64 })
  expect((await run(['user', 'add'])).err).toContain('NAME is missing.')
  expect((await run(['user', 'list'], '', { CONFIG_DIR: '/nowhere' })).code).toBe(78)
})

it('gives another password, which ends the sessions of the old one', async () => {
  const { body } = await login(hub, 'admin')
  const made = await run(['user', 'passwd', 'admin', '--generate'])
  const password = /shown once: (\S+)/.exec(made.out)?.[1] ?? ''
  await seen('admin', { mustChangePassword: true })
  expect((await ask(hub, 'GET /api/servers', { token: body.accessToken })).status).toBe(401)
  expect((await login(hub, 'admin')).status).toBe(401)
  const { body: next } = await login(hub, 'admin', password)
  const changed = await ask<Session>(hub, 'POST /api/auth/password', {
    token: next.accessToken,
    body: { current: password, next: PASSWORD },
  })
  expect(changed.status).toBe(200)
})

it('shows who is locked out, and lets them in again', async () => {
  for (let attempt = 0; attempt < 6; attempt++) await login(hub, 'locked', 'wrong')
  expect((await login(hub, 'locked')).status).toBe(429)
  expect((await run(['user', 'list'])).out).toMatch(/^locked +user +locked from 127\.0\.0\.1 /m)
  expect((await run(['user', 'unlock', 'locked'])).out).toBe('locked may try again from 127.0.0.1.\n')
  expect((await login(hub, 'locked')).status).toBe(200)
  expect(await run(['user', 'unlock', 'nobody'])).toMatchObject({ code: 73 })
})

it('makes, lists and revokes keys', async () => {
  const made = await run(['key', 'create', '--name', 'ci', '--permissions', 'servers:read', '--days', '30'])
  expect(made.code).toBe(0)
  const token = made.out.trim()
  expect(token).toMatch(/^mcphub_/)
  await expect.poll(async () => (await ask(hub, 'GET /api/servers', { token })).status, { timeout: 10_000 }).toBe(200)
  expect((await ask(hub, 'GET /api/users', { token })).status).toBe(403)
  const [key] = JSON.parse((await run(['key', 'list', '--json'])).out) as { id: string; expiresAt: number }[]
  expect(key?.expiresAt).toBeGreaterThan(Date.now())
  expect((await run(['key', 'list'])).out).toMatch(/ci +- +servers:read/)
  expect((await run(['key', 'revoke', key?.id ?? ''])).code).toBe(0)
  await expect.poll(async () => (await ask(hub, 'GET /api/servers', { token })).status, { timeout: 10_000 }).toBe(401)
  expect(await run(['key', 'revoke', '000000000000'])).toMatchObject({ code: 73 })
})

it('a key for a user may no more than the user, and only what its profiles show', async () => {
  const more = await run(['key', 'create', '--name', 'x', '--user', 'locked', '--permissions', 'users:manage'])
  expect(more).toMatchObject({ code: 77, err: expect.stringContaining('users:manage') as string })
  const made = await run(['key', 'create', '--name', 'narrow', '--user', 'locked', '--profiles', 'dev'])
  const users = JSON.parse(await readFile(path.join(hub.configDir, 'users.json'), 'utf8')) as { keys: object[] }
  expect(made.code).toBe(0)
  expect(users.keys.at(-1)).toMatchObject({ name: 'narrow', owner: 'locked', scope: { profiles: ['dev'] } })
})

it('the audit log has what was done at the console', async () => {
  await expect
    .poll(async () => JSON.stringify((await hub.api('GET', '/api/audit')).body))
    .toContain('users.file-changed')
})

it('works where no hub has run yet', async () => {
  const folder = await temporaryFolder()
  const config = path.join(folder.path, 'config')
  await mkdir(config)
  await writeFile(path.join(config, 'system.json'), '{ "auth": { "bcryptRounds": 10 } }')
  const env = { CONFIG_DIR: config, DATA_DIR: path.join(folder.path, 'data') }
  expect((await run(['user', 'add', 'root', '--role', 'admin', '--generate'], '', env)).out).toContain('shown once')
  expect((await run(['user', 'list'], '', env)).out).toMatch(/^root +admin +must change the password +0$/m)
  await folder.dispose()
})

it('asks of a password what system.json does, whatever in it only the hub knows', async () => {
  const folder = await temporaryFolder()
  const config = path.join(folder.path, 'config')
  await mkdir(config)
  const env = { CONFIG_DIR: config, DATA_DIR: path.join(folder.path, 'data') }
  const system = (minLength: unknown): Promise<void> =>
    writeFile(
      path.join(config, 'system.json'),
      JSON.stringify({
        auth: { passwordRules: { minLength } },
        monitoring: { webhooks: { ops: { url: '${env:WHERE}', secret: '${secret:OPS}' } } },
      }),
    )
  await system(40)
  const weak = await run(['user', 'add', 'bob'], 'four words of thirty chars\n', env)
  expect(weak).toMatchObject({ code: 73, err: expect.stringContaining('40') as string })
  // With a fault nobody knows what is asked.
  await system('40')
  const unknown = await run(['user', 'add', 'bob'], 'four words of thirty chars\n', env)
  expect(unknown).toMatchObject({ code: 78, err: expect.stringContaining('minLength') as string })
  await folder.dispose()
})

it('answers what was done while Redis is away, above all a password that was made', async () => {
  // Nothing listens at port 1.
  const redisUrl = 'redis://127.0.0.1:1'
  const other = await startHub({}, { auth: { bcryptRounds: 10 } }, { hub: { redisUrl }, users: [person('ann')] })
  try {
    const env = { CONFIG_DIR: other.configDir, DATA_DIR: other.dataDir, REDIS_URL: redisUrl }
    expect((await run(['user', 'add', 'bob', '--generate'], '', env)).out).toMatch(/shown once: \S+/)
    const reset = await other.api('POST', '/api/users/ann/password', {})
    expect(reset).toMatchObject({ status: 200, body: { name: 'ann', initialPassword: expect.any(String) as string } })
    expect(await other.api('PUT', '/api/users/ann', { role: 'viewer' })).toMatchObject({ body: { role: 'viewer' } })
    const { id } = (await other.api('POST', '/api/keys', { name: 'ci' })).body as { id: string }
    expect(await other.api('PUT', `/api/keys/${id}`, { name: 'cd' })).toMatchObject({ body: { name: 'cd' } })
    expect((await other.api('DELETE', `/api/keys/${id}`)).status).toBe(204)
    expect((await other.api('DELETE', '/api/users/ann')).status).toBe(204)
    // What only the store knows is refused as before.
    expect((await run(['user', 'list'], '', env)).code).toBe(69)
    expect((await other.api('GET', '/api/users')).status).toBe(503)
  } finally {
    await other.close()
  }
})

it('names the users and keys that nobody used for so many days, as the API does', async () => {
  const before = Date.now() - 100 * 86_400_000
  const old = (name: string, more: object = {}): object => person(name, 'user', { createdAt: before, ...more })
  const key = (id: string, more: object = {}): object => ({
    id,
    name: `key ${id}`,
    hash: 'a'.repeat(64),
    owner: null,
    permissions: ['mcp:connect'],
    createdAt: before,
    ...more,
  })
  const other = await startHub(
    { echo: fixtureServer('echo.ts') },
    { auth: { bcryptRounds: 10 } },
    {
      users: [
        person('admin', 'admin', { createdAt: Date.now() }),
        old('gone'),
        old('here'),
        old('off', { disabled: true }),
      ],
      keys: [
        key('aaaaaaaaaaaa', { scope: { servers: ['echo', 'old-*'] } }),
        key('bbbbbbbbbbbb', { expiresAt: Date.now() - 1 }),
        key('cccccccccccc', { owner: 'off' }),
        key('dddddddddddd', { createdAt: Date.now() }),
      ],
    },
  )
  try {
    expect((await login(other, 'here')).status).toBe(200)
    const unused = (await other.api('GET', '/api/access/unused?days=90')).body as { kind: string; id: string }[]
    expect(unused.map(({ kind, id }) => `${kind} ${id}`)).toEqual(['user gone', 'key aaaaaaaaaaaa'])
    expect((await other.api('GET', '/api/access/unused?days=101')).body).toEqual([])
    expect((await other.api('GET', '/api/access/unused?days=0')).status).toBe(400)
    // Nothing is known of what nobody did yet.
    expect((await other.api('GET', '/api/access/unused-scopes')).body).toEqual({ since: null, grants: [] })
    const call = { server: 'echo', tool: 'echo', arguments: { text: 'x' } }
    expect((await other.api('POST', '/api/tools/call', call)).status).toBe(200)
    await expect
      .poll(async () => (await other.api('GET', '/api/access/unused-scopes?days=90')).body)
      .toEqual({
        since: expect.any(Number) as number,
        grants: [
          {
            kind: 'key',
            id: 'aaaaaaaaaaaa',
            name: 'key aaaaaaaaaaaa',
            owner: null,
            unused: { servers: ['echo', 'old-*'] },
          },
        ],
      })
    const env = { CONFIG_DIR: other.configDir, DATA_DIR: other.dataDir }
    const told = await run(['access', 'unused', '--json'], '', env)
    expect([told.code, JSON.parse(told.out)]).toEqual([0, unused])
    expect((await run(['access', 'unused'], '', env)).out).toMatch(/^user +gone +user .*\nkey +aaaaaaaaaaaa +key aaaa/m)
    expect((await run(['access', 'unused', '--days', 'x'], '', env)).code).toBe(64)
    // A name that is given to somebody else is nobody's past.
    const user = async (): Promise<unknown> => (await other.api('GET', '/api/users/here')).body
    expect(await user()).toMatchObject({ lastSeenAt: expect.any(Number) as number, sessions: 1 })
    await other.api('DELETE', '/api/users/here')
    await other.api('POST', '/api/users', { name: 'here', role: 'user' })
    expect(await user()).toMatchObject({ lastSeenAt: null })
  } finally {
    await other.close()
  }
})
