import { cachedDataVersionTag, setFlagsFromString } from 'node:v8'
import { Worker } from 'node:worker_threads'
import { createIdleMemory, type IdleMemory } from '../idle-memory.ts'
import type { PackedRows } from './packed-rows.ts'

/**
 * SQLite as Node brings it (`node:sqlite`, no native module). Its calls block, and a checkpoint waits for the disk: so files
 * are opened in a thread, one for all of them because each costs ten megabytes. It is started by the first query.
 */

type Value = string | number | null
export type Job = { sql: string; parameters: readonly unknown[] } | { batch: readonly Batch[] }
export interface Rows {
  rows: Record<string, Value>[]
  changes: number
}
type Answer = Rows | { error: string }

/** One statement that is run for each of the rows. */
export interface Batch {
  sql: string
  rows: PackedRows
}

export interface SqliteSetup {
  file: string
  /** Run when the file is opened. */
  statements: readonly string[]
}

export interface SqliteThread {
  /** One question at a time for each file. */
  ask: (setup: SqliteSetup, job: Job) => Promise<Rows>
  /** Closes the file; the thread ends with the last one. */
  close: (file: string) => Promise<void>
}

interface Message {
  setup: SqliteSetup
  /** Null closes the file. */
  job: Job | null
}

/** The thread. It is handed over as text, so it may use nothing from outside; then it needs no file beside a bundle or in an archive. */
function serve(memory: IdleMemory): void {
  const { parentPort } = process.getBuiltinModule('node:worker_threads')
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite')
  type Database = InstanceType<typeof DatabaseSync>
  const open = new Map<string, { database: Database; statements: Map<string, ReturnType<Database['prepare']>> }>()

  function databaseOf({ file, statements }: SqliteSetup) {
    const known = open.get(file)
    if (known !== undefined) return known
    const database = new DatabaseSync(file, { timeout: 5_000 })
    try {
      for (const statement of statements) database.exec(statement)
    } catch (error) {
      database.close()
      throw error
    }
    const made = { database, statements: new Map<string, ReturnType<Database['prepare']>>() }
    open.set(file, made)
    return made
  }

  function prepare(
    { database, statements }: ReturnType<typeof databaseOf>,
    sql: string,
  ): ReturnType<Database['prepare']> {
    let statement = statements.get(sql)
    if (statement === undefined) {
      if (statements.size > 100) statements.clear()
      statement = database.prepare(sql)
      statements.set(sql, statement)
    }
    return statement
  }

  function insert(statement: ReturnType<Database['prepare']>, { columns, cells, isText, texts }: PackedRows): void {
    for (let at = 0; at < cells.length; at += columns) {
      const row: Value[] = []
      for (let column = 0; column < columns; column++) {
        const cell = cells[at + column] ?? Number.NaN
        row.push(Number.isNaN(cell) ? null : isText[column] === true ? (texts[cell] ?? null) : cell)
      }
      statement.run(...row)
    }
    memory.worked(cells.length / columns)
  }

  function run(setup: SqliteSetup, job: Job): Answer {
    const opened = databaseOf(setup)
    const { database } = opened
    if ('batch' in job) {
      database.exec('BEGIN IMMEDIATE')
      try {
        for (const { sql, rows } of job.batch) insert(prepare(opened, sql), rows)
        database.exec('COMMIT')
      } catch (error) {
        if (database.isTransaction) database.exec('ROLLBACK')
        throw error
      }
      return { rows: [], changes: 0 }
    }
    const statement = prepare(opened, job.sql)
    if (statement.columns().length > 0)
      return { rows: statement.all(...(job.parameters as Value[])) as Record<string, Value>[], changes: 0 }
    return { rows: [], changes: Number(statement.run(...(job.parameters as Value[])).changes) }
  }

  parentPort?.on('message', ({ setup, job }: Message) => {
    let answer: Answer = { rows: [], changes: 0 }
    try {
      if (job !== null) answer = run(setup, job)
      else {
        open.get(setup.file)?.database.close()
        open.delete(setup.file)
      }
    } catch (error) {
      answer = { error: error instanceof Error ? error.message : String(error) }
    }
    parentPort.postMessage({ file: setup.file, answer })
    memory.worked(0)
    if (job === null && open.size === 0) parentPort.close()
  })
}

/**
 * Has `gc` in a thread that is made now, where the launcher wanted it in the process: `server.ts` took the flag back. What is
 * returned does so again, once.
 */
function exposeCollector(): () => void {
  const without = cachedDataVersionTag()
  if (globalThis.gc !== undefined) setFlagsFromString('--expose-gc')
  let exposed = cachedDataVersionTag() !== without
  return () => {
    if (exposed) setFlagsFromString('--no-expose-gc')
    exposed = false
  }
}

export function createSqliteThread(): SqliteThread {
  let thread: { worker: Worker; exited: Promise<unknown> } | null = null
  const waiting = new Map<string, { resolve: (answer: Answer) => void; reject: (error: Error) => void }>()
  const open = new Set<string>()

  function start(): { worker: Worker; exited: Promise<unknown> } {
    const made = exposeCollector()
    const worker = new Worker(`(${serve.toString()})((${createIdleMemory.toString()})())`, {
      eval: true,
      name: 'sqlite',
      // It holds no more than one batch or one page of rows.
      resourceLimits: { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 128 },
      env: {},
      execArgv: [],
    })
    for (const event of ['online', 'exit']) worker.once(event, made)
    const exited = new Promise((resolve) => worker.once('exit', resolve))
    const lost = (error: Error): void => {
      if (thread?.worker !== worker) return
      thread = null
      open.clear()
      for (const { reject } of waiting.values()) reject(error)
      waiting.clear()
    }
    worker.on('message', ({ file, answer }: { file: string; answer: Answer }) => {
      waiting.get(file)?.resolve(answer)
      waiting.delete(file)
      // One that was told to end is waited for: a program with nothing else to do would end in the middle of that.
      if (waiting.size === 0 && thread?.worker === worker) worker.unref()
    })
    worker.on('error', lost)
    void exited.then(() => lost(new Error('The database thread ended')))
    return { worker, exited }
  }

  async function send(worker: Worker, message: Message): Promise<Rows> {
    worker.ref()
    const transferred =
      message.job !== null && 'batch' in message.job ? message.job.batch.map(({ rows }) => rows.cells.buffer) : []
    const answer = await new Promise<Answer>((resolve, reject) => {
      waiting.set(message.setup.file, { resolve, reject })
      worker.postMessage(message, transferred)
    })
    if ('error' in answer) throw new Error(answer.error)
    return answer
  }

  return {
    ask: (setup, job) => {
      thread ??= start()
      open.add(setup.file)
      return send(thread.worker, { setup, job })
    },
    close: async (file) => {
      if (thread === null || !open.delete(file)) return
      const { worker, exited } = thread
      // What is asked from now on goes to a new one.
      if (open.size === 0) thread = null
      const closed = send(worker, { setup: { file, statements: [] }, job: null })
      await (thread?.worker === worker ? closed : Promise.all([Promise.race([closed, exited]), exited]))
    },
  }
}
