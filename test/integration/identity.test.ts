import { readFile, stat, utimes, writeFile } from 'node:fs/promises'
import path from 'node:path'
import bcrypt from 'bcryptjs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSetupCode } from '../../hub/auth/setup-code.ts'
import type { Key, Me, Problem, Session, SessionInfo, User } from '../../hub/contract/index.ts'
import { temporaryFolder } from '../fixtures/built-program.ts'
import { startHub, TOKEN, type TestHub } from '../fixtures/hub.ts'
import { addKey, ask, login, PASSWORD, person, tokenOf, type Answer } from '../fixtures/people.ts'
import { waitFor } from '../fixtures/wire.ts'

const system = { auth: { bcryptRounds: 10 } }

describe('users and their sessions', () => {
  let hub: TestHub
  beforeAll(async () => {
    const names = ['changed a role', 'changed a scope', 'changed the state', 'by-hand', 'session-owner', 'leaver']
    hub = await startHub({}, system, { users: [person('admin', 'admin'), ...names.map((name) => person(name))] })
  })
  afterAll(() => hub.close())

  it('an administrator signs in, and is told what is allowed', async () => {
    const { status, body } = await login(hub, 'admin')
    expect(status).toBe(200)
    expect(body).toMatchObject({ user: { name: 'admin', role: 'admin' }, expiresIn: 900, mustChangePassword: false })
    const me = await ask<Me>(hub, 'GET /api/auth/me', { token: body.accessToken })
    expect(me.body).toMatchObject({ user: { name: 'admin' }, setupNeeded: false, mode: 'server' })
    expect(me.body.permissions).toContain('users:manage')
    expect(me.body.permissions).not.toContain('host:access')
  })

  it('keeps hashes only, readable by nobody else', async () => {
    await hub.api('POST', '/api/users', { name: 'first-write', role: 'viewer' })
    const file = path.join(hub.configDir, 'users.json')
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    const text = await readFile(file, 'utf8')
    expect(text).toContain('$2b$10$')
    expect(text).not.toContain(PASSWORD)
  })

  it('a new user must change the password that somebody else knows before anything is allowed', async () => {
    const created = await hub.api('POST', '/api/users', { name: 'newcomer', role: 'user' })
    expect(created).toMatchObject({ status: 201, body: { name: 'newcomer', mustChangePassword: true } })
    const { initialPassword } = created.body as { initialPassword: string }
    const first = await login(hub, 'newcomer', initialPassword)
    expect(first.body.mustChangePassword).toBe(true)
    const token = first.body.accessToken
    expect(await ask(hub, 'GET /api/servers', { token })).toMatchObject({
      status: 403,
      body: { code: 'HUB_PASSWORD_CHANGE_NEEDED' },
    })
    const changed = await ask<Session>(hub, 'POST /api/auth/password', {
      token,
      body: { current: initialPassword, next: PASSWORD },
    })
    expect(changed.status).toBe(200)
    expect((await ask(hub, 'GET /api/servers', { token: changed.body.accessToken })).status).toBe(200)
    // The token from before is over with the password.
    expect((await ask(hub, 'GET /api/servers', { token })).status).toBe(401)
    expect((await login(hub, 'newcomer', initialPassword)).status).toBe(401)
  })

  it.each([
    ['a role', { role: 'viewer' }],
    ['a scope', { scope: { servers: ['a'] } }],
    ['the state', { disabled: true }],
  ])('a change of %s ends the sessions at once', async (what, change) => {
    const name = `changed ${what}`
    const token = await tokenOf(hub, name)
    expect((await ask(hub, 'GET /api/servers', { token })).status).toBe(200)
    expect((await hub.api('PUT', `/api/users/${encodeURIComponent(name)}`, change)).status).toBe(200)
    expect((await ask(hub, 'GET /api/servers', { token })).status).toBe(401)
    expect((await login(hub, name)).status).toBe('disabled' in change ? 401 : 200)
  })

  it('a change by hand in users.json counts as one in the API, and comments stay', async () => {
    const token = await tokenOf(hub, 'by-hand')
    const file = path.join(hub.configDir, 'users.json')
    const text = await readFile(file, 'utf8')
    const hash = bcrypt.hashSync('a password from htpasswd', 10).replace('$2b$', '$2y$')
    await writeFile(
      file,
      text.replace(
        /("name": "by-hand",\s*"role": "user",\s*"passwordHash": )"[^"]+"/,
        (_all, before: string) => `// set with htpasswd\n      ${before}"${hash}"`,
      ),
    )
    await expect.poll(async () => (await ask(hub, 'GET /api/servers', { token })).status).toBe(401)
    expect((await login(hub, 'by-hand', 'a password from htpasswd')).status).toBe(200)
    expect((await hub.api('POST', '/api/users', { name: 'after-hand', role: 'user' })).status).toBe(201)
    expect(await readFile(file, 'utf8')).toContain('// set with htpasswd')
  })

  it('keeps the last good users while the file is broken, and says so', async () => {
    const file = path.join(hub.configDir, 'users.json')
    const text = await readFile(file, 'utf8')
    await writeFile(file, text.slice(0, 40))
    await expect
      .poll(async () => ((await hub.api('GET', '/api/hub')).body as { configFaults: unknown[] }).configFaults.length)
      .toBe(1)
    expect((await login(hub, 'admin')).status).toBe(200)
    expect((await hub.api('POST', '/api/users', { name: 'x', role: 'user' })).body).toMatchObject({
      code: 'HUB_CONFIG_FILE_BROKEN',
    })
    await writeFile(file, text)
    await expect
      .poll(async () => ((await hub.api('GET', '/api/hub')).body as { configFaults: unknown[] }).configFaults.length)
      .toBe(0)
  })

  it.each(['.', '..'])('refuses the name %s, for no address leads to such a user', async (name) => {
    expect(await hub.api('POST', '/api/users', { name, role: 'user' })).toMatchObject({
      status: 400,
      body: { faults: [{ message: expect.stringContaining('a user name may not be . or ..') as string }] },
    })
  })

  it('ends what somebody held who was taken out of the file by hand', async () => {
    const file = path.join(hub.configDir, 'users.json')
    const before = await readFile(file, 'utf8')
    const entry = `"users": [${JSON.stringify(person('removed', 'viewer'))},`
    await writeFile(file, before.replace(/"users":\s*\[/, entry))
    // Not by signing in: the name is locked after five tries.
    await expect.poll(async () => JSON.stringify((await hub.api('GET', '/api/users')).body)).toContain('"removed"')
    const session = (await login(hub, 'removed')).body.accessToken
    const stream = await fetch(`${hub.url}/api/events`, { headers: { authorization: `Bearer ${session}` } })
    expect(stream.status).toBe(200)
    const ended = stream.text().catch(() => 'cut off')
    await writeFile(file, before)
    await ended
    expect((await ask(hub, 'GET /api/servers', { token: session })).status).toBe(401)
    expect((await login(hub, 'removed')).status).toBe(401)
  })

  it('keeps an administrator', async () => {
    for (const [method, body] of [
      ['PUT', { role: 'user' }],
      ['PUT', { disabled: true }],
      ['DELETE', undefined],
    ] as const)
      expect(await hub.api(method, '/api/users/admin', body)).toMatchObject({
        status: 409,
        body: { code: 'HUB_LAST_ADMIN' },
      })
  })

  it('lists sessions, and ends them', async () => {
    const token = await tokenOf(hub, 'session-owner')
    const other = await tokenOf(hub, 'session-owner')
    const mine = (await ask<SessionInfo[]>(hub, 'GET /api/sessions', { token })).body
    expect(mine.map(({ user }) => user)).toEqual(['session-owner', 'session-owner'])
    expect(mine.filter(({ current }) => current)).toHaveLength(1)
    const foreign = ((await hub.api('GET', '/api/sessions')).body as SessionInfo[]).find(({ user }) => user === 'admin')
    expect(await ask(hub, `DELETE /api/sessions/${foreign?.id ?? ''}`, { token })).toMatchObject({
      status: 404,
      body: { code: 'HUB_SESSION_NOT_FOUND' },
    })
    const others = mine.find(({ current }) => !current)
    expect((await ask(hub, `DELETE /api/sessions/${others?.id ?? ''}`, { token })).status).toBe(204)
    expect((await ask(hub, 'GET /api/servers', { token: other })).status).toBe(401)
    expect((await hub.api('POST', '/api/users/session-owner/sign-out')).body).toEqual({ ended: 1 })
    expect((await ask(hub, 'GET /api/servers', { token })).status).toBe(401)
  })

  it('ends the session with the logout', async () => {
    const token = await tokenOf(hub, 'admin')
    expect((await ask(hub, 'POST /api/auth/logout', { token })).status).toBe(204)
    expect((await ask(hub, 'GET /api/servers', { token })).status).toBe(401)
  })

  it('ends the session with the refresh token of a program, whose access token may have ended', async () => {
    const { accessToken, refreshToken } = (await login(hub, 'admin')).body
    const out = (token: unknown) => ask(hub, 'POST /api/auth/logout', { body: { refreshToken: token } })
    expect((await out(`${refreshToken}x`)).status).toBe(204)
    expect((await out(7)).status).toBe(400)
    expect((await ask(hub, 'GET /api/servers', { token: accessToken })).status).toBe(200)
    expect((await out(refreshToken)).status).toBe(204)
    expect((await ask(hub, 'GET /api/servers', { token: accessToken })).status).toBe(401)
    expect((await ask(hub, 'POST /api/auth/refresh', { body: { refreshToken } })).status).toBe(401)
  })

  it('a removed user is gone with keys and sessions', async () => {
    const token = await tokenOf(hub, 'leaver')
    const key = await addKey(hub, token, { permissions: ['servers:read'] })
    expect((await ask(hub, 'GET /api/servers', { token: key.body.secret })).status).toBe(200)
    expect((await hub.api('DELETE', '/api/users/leaver')).status).toBe(204)
    for (const credential of [token, key.body.secret])
      expect((await ask(hub, 'GET /api/servers', { token: credential })).status).toBe(401)
    expect(((await hub.api('GET', '/api/users')).body as User[]).map(({ name }) => name)).not.toContain('leaver')
  })

  it.each([
    ['too short', 'abc', 'HUB_WEAK_PASSWORD'],
    ['common', 'password1234', 'HUB_WEAK_PASSWORD'],
    ['like the name', 'weak-passwords', 'HUB_WEAK_PASSWORD'],
    ['over 72 bytes', 'x'.repeat(73), 'HUB_BAD_REQUEST'],
  ])('refuses a password that is %s', async (_what, password, code) => {
    const answer = await hub.api('POST', '/api/users', { name: 'weak-passwords', role: 'user', password })
    expect(answer).toMatchObject({ status: 400, body: { code } })
  })
})

describe('refresh tokens', () => {
  let hub: TestHub
  beforeAll(async () => {
    hub = await startHub({}, system, { users: [person('admin', 'admin')] })
  })
  afterAll(() => hub.close())

  const refresh = (refreshToken: string | undefined) =>
    ask<Session>(hub, 'POST /api/auth/refresh', { body: { refreshToken } })

  it('are good once: one that is used again much later ends the session', async () => {
    const first = (await login(hub, 'admin')).body
    const second = (await refresh(first.refreshToken)).body
    const third = (await refresh(second.refreshToken)).body
    expect((await ask(hub, 'GET /api/servers', { token: third.accessToken })).status).toBe(200)
    expect(await refresh(first.refreshToken)).toMatchObject({
      status: 401,
      body: { detail: expect.stringContaining('used before') as string },
    })
    expect((await ask(hub, 'GET /api/servers', { token: third.accessToken })).status).toBe(401)
    expect((await refresh(third.refreshToken)).status).toBe(401)
  })

  it('that come twice at once, as from two tabs, lead on to the same next one', async () => {
    const { refreshToken } = (await login(hub, 'admin')).body
    const answers = await Promise.all([refresh(refreshToken), refresh(refreshToken)])
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
    expect(answers[0].body.refreshToken).toBe(answers[1].body.refreshToken)
    expect((await refresh(answers[1].body.refreshToken)).status).toBe(200)
  })

  it('are refused when anything of them was changed', async () => {
    const { refreshToken = '' } = (await login(hub, 'admin')).body
    const [id = '', generation = '', proof = ''] = refreshToken.split('.')
    for (const forged of [
      `${id}.1.${proof}`,
      `${'0'.repeat(32)}.${generation}.${proof}`,
      `${id}.${generation}.${'A'.repeat(43)}`,
      'nonsense',
      '',
    ])
      expect((await refresh(forged)).status).toBe(401)
    // And none of it ended the session of its owner.
    expect((await refresh(refreshToken)).status).toBe(200)
  })

  it('go in cookies that no script reads, and a browser gets none in the answer', async () => {
    const browser = { origin: hub.url }
    const signedIn = await ask<Session>(hub, 'POST /api/auth/login', {
      body: { username: 'admin', password: PASSWORD },
      headers: browser,
    })
    expect(signedIn.body).not.toHaveProperty('accessToken')
    expect(signedIn.body).not.toHaveProperty('refreshToken')
    const set = signedIn.headers.getSetCookie()
    expect(set).toHaveLength(3)
    for (const cookie of set) expect(cookie).toMatch(/; HttpOnly; SameSite=Strict$/)
    const cookie = set.map((line) => line.split(';')[0]).join('; ')
    expect((await ask(hub, 'GET /api/servers', { headers: { cookie } })).status).toBe(200)
    const refreshed = await ask(hub, 'POST /api/auth/refresh', { body: {}, headers: { ...browser, cookie } })
    expect(refreshed.status).toBe(200)
    const out = await ask(hub, 'POST /api/auth/logout', { body: {}, headers: { ...browser, cookie } })
    expect(out.headers.getSetCookie().every((line) => line.includes('Max-Age=0'))).toBe(true)
    expect((await ask(hub, 'GET /api/servers', { headers: { cookie } })).status).toBe(401)
  })
})

describe('wrong passwords', () => {
  let hub: TestHub
  beforeAll(async () => {
    hub = await startHub(
      {},
      { auth: { bcryptRounds: 10 }, server: { trustProxy: ['loopback'] } },
      { users: [person('admin', 'admin')] },
    )
  })
  afterAll(() => hub.close())

  const from = (address: string, username: string, password: string, cookie = '') =>
    ask<Session>(hub, 'POST /api/auth/login', {
      body: { username, password },
      headers: { 'x-forwarded-for': address, cookie },
    })

  it('exactly 5 of 8 at once are looked at, then the name is locked for this place, and for no other', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => from('192.0.2.1', 'admin', 'wrong')))
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(5)
    const locked = answers.find(({ status }) => status === 429)
    expect(locked?.body).toMatchObject({
      code: 'HUB_LOGIN_LOCKED',
      cure: expect.stringContaining('15 minutes') as string,
    })
    expect(Number(locked?.headers.get('retry-after'))).toBeGreaterThan(800)
    // The right password does not help there, and elsewhere nobody noticed.
    expect((await from('192.0.2.1', 'admin', PASSWORD)).status).toBe(429)
    expect((await from('192.0.2.2', 'admin', PASSWORD)).status).toBe(200)
  })

  it('a name that nobody has is answered and locked the same', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => from('192.0.2.3', 'nobody', 'wrong')))
    const known = await Promise.all(Array.from({ length: 8 }, () => from('192.0.2.4', 'admin', 'wrong')))
    const shape = (all: typeof answers) =>
      all.map(({ status, body }) => `${status} ${JSON.stringify({ ...body, cure: '', requestId: '' })}`).sort()
    expect(shape(answers)).toEqual(shape(known))
  })

  it('a try whose password is not looked at is none: it is not counted, and takes back no other', async () => {
    const tooLong = 'x'.repeat(73)
    const wrong = await Promise.all(Array.from({ length: 4 }, () => from('192.0.2.5', 'anybody', 'wrong')))
    for (let tries = 0; tries < 8; tries++) expect((await from('192.0.2.5', 'anybody', tooLong)).status).toBe(400)
    const rest = await Promise.all(Array.from({ length: 2 }, () => from('192.0.2.5', 'anybody', 'wrong')))
    expect([...wrong, ...rest].map(({ status }) => status).sort()).toEqual([401, 401, 401, 401, 401, 429])
  })

  it('an administrator sees the lock and takes it away', async () => {
    const user = (await hub.api('GET', '/api/users/admin')).body as User
    expect(user.lockouts.map(({ address }) => address)).toContain('192.0.2.1')
    const unlocked = (await hub.api('POST', '/api/users/admin/unlock')).body as User
    expect(unlocked.lockouts).toEqual([])
    expect((await from('192.0.2.1', 'admin', PASSWORD)).status).toBe(200)
  })

  it('strangers beside a person do not lock out the browser that the person knows', async () => {
    const signedIn = await from('192.0.2.9', 'admin', PASSWORD)
    const cookie = signedIn.headers
      .getSetCookie()
      .map((line) => line.split(';')[0])
      .join('; ')
    await Promise.all(Array.from({ length: 8 }, () => from('192.0.2.9', 'admin', 'wrong')))
    expect((await from('192.0.2.9', 'admin', PASSWORD)).status).toBe(429)
    expect((await from('192.0.2.9', 'admin', PASSWORD, cookie)).status).toBe(200)
  })

  it('an IPv6 network counts as one place', async () => {
    for (let host = 1; host <= 5; host++)
      expect((await from(`2001:db8:0:7::${host}`, 'somebody', 'wrong')).status).toBe(401)
    expect((await from('2001:db8:0:7::99', 'somebody', 'wrong')).status).toBe(429)
    expect((await from('2001:db8:0:8::1', 'somebody', 'wrong')).status).toBe(401)
  })
})

it('sign-ins that would wait for long are told when to come back, and count as no try of anybody', async () => {
  const settings = { auth: { bcryptRounds: 13 }, server: { trustProxy: ['loopback'] }, rateLimit: { login: false } }
  const hub = await startHub({}, settings, { users: [person('ann')] })
  const wrong = (address: string, username: string) =>
    ask(hub, 'POST /api/auth/login', {
      body: { username, password: 'wrong' },
      headers: { 'x-forwarded-for': address },
    })
  // Each with a name and from a place of its own, so that nothing but the work can be too much.
  const strangers: Answer<Problem>[] = []
  let isOver = false
  let names = 0
  const crowd = Array.from({ length: 24 }, async (_, at) => {
    while (!isOver) {
      const answer = await wrong(`192.0.2.${at}`, `nobody-${names++}`)
      if (answer.status === 429) strangers.push(answer)
    }
  })
  await waitFor(() => strangers.length > 0, 20_000)
  const refused: Answer<Problem>[] = []
  for (let looked = 0; refused.length < 8;) {
    const answer = await wrong('198.51.100.1', 'ann')
    if (answer.status === 429) refused.push(answer)
    else expect(++looked).toBeLessThan(5)
  }
  isOver = true
  await Promise.all(crowd)

  const told = ({ body }: Answer<Problem>): string => JSON.stringify({ ...body, requestId: '' })
  expect(new Set([...refused, ...strangers].map(told)).size).toBe(1)
  expect(refused[0]?.body.code).toBe('HUB_BUSY')
  for (const { headers } of refused) expect(Number(headers.get('retry-after'))).toBeGreaterThan(1)
  // Eight wrong passwords would have locked the name here.
  const right = () =>
    ask(hub, 'POST /api/auth/login', {
      body: { username: 'ann', password: PASSWORD },
      headers: { 'x-forwarded-for': '198.51.100.1' },
    })
  expect(
    (await waitFor(async () => await right().then((answer) => (answer.status === 429 ? null : answer)), 30_000)).status,
  ).toBe(200)
  const metrics = await fetch(`${hub.url}/api/metrics`, { headers: hub.headers }).then((response) => response.text())
  const counted = Number(/^mcp_hub_sign_ins_refused_total (\d+)$/m.exec(metrics)?.[1])
  expect(counted).toBeGreaterThanOrEqual(refused.length + strangers.length)
  await hub.close()
}, 90_000)

describe('the first run', () => {
  it('makes the administrator with a one-time code, which is good for 15 minutes', async () => {
    const hub = await startHub({}, system, { hub: { tokens: [] } })
    const file = path.join(hub.configDir, '..', 'data', 'setup-code')
    const announced: string[] = []
    hub.hub.onSetupCode = (code) => announced.push(code)
    const old = await hub.hub.setupCode()
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect((await ask<Me>(hub, 'GET /api/auth/me')).body).toMatchObject({ user: null, setupNeeded: true })

    const setup = (code: string | null, password = PASSWORD) =>
      ask<Session>(hub, 'POST /api/auth/setup', { body: { code, username: 'root', password } })
    expect((await setup('wrong')).status).toBe(401)
    const tooOld = new Date(Date.now() - 901_000)
    await utimes(file, tooOld, tooOld)
    expect((await setup(old)).status).toBe(401)
    const code = await hub.hub.setupCode()
    expect(announced).toEqual([old, code])
    expect(await setup(code, 'password1234')).toMatchObject({ status: 400, body: { code: 'HUB_WEAK_PASSWORD' } })
    const done = await setup(code)
    expect(done).toMatchObject({ status: 200, body: { user: { name: 'root', role: 'admin' } } })
    await expect(stat(file)).rejects.toThrow('ENOENT')
    expect(await setup(code)).toMatchObject({ status: 409 })
    expect((await ask<Me>(hub, 'GET /api/auth/me')).body.setupNeeded).toBe(false)
    await hub.close()
  })

  it('takes the code at 14:59, and another at 15:00', async () => {
    const folder = await temporaryFolder()
    let now = 1_700_000_000_000
    const code = createSetupCode({ file: path.join(folder.path, 'code'), announce: () => undefined, now: () => now })
    const first = await code.current()
    const madeAt = new Date(now)
    await utimes(path.join(folder.path, 'code'), madeAt, madeAt)
    now += 899_000
    expect(await code.matches(first)).toBe(true)
    now += 1_000
    expect(await code.matches(first)).toBe(false)
    expect(await code.current()).not.toBe(first)
    await folder.dispose()
  })

  it('takes the administrator of MCP_HUB_ADMIN_PASSWORD instead, once', async () => {
    const hub = await startHub({}, system, { hub: { tokens: [], adminPassword: PASSWORD } })
    expect((await ask<Me>(hub, 'GET /api/auth/me')).body.setupNeeded).toBe(false)
    expect((await login(hub, 'admin')).body.user).toEqual({ name: 'admin', role: 'admin' })
    await hub.close()
  })

  it('makes one administrator for hubs that start together: a sign-in at one counts at the others', async () => {
    for (let round = 0; round < 5; round++) {
      const folder = await temporaryFolder()
      const own = {
        tokens: [],
        adminPassword: PASSWORD,
        overrides: { 'auth.jwtSecret': 'a secret that all of the hubs have' },
      }
      const hubs = await Promise.all([1, 2, 3].map(() => startHub({}, system, { folder: folder.path, hub: own })))
      const { accessToken } = (await login(hubs[round % 3]!, 'admin')).body
      for (const hub of hubs) {
        const known = async (): Promise<number> => (await ask(hub, 'GET /api/hub', { token: accessToken })).status
        await expect.poll(known, { timeout: 10_000 }).toBe(200)
        expect((await ask(hub, 'GET /api/hub', { token: accessToken })).status).toBe(200)
      }
      await Promise.all(hubs.map((hub) => hub.close()))
      await folder.dispose()
    }
  })

  it('has no account that anybody could know', async () => {
    const hub = await startHub({}, system, { hub: { tokens: [] } })
    for (const [name, password] of [
      ['admin', 'admin'],
      ['admin', 'admin123'],
      ['root', 'root'],
    ] as const)
      expect((await login(hub, name, password)).status).toBe(401)
    await hub.close()
  })
})

describe('keys', () => {
  let hub: TestHub
  beforeAll(async () => {
    hub = await startHub({}, system, { users: [person('key-owner', 'operator'), person('ann'), person('bob')] })
  })
  afterAll(() => hub.close())

  it('are shown once and kept as a hash, with their last use', async () => {
    const made = await addKey(hub, TOKEN, { permissions: ['servers:read'] })
    expect(made.status).toBe(201)
    expect(await readFile(path.join(hub.configDir, 'users.json'), 'utf8')).not.toContain(made.body.secret.slice(20))
    expect((await ask(hub, 'GET /api/servers', { token: made.body.secret })).status).toBe(200)
    const key = ((await hub.api('GET', '/api/keys')).body as Key[]).find(({ id }) => id === made.body.id)
    expect(key).not.toHaveProperty('secret')
    expect(key?.lastUsedAt).toBeGreaterThan(Date.now() - 5_000)
    expect(key?.lastUsedFrom).toBe('127.0.0.1')
    expect(made.body.secret.startsWith(key?.prefix ?? '?')).toBe(true)
  })

  it('may only connect to MCP endpoints unless more was asked for', async () => {
    const made = await addKey(hub, TOKEN, {})
    expect((await ask(hub, 'GET /api/servers', { token: made.body.secret })).status).toBe(403)
    const call = { jsonrpc: '2.0', id: 1, method: 'ping' }
    const accept = { accept: 'application/json, text/event-stream' }
    expect((await ask(hub, 'POST /mcp', { token: made.body.secret, body: call, headers: accept })).status).not.toBe(401)
  })

  it('never may more than their owner, also later', async () => {
    const token = await tokenOf(hub, 'key-owner')
    expect(await addKey(hub, token, { permissions: ['users:manage'] })).toMatchObject({
      status: 403,
      body: { detail: expect.stringContaining('users:manage') as string },
    })
    const made = await addKey(hub, token, { permissions: ['servers:read', 'servers:operate'] })
    const restart = () => ask(hub, 'POST /api/servers/none/restart', { token: made.body.secret })
    expect((await restart()).status).toBe(404)
    await hub.api('PUT', '/api/users/key-owner', { role: 'user' })
    expect((await restart()).status).toBe(403)
    await hub.api('PUT', '/api/users/key-owner', { disabled: true })
    expect((await ask(hub, 'GET /api/servers', { token: made.body.secret })).status).toBe(401)
  })

  it('cannot make keys, whoever made them', async () => {
    expect(await addKey(hub, TOKEN, { permissions: ['keys:own'] })).toMatchObject({ status: 403 })
    expect(await addKey(hub, TOKEN, { permissions: ['keys:manage'] })).toMatchObject({ status: 403 })
  })

  it('are there for their owner and for who manages keys', async () => {
    const [ann, bob] = [await tokenOf(hub, 'ann'), await tokenOf(hub, 'bob')]
    const made = await addKey(hub, ann, { name: 'of ann' })
    const names = async (token: string) =>
      (await ask<Key[]>(hub, 'GET /api/keys', { token })).body.map(({ name }) => name)
    expect(await names(ann)).toEqual(['of ann'])
    expect(await names(bob)).toEqual([])
    expect(await names(TOKEN)).toContain('of ann')
    expect((await ask(hub, `DELETE /api/keys/${made.body.id}`, { token: bob })).status).toBe(404)
    expect((await ask(hub, `DELETE /api/keys/${made.body.id}`, { token: ann })).status).toBe(204)
    expect((await ask(hub, 'GET /api/auth/me', { token: made.body.secret })).body).toMatchObject({ user: null })
  })

  it('end when they were to end', async () => {
    expect((await addKey(hub, TOKEN, { expiresAt: Date.now() - 1 })).status).toBe(400)
    const made = await addKey(hub, TOKEN, { permissions: ['servers:read'], expiresAt: Date.now() + 150 })
    await expect.poll(async () => (await ask(hub, 'GET /api/servers', { token: made.body.secret })).status).toBe(401)
  })

  it.each(['mcphub_', 'mcphub_000000000000_', `mcphub_000000000000_${'A'.repeat(43)}`, 'Bearer'])(
    'that are none are refused: %s',
    async (token) => {
      expect((await ask(hub, 'GET /api/servers', { token })).status).toBe(401)
    },
  )
})
