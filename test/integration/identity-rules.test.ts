import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Session } from '../../hub/contract/index.ts'
import { temporaryFolder } from '../fixtures/built-program.ts'
import { fixtureServer, startHub, TOKEN, type TestHub } from '../fixtures/hub.ts'
import { addKey, ask, login, PASSWORD, person } from '../fixtures/people.ts'

const bcryptRounds = 10
const DAY_MS = 86_400_000

describe('the key that signs sessions', () => {
  const [first, second] = ['the first signing key, long enough for it', 'the second signing key, long enough too']

  it('is exchanged without signing anybody out, and the old one is worth nothing once it is gone', async () => {
    const folder = await temporaryFolder()
    const start = (auth: object): Promise<TestHub> =>
      startHub({}, { auth: { bcryptRounds, ...auth } }, { folder: folder.path, users: [person('ann')] })
    const status = async (hub: TestHub, token: string | undefined): Promise<number> =>
      (await ask(hub, 'GET /api/servers', { token })).status
    const refresh = (hub: TestHub, refreshToken: string | undefined) =>
      ask<Session>(hub, 'POST /api/auth/refresh', { body: { refreshToken } })
    const keyOf = (token = ''): string =>
      (JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as { kid: string }).kid

    const before = await start({ jwtSecret: first })
    const [old, unused] = [(await login(before, 'ann')).body, (await login(before, 'ann')).body]
    await before.close()

    const between = await start({ jwtSecret: second, jwtSecretPrevious: first })
    expect(await status(between, old.accessToken)).toBe(200)
    const renewed = (await refresh(between, old.refreshToken)).body
    expect(keyOf(renewed.accessToken)).not.toBe(keyOf(old.accessToken))
    expect(await status(between, renewed.accessToken)).toBe(200)
    await between.close()

    const after = await start({ jwtSecret: second })
    expect(await status(after, renewed.accessToken)).toBe(200)
    expect((await refresh(after, renewed.refreshToken)).status).toBe(200)
    expect(await status(after, unused.accessToken)).toBe(401)
    expect((await refresh(after, unused.refreshToken)).status).toBe(401)
    await after.close()
    await folder.dispose()
  })
})

describe('the rules of passwords', () => {
  const create = (hub: TestHub, password: string) =>
    hub.api('POST', '/api/users', { name: `user-${password.length}`, role: 'user', password })

  it('classes of characters count only where auth.passwordRules.composition is on', async () => {
    const words = 'marmalade violin thunder'
    const free = await startHub({}, { auth: { bcryptRounds } })
    expect((await create(free, words)).status).toBe(201)
    await free.close()
    const strict = await startHub({}, { auth: { bcryptRounds, passwordRules: { composition: true } } })
    expect(await create(strict, words)).toMatchObject({
      status: 400,
      body: { code: 'HUB_WEAK_PASSWORD', detail: 'The password lacks a capital letter, a digit, another sign' },
    })
    expect((await create(strict, 'Marmalade violin 7 thunder!')).status).toBe(201)
    // What has every class and is on every list is still guessed.
    expect(await create(strict, 'Password123!')).toMatchObject({ status: 400, body: { code: 'HUB_WEAK_PASSWORD' } })
    await strict.close()
  })

  it('the least length is auth.passwordRules.minLength', async () => {
    const hub = await startHub({}, { auth: { bcryptRounds, passwordRules: { minLength: 30 } } })
    expect((await create(hub, 'marmalade violin thunder')).body).toMatchObject({
      detail: 'The password has 24 characters; it needs 30',
    })
    await hub.close()
  })

  it('a password older than auth.passwordRules.maxAgeDays must be changed before anything else', async () => {
    const users = [
      person('old', 'user', { passwordChangedAt: Date.now() - 91 * DAY_MS }),
      person('unknown', 'user'),
      person('young', 'user', { passwordChangedAt: Date.now() - 89 * DAY_MS }),
    ]
    const hub = await startHub({}, { auth: { bcryptRounds, passwordRules: { maxAgeDays: 90 } } }, { users })
    for (const [name, expired] of [
      ['old', true],
      ['unknown', true],
      ['young', false],
    ] as const) {
      const { body } = await login(hub, name)
      expect([name, body.mustChangePassword]).toEqual([name, expired])
      const { status } = await ask(hub, 'GET /api/servers', { token: body.accessToken })
      expect([name, status]).toEqual([name, expired ? 403 : 200])
    }
    const { body } = await login(hub, 'old')
    const changed = await ask<Session>(hub, 'POST /api/auth/password', {
      token: body.accessToken,
      body: { current: PASSWORD, next: 'marmalade violin thunder' },
    })
    expect(changed.body.mustChangePassword).toBe(false)
    expect((await ask(hub, 'GET /api/servers', { token: changed.body.accessToken })).status).toBe(200)
    await hub.close()
    const ageless = await startHub({}, { auth: { bcryptRounds } }, { users })
    expect((await login(ageless, 'old')).body.mustChangePassword).toBe(false)
    await ageless.close()
  })
})

describe('a scope of profiles', () => {
  let hub: TestHub
  beforeAll(async () => {
    hub = await startHub({ one: fixtureServer('echo.ts'), two: fixtureServer('echo.ts') })
    for (const [name, server] of [
      ['team-a', 'one'],
      ['team-b', 'two'],
      ['other', 'two'],
    ] as const)
      expect((await hub.api('PUT', `/api/profiles/${name}`, { config: { servers: { [server]: {} } } })).status).toBe(
        201,
      )
    await Promise.all([hub.until('one', 'running'), hub.until('two', 'running')])
  })
  afterAll(() => hub.close())

  async function list(token: string, endpoint: string): Promise<{ status: number; names: string[] | undefined }> {
    const meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
      'io.modelcontextprotocol/clientCapabilities': {},
    }
    const { status, body } = await ask<{ result?: { tools: { name: string }[] } }>(hub, `POST ${endpoint}`, {
      token,
      body: { jsonrpc: '2.0', id: 1, method: 'tools/list', params: { _meta: meta } },
      headers: {
        accept: 'application/json',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'tools/list',
      },
    })
    return { status, names: body.result?.tools.map(({ name }) => name) }
  }
  const keyWith = async (scope: object): Promise<string> =>
    (await addKey(hub, TOKEN, { scope, permissions: ['mcp:connect', 'servers:read'] })).body.secret

  it('opens the named profiles with all that they show, and neither their servers nor other profiles', async () => {
    const token = await keyWith({ profiles: ['team-a'] })
    const shown = await list(token, '/mcp/team-a')
    expect(shown.names?.length).toBeGreaterThan(0)
    expect(shown.names).toEqual((await list(TOKEN, '/mcp/team-a')).names)
    for (const endpoint of ['/mcp/one', '/mcp/two', '/mcp/team-b', '/mcp/other', '/mcp/no-such-profile'])
      expect([endpoint, (await list(token, endpoint)).status]).toEqual([endpoint, 404])
    expect((await list(token, '/mcp')).names).toEqual([])
    expect((await ask<unknown[]>(hub, 'GET /api/servers', { token })).body).toEqual([])
  })

  it('may name them with a star, and be narrowed to tools', async () => {
    const token = await keyWith({ profiles: ['team-*'], tools: ['*/echo'] })
    for (const endpoint of ['/mcp/team-a', '/mcp/team-b'])
      expect((await list(token, endpoint)).names?.map((name) => name.replace(/^.*__/, ''))).toEqual(['echo'])
    expect((await list(token, '/mcp/other')).status).toBe(404)
  })
})
