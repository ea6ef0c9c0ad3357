import { Worker } from 'node:worker_threads'
import {
  CompiledQuery,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type DatabaseConnection,
  type Dialect,
  type QueryResult,
} from 'kysely'

/**
 * SQLite as Node brings it (`node:sqlite`, no native module), for Kysely. Its calls block, and a checkpoint waits for the
 * disk: so the file is opened in a thread of its own, started by the first query and ended when there was none for a while.
 */

type Value = string | number | null
type Job = { sql: string; parameters: readonly unknown[] } | { batch: readonly Batch[] }
type Answer = { rows: Record<string, Value>[]; changes: number } | { error: string }

/** One statement that is run for each of the rows. */
export interface Batch {
  sql: string
  /** JSON of an array of rows, each an array of parameters: cheaper to hand over than objects. */
  rows: string
}

export interface SqliteFile {
  readonly dialect: Dialect
  /** Runs all of it in one transaction. */
  batch: (statements: readonly Batch[]) => Promise<void>
}

export interface SqliteOptions {
  file: string
  /** `FULL` outlasts a power cut, `NORMAL` loses the last moments of it; neither loses anything when the hub is killed. */
  synchronous: 'NORMAL' | 'FULL'
  /** Runs when the file is opened: settings of the connection, not of the file. */
  onOpen?: readonly string[]
  idleMs?: number
}

/** The thread. It is handed over as text, so it may use nothing from outside; then it needs no file beside a bundle or in an archive. */
function serve(): void {
  const threads = process.getBuiltinModule('node:worker_threads')
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite')
  const { parentPort } = threads
  const { file, setup } = threads.workerData as { file: string; setup: string[] }
  const database = new DatabaseSync(file, { timeout: 5_000 })
  for (const statement of setup) database.exec(statement)
  const statements = new Map<string, ReturnType<typeof database.prepare>>()

  function prepare(sql: string): ReturnType<typeof database.prepare> {
    let statement = statements.get(sql)
    if (statement === undefined) {
      if (statements.size > 100) statements.clear()
      statement = database.prepare(sql)
      statements.set(sql, statement)
    }
    return statement
  }

  function run(job: Job): Answer {
    if ('batch' in job) {
      database.exec('BEGIN IMMEDIATE')
      try {
        for (const { sql, rows } of job.batch) {
          const statement = prepare(sql)
          for (const row of JSON.parse(rows) as Value[][]) statement.run(...row)
        }
        database.exec('COMMIT')
      } catch (error) {
        if (database.isTransaction) database.exec('ROLLBACK')
        throw error
      }
      return { rows: [], changes: 0 }
    }
    const statement = prepare(job.sql)
    if (statement.columns().length > 0)
      return { rows: statement.all(...(job.parameters as Value[])) as Record<string, Value>[], changes: 0 }
    return { rows: [], changes: Number(statement.run(...(job.parameters as Value[])).changes) }
  }

  parentPort?.on('message', (job: Job | null) => {
    if (job === null) {
      database.close()
      parentPort.close()
      return
    }
    try {
      parentPort.postMessage(run(job))
    } catch (error) {
      parentPort.postMessage({ error: error instanceof Error ? error.message : String(error) })
    }
  })
}

const IDLE_MS = 60_000

export function openSqliteFile(options: SqliteOptions): SqliteFile {
  const setup = [
    'PRAGMA auto_vacuum = INCREMENTAL',
    'PRAGMA journal_mode = WAL',
    `PRAGMA synchronous = ${options.synchronous}`,
    'PRAGMA journal_size_limit = 16777216',
    ...(options.onOpen ?? []),
  ]
  let thread: { worker: Worker; exited: Promise<unknown> } | null = null
  let waiting: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | null = null
  let idle: NodeJS.Timeout | null = null
  let closed = false
  /** There is one connection: who has it, has it alone, so that nothing gets into another's transaction. */
  let turn: Promise<unknown> = Promise.resolve()
  let release: () => void = () => undefined

  function start(): Worker {
    const worker = new Worker(`(${serve.toString()})()`, {
      eval: true,
      name: 'sqlite',
      workerData: { file: options.file, setup },
      // It holds no more than one batch or one page of rows.
      resourceLimits: { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 128 },
      env: {},
      execArgv: [],
    })
    const exited = new Promise((resolve) => worker.once('exit', resolve))
    thread = { worker, exited }
    const lost = (error: Error): void => {
      if (thread?.worker === worker) thread = null
      waiting?.reject(error)
      waiting = null
    }
    worker.on('message', (answer: Answer) => {
      worker.unref()
      waiting?.resolve(answer)
      waiting = null
    })
    worker.on('error', lost)
    void exited.then(() => lost(new Error('The database thread ended')))
    return worker
  }

  /** Ends the thread; the next query starts another. */
  async function end(): Promise<void> {
    if (thread === null) return
    const { worker, exited } = thread
    thread = null
    worker.ref()
    worker.postMessage(null)
    await exited
  }

  async function ask(job: Job): Promise<{ rows: Record<string, Value>[]; changes: number }> {
    if (closed) throw new Error('The database is closed')
    const worker = thread?.worker ?? start()
    worker.ref()
    const answer = await new Promise<Answer>((resolve, reject) => {
      waiting = { resolve, reject }
      worker.postMessage(job)
    })
    if ('error' in answer) throw new Error(answer.error)
    return answer
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
