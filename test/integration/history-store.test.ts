import { execFile } from 'node:child_process'
import { DatabaseSync } from 'node:sqlite'
import { readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { verifyChain, type AuditAct } from '../../hub/history/audit-chain.ts'
import { requestsPage } from '../../hub/history/kysely-store.ts'
import { matchesWords as matchesWordsInPostgres, openPostgresStore } from '../../hub/history/postgres-store.ts'
import { openSqliteFile } from '../../hub/history/sqlite-dialect.ts'
import { createRecorder } from '../../hub/history/recorder.ts'
import { matchesWords as matchesWordsInSqlite, openSqliteStore } from '../../hub/history/sqlite-store.ts'
import { createSqliteThread } from '../../hub/history/sqlite-thread.ts'
import type { HistoryLimits, HistoryStore } from '../../hub/history/store.ts'
import type { HistoryTables, NewRequest } from '../../hub/history/tables.ts'
import { createTrafficCounter, toStats, windowOf } from '../../hub/history/traffic.ts'
import { createRedactor } from '../../hub/observe/redactor.ts'
import { Exchange } from '../../hub/gateway/exchange.ts'
import { temporaryFolder } from '../fixtures/built-program.ts'
import { startPostgres, type TestPostgres } from '../fixtures/postgres.ts'

const DAY = 86_400_000
const NOON = Date.UTC(2026, 4, 20, 12)
const limits: HistoryLimits = { maxRows: 1_000_000, maxBytes: 1e12, maxDays: 3_650, auditDays: 3_650 }

function request(values: Partial<NewRequest> = {}): NewRequest {
  return {
    at: NOON,
    durationMs: 12.5,
    principal: 'user:anna',
    client: 'claude-code 1.0.3',
    endpoint: '/mcp',
    server: 'github',
    method: 'tools/call',
    name: 'create_issue',
    bytesIn: 120,
    bytesOut: 480,
    outcome: 'ok',
    errorCode: null,
    errorMessage: null,
    traceId: null,
    requestId: null,
    waitedMs: 0.25,
    sentMs: 1.5,
    notifiedMs: 3.25,
    repliedMs: 12.25,
    notifications: 2,
    firstByteMs: 11.5,
    askedMs: 2.5,
    clientMs: 6.25,
    request: null,
    response: null,
    ...values,
  }
}

function act(values: Partial<AuditAct> = {}): AuditAct {
  return {
    at: NOON,
    actor: 'user:anna',
    actorName: 'anna',
    role: 'admin',
    address: '127.0.0.1',
    action: 'PUT /api/servers/:name',
    target: 'github',
    outcome: 'done',
    status: 200,
    details: '{"config":{"command":"npx"}}',
    requestId: null,
    ...values,
  }
}

interface Subject {
  open: () => Promise<HistoryStore>
  /** Changes what is stored behind the store's back. */
  tamper: (sql: string) => Promise<void>
  dispose: () => Promise<void>
}

async function sqliteSubject(): Promise<Subject> {
  const folder = await temporaryFolder()
  return {
    open: () => openSqliteStore({ dataDir: folder.path, onDamaged: () => undefined }),
    tamper: (sql) => {
      const file = sql.includes('hub_audit') ? 'audit.db' : 'history.db'
      const database = new DatabaseSync(path.join(folder.path, file))
      database.exec(sql)
      database.close()
      return Promise.resolve()
    },
    dispose: () => folder.dispose(),
  }
}

let postgres: TestPostgres
let databases = 0

beforeAll(async () => {
  postgres = await startPostgres()
}, 60_000)
afterAll(() => postgres.stop())

async function postgresSubject(): Promise<Subject> {
  const name = `test${++databases}`
  const query = async (url: string, sql: string): Promise<void> => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    await client.query(sql)
    await client.end()
  }
  await query(postgres.url, `CREATE DATABASE ${name}`)
  const url = postgres.url.replace(/postgres$/, name)
  return {
    open: () => openPostgresStore({ url, onError: () => undefined }),
    tamper: (sql) => query(url, sql),
    dispose: () => Promise.resolve(),
  }
}

describe.each([
  { name: 'SQLite', create: sqliteSubject },
  { name: 'PostgreSQL', create: postgresSubject },
])('$name', ({ create }) => {
  async function withStore(work: (store: HistoryStore, subject: Subject) => Promise<void>): Promise<void> {
    const subject = await create()
    const store = await subject.open()
    try {
      await work(store, subject)
    } finally {
      await store.close()
      await subject.dispose()
    }
  }

  test('gives back what was recorded, newest first, page by page', () =>
    withStore(async (store) => {
      const written = Array.from({ length: 25 }, (_, index) => request({ at: NOON + index, name: `tool_${index}` }))
      await store.appendRequests(written, [])
      const seen: string[] = []
      for (let before: number | undefined; ;) {
        const page = await store.findRequests({}, { before, limit: 10 })
        seen.push(...page.map(({ name }) => name ?? ''))
        if (page.length < 10) break
        before = page.at(-1)?.id
      }
      expect(seen).toEqual(written.map(({ name }) => name).reverse())
      const [newest] = await store.findRequests({}, { limit: 1 })
      const { request: params, response, ...rest } = written.at(-1)!
      expect(newest).toEqual({ id: newest!.id, ...rest })
      expect(await store.findRequest(newest!.id)).toEqual({ id: newest!.id, ...rest, request: params, response })
      expect(await store.findRequest(newest!.id + 1)).toBeNull()
    }))

  test('takes over the rows of an older hub, whose moments nobody knows', async () => {
    const subject = await create()
    const before = await subject.open()
    await before.appendRequests([request({ name: 'old_tool', requestId: 'r1' })], [])
    await before.close()
    // As it was before moments were recorded: the same rows without these columns, and without the steps that added them.
    const added = ['waited', 'sent', 'notified', 'replied', 'first_byte', 'asked', 'client'].map((name) => `${name}_ms`)
    const drops = [...added, 'notifications'].map((column) => `ALTER TABLE hub_requests DROP COLUMN ${column};`)
    const steps = `name LIKE '%-moments' OR name LIKE '%-first-byte-and-client'`
    await subject.tamper(`${drops.join(' ')} DELETE FROM hub_migrations WHERE ${steps}`)
    const store = await subject.open()
    try {
      const unknown = { waitedMs: null, sentMs: null, notifiedMs: null, repliedMs: null, notifications: null }
      const [old] = await store.findRequests({ q: 'old_tool' }, { limit: 5 })
      const nothing = { firstByteMs: null, askedMs: null, clientMs: null }
      expect(old).toMatchObject({ name: 'old_tool', requestId: 'r1', durationMs: 12.5, ...unknown, ...nothing })
      await store.appendRequests([request({ name: 'new_tool' })], [])
      expect((await store.findRequests({}, { limit: 5 })).map(({ name, askedMs }) => [name, askedMs])).toEqual([
        ['new_tool', 2.5],
        ['old_tool', null],
      ])
    } finally {
      await store.close()
      await subject.dispose()
    }
  })

  test('keeps records and chain over a restart', () =>
    withStore(async (first, subject) => {
      await first.appendRequests([request()], [])
      await first.appendAudit([act()])
      await first.close()
      const second = await subject.open()
      await second.appendAudit([act()])
      expect(await second.findRequests({}, { limit: 10 })).toHaveLength(1)
      expect(await verifyChain(second.auditChain())).toMatchObject({ ok: true, entries: 2 })
      await second.close()
    }))

  test('filters by each field, by time and by duration', () =>
    withStore(async (store) => {
      await store.appendRequests(
        [
          request({ name: 'a', at: NOON - DAY }),
          request({ name: 'b', server: 'files', durationMs: 900 }),
          request({ name: 'c', server: null, method: 'tools/list', outcome: 'error', principal: 'key:ci' }),
          request({ name: 'd', client: null, endpoint: '/mcp/work', outcome: 'timeout' }),
        ],
        [],
      )
      const names = async (filter: Parameters<HistoryStore['findRequests']>[0]): Promise<string> =>
        (await store.findRequests(filter, { limit: 10 })).map(({ name }) => name).join('')
      expect(await names({ server: ['files', 'none'] })).toBe('b')
      expect(await names({ method: ['tools/list'] })).toBe('c')
      expect(await names({ outcome: ['error', 'timeout'] })).toBe('dc')
      expect(await names({ principal: ['key:ci'] })).toBe('c')
      expect(await names({ client: ['claude-code 1.0.3'], server: ['github'] })).toBe('a')
      expect(await names({ endpoint: ['/mcp/work'] })).toBe('d')
      expect(await names({ name: ['a', 'd'] })).toBe('da')
      expect(await names({ from: NOON })).toBe('dcb')
      expect(await names({ to: NOON })).toBe('a')
      expect(await names({ minDurationMs: 500 })).toBe('b')
    }))

  test('tells when each tool was called last, by whom it may be told', () =>
    withStore(async (store) => {
      const call = (server: string, name: string, at: number, principal = 'user:anna'): NewRequest =>
        request({ server, name, at, principal })
      await store.appendRequests(
        [
          call('github', 'create_issue', NOON + 5),
          call('github', 'create_issue', NOON),
          call('files', 'create_issue', NOON + 7, 'user:bert'),
          request({ method: 'tools/list', name: null, at: NOON + 9 }),
          request({ server: null, name: 'unknown', at: NOON + 9 }),
        ],
        [],
      )
      const told = async (principal?: string): Promise<string[]> =>
        (await store.lastCalls(principal)).map(({ server, name, at }) => `${server} ${name} ${at - NOON}`).toSorted()
      expect(await told()).toEqual(['files create_issue 7', 'github create_issue 5'])
      expect(await told('user:bert')).toEqual(['files create_issue 7'])
      // What came since, also of a tool that is known, and what is no longer there.
      await store.appendRequests([call('github', 'create_issue', NOON + 20), call('files', 'move', NOON + 21)], [])
      expect(await told()).toEqual(['files create_issue 7', 'files move 21', 'github create_issue 20'])
      await store.maintain({ ...limits, maxRows: 2 }, NOON)
      expect(await told()).toEqual(['files move 21', 'github create_issue 20'])
      expect(await told('user:bert')).toEqual([])
    }))

  test('tells what each principal used since a moment, each once, and since when it knows', () =>
    withStore(async (store) => {
      expect(await store.oldest()).toBeNull()
      const use = (at: number, more: Partial<NewRequest> = {}): NewRequest => request({ at: NOON + at, ...more })
      await store.appendRequests(
        [
          use(1, { server: 'old' }),
          use(5, { server: 'github', name: 'create_issue', endpoint: '/mcp/dev' }),
          use(6, { server: 'github', name: 'create_issue', endpoint: '/mcp/dev' }),
          use(7, { server: null, method: 'tools/list', name: null, principal: 'key:1' }),
        ],
        [],
      )
      expect(await store.oldest()).toBe(NOON + 1)
      const found = await store.usesSince(NOON + 5)
      expect(found.toSorted((a, b) => a.principal.localeCompare(b.principal))).toEqual([
        { principal: 'key:1', endpoint: '/mcp', server: null, tool: null },
        { principal: 'user:anna', endpoint: '/mcp/dev', server: 'github', tool: 'create_issue' },
      ])
    }))

  test('finds by the beginnings of words, in every text, also what was appended a moment ago', () =>
    withStore(async (store) => {
      await store.appendRequests(
        [
          request({ name: 'create_pull_request' }),
          request({ name: 'other', errorMessage: "Rate limit of GitHub's API exceeded" }),
          request({ name: 'third', request: '{"title":"修复登录页面的错误"}' }),
          request({ name: 'fourth', response: 'Ünïcode — "quoted" OR NOT (weird* syntax' }),
        ],
        [],
      )
      const names = async (q: string): Promise<string[]> =>
        (await store.findRequests({ q }, { limit: 10 })).map(({ name }) => name ?? '')
      expect(await names('pull')).toEqual(['create_pull_request'])
      expect(await names('PUL req')).toEqual(['create_pull_request'])
      expect(await names('ull')).toEqual([])
      expect(await names('limit exceed')).toEqual(['other'])
      expect(await names('登录')).toEqual(['third'])
      expect(await names('ünïc')).toEqual(['fourth'])
      expect(await names('"quoted" OR NOT (weird*')).toEqual(['fourth'])
      await store.appendRequests([request({ name: 'late_arrival' })], [])
      expect(await names('arrival')).toEqual(['late_arrival'])
      expect(await names("'; DROP TABLE hub_requests; --")).toEqual([])
      expect(await store.findRequests({ q: '***' }, { limit: 10 })).toHaveLength(5)
    }))

  test('prunes by rows and by days, oldest first, and still finds the rest', () =>
    withStore(async (store) => {
      const rows = Array.from({ length: 100 }, (_, index) => request({ at: NOON + index, name: `row ${index}` }))
      await store.appendRequests([request({ at: NOON - 40 * DAY, name: 'old' }), ...rows], [])
      await store.findRequests({ q: 'row' }, { limit: 1 })
      await store.maintain({ ...limits, maxDays: 30 }, NOON)
      expect(await store.findRequests({ name: ['old'] }, { limit: 1 })).toEqual([])
      expect(await store.findRequests({}, { limit: 500 })).toHaveLength(100)
      await store.maintain({ ...limits, maxRows: 10 }, NOON)
      const left = await store.findRequests({ q: 'row' }, { limit: 500 })
      expect(left.map(({ name }) => name)).toEqual(
        rows
          .slice(-10)
          .map(({ name }) => name)
          .reverse(),
      )
      // Ids go on, so that a cursor never means another record.
      await store.maintain({ ...limits, maxDays: 1 }, NOON + 10 * DAY)
      await store.appendRequests([request({ name: 'next' })], [])
      const [next] = await store.findRequests({}, { limit: 1 })
      expect(next?.id).toBeGreaterThan(left[0]!.id)
    }))

  test('adds up traffic of the same span, and tells rates and latencies from it', () =>
    withStore(async (store) => {
      const counter = createTrafficCounter()
      const calls = [
        ...Array.from({ length: 90 }, () => request({ durationMs: 4 })),
        ...Array.from({ length: 10 }, () => request({ durationMs: 800, outcome: 'tool-error' })),
      ]
      await store.appendRequests([], counter.count(calls.slice(0, 50)))
      await store.appendRequests([], counter.count(calls.slice(50)))
      await store.appendRequests(
        [],
        counter.count([request({ server: 'files', client: 'cursor 2.1', at: NOON + 60_000 })]),
      )
      const now = NOON + 61_000
      for (const window of ['hour', 'day', 'week'] as const) {
        const { step, from } = windowOf(window, now)
        const stats = toStats(window, await store.traffic(step, from), now, 0)
        expect(stats.total).toMatchObject({ calls: 101, errors: 10 })
        expect(stats.total.p50).toBeGreaterThan(3)
        expect(stats.total.p50).toBeLessThanOrEqual(5)
        expect(stats.total.p95).toBeGreaterThan(700)
        expect(stats.total.p95).toBeLessThanOrEqual(1_000)
        expect(stats.servers.map(({ server, calls: count }) => [server, count])).toEqual([
          ['github', 100],
          ['files', 1],
        ])
        expect(stats.clients).toContainEqual(expect.objectContaining({ client: 'cursor', lastAt: NOON + 60_000 }))
        expect(stats.points.reduce((sum, point) => sum + point.calls, 0)).toBe(101)
      }
      await store.maintain(limits, NOON + 4 * 3_600_000)
      expect(await store.traffic(60, 0)).toEqual([])
      expect(await store.traffic(900, 0)).not.toEqual([])
    }))

  test('finds an act by its words, and keeps the order of the chain', () =>
    withStore(async (store) => {
      await store.appendAudit([act(), act({ action: 'POST /api/auth/login', target: 'bob', outcome: 'failed' })])
      expect((await store.findAudit({ q: 'login bob' }, { limit: 5 })).map(({ seq }) => seq)).toEqual([2])
      expect((await store.findAudit({ outcome: ['done'] }, { limit: 5 })).map(({ seq }) => seq)).toEqual([1])
      expect((await store.findAudit({}, { before: 2, limit: 5 })).map(({ seq }) => seq)).toEqual([1])
    }))

  test('keeps acts with texts that a database does not take as they are, and the chain whole', () =>
    withStore(async (store) => {
      const odd = 'a\0b \ud83d c'
      const texts = { actor: odd, actorName: odd, address: odd, target: odd, details: odd, requestId: odd }
      const given = [act({ ...texts, action: odd }), act({ target: null })]
      const [first] = await store.appendAudit(given)
      expect(first).toMatchObject({ actorName: 'a\uFFFDb \uFFFD c' })
      expect((await store.findAudit({}, { limit: 5 })).at(-1)).toEqual(first)
      expect(await verifyChain(store.auditChain())).toMatchObject({ ok: true, entries: 2 })
    }))

  test('puts acts of many hubs into one chain', () =>
    withStore(async (first, subject) => {
      // A second hub only where the database is shared; SQLite has one.
      const second = create === postgresSubject ? await subject.open() : first
      await Promise.all(
        Array.from({ length: 40 }, (_, index) => (index % 2 === 0 ? first : second).appendAudit([act({ at: index })])),
      )
      expect(await verifyChain(first.auditChain())).toMatchObject({ ok: true, entries: 40, firstSeq: 1, lastSeq: 40 })
      if (second !== first) await second.close()
    }))

  test.each([
    ['a changed field', `UPDATE hub_audit SET actor = 'user:mallory' WHERE seq = 3`, 3],
    ['a removed entry', 'DELETE FROM hub_audit WHERE seq = 3', 4],
    ['the oldest entries removed', 'DELETE FROM hub_audit WHERE seq <= 2', 3],
    [
      'two entries exchanged',
      'UPDATE hub_audit SET seq = CASE seq WHEN 3 THEN -4 ELSE -3 END WHERE seq IN (3, 4); UPDATE hub_audit SET seq = -seq WHERE seq < 0',
      3,
    ],
    [
      'an entry put in between',
      `UPDATE hub_audit SET seq = -seq - 1 WHERE seq > 3; UPDATE hub_audit SET seq = -seq WHERE seq < 0;
       INSERT INTO hub_audit SELECT 4, at, actor, actor_name, role, address, action, target, outcome, status, details, request_id, hash FROM hub_audit WHERE seq = 3`,
      4,
    ],
  ])('finds %s in the audit chain', (_what, sql, seq) =>
    withStore(async (store, subject) => {
      await store.appendAudit(Array.from({ length: 6 }, (_, index) => act({ at: NOON + index })))
      expect(await verifyChain(store.auditChain())).toMatchObject({ ok: true })
      await subject.tamper(sql)
      const verification = await verifyChain(store.auditChain())
      expect(verification).toMatchObject({ ok: false, broken: { seq } })
    }),
  )

  test('shows entries cut off the end by the hash of the newest', () =>
    withStore(async (store, subject) => {
      const entries = await store.appendAudit([act(), act(), act()])
      expect((await verifyChain(store.auditChain())).head).toBe(entries[2]!.hash)
      await subject.tamper('DELETE FROM hub_audit WHERE seq = 3')
      expect((await verifyChain(store.auditChain())).head).not.toBe(entries[2]!.hash)
    }))

  test('keeps the chain whole when the retention deletes its beginning', () =>
    withStore(async (store, subject) => {
      await store.appendAudit([act({ at: NOON - 400 * DAY }), act({ at: NOON - 399 * DAY }), act({ at: NOON })])
      await store.maintain({ ...limits, auditDays: 365 }, NOON)
      expect(await verifyChain(store.auditChain())).toMatchObject({ ok: true, entries: 2, firstSeq: 3, lastSeq: 4 })
      await store.maintain({ ...limits, auditDays: 1 }, NOON + 10 * DAY)
      await store.appendAudit([act()])
      expect(await verifyChain(store.auditChain())).toMatchObject({ ok: true, firstSeq: 4 })
      await subject.tamper('DELETE FROM hub_audit WHERE seq = 4')
      expect(await verifyChain(store.auditChain())).toMatchObject({ ok: false })
    }))
})

/** Of 20,000: the newest page, one from a cursor on, filtered ones and searches. */
const pages: Parameters<HistoryStore['findRequests']>[] = [
  [{}, { limit: 50 }],
  [{}, { limit: 50, before: 10_000 }],
  [{ server: ['server-7'], outcome: ['ok'] }, { limit: 50 }],
  [{ outcome: ['error'] }, { limit: 10, before: 1_001 }],
  [{ q: 'failed' }, { limit: 50 }],
  [{ q: 'tool 49' }, { limit: 50 }],
]

async function append20000(store: HistoryStore): Promise<void> {
  for (let done = 0; done < 20_000; done += 1_000)
    await store.appendRequests(
      Array.from({ length: 1_000 }, (_, index) => {
        const n = done + index
        return request({
          at: NOON + n,
          name: `tool_${n % 50}`,
          server: `server-${n % 20}`,
          outcome: n % 100 === 0 ? 'error' : 'ok',
          errorMessage: n % 100 === 0 ? `Something failed with ${n}` : null,
        })
      }),
      [],
    )
  for (const [filter, page] of pages) expect(await store.findRequests(filter, page)).toHaveLength(page.limit)
}

describe('SQLite alone', () => {
  test('is closed before a program ends that has nothing else to do', async () => {
    const folder = await temporaryFolder()
    const store = path.join(import.meta.dirname, '..', '..', 'hub', 'history', 'sqlite-store.ts')
    const program = `
      import { openSqliteStore } from ${JSON.stringify(store)}
      const store = await openSqliteStore({ dataDir: ${JSON.stringify(folder.path)}, onDamaged: () => undefined })
      await store.close()
      console.log('closed')`
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program])
    expect(stdout).toBe('closed\n')
    expect(await readdir(folder.path)).not.toContain('history.db-wal')
    await folder.dispose()
  })

  test('is opened a moment after the first call, and shows that call to who reads before', async () => {
    const folder = await temporaryFolder()
    let opened = 0
    const recorder = createRecorder({
      open: () => {
        opened++
        return openSqliteStore({ dataDir: folder.path, onDamaged: () => undefined })
      },
      limits: () => limits,
      payloads: () => ({ mode: 'off', maxBytes: 1, redactor: createRedactor() }),
      onBatch: () => undefined,
      onAppended: () => undefined,
      log: () => undefined,
    })
    const call = (name: string): void => {
      const exchange = new Exchange('user:anna', '/mcp', null, 'tools/call', 10, null)
      exchange.routed('everything', { name })
      recorder.record(exchange, undefined, null)
    }
    call('first')
    expect(opened).toBe(0)
    const found = await (await recorder.store()).findRequests({}, { limit: 10 })
    expect(found.map(({ name }) => name)).toEqual(['first'])
    call('second')
    await recorder.flush(5_000)
    expect(await (await recorder.store()).findRequests({}, { limit: 10 })).toHaveLength(2)
    expect(opened).toBe(1)
    await recorder.dispose()
    await folder.dispose()
  })

  test('loses the oldest act that waits when too many do, and never one that is being written', async () => {
    const folder = await temporaryFolder()
    const lost: unknown[] = []
    const asked = Promise.withResolvers<undefined>()
    const mayWrite = Promise.withResolvers<undefined>()
    const recorder = createRecorder({
      open: async () => {
        const store = await openSqliteStore({ dataDir: folder.path, onDamaged: () => undefined })
        const appendAudit: HistoryStore['appendAudit'] = async (acts) => {
          asked.resolve(undefined)
          await mayWrite.promise
          return store.appendAudit(acts)
        }
        return { ...store, appendAudit }
      },
      limits: () => limits,
      payloads: () => ({ mode: 'off', maxBytes: 1, redactor: createRedactor() }),
      onBatch: () => undefined,
      onAppended: () => undefined,
      log: (level, _message, data) => level === 'error' && lost.push(data),
      capacity: 3,
    })
    recorder.audit(act({ target: 'being written' }))
    await asked.promise
    for (const target of ['first', 'second', 'third', 'fourth']) recorder.audit(act({ target }))
    mayWrite.resolve(undefined)
    await recorder.flush(10_000)
    const kept = await (await recorder.store()).findAudit({}, { limit: 5 })
    expect(kept.map(({ target }) => target)).toEqual(['fourth', 'third', 'being written'])
    expect(lost).toMatchObject([{ act: { target: 'first' } }, { act: { target: 'second' } }])
    await recorder.dispose()
    await folder.dispose()
  })

  test('reads each page along the key from its cursor on, or by the index of words, and sorts nothing', async () => {
    const folder = await temporaryFolder()
    const store = await openSqliteStore({ dataDir: folder.path, onDamaged: () => undefined })
    await append20000(store)
    const thread = createSqliteThread()
    const { dialect } = openSqliteFile({ file: path.join(folder.path, 'history.db'), thread, synchronous: 'NORMAL' })
    const db = new Kysely<HistoryTables>({ dialect })
    for (const [filter, page] of pages) {
      const query = requestsPage({ history: db, matchesWords: matchesWordsInSqlite }, filter, page)
      const plan = await query.explain<{ detail: string }>(undefined, sql`query plan`)
      const steps = plan.map(({ detail }) => detail)
      const fromCursor = page.before !== undefined || filter.q !== undefined
      expect(steps[0], JSON.stringify(filter)).toMatch(
        fromCursor ? /^SEARCH hub_requests USING INTEGER PRIMARY KEY/ : /^SCAN hub_requests$/,
      )
      expect(steps.some((step) => /^SCAN hub_requests_text VIRTUAL TABLE INDEX/.test(step))).toBe(
        filter.q !== undefined,
      )
      expect(steps.join(), JSON.stringify(filter)).not.toContain('TEMP B-TREE')
    }
    await db.destroy()
    await store.close()
    await folder.dispose()
  })

  test('begins anew when the history is damaged, keeps the damaged file, and leaves the audit log alone', async () => {
    const folder = await temporaryFolder()
    const damaged: string[] = []
    const open = (): Promise<HistoryStore> =>
      openSqliteStore({ dataDir: folder.path, onDamaged: (file) => damaged.push(path.basename(file)) })
    const first = await open()
    await first.appendAudit([act()])
    await first.close()
    await writeFile(path.join(folder.path, 'history.db'), 'no database at all, but long enough to be taken for one')
    const second = await open()
    expect(await second.findRequests({}, { limit: 1 })).toEqual([])
    expect(await verifyChain(second.auditChain())).toMatchObject({ ok: true, entries: 1 })
    expect(damaged).toEqual(['history.db'])
    expect((await readdir(folder.path)).some((name) => name.startsWith('history.db.damaged-'))).toBe(true)
    await second.close()
    await folder.dispose()
  })

  test('stays below its number of bytes', async () => {
    const folder = await temporaryFolder()
    const store = await openSqliteStore({ dataDir: folder.path, onDamaged: () => undefined })
    const payload = 'x'.repeat(1_000)
    for (let round = 0; round < 20; round++)
      await store.appendRequests(
        Array.from({ length: 500 }, (_, index) => request({ name: `r${round}-${index}`, request: payload })),
        [],
      )
    await store.maintain({ ...limits, maxBytes: 4_000_000 }, NOON)
    const left = await store.findRequests({}, { limit: 500 })
    expect(left[0]?.name).toBe('r19-499')
    const database = new DatabaseSync(path.join(folder.path, 'history.db'))
    const [{ used }] = database
      .prepare(
        'SELECT (page_count - freelist_count) * page_size AS used FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()',
      )
      .all() as [{ used: number }]
    database.close()
    expect(used).toBeLessThan(4_200_000)
    expect(used).toBeGreaterThan(1_000_000)
    await store.close()
    await folder.dispose()
  })
})

describe('PostgreSQL alone', () => {
  test('reads of 20,000 requests a small part for each page', async () => {
    const subject = await postgresSubject()
    const store = await subject.open()
    await append20000(store)
    const connectionString = postgres.url.replace(/postgres$/, `test${databases}`)
    const db = new Kysely<HistoryTables>({
      dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString, max: 1 }) }),
    })
    await sql`ANALYZE hub_requests`.execute(db)
    for (const [filter, page] of pages) {
      const query = requestsPage({ history: db, matchesWords: matchesWordsInPostgres }, filter, page)
      const [explained] = await query.explain<{ 'QUERY PLAN': { Plan: PlanNode }[] }>('json', sql`analyze`)
      const read = rowsRead(explained!['QUERY PLAN'][0]!.Plan)
      expect(read, JSON.stringify(filter)).toBeGreaterThanOrEqual(page.limit)
      // One of a hundred failed: along the key the fiftieth of them is the 5,000th row.
      expect(read, JSON.stringify(filter)).toBeLessThanOrEqual(5_000)
    }
    await db.destroy()
    await store.close()
    await subject.dispose()
  })

  test('an act that the database refuses is left out and said, and those around it are kept', async () => {
    const subject = await postgresSubject()
    const said: [string, unknown][] = []
    const recorder = createRecorder({
      open: subject.open,
      limits: () => limits,
      payloads: () => ({ mode: 'off', maxBytes: 0, redactor: createRedactor() }),
      onBatch: () => undefined,
      onAppended: () => undefined,
      log: (_level, message, data) => said.push([message, data]),
    })
    const status = 3_000_000_000
    for (const each of [act({ target: 'before' }), act({ target: 'refused', status }), act({ target: 'after' })])
      recorder.audit(each)
    await recorder.flush(10_000)
    expect(recorder.failure).toBeNull()
    const store = await recorder.store()
    const kept = await store.findAudit({}, { limit: 5 })
    expect(kept.map(({ target }) => target)).toEqual(['after', 'before'])
    expect(await verifyChain(store.auditChain())).toMatchObject({ ok: true, entries: 2 })
    expect(said.filter(([message]) => message.includes('refuses'))).toMatchObject([
      [expect.any(String), { act: { target: 'refused' }, error: expect.stringContaining('out of range') as string }],
    ])
    await recorder.dispose()
  })

  test('keeps a request whose error has a code that no column holds, and those around it', async () => {
    const subject = await postgresSubject()
    const recorder = createRecorder({
      open: subject.open,
      limits: () => limits,
      payloads: () => ({ mode: 'off', maxBytes: 0, redactor: createRedactor() }),
      onBatch: () => undefined,
      onAppended: () => undefined,
      log: () => undefined,
    })
    for (const code of [-32_000, 99_999_999_999]) {
      const exchange = new Exchange('user:anna', '/mcp', null, 'tools/call', 10, null)
      exchange.failed({ code, message: 'no' }, 1)
      recorder.record(exchange, undefined, null)
    }
    await recorder.flush(10_000)
    const kept = await (await recorder.store()).findRequests({}, { limit: 5 })
    expect(kept.map(({ errorCode }) => errorCode)).toEqual([null, -32_000])
    await recorder.dispose()
  })

  test('keeps each day in a partition of its own, and drops whole days', async () => {
    const subject = await postgresSubject()
    const store = await subject.open()
    await store.appendRequests(
      [request({ at: NOON - 2 * DAY }), request({ at: NOON - DAY }), request({ at: NOON })],
      [],
    )
    const url = postgres.url.replace(/postgres$/, `test${databases}`)
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    const partitions = async (): Promise<string[]> =>
      (
        await client.query<{ name: string }>(
          `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'hub_requests'::regclass ORDER BY 1`,
        )
      ).rows.map(({ name }) => name)
    expect(await partitions()).toEqual(['hub_requests_20260518', 'hub_requests_20260519', 'hub_requests_20260520'])
    await store.maintain({ ...limits, maxDays: 1 }, NOON)
    expect(await partitions()).toEqual(['hub_requests_20260519', 'hub_requests_20260520'])
    // Late news of a day that is gone is taken all the same.
    await store.appendRequests([request({ at: NOON - 2 * DAY })], [])
    expect(await store.findRequests({}, { limit: 10 })).toHaveLength(3)
    await client.end()
    await store.close()
  })
})

interface PlanNode {
  Plans?: PlanNode[]
  'Relation Name'?: string
  'Actual Rows': number
  'Actual Loops': number
  'Rows Removed by Filter'?: number
}

/** How many rows of the table a query looked at. */
function rowsRead(node: PlanNode): number {
  const own =
    node['Relation Name'] === undefined
      ? 0
      : (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops']
  return (node.Plans ?? []).reduce((sum, inner) => sum + rowsRead(inner), own)
}
