import {
  CompiledQuery,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type DatabaseConnection,
  type Dialect,
  type QueryResult,
} from 'kysely'
import type { Batch, Job, Rows, SqliteThread } from './sqlite-thread.ts'

/** A file of SQLite for Kysely. It is closed when there was no query for a while. */
export interface SqliteFile {
  readonly dialect: Dialect
  /** Runs all of it in one transaction. */
  batch: (statements: readonly Batch[]) => Promise<void>
}

export interface SqliteOptions {
  file: string
  thread: SqliteThread
  /** `FULL` outlasts a power cut, `NORMAL` loses the last moments of it; neither loses anything when the hub is killed. */
  synchronous: 'NORMAL' | 'FULL'
  /** Runs when the file is opened: settings of the connection, not of the file. */
  onOpen?: readonly string[]
  idleMs?: number
}

const IDLE_MS = 60_000

export function openSqliteFile(options: SqliteOptions): SqliteFile {
  const statements = [
    'PRAGMA auto_vacuum = INCREMENTAL',
    'PRAGMA journal_mode = WAL',
    `PRAGMA synchronous = ${options.synchronous}`,
    'PRAGMA journal_size_limit = 16777216',
    ...(options.onOpen ?? []),
  ]
  const setup = { file: options.file, statements }
  let idle: NodeJS.Timeout | null = null
  let closed = false
  /** There is one connection: who has it, has it alone, so that nothing gets into another's transaction. */
  let turn: Promise<unknown> = Promise.resolve()
  let release: () => void = () => undefined

  const end = (): Promise<void> => options.thread.close(options.file)

  async function ask(job: Job): Promise<Rows> {
    if (closed) throw new Error('The database is closed')
    return options.thread.ask(setup, job)
  }

  async function acquire(): Promise<DatabaseConnection> {
    const before = turn
    let done: () => void = () => undefined
    turn = new Promise<void>((resolve) => (done = resolve))
    await before
    if (idle !== null) clearTimeout(idle)
    idle = null
    release = () => {
      idle = setTimeout(() => {
        turn = turn.then(end)
      }, options.idleMs ?? IDLE_MS).unref()
      done()
    }
    return connection
  }

  const connection: DatabaseConnection = {
    executeQuery: async <R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> => {
      const { rows, changes } = await ask({ sql, parameters })
      return { rows: rows as R[], numAffectedRows: BigInt(changes) }
    },
    // Readers page by key instead: an open cursor would keep the file's log from being emptied.
    streamQuery: () => {
      throw new Error('Streaming is not supported: read page by page')
    },
  }
  const raw = async (sql: string): Promise<void> => {
    await connection.executeQuery(CompiledQuery.raw(sql))
  }

  return {
    dialect: {
      createAdapter: () => new SqliteAdapter(),
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new SqliteQueryCompiler(),
      createDriver: () => ({
        init: () => Promise.resolve(),
        acquireConnection: acquire,
        releaseConnection: () => {
          release()
          return Promise.resolve()
        },
        beginTransaction: () => raw('BEGIN IMMEDIATE'),
        commitTransaction: () => raw('COMMIT'),
        rollbackTransaction: () => raw('ROLLBACK'),
        destroy: async () => {
          await turn
          if (idle !== null) clearTimeout(idle)
          closed = true
          await end()
        },
      }),
    },
    batch: async (statements) => {
      await acquire()
      try {
        await ask({ batch: statements })
      } finally {
        release()
      }
    },
  }
}
