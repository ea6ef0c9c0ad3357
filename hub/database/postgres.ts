import { PostgresDialect, Kysely, sql } from 'kysely'
import pg from 'pg'
import { migrate, type Migrations } from './migrate.ts'

/** Any numbers, the same in every hub: who holds the lock of its name does what only one may do at a time. */
export const LOCK = { audit: 7_203_001, partitions: 7_203_002, migrations: 7_203_003, config: 7_203_004 }

const QUERY_TIMEOUT_MS = 30_000
const IDLE_TIMEOUT_MS = 10_000

export interface PostgresOptions {
  url: string
  /** A connection broke. */
  onError: (error: Error) => void
}

/** Connections to PostgreSQL, with its tables brought to their newest form. */
export async function openPostgres<Tables>(
  { url, onError }: PostgresOptions,
  migrations: Migrations,
  max: number,
  queryTimeoutMs = QUERY_TIMEOUT_MS,
): Promise<Kysely<Tables>> {
  const types = new pg.TypeOverrides()
  // Times, counts and ids stay below 2^53.
  types.setTypeParser(pg.types.builtins.INT8, Number)
  const pool = new pg.Pool({
    connectionString: url,
    application_name: 'mcp-hub',
    max,
    connectionTimeoutMillis: 5_000,
    // A database that hangs must not look like one that answers.
    query_timeout: queryTimeoutMs,
    // Nor may a hub that hangs in a transaction hold up all others.
    idle_in_transaction_session_timeout: IDLE_TIMEOUT_MS,
    keepAlive: true,
    types,
  })
  // A connection that breaks tells so itself, whether somebody uses it or not; of the latter the pool tells too.
  pool.on('connect', (client) => client.on('error', onError))
  pool.on('error', () => undefined)
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })
  try {
    await migrate(db, migrations, (transaction) =>
      sql`SELECT pg_advisory_xact_lock(${LOCK.migrations})`.execute(transaction),
    )
    return db
  } catch (error) {
    await db.destroy()
    throw error
  }
}
