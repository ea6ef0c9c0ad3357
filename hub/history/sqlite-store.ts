import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Kysely, sql } from 'kysely'
import { putDamagedAside } from '../database/damaged-file.ts'
import { migrate, type Migrations } from '../database/migrate.ts'
import { auditReader, createKyselyStore, trafficInsert, type Engine } from './kysely-store.ts'
import { packRows } from './packed-rows.ts'
import { openSqliteFile } from './sqlite-dialect.ts'
import { createSqliteThread, type SqliteThread } from './sqlite-thread.ts'
import type { HistoryLimits, HistoryStore } from './store.ts'
import { requestColumns, requestValues, type AuditTables, type HistoryTables, type TrafficRow } from './tables.ts'

const DAY_MS = 86_400_000
/** Rows that one statement deletes or indexes, so that a reader never waits long for its turn. */
const CHUNK = 5_000
const INDEXED_PER_MAINTENANCE = 20_000

const historyMigrations: Migrations = {
  '001-history': async (db) => {
    // No further indexes: they would cost more at each call than they save at a search, which reads a bounded table.
    await sql`CREATE TABLE hub_requests (
        id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, duration_ms REAL NOT NULL, principal TEXT NOT NULL,
        client TEXT, endpoint TEXT NOT NULL, server TEXT, method TEXT NOT NULL, name TEXT, bytes_in INTEGER NOT NULL,
        bytes_out INTEGER NOT NULL, outcome TEXT NOT NULL, error_code INTEGER, error_message TEXT, trace_id TEXT,
        request TEXT, response TEXT) STRICT`.execute(db)
    // It holds no text of its own, only where each word occurs.
    await sql`CREATE VIRTUAL TABLE hub_requests_text USING fts5 (
        text, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 0')`.execute(db)
    await sql`CREATE TABLE hub_traffic (
        step INTEGER NOT NULL, at INTEGER NOT NULL, server TEXT NOT NULL, client TEXT NOT NULL, principal TEXT NOT NULL,
        bucket INTEGER NOT NULL, calls INTEGER NOT NULL, errors INTEGER NOT NULL, bytes_in INTEGER NOT NULL,
        bytes_out INTEGER NOT NULL, last_at INTEGER NOT NULL,
        PRIMARY KEY (step, at, server, client, principal, bucket)) STRICT, WITHOUT ROWID`.execute(db)
  },
  '002-request-id': async (db) => {
    await sql`ALTER TABLE hub_requests ADD COLUMN request_id TEXT`.execute(db)
  },
  '003-moments': async (db) => {
    for (const column of ['waited_ms', 'sent_ms', 'notified_ms', 'replied_ms'])
      await sql`ALTER TABLE hub_requests ADD COLUMN ${sql.id(column)} REAL`.execute(db)
    await sql`ALTER TABLE hub_requests ADD COLUMN notifications INTEGER`.execute(db)
  },
  '004-first-byte-and-client': async (db) => {
    for (const column of ['first_byte_ms', 'asked_ms', 'client_ms'])
      await sql`ALTER TABLE hub_requests ADD COLUMN ${sql.id(column)} REAL`.execute(db)
  },
}

const auditMigrations: Migrations = {
  '001-audit': async (db) => {
    await sql`CREATE TABLE hub_audit (
        seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, actor TEXT NOT NULL, actor_name TEXT NOT NULL, role TEXT,
        address TEXT, action TEXT NOT NULL, target TEXT, outcome TEXT NOT NULL, status INTEGER, details TEXT,
        request_id TEXT, hash TEXT NOT NULL) STRICT`.execute(db)
  },
}

export interface SqliteStoreOptions {
  dataDir: string
  /** Told when a damaged file was put aside and an empty one begun. */
  onDamaged: (file: string, asideAs: string, message: string) => void
}

/** History in `history.db`, the audit log in `audit.db`: the loss of the one must not be that of the other. */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<HistoryStore> {
  const thread = createSqliteThread()
  const [history, audit] = await Promise.all([
    open<HistoryTables>('history.db', 'NORMAL', historyMigrations, thread, options),
    open<AuditTables>('audit.db', 'FULL', auditMigrations, thread, options),
  ])
  const { db } = history
  const insertSql = `INSERT INTO hub_requests (${requestColumns.join(', ')}) VALUES (${requestColumns.map(() => '?').join(', ')})`
  const trafficColumns = [
    'step',
    'at',
    'server',
    'client',
    'principal',
    'bucket',
    'calls',
    'errors',
    'bytes_in',
    'bytes_out',
    'last_at',
  ] as const
  const sample = Object.fromEntries(trafficColumns.map((column) => [column, 0])) as unknown as TrafficRow
  const trafficSql = trafficInsert(db, [sample]).compile().sql

  /** Indexes what was appended since; returns whether anything is left to do. */
  async function index(): Promise<boolean> {
    const { numAffectedRows } = await sql`
      INSERT INTO hub_requests_text (rowid, text)
      SELECT id, concat_ws(' ', server, method, name, client, principal, error_message, request, response)
      FROM hub_requests WHERE id > (SELECT coalesce(max(id), 0) FROM hub_requests_text_docsize)
      ORDER BY id LIMIT ${CHUNK}`.execute(db)
    return Number(numAffectedRows ?? 0) === CHUNK
  }

  async function deleteThrough(id: number): Promise<void> {
    for (;;) {
      const oldest = await db.selectFrom('hub_requests').select('id').orderBy('id').limit(1).executeTakeFirst()
      if (oldest === undefined || oldest.id > id) return
      const last = Math.min(id, oldest.id + CHUNK)
      await sql`DELETE FROM hub_requests_text WHERE rowid <= ${last}`.execute(db)
      await db.deleteFrom('hub_requests').where('id', '<=', last).execute()
    }
  }

  async function sizes(): Promise<{ used: number; free: number }> {
    const { rows } = await sql<{ used: number; free: number }>`
      SELECT (page_count - freelist_count) * page_size AS used, freelist_count * page_size AS free
      FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()`.execute(db)
    return rows[0] ?? { used: 0, free: 0 }
  }

  async function pruneRequests(limits: HistoryLimits, now: number): Promise<void> {
    const edge = async (order: 'asc' | 'desc'): Promise<number> =>
      (await db.selectFrom('hub_requests').select('id').orderBy('id', order).limit(1).executeTakeFirst())?.id ?? 0
    await deleteThrough((await edge('desc')) - limits.maxRows)
    const young = await db
      .selectFrom('hub_requests')
      .select('id')
      .where('at', '>=', now - limits.maxDays * DAY_MS)
      .orderBy('id')
      .limit(1)
      .executeTakeFirst()
    await deleteThrough(young === undefined ? await edge('desc') : young.id - 1)
    const { used } = await sizes()
    if (used > limits.maxBytes) {
      const [first, last] = [await edge('asc'), await edge('desc')]
      // A tenth more than needed, so that the next calls do not bring it back at once.
      await deleteThrough(first + Math.ceil((last - first + 1) * (1 - (0.9 * limits.maxBytes) / used)) - 1)
    }
    // What later rows take up again may stay; giving all of it back each time would only be work.
    const { free } = await sizes()
    if (free > 4_194_304 && free > limits.maxBytes / 4) await sql`PRAGMA incremental_vacuum`.execute(db)
    for (let done = 0; done < INDEXED_PER_MAINTENANCE && (await index()); done += CHUNK);
  }

  return createKyselyStore({
    history: db,
    audit: audit.db,
    append: (requests, traffic) =>
      history.batch([
        { sql: insertSql, rows: packRows(requests.map(requestValues), requestColumns.length) },
        {
          sql: trafficSql,
          rows: packRows(
            traffic.map((row) => trafficColumns.map((column) => row[column])),
            trafficColumns.length,
          ),
        },
      ]),
    beforeSearch: async () => {
      while (await index());
    },
    matchesWords,
    lockAudit: () => Promise.resolve(),
    pruneRequests,
    close: async () => {
      await Promise.all([db.destroy(), audit.db.destroy()])
    },
  })
}

/** The audit log of a data folder, also beside its hub, to be read as it is: nothing is migrated or put aside. Null without one. */
export function openSqliteAudit(
  dataDir: string,
): (Pick<HistoryStore, 'findAudit' | 'auditChain'> & { close: () => Promise<void> }) | null {
  const file = join(dataDir, 'audit.db')
  if (!existsSync(file)) return null
  const { dialect } = openSqliteFile({ file, synchronous: 'FULL', thread: createSqliteThread() })
  const db = new Kysely<AuditTables>({ dialect })
  return { ...auditReader(db), close: () => db.destroy() }
}

export const matchesWords: Engine['matchesWords'] = (beginnings) => {
  const query = beginnings.map((text) => `"${text}"*`).join(' ')
  return sql`id IN (SELECT rowid FROM hub_requests_text WHERE hub_requests_text MATCH ${query})`
}

async function open<T>(
  name: string,
  synchronous: 'NORMAL' | 'FULL',
  migrations: Migrations,
  thread: SqliteThread,
  options: SqliteStoreOptions,
): Promise<{ db: Kysely<T>; batch: ReturnType<typeof openSqliteFile>['batch'] }> {
  const file = join(options.dataDir, name)
  // A log that is left over means that the hub did not end by itself; only then is the whole file read to check it.
  const unclean = existsSync(`${file}-wal`) && statSync(`${file}-wal`).size > 0
  const attempt = async (check: boolean) => {
    const { dialect, batch } = openSqliteFile({ file, synchronous, thread })
    const db = new Kysely<T>({ dialect })
    try {
      if (check) {
        const { rows } = await sql<{ quick_check: string }>`PRAGMA quick_check(1)`.execute(db)
        if (rows[0]?.quick_check !== 'ok') throw new Error(`malformed: ${rows[0]?.quick_check ?? 'no answer'}`)
      }
      await migrate(db, migrations, () => Promise.resolve())
      return { db, batch }
    } catch (error) {
      await db.destroy()
      throw error
    }
  }
  try {
    return await attempt(unclean)
  } catch (error) {
    const aside = putDamagedAside(file, error)
    if (aside === null) throw error
    options.onDamaged(file, aside, error instanceof Error ? error.message : String(error))
    return attempt(false)
  }
}
