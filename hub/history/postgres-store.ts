import { sql } from 'kysely'
import type { Migrations } from '../database/migrate.ts'
import { LOCK, openPostgres, type PostgresOptions } from '../database/postgres.ts'
import { createKyselyStore, trafficInsert, type Engine } from './kysely-store.ts'
import { DAY_MS, makePartitionFunctions, openPartitions } from './postgres-partitions.ts'
import type { HistoryLimits, HistoryStore } from './store.ts'
import { requestColumns, requestValues, type AuditTables, type HistoryTables, type NewRequest } from './tables.ts'

/** SQLSTATE class 23: here only a row for whose day there is no partition, because another hub has just dropped it. */
const NO_PARTITION = '23514'

/** Cut as SQLite's index cuts it: letters and digits are words. The length is bounded because an index entry is. */
const searchVector = sql`to_tsvector('simple', left(regexp_replace(
  coalesce(server, '') || ' ' || method || ' ' || coalesce(name, '') || ' ' || coalesce(client, '') || ' ' || principal
  || ' ' || coalesce(error_message, '') || ' ' || coalesce(request, '') || ' ' || coalesce(response, ''),
  '[^[:alnum:]]+', ' ', 'g'), 200000))`

const migrations: Migrations = {
  '001-history': async (db) => {
    await sql`CREATE SEQUENCE hub_requests_id`.execute(db)
    await sql`CREATE TABLE hub_requests (
        id bigint NOT NULL DEFAULT nextval('hub_requests_id'), at bigint NOT NULL, duration_ms double precision NOT NULL,
        principal text NOT NULL, client text, endpoint text NOT NULL, server text, method text NOT NULL, name text,
        bytes_in bigint NOT NULL, bytes_out bigint NOT NULL, outcome text NOT NULL, error_code integer,
        error_message text, trace_id text, request text, response text,
        search tsvector GENERATED ALWAYS AS (${searchVector}) STORED,
        PRIMARY KEY (id, at)) PARTITION BY RANGE (at)`.execute(db)
    await sql`CREATE INDEX hub_requests_server ON hub_requests (server, id DESC)`.execute(db)
    await sql`CREATE INDEX hub_requests_principal ON hub_requests (principal, id DESC)`.execute(db)
    await sql`CREATE INDEX hub_requests_text ON hub_requests USING gin (search)`.execute(db)
    await sql`CREATE TABLE hub_traffic (
        step integer NOT NULL, at bigint NOT NULL, server text NOT NULL, client text NOT NULL, principal text NOT NULL,
        bucket integer NOT NULL, calls bigint NOT NULL, errors bigint NOT NULL, bytes_in bigint NOT NULL,
        bytes_out bigint NOT NULL, last_at bigint NOT NULL,
        PRIMARY KEY (step, at, server, client, principal, bucket))`.execute(db)
  },
  '002-audit': async (db) => {
    await sql`CREATE TABLE hub_audit (
        seq bigint PRIMARY KEY, at bigint NOT NULL, actor text NOT NULL, actor_name text NOT NULL, role text,
        address text, action text NOT NULL, target text, outcome text NOT NULL, status integer, details text,
        request_id text, hash text NOT NULL)`.execute(db)
  },
  '003-request-id': async (db) => {
    await sql`ALTER TABLE hub_requests ADD COLUMN request_id text`.execute(db)
  },
  '004-moments': async (db) => {
    await sql`ALTER TABLE hub_requests ADD COLUMN waited_ms double precision, ADD COLUMN sent_ms double precision,
      ADD COLUMN notified_ms double precision, ADD COLUMN replied_ms double precision,
      ADD COLUMN notifications integer`.execute(db)
  },
  '005-first-byte-and-client': async (db) => {
    await sql`ALTER TABLE hub_requests ADD COLUMN first_byte_ms double precision, ADD COLUMN asked_ms double precision,
      ADD COLUMN client_ms double precision`.execute(db)
  },
}

/** How each column of a request travels in the JSON of a batch. */
const columnTypes: Record<(typeof requestColumns)[number], string> = {
  at: 'bigint',
  duration_ms: 'double precision',
  principal: 'text',
  client: 'text',
  endpoint: 'text',
  server: 'text',
  method: 'text',
  name: 'text',
  bytes_in: 'bigint',
  bytes_out: 'bigint',
  outcome: 'text',
  error_code: 'integer',
  error_message: 'text',
  trace_id: 'text',
  request: 'text',
  response: 'text',
  request_id: 'text',
  waited_ms: 'double precision',
  sent_ms: 'double precision',
  notified_ms: 'double precision',
  replied_ms: 'double precision',
  notifications: 'integer',
  first_byte_ms: 'double precision',
  asked_ms: 'double precision',
  client_ms: 'double precision',
}

/** Brings the tables to their newest form, and makes what a role needs that does not own them. */
export async function migratePostgresStore(options: PostgresOptions): Promise<void> {
  const db = await openPostgres<HistoryTables & AuditTables>(options, migrations, 1)
  await makePartitionFunctions(db as never).finally(() => db.destroy())
}

/** History and audit in PostgreSQL, shared by several hubs: requests in one partition a day (UTC). */
export async function openPostgresStore(options: PostgresOptions): Promise<HistoryStore> {
  const db = await openPostgres<HistoryTables & AuditTables>(options, migrations, 4)
  const partitioned = await openPartitions(db as never).catch(async (error: unknown) => {
    await db.destroy()
    throw error
  })
  const known = new Set<number>()
  const columns = sql.join(requestColumns.map((column) => sql.ref(column)))
  const record = sql.raw(requestColumns.map((column) => `"${column}" ${columnTypes[column]}`).join(', '))

  async function ensurePartitions(requests: readonly NewRequest[]): Promise<void> {
    const days = new Set(requests.map(({ at }) => Math.floor(at / DAY_MS)))
    for (const day of days) {
      if (known.has(day)) continue
      await db.transaction().execute(async (transaction) => {
        await sql`SELECT pg_advisory_xact_lock(${LOCK.partitions})`.execute(transaction)
        await partitioned.add(transaction as never, day)
      })
      known.add(day)
    }
  }

  async function append(
    requests: Parameters<HistoryStore['appendRequests']>[0],
    traffic: Parameters<HistoryStore['appendRequests']>[1],
  ): Promise<void> {
    const json = JSON.stringify(
      requests.map((request) => {
        const values = requestValues(request)
        return Object.fromEntries(requestColumns.map((column, position) => [column, values[position]]))
      }),
    )
    const write = async (): Promise<void> => {
      await ensurePartitions(requests)
      await db.transaction().execute(async (transaction) => {
        await sql`INSERT INTO hub_requests (${columns}) SELECT ${columns} FROM json_to_recordset(${json}::json) AS row(${record})`.execute(
          transaction,
        )
        if (traffic.length > 0) await trafficInsert(transaction as never, traffic).execute()
      })
    }
    try {
      await write()
    } catch (error) {
      if ((error as { code?: string }).code !== NO_PARTITION) throw error
      known.clear()
      await write()
    }
  }

  interface Partition {
    day: number
    bytes: number
  }

  async function partitions(): Promise<Partition[]> {
    const { rows } = await sql<{ name: string; bytes: number }>`
      SELECT child.relname AS name, pg_total_relation_size(child.oid) AS bytes
      FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid
      WHERE inhparent = 'hub_requests'::regclass ORDER BY child.relname`.execute(db)
    return rows.map(({ name, bytes }) => {
      const [, year = '', month = '', date = ''] = /_(\d{4})(\d\d)(\d\d)$/.exec(name) ?? []
      return { bytes, day: Date.parse(`${year}-${month}-${date}`) / DAY_MS }
    })
  }

  /** Whole days go at once, which costs nothing; only what is over the number of rows is deleted row by row. */
  async function pruneRequests(limits: HistoryLimits, now: number): Promise<void> {
    const today = Math.floor(now / DAY_MS)
    await db.connection().execute(async (connection) => {
      const { rows } = await sql<{ mine: boolean }>`SELECT pg_try_advisory_lock(${LOCK.partitions}) AS mine`.execute(
        connection,
      )
      // Another hub is at it.
      if (rows[0]?.mine !== true) return
      try {
        const days = await partitions()
        let bytes = days.reduce((sum, partition) => sum + partition.bytes, 0)
        for (const { day, bytes: size } of days) {
          if (day >= today || (day >= today - limits.maxDays && bytes <= limits.maxBytes)) continue
          await partitioned.drop(connection as never, day)
          known.delete(day)
          bytes -= size
        }
        await sql`DELETE FROM hub_requests
          WHERE id <= (SELECT max(id) FROM hub_requests) - ${limits.maxRows}`.execute(connection)
      } finally {
        await sql`SELECT pg_advisory_unlock(${LOCK.partitions})`.execute(connection)
      }
    })
  }

  return createKyselyStore({
    history: db,
    audit: db,
    append,
    beforeSearch: () => Promise.resolve(),
    matchesWords,
    lockAudit: (transaction) => sql`SELECT pg_advisory_xact_lock(${LOCK.audit})`.execute(transaction),
    pruneRequests,
    close: () => db.destroy(),
  })
}

export const matchesWords: Engine['matchesWords'] = (beginnings) => {
  const query = beginnings.map((text) => `${text}:*`).join(' & ')
  return sql`search @@ to_tsquery('simple', ${query})`
}
