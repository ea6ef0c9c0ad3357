import { DatabaseSync } from 'node:sqlite'
import { steadyNow } from '../clock.ts'
import { putDamagedAside } from '../database/damaged-file.ts'
import { HubError } from '../hub-error.ts'
import { say } from '../say.ts'
import type { Cluster, Limiter, LimiterPolicy, Notes, SessionRecord, SessionStore } from './cluster.ts'
import { memoryLimiter } from './memory-limiter.ts'

const SCHEMA = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS sessions (
    id TEXT PRIMARY KEY, user TEXT NOT NULL, stamp TEXT NOT NULL, secret TEXT NOT NULL, generation INTEGER NOT NULL,
    createdAt INTEGER NOT NULL, usedAt INTEGER NOT NULL, idleEndsAt INTEGER NOT NULL, endsAt INTEGER NOT NULL,
    address TEXT NOT NULL, userAgent TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS sessions_user ON sessions (user);
  CREATE TABLE IF NOT EXISTS counters (key TEXT PRIMARY KEY, points INTEGER NOT NULL, endsAt INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS notes (kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (kind, key)) STRICT;
`
const SWEEP_MS = 10 * 60_000
/** So often it is asked whether another process wrote: a counter in memory, which no disk is read for. */
const LISTEN_MS = 1_000

export interface LocalClusterOptions {
  now?: () => number
  steady?: () => number
  /** The file could not be read: it is there under another name, and an empty one has taken its place. */
  onDamaged?: (aside: string, error: unknown) => void
  /** What went wrong in what is done by itself, and is tried again; told once for each time that it does. */
  onFault?: (error: unknown) => void
}

/**
 * One machine: an SQLite file that several hub processes may share, or `:memory:`. Sessions end by the time of day (`now`); limits
 * and lockouts last as long as they should, whoever sets the clock meanwhile (`steady`). Throws HUB_STORE_UNAVAILABLE,
 * as all that it opens rejects with it, where the file cannot be read or written.
 */
export function openLocalCluster(file: string, options: LocalClusterOptions = {}): Cluster {
  const { now = Date.now, steady = steadyNow, onDamaged = () => undefined, onFault = () => undefined } = options
  const db = openAnyhow(file, onDamaged)
  let isFailing = false
  /** Nobody would catch what is thrown in a timer: it would end the hub. */
  const tried = (work: () => void) => (): void => {
    try {
      work()
      isFailing = false
    } catch (error) {
      if (!isFailing) onFault(error)
      isFailing = true
    }
  }
  const sweep = tried(() => {
    db.prepare('DELETE FROM sessions WHERE min(idleEndsAt, endsAt) <= ?').run(now())
    db.prepare('DELETE FROM counters WHERE endsAt <= ?').run(steady())
  })
  sweep()
  const sweeper = setInterval(sweep, SWEEP_MS).unref()

  // Grows with what other connections commit: https://www.sqlite.org/pragma.html#pragma_data_version
  const dataVersion = db.prepare('PRAGMA data_version')
  const read = (): unknown => dataVersion.get()?.['data_version']
  let known = read()
  const listen = tried(() => {
    const now = read()
    if (now === known) return
    known = now
    cluster.onRevoked?.()
  })
  const listener = setInterval(listen, LISTEN_MS).unref()

  const cluster: Cluster = {
    onRevoked: null,
    clientSessions: null,
    sessions: explained(file, sqliteSessions(db, now)),
    notes: (kind) => explained(file, sqliteNotes(db, kind)),
    limiter: (policy) =>
      policy.kind === 'lockout' ? explained(file, sqliteLimiter(db, policy, steady)) : memoryLimiter(policy, steady),
    dispose: () => {
      clearInterval(sweeper)
      clearInterval(listener)
      db.close()
      return Promise.resolve()
    },
  }
  return cluster
}

function openFile(file: string): DatabaseSync {
  // Before the first statement: to turn on the log, too, needs the file for a moment, which another hub may have.
  const db = new DatabaseSync(file, { timeout: 5_000 })
  try {
    db.exec(SCHEMA)
    const answer = String(db.prepare('PRAGMA quick_check(1)').get()?.['quick_check'])
    if (answer !== 'ok') throw new Error(`malformed: ${answer}`)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

function openAnyhow(file: string, onDamaged: (aside: string, error: unknown) => void): DatabaseSync {
  try {
    return openFile(file)
  } catch (error) {
    const aside = putDamagedAside(file, error)
    if (aside === null) throw unavailable(file, error)
    onDamaged(aside, error)
    return openFile(file)
  }
}

/** The same part, which says what SQLite has against the file as the hub says such things. */
function explained<T extends object>(file: string, part: T): T {
  const methods = Object.entries(part as Record<string, (...given: unknown[]) => unknown>)
  return Object.fromEntries(
    methods.map(([name, method]) => [
      name,
      async (...given: unknown[]) => {
        try {
          return await method(...given)
        } catch (error) {
          throw unavailable(file, error)
        }
      },
    ]),
  ) as T
}

function unavailable(file: string, error: unknown): HubError {
  const why = error instanceof Error ? error.message : String(error)
  return new HubError('HUB_STORE_UNAVAILABLE', say`${file} cannot be used: ${why}`, {
    cure: say`Give its disk some space, and the hub’s user the right to write there; API keys and MCP_HUB_TOKEN go on working.`,
  })
}

/** node:sqlite answers at once; the promises are for the other store. */
function sqliteSessions(db: DatabaseSync, now: () => number): SessionStore {
  const live = 'min(idleEndsAt, endsAt) > :now'
  const findLive = db.prepare(`SELECT * FROM sessions WHERE id = :id AND ${live}`)
  const find = (id: string): SessionRecord | null =>
    (findLive.get({ id, now: now() }) as SessionRecord | undefined) ?? null
  const remove = db.prepare('DELETE FROM sessions WHERE id = ?')
  const exchange = db.prepare(
    'UPDATE sessions SET generation = generation + 1, usedAt = :now, idleEndsAt = :idleEndsAt WHERE id = :id AND generation = :generation RETURNING generation',
  )
  return {
    open: (session) => {
      const columns = Object.keys(session)
      db.prepare(`INSERT INTO sessions (${columns.join(', ')}) VALUES (:${columns.join(', :')})`).run({ ...session })
      return Promise.resolve()
    },
    find: (id) => Promise.resolve(find(id)),
    rotate: (id, generation, { leewayMs, idleMs }) => {
      const session = find(id)
      if (session === null) return Promise.resolve({ outcome: 'unknown' })
      // The condition on the generation lets one of several processes win.
      const next = exchange.get({ id, generation, now: now(), idleEndsAt: now() + idleMs })
      if (next !== undefined) return Promise.resolve({ outcome: 'rotated', generation: generation + 1 })
      const current = find(id)
      if (current !== null && generation === current.generation - 1 && now() - current.usedAt <= leewayMs)
        return Promise.resolve({ outcome: 'repeated', generation: current.generation })
      remove.run(id)
      return Promise.resolve({ outcome: 'reused' })
    },
    list: (user) => {
      const rows =
        user === null
          ? db.prepare(`SELECT * FROM sessions WHERE ${live} ORDER BY usedAt DESC`).all({ now: now() })
          : db
              .prepare(`SELECT * FROM sessions WHERE user = :user AND ${live} ORDER BY usedAt DESC`)
              .all({ user, now: now() })
      return Promise.resolve(rows as unknown as SessionRecord[])
    },
    revoke: (id) => Promise.resolve(remove.run(id).changes > 0),
    revokeUser: (user, except = '') =>
      Promise.resolve(Number(db.prepare('DELETE FROM sessions WHERE user = ? AND id <> ?').run(user, except).changes)),
  }
}

function sqliteNotes(db: DatabaseSync, kind: string): Notes {
  return {
    put: (entries) => {
      const write = db.prepare('INSERT OR REPLACE INTO notes (kind, key, value) VALUES (?, ?, ?)')
      // One transaction waits for the disk once.
      db.exec('BEGIN')
      try {
        for (const [key, value] of entries) write.run(kind, key, value)
        db.exec('COMMIT')
      } catch (error) {
        // Else what others write would wait in it with these, and be lost with them.
        if (db.isTransaction) db.exec('ROLLBACK')
        throw error
      }
      return Promise.resolve()
    },
    read: () => {
      const rows = db.prepare('SELECT key, value FROM notes WHERE kind = ?').all(kind)
      return Promise.resolve(new Map(rows.map(({ key, value }) => [String(key), String(value)])))
    },
    get: (key) => {
      const row = db.prepare('SELECT value FROM notes WHERE kind = ? AND key = ?').get(kind, key)
      return Promise.resolve(row === undefined ? null : String(row['value']))
    },
    delete: (key) => {
      db.prepare('DELETE FROM notes WHERE kind = ? AND key = ?').run(kind, key)
      return Promise.resolve()
    },
  }
}

function sqliteLimiter(db: DatabaseSync, policy: LimiterPolicy, now: () => number): Limiter {
  const add = db.prepare(`
    INSERT INTO counters (key, points, endsAt) VALUES (:key, :points, :endsAt)
    ON CONFLICT (key) DO UPDATE SET
      points = CASE WHEN endsAt <= :now THEN excluded.points ELSE points + excluded.points END,
      endsAt = CASE WHEN endsAt <= :now THEN excluded.endsAt ELSE endsAt END
    RETURNING points, endsAt`)
  const read = db.prepare('SELECT points, endsAt FROM counters WHERE key = :key AND endsAt > :now')
  const remove = db.prepare('DELETE FROM counters WHERE key = ?')
  const keyOf = (key: string): string => `${policy.name} ${key}`
  const taken = (row: { points: number; endsAt: number } | undefined) => ({
    passed: (row?.points ?? 0) <= policy.points,
    taken: row?.points ?? 0,
    left: Math.max(0, policy.points - (row?.points ?? 0)),
    resetMs: row === undefined ? 0 : row.endsAt - now(),
  })
  return {
    take: (key, points = 1) =>
      Promise.resolve(
        taken(
          add.get({ key: keyOf(key), points, now: now(), endsAt: now() + policy.durationMs }) as {
            points: number
            endsAt: number
          },
        ),
      ),
    peek: (key) =>
      Promise.resolve(
        taken(read.get({ key: keyOf(key), now: now() }) as { points: number; endsAt: number } | undefined),
      ),
    clear: (key) => {
      remove.run(keyOf(key))
      return Promise.resolve()
    },
  }
}
