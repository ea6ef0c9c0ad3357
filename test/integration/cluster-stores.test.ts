import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { bootstrapCaller } from '../../hub/auth/caller.ts'
import { openIdentityFile } from '../../hub/auth/identity-file.ts'
import { openIdentity } from '../../hub/auth/identity.ts'
import { createKeys } from '../../hub/auth/keys.ts'
import { createLockout, type Attempt } from '../../hub/auth/lockout.ts'
import { createClusterSource } from '../../hub/cluster/cluster-source.ts'
import type { Cluster, SessionRecord } from '../../hub/cluster/cluster.ts'
import { openLocalCluster } from '../../hub/cluster/local.ts'
import { openRedisCluster } from '../../hub/cluster/redis.ts'
import { openFiles } from '../../hub/config/documents.ts'
import { temporaryFolder } from '../fixtures/built-program.ts'
import { PASSWORD, person } from '../fixtures/people.ts'
import { startRedis, type TestRedis } from '../fixtures/redis.ts'

const HOUR = 3_600_000
let redis: TestRedis
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis.close())

/** Two hubs on one store. */
interface Stand {
  one: Cluster
  other: Cluster
  dispose: () => Promise<void>
}

/** Only what is read counts, so the clock of a test may be anywhere after now. */
let clock = 0
const now = (): number => Date.now() + clock
const moved = { now, steady: now }

async function sqlite(): Promise<Stand> {
  const folder = await temporaryFolder()
  const file = path.join(folder.path, 'identity.db')
  const [one, other] = [openLocalCluster(file, moved), openLocalCluster(file, moved)]
  return {
    one,
    other,
    dispose: async () => {
      await one.dispose()
      await other.dispose()
      await folder.dispose()
    },
  }
}

function memory(): Promise<Stand> {
  const one = openLocalCluster(':memory:', moved)
  return Promise.resolve({ one, other: one, dispose: () => one.dispose() })
}

async function shared(): Promise<Stand> {
  await redis.flush()
  const open = (): Promise<Cluster> => openRedisCluster({ url: redis.url, onState: () => undefined, now })
  const [one, other] = [await open(), await open()]
  return {
    one,
    other,
    dispose: async () => {
      await one.dispose()
      await other.dispose()
    },
  }
}

function session(user: string, changes: Partial<SessionRecord> = {}): SessionRecord {
  return {
    id: randomBytes(8).toString('hex'),
    user,
    stamp: 'stamp',
    secret: 'secret',
    generation: 0,
    createdAt: now(),
    usedAt: now(),
    idleEndsAt: now() + HOUR,
    endsAt: now() + 24 * HOUR,
    address: '192.0.2.1',
    userAgent: 'test',
    ...changes,
  }
}

const times = { leewayMs: 10_000, idleMs: HOUR }

describe('sessions that end in Redis', () => {
  it('are told to every other hub at once, also by what happened while it could not hear', async () => {
    clock = 0
    const { one, other, dispose } = await shared()
    const heard = { one: 0, other: 0 }
    one.onRevoked = () => heard.one++
    other.onRevoked = () => heard.other++
    const ended = session('ann')
    await one.sessions.open(ended)
    // It listens from here on, which counts as one: what was told before was not heard.
    await expect.poll(() => heard.other).toBe(1)
    const before = { ...heard }
    await one.sessions.revoke(ended.id)
    await expect.poll(() => heard.other).toBe(before.other + 1)
    expect(heard.one).toBe(before.one)
    await one.sessions.revoke(ended.id)
    for (const user of ['bob', 'bob']) await one.sessions.open(session(user))
    await one.sessions.revokeUser('bob')
    await expect.poll(() => heard.other).toBe(before.other + 2)
    await redis.kill()
    await redis.start()
    await expect.poll(() => heard.other).toBeGreaterThan(before.other + 2)
    await dispose()
  })
})

describe.each([
  ['memory', memory],
  ['SQLite', sqlite],
  ['Redis', shared],
])('what hubs share, in %s', (_name, open) => {
  let stand: Stand
  beforeEach(async () => {
    clock = 0
    stand = await open()
  })
  afterEach(() => stand.dispose())

  it('finds a session from every hub, as it was opened', async () => {
    const opened = session('ann')
    await stand.one.sessions.open(opened)
    expect(await stand.other.sessions.find(opened.id)).toEqual(opened)
    expect(await stand.other.sessions.find('unknown')).toBeNull()
  })

  it('lets exactly one of 50 exchange a refresh token, and tells the others that it was repeated', async () => {
    const opened = session('ann')
    await stand.one.sessions.open(opened)
    const rotations = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        (index % 2 === 0 ? stand.one : stand.other).sessions.rotate(opened.id, 0, times),
      ),
    )
    expect(rotations.filter(({ outcome }) => outcome === 'rotated')).toEqual([{ outcome: 'rotated', generation: 1 }])
    expect(rotations.filter(({ outcome }) => outcome === 'repeated')).toHaveLength(49)
  })

  it('takes a token that was exchanged long ago for stolen, and ends the session', async () => {
    const opened = session('ann')
    await stand.one.sessions.open(opened)
    await stand.one.sessions.rotate(opened.id, 0, times)
    clock = 11_000
    expect(await stand.other.sessions.rotate(opened.id, 0, times)).toEqual({ outcome: 'reused' })
    expect(await stand.one.sessions.find(opened.id)).toBeNull()
    expect(await stand.one.sessions.rotate(opened.id, 1, times)).toEqual({ outcome: 'unknown' })
  })

  it('takes a token from before the last one for stolen, however soon it comes', async () => {
    const opened = session('ann')
    await stand.one.sessions.open(opened)
    await stand.one.sessions.rotate(opened.id, 0, times)
    await stand.one.sessions.rotate(opened.id, 1, times)
    expect(await stand.one.sessions.rotate(opened.id, 0, times)).toEqual({ outcome: 'reused' })
  })

  it('lists sessions by user, the last used first', async () => {
    const [first, second] = [session('ann', { usedAt: now() - 5_000 }), session('ann')]
    for (const opened of [first, second, session('bob')]) await stand.one.sessions.open(opened)
    expect((await stand.other.sessions.list('ann')).map(({ id }) => id)).toEqual([second.id, first.id])
    expect(await stand.other.sessions.list(null)).toHaveLength(3)
  })

  it('ends all sessions of a user but the one that is kept', async () => {
    const [kept, gone] = [session('ann'), session('ann')]
    const others = session('bob')
    for (const opened of [kept, gone, others]) await stand.one.sessions.open(opened)
    expect(await stand.other.sessions.revokeUser('ann', kept.id)).toBe(1)
    expect(await stand.one.sessions.find(gone.id)).toBeNull()
    expect(await stand.one.sessions.find(kept.id)).not.toBeNull()
    expect(await stand.one.sessions.find(others.id)).not.toBeNull()
    expect(await stand.other.sessions.revoke(others.id)).toBe(true)
    expect(await stand.one.sessions.find(others.id)).toBeNull()
    expect((await stand.one.sessions.list(null)).map(({ id }) => id)).toEqual([kept.id])
  })

  it.each(['limit', 'lockout'] as const)('counts tries of a %s, each key for itself', async (kind) => {
    const limiter = stand.one.limiter({ name: `tries-${kind}`, points: 5, durationMs: 60_000, kind })
    const taken = await Promise.all(Array.from({ length: 30 }, () => Promise.resolve(limiter.take('ann'))))
    expect(taken.filter(({ passed }) => passed)).toHaveLength(5)
    expect(await limiter.peek('ann')).toMatchObject({ passed: false, taken: 30, left: 0 })
    expect((await limiter.peek('ann')).resetMs).toBeGreaterThan(50_000)
    expect(await limiter.take('bob')).toMatchObject({ passed: true, taken: 1, left: 4 })
    expect(await limiter.take('bob', -1)).toMatchObject({ taken: 0 })
    await limiter.clear('ann')
    expect(await limiter.take('ann')).toMatchObject({ passed: true, taken: 1 })
  })

  it('unlocks a name however many are locked, and shows what is locked once old locks have ended', async () => {
    const lockout = createLockout(stand.one, () => ({ attempts: 1, durationMs: HOUR }), now)
    const [ann, bob] = ['ann', 'bob'].map((user) => ({ user, address: '192.0.2.1', device: null }))
    const crowd = (until: number): ReadonlyMap<string, string> => {
      const all = Array.from({ length: 1_000 }, (_, at) => ({ user: `stranger-${at}`, address: '192.0.2.9', until }))
      return new Map(all.map((note) => [`${note.user}\n${note.address}`, JSON.stringify(note)]))
    }
    const lock = async (attempt: Attempt): Promise<void> => {
      await lockout.admit(attempt)
      await expect(lockout.admit(attempt)).rejects.toMatchObject({ code: 'HUB_LOGIN_LOCKED' })
    }
    await stand.one.notes('lockouts').put(crowd(now() + HOUR))
    await lock(ann!)
    await lock(bob!)
    const other = createLockout(stand.other, () => ({ attempts: 1, durationMs: HOUR }), now)
    await other.unlock('ann')
    await lock(ann!)
    await other.unlock('ann')
    await lock(ann!)
    await expect(lockout.admit(bob!)).rejects.toMatchObject({ code: 'HUB_LOGIN_LOCKED' })

    await stand.one.notes('lockouts').put(crowd(now() - 1))
    await other.unlock('bob')
    await lock(bob!)
    expect((await other.list()).map(({ user }) => user)).toEqual(['bob'])
  })

  it('keeps notes by kind', async () => {
    await stand.one.notes('key-uses').put(new Map([['abc', 'today']]))
    expect(await stand.other.notes('key-uses').read()).toEqual(new Map([['abc', 'today']]))
    expect(await stand.other.notes('key-uses').get('abc')).toBe('today')
    expect(await stand.other.notes('key-uses').get('abcd')).toBeNull()
    expect((await stand.other.notes('lockouts').read()).size).toBe(0)
    await stand.other.notes('key-uses').delete('abc')
    expect((await stand.one.notes('key-uses').read()).size).toBe(0)
  })
})

describe.each([
  ['SQLite', sqlite],
  ['Redis', shared],
])('of two hubs on one %s', (_name, open) => {
  it('exactly 5 of 30 bad sign-ins are looked at', async () => {
    const stand = await open()
    const limiters = [stand.one, stand.other].map((hub) =>
      hub.limiter({ name: 'lockout', points: 5, durationMs: 60_000, kind: 'lockout' }),
    )
    const taken = await Promise.all(
      Array.from({ length: 30 }, (_, index) => Promise.resolve(limiters[index % 2]!.take('ann 192.0.2.1'))),
    )
    expect(taken.filter(({ passed }) => passed)).toHaveLength(5)
    await stand.dispose()
  })
})

it('an MCP session in Redis belongs to the hub that went on with it last', async () => {
  const stand = await shared()
  const [one, other] = [stand.one.clientSessions!, stand.other.clientSessions!]
  const [mine, bond] = [
    { id: 'hub.session', generation: 0 },
    { principal: 'key:a', path: '/mcp' },
  ]
  const record = {
    version: '2025-11-25',
    capabilities: {},
    clientInfo: {},
    logLevel: null,
    subscriptions: ['note://a'],
  }
  const told: [string, number][] = []
  one.onAdopted = (...adopted) => told.push(adopted)
  expect(await one.save(mine, bond, record, HOUR)).toBe('kept')
  expect(await other.adopt(mine.id, { ...bond, principal: 'key:b' }, HOUR)).toEqual({
    outcome: 'foreign',
    principal: 'key:a',
  })
  expect(await other.adopt(mine.id, { ...bond, path: '/mcp/a' }, HOUR)).toEqual({ outcome: 'unknown' })
  expect(await other.adopt('hub.another', bond, HOUR)).toEqual({ outcome: 'unknown' })

  expect(await other.adopt(mine.id, bond, HOUR)).toEqual({ outcome: 'adopted', generation: 1, record })
  await expect.poll(() => told, { timeout: 10_000 }).toEqual([[mine.id, 1]])
  // What the one before still thinks of it does not count.
  expect(await one.save(mine, bond, { ...record, subscriptions: [] }, HOUR)).toBe('lost')
  expect(await one.renew([mine, { id: 'hub.another', generation: 0 }], HOUR)).toEqual(['lost', 'missing'])
  await one.remove(mine.id, 0)
  expect(await other.renew([{ id: mine.id, generation: 1 }], HOUR)).toEqual(['kept'])

  const both = await Promise.all([one, other].map((hub) => hub.adopt(mine.id, bond, HOUR)))
  expect(both.map((answer) => (answer.outcome === 'adopted' ? answer.generation : 0)).sort()).toEqual([2, 3])
  await one.remove(mine.id, 3)
  expect(await one.adopt(mine.id, bond, HOUR)).toEqual({ outcome: 'unknown' })
  // It ends by itself when nobody renews it.
  await one.save(mine, bond, record, 50)
  await expect.poll(() => other.renew([mine], 50), { interval: 100, timeout: 10_000 }).toEqual(['missing'])
  await stand.dispose()
})

it('a session in SQLite ends when it is idle, and at its end', async () => {
  const stand = await sqlite()
  const [idle, used] = [session('ann'), session('ann', { endsAt: now() + 2 * HOUR })]
  for (const opened of [idle, used]) await stand.one.sessions.open(opened)
  clock = 0.9 * HOUR
  await stand.one.sessions.rotate(used.id, 0, times)
  clock = 1.1 * HOUR
  expect(await stand.one.sessions.find(idle.id)).toBeNull()
  expect(await stand.one.sessions.find(used.id)).not.toBeNull()
  clock = 1.8 * HOUR
  await stand.one.sessions.rotate(used.id, 1, times)
  clock = 2.1 * HOUR
  expect(await stand.one.sessions.find(used.id)).toBeNull()
  clock = 0
  await stand.dispose()
})

it('a session in Redis ends when it is idle, and at its end', async () => {
  const stand = await shared()
  const client = new Redis(redis.url)
  const soon = (): number => now() + 200
  const idle = session('ann', { idleEndsAt: soon() })
  const used = session('ann')
  const last = session('ann', { endsAt: soon() })
  const lasts = session('ann')
  for (const opened of [idle, used, last, lasts]) await stand.one.sessions.open(opened)
  // Time to be idle begins anew with each use, and never goes beyond the end.
  await stand.one.sessions.rotate(used.id, 0, { ...times, idleMs: 200 })
  await stand.one.sessions.rotate(last.id, 0, times)
  const usedAt = now()
  await stand.one.sessions.rotate(lasts.id, 0, { ...times, idleMs: 3 * HOUR })
  const [key = ''] = await client.keys(`*${lasts.id}`)
  expect(await client.pexpiretime(key)).toBeGreaterThanOrEqual(usedAt + 3 * HOUR)
  for (const { id } of [idle, used, last]) await expect.poll(() => stand.other.sessions.find(id)).toBeNull()
  expect((await stand.other.sessions.list('ann')).map(({ id }) => id)).toEqual([lasts.id])
  expect((await stand.one.sessions.rotate(idle.id, 0, times)).outcome).toBe('unknown')
  client.disconnect()
  await stand.dispose()
})

it('a session that one hub ends in SQLite is told to the others', async () => {
  const folder = await temporaryFolder()
  const file = path.join(folder.path, 'identity.db')
  const [one, other] = [openLocalCluster(file), openLocalCluster(file)]
  const opened = session('ann', { idleEndsAt: Date.now() + HOUR, endsAt: Date.now() + HOUR })
  let told = 0
  other.onRevoked = () => told++
  await one.sessions.open(opened)
  await expect.poll(() => told, { timeout: 10_000 }).toBe(1)
  expect(await one.sessions.revoke(opened.id)).toBe(true)
  await expect.poll(() => told, { timeout: 10_000 }).toBe(2)
  expect(await other.sessions.find(opened.id)).toBeNull()
  await one.dispose()
  await other.dispose()
  await folder.dispose()
})

it('a lockout in SQLite outlasts a restart', async () => {
  const folder = await temporaryFolder()
  const file = path.join(folder.path, 'identity.db')
  const policy = { name: 'lockout', points: 1, durationMs: 60_000, kind: 'lockout' } as const
  const before = openLocalCluster(file)
  await before.limiter(policy).take('ann')
  await before.dispose()
  const after = openLocalCluster(file)
  expect(await after.limiter(policy).take('ann')).toMatchObject({ passed: false })
  await after.dispose()
  await folder.dispose()
})

describe('trouble with SQLite', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  let file: string
  beforeEach(async () => {
    folder = await temporaryFolder()
    file = path.join(folder.path, 'identity.db')
  })
  afterEach(async () => {
    vi.useRealTimers()
    await folder.dispose()
  })

  /** Changes the file as another process would. */
  function change(sql: string): void {
    const db = new DatabaseSync(file)
    db.exec(sql)
    db.close()
  }

  it('that refuses a note takes nothing with it that is written after', async () => {
    const [one, other] = [openLocalCluster(file), openLocalCluster(file)]
    change(`CREATE TRIGGER full BEFORE INSERT ON notes WHEN NEW.key = 'b' BEGIN SELECT RAISE(ABORT, 'no space'); END`)
    const put = async (): Promise<void> => {
      await one.notes('key-uses').put(
        new Map([
          ['a', '1'],
          ['b', '2'],
        ]),
      )
    }
    await expect(put()).rejects.toThrow('no space')
    await one.sessions.open(session('ann'))
    expect(await other.sessions.list('ann')).toHaveLength(1)
    expect((await other.notes('key-uses').read()).size).toBe(0)
    change('DROP TRIGGER full')
    await put()
    expect((await other.notes('key-uses').read()).size).toBe(2)
    await one.dispose()
    await other.dispose()
  })

  it('that comes up in what is done by itself is told, and ends nothing', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const told: string[] = []
    const cluster = openLocalCluster(file, { onFault: (error) => told.push(String(error)) })
    change('ALTER TABLE counters RENAME TO away')
    vi.advanceTimersByTime(10 * 60_000)
    expect(told).toEqual([expect.stringContaining('no such table: counters')])
    change('ALTER TABLE away RENAME TO counters')
    vi.advanceTimersByTime(10 * 60_000)
    expect(told).toHaveLength(1)
    await cluster.dispose()
  })

  it('that damaged the file puts it aside, and begins an empty one', async () => {
    const cluster = openLocalCluster(file)
    for (let index = 0; index < 200; index++) await cluster.sessions.open(session('ann'))
    await cluster.dispose()
    const whole = await readFile(file)
    for (const damaged of [Buffer.from('no database, but long enough to be taken for one'), whole.fill(7, 8_192)]) {
      await writeFile(file, damaged)
      const said: [string, string][] = []
      const source = createClusterSource({
        redisUrl: null,
        dir: folder.path,
        log: (level, message) => said.push([level, message]),
      })
      const opened = await source.open()
      expect(await opened.sessions.list(null)).toEqual([])
      await opened.sessions.open(session('bob'))
      expect(said).toEqual([['error', expect.stringContaining('sign in again')]])
      await source.dispose()
    }
    expect((await readdir(folder.path)).filter((name) => name.startsWith('identity.db.damaged-'))).toHaveLength(2)
  })

  it('that keeps it from being opened is over when it is over', async () => {
    await mkdir(file)
    const source = createClusterSource({ redisUrl: null, dir: folder.path, log: () => undefined })
    await expect(source.open()).rejects.toThrow('unable to open')
    await rm(file, { recursive: true })
    expect(await (await source.open()).sessions.list(null)).toEqual([])
    await source.dispose()
  })

  it('hides no act that was done before it: each is in the audit log', async () => {
    const documents = await openFiles(folder.path)
    const text = JSON.stringify({ users: ['ann', 'bob', 'eve'].map((name) => person(name)), keys: [] })
    await documents.write([{ document: 'users', text, over: await documents.read('users') }], null, null)
    const cluster = openLocalCluster(file)
    const acts: string[] = []
    const identity = await openIdentity({
      mode: 'server',
      documents,
      dataDir: folder.path,
      tokens: [{ value: 'a token', caller: bootstrapCaller }],
      signingKeys: [new Uint8Array(32)],
      auth: () => ({ bcryptRounds: 10 }),
      adminPassword: undefined,
      openCluster: () => Promise.resolve(cluster),
      announceSetup: () => undefined,
      audit: ({ action, target = '' }) => acts.push(`${action} ${target}`),
      log: () => undefined,
    })
    const { users, signIn } = (await identity.people())!
    change('ALTER TABLE sessions RENAME TO away')
    const ann = { ...bootstrapCaller, user: 'ann', session: 'a session' }
    const origin = { address: '192.0.2.1', userAgent: 'test', device: null }
    // What an administrator did is answered: a password that was made is told once.
    expect(await users.edit(bootstrapCaller, 'ann', { role: 'viewer' })).toMatchObject({ role: 'viewer', sessions: 0 })
    const { initialPassword } = await users.resetPassword(bootstrapCaller, 'bob', undefined)
    expect(initialPassword).toMatch(/^[a-z2-9-]+$/)
    await users.remove(bootstrapCaller, 'eve')
    // Whoever changes the own password needs a session for what comes next.
    await expect(signIn.changePassword(ann, PASSWORD, 'another horse battery staple', origin)).rejects.toMatchObject({
      code: 'HUB_STORE_UNAVAILABLE',
    })
    expect(acts).toEqual(['user.change ann', 'user.password bob', 'user.delete eve', 'auth.password '])
    await identity.dispose()
    await cluster.dispose()
  })

  it('costs no use of a key, and no key that is made meanwhile', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const users = await openIdentityFile(await openFiles(folder.path))
    const cluster = openLocalCluster(file)
    const said: unknown[] = []
    const keys = createKeys({
      file: users,
      notes: () => Promise.resolve(cluster.notes('key-uses')),
      audit: () => undefined,
      log: (...line) => said.push(line),
      now: Date.now,
    })
    change('ALTER TABLE notes RENAME TO away')
    const { secret } = await keys.create(bootstrapCaller, { name: 'made meanwhile' })
    expect(keys.find(secret, '192.0.2.9')).toMatchObject({ name: 'made meanwhile' })
    vi.advanceTimersByTime(30_000)
    await expect
      .poll(() => said)
      .toMatchObject([['warn', expect.any(String), { error: expect.stringContaining('no such table') as string }]])
    change('ALTER TABLE away RENAME TO notes')
    expect(await keys.list(bootstrapCaller)).toMatchObject([{ lastUsedFrom: '192.0.2.9' }])
    expect((await cluster.notes('key-uses').read()).size).toBe(1)
    await keys.dispose()
    await cluster.dispose()
    await users.dispose()
  })
})

it('without Redis limits soften, lockouts allow a share, sessions are refused; and all comes back with it', async () => {
  await redis.flush()
  const states: string[] = []
  const open = (): Promise<Cluster> => openRedisCluster({ url: redis.url, onState: (state) => states.push(state) })
  const hubs = [await open(), await open()]
  const lockouts = hubs.map((hub) => hub.limiter({ name: 'lockout', points: 5, durationMs: 60_000, kind: 'lockout' }))
  const limit = hubs[0]!.limiter({ name: 'limit', points: 100, durationMs: 60_000, kind: 'limit' })
  const opened = session('ann')
  await hubs[0]!.sessions.open(opened)
  // Each hub has counted the other by now: registering a lockout does.
  await lockouts[0]!.take('warm-up')

  await redis.kill()
  await expect.poll(() => states.includes('down')).toBe(true)
  await expect(hubs[0]!.sessions.find(opened.id)).rejects.toMatchObject({ code: 'HUB_STORE_UNAVAILABLE', status: 503 })
  await expect(hubs[0]!.sessions.rotate(opened.id, 0, times)).rejects.toMatchObject({ code: 'HUB_STORE_UNAVAILABLE' })
  const passed = await Promise.all(Array.from({ length: 120 }, () => Promise.resolve(limit.take('ann'))))
  expect(passed.filter((taken) => taken.passed)).toHaveLength(100)
  const tries = await Promise.all(
    Array.from({ length: 30 }, (_, index) => Promise.resolve(lockouts[index % 2]!.take('ann'))),
  )
  expect(tries.filter((taken) => taken.passed)).toHaveLength(4)

  await redis.start()
  await expect.poll(() => hubs[0]!.sessions.find(opened.id).catch(() => null), { timeout: 5_000 }).toEqual(opened)
  expect(await lockouts[1]!.take('bob')).toMatchObject({ passed: true, taken: 1 })
  for (const hub of hubs) await hub.dispose()
})
