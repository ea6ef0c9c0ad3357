import { sql, type Kysely, type Transaction } from 'kysely'
import pg from 'pg'
import type { Migrations } from '../database/migrate.ts'
import { LOCK, openPostgres, type PostgresOptions } from '../database/postgres.ts'
import type { ConfigTexts, Wordings } from '../contract/index.ts'
import { BrokenFile } from '../faults.ts'
import { HubError } from '../hub-error.ts'
import { say, told, type Words } from '../say.ts'
import { changesBetween } from './changes.ts'
import { emptyTexts, isConfig, isKept, type DocumentName, type Documents, type NewText } from './documents.ts'
import { listenFor } from './postgres-notices.ts'
import { KEPT_VERSIONS, sameTexts, type ConfigVersions } from './versions.ts'

/** One row a document; `version` grows with each change, and who changes it names the one that was read. */
interface ConfigTables {
  hub_config: { name: string; text: string; version: number; at: number; author: string | null }
  hub_config_versions: {
    id: number
    at: number
    author: string | null
    reason: string | null
    /** What the reason was made of, as JSON. */
    said: string | null
    changes: string
    servers: string
    system: string
    profiles: string
  }
}

const migrations: Migrations = {
  '003-config': async (db) => {
    await sql`CREATE TABLE hub_config (
        name text PRIMARY KEY, text text NOT NULL, version bigint NOT NULL, at bigint NOT NULL, author text)`.execute(
      db,
    )
    await sql`CREATE TABLE hub_config_versions (
        id bigint PRIMARY KEY, at bigint NOT NULL, author text, reason text, changes text NOT NULL,
        servers text NOT NULL, system text NOT NULL, profiles text NOT NULL)`.execute(db)
  },
  '005-config-said': async (db) => {
    await sql`ALTER TABLE hub_config_versions ADD COLUMN said text`.execute(db)
  },
}

const CHANNEL = 'hub_config'
/** They are small: what takes longer hangs, and somebody waits for it. */
const QUERY_TIMEOUT_MS = 4_000
/** A notice may get lost with its connection, and PostgreSQL keeps none. */
const RECONCILE_MS = 10_000

export interface PostgresDocuments extends Documents {
  readonly versions: ConfigVersions
  isEmpty: () => Promise<boolean>
  /** Puts the first texts there; false when another hub was quicker. */
  adopt: (texts: ReadonlyMap<DocumentName, string>, reason: Words) => Promise<boolean>
}

/**
 * The configuration in PostgreSQL, for hubs on several machines. Each change tells the others by NOTIFY which document has
 * which version now; they read it themselves. Rejects with HUB_STORE_UNAVAILABLE when PostgreSQL does not answer.
 */
export async function openPostgresDocuments(
  options: PostgresOptions & { reconcileMs?: number },
): Promise<PostgresDocuments> {
  const db = await answered(openPostgres<ConfigTables>(options, migrations, 2, QUERY_TIMEOUT_MS).catch(orMisconfigured))
  /** The versions that the watchers know of: they were told, or wrote them themselves. */
  const told = new Map<DocumentName, number>()
  const watchers = new Set<{ documents: readonly DocumentName[]; onChange: () => void }>()

  function moved(document: DocumentName, version: number): void {
    if (version <= (told.get(document) ?? 0)) return
    told.set(document, version)
    for (const { documents, onChange } of watchers) if (documents.includes(document)) onChange()
  }

  async function reconcile(): Promise<void> {
    const rows = await db.selectFrom('hub_config').select(['name', 'version']).execute()
    for (const { name, version } of rows) if (isDocument(name)) moved(name, version)
  }

  const notices = listenFor({
    url: options.url,
    channel: CHANNEL,
    onNotice: (payload) => {
      const notice = noticeOf(payload)
      if (notice !== null) moved(notice.document, notice.version)
    },
    // What changed while nobody listened was told to nobody.
    onListening: () => void reconcile().catch(() => undefined),
  })
  const timer = setInterval(() => void reconcile().catch(() => undefined), options.reconcileMs ?? RECONCILE_MS).unref()

  /** One writer at a time, so that a version of the configuration is what all documents were at one moment. */
  function alone<T>(work: (transaction: Transaction<ConfigTables>) => Promise<T>): Promise<T> {
    return answered(
      db.transaction().execute(async (transaction) => {
        await sql`SELECT pg_advisory_xact_lock(${LOCK.config})`.execute(transaction)
        return work(transaction)
      }),
    )
  }

  async function put(
    transaction: Transaction<ConfigTables>,
    { document, text, over }: NewText,
    author: string | null,
  ): Promise<number> {
    const before = over.ok ? over.version : 0
    const row = { text, version: before + 1, at: Date.now(), author }
    const done =
      before === 0
        ? await transaction
            .insertInto('hub_config')
            .values({ name: document, ...row })
            .onConflict((conflict) => conflict.column('name').doNothing())
            .returning('version')
            .executeTakeFirst()
        : await transaction
            .updateTable('hub_config')
            .set(row)
            .where('name', '=', document)
            .where('version', '=', before)
            .returning('version')
            .executeTakeFirst()
    if (done === undefined) throw new Overtaken()
    const notice = JSON.stringify({ document, version: done.version })
    await sql`SELECT pg_notify(${CHANNEL}, ${notice})`.execute(transaction)
    return done.version
  }

  async function write(texts: readonly NewText[], by: string | null, reason: Words | null): Promise<boolean> {
    try {
      const written = await alone(async (transaction) => {
        const versions = new Map<DocumentName, number>()
        for (const change of texts) versions.set(change.document, await put(transaction, change, by))
        // Users and keys are in no version.
        if (texts.some(({ document }) => isConfig(document))) await keepVersion(transaction, by, reason)
        return versions
      })
      for (const [document, version] of written) told.set(document, version)
      return true
    } catch (error) {
      if (error instanceof Overtaken) return false
      throw error
    }
  }

  return {
    shared: true,
    placeOf: (document) => `${document}.json in PostgreSQL`,
    versions: versionsIn(db),
    read: async (document) => {
      const row = await answered(
        db.selectFrom('hub_config').select(['text', 'version']).where('name', '=', document).executeTakeFirst(),
      ).catch((error: unknown) => {
        // Whoever was told of a change could not look: they are told again.
        told.delete(document)
        throw error
      })
      return { ok: true, text: row?.text ?? null, version: row?.version ?? 0 }
    },
    write,
    isEmpty: () => answered(hasNone(db)),
    adopt: (texts, reason) =>
      alone(async (transaction) => {
        if (!(await hasNone(transaction))) return false
        const over = { ok: true, text: null, version: 0 } as const
        for (const [document, text] of texts) await put(transaction, { document, text, over }, null)
        await keepVersion(transaction, null, reason)
        return true
      }),
    watch: (documents, onChange) => {
      const watcher = { documents, onChange }
      watchers.add(watcher)
      return { close: () => void watchers.delete(watcher) }
    },
    dispose: async () => {
      clearInterval(timer)
      await notices.dispose()
      await db.destroy()
    },
  }
}

/** Brings the tables to their newest form. Rejects as `openPostgresDocuments` does. */
export async function migratePostgresDocuments(options: PostgresOptions): Promise<void> {
  const db = await answered(openPostgres<ConfigTables>(options, migrations, 1).catch(orMisconfigured))
  await db.destroy()
}

/**
 * The texts in PostgreSQL, for whoever only looks: no table is made or changed. Null when there is no configuration yet. Rejects
 * with HUB_STORE_UNAVAILABLE when it does not answer, and with BrokenFile when it refuses user, password or database.
 */
export async function lookIntoPostgres(url: string): Promise<ReadonlyMap<DocumentName, string> | null> {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'mcp-hub',
    connectionTimeoutMillis: QUERY_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
  })
  client.on('error', () => undefined)
  async function look(): Promise<{ name: string; text: string }[]> {
    await client.connect()
    const { rows } = await client.query<{ there: boolean }>(`SELECT to_regclass('hub_config') IS NOT NULL AS there`)
    if (rows[0]?.there !== true) return []
    return (await client.query<{ name: string; text: string }>('SELECT name, text FROM hub_config')).rows
  }
  try {
    const rows = await answered(look().catch(orMisconfigured))
    const texts = new Map(rows.flatMap(({ name, text }) => (isDocument(name) ? [[name, text] as const] : [])))
    return [...texts.keys()].every(isKept) ? null : texts
  } finally {
    await client.end().catch(() => undefined)
  }
}

async function hasNone(db: Kysely<ConfigTables>): Promise<boolean> {
  const rows = await db.selectFrom('hub_config').select('name').execute()
  // What hubs keep beside it comes before the first configuration, where that begins empty.
  return rows.every(({ name }) => isDocument(name) && isKept(name))
}

/** Another hub was quicker: what was read is not there any more. */
class Overtaken extends Error {}

const isDocument = (name: string): name is DocumentName => Object.hasOwn(emptyTexts, name)

/** Who is refused by name, password, database or right will be refused again. */
function orMisconfigured(error: Error & { code?: string }): never {
  const mayNot = error.code === '42501'
  if (!mayNot && !/^(?:28|3D)/.test(error.code ?? '')) throw error
  throw new BrokenFile([
    {
      file: null,
      path: 'environment DATABASE_URL',
      line: null,
      column: null,
      message: `PostgreSQL refuses it: ${error.message}`,
      cure: mayNot
        ? 'Run mcp-hub database migrate with the role that owns the tables, and grant this one what docs/clustering.md names.'
        : 'Correct user, password and database.',
    },
  ])
}

/** The answer of PostgreSQL, or a refusal that says what is wrong with it. */
async function answered<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (error instanceof HubError || error instanceof Overtaken || error instanceof BrokenFile) throw error
    const { message, code } = error as Error & { code?: string }
    // Of several addresses that all refuse, only the code tells.
    const why = message === '' ? (code ?? 'unknown') : message
    throw new HubError('HUB_STORE_UNAVAILABLE', say`PostgreSQL does not take the configuration: ${why}`, {
      cure: say`What was in force stays in force, and nothing was saved. See DATABASE_URL, and try again.`,
    })
  }
}

/** In the transaction that changed something, so that each version has its author. */
async function keepVersion(
  transaction: Transaction<ConfigTables>,
  author: string | null,
  words: Words | null,
): Promise<void> {
  const rows = await transaction.selectFrom('hub_config').select(['name', 'text']).execute()
  const textOf = (document: DocumentName): string =>
    rows.find(({ name }) => name === document)?.text ?? emptyTexts[document]
  const texts: ConfigTexts = { servers: textOf('servers'), system: textOf('system'), profiles: textOf('profiles') }
  const newest = await transaction
    .selectFrom('hub_config_versions')
    .selectAll()
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst()
  if (newest !== undefined && sameTexts(newest, texts)) return
  const id = (newest?.id ?? 0) + 1
  const { reason, said } = told({ reason: words })
  const changes = JSON.stringify(newest === undefined ? [] : changesBetween(newest, texts))
  await transaction
    .insertInto('hub_config_versions')
    .values({
      id,
      at: Date.now(),
      author,
      reason,
      said: said === undefined ? null : JSON.stringify(said),
      changes,
      ...texts,
    })
    .execute()
  await transaction
    .deleteFrom('hub_config_versions')
    .where('id', '<=', id - KEPT_VERSIONS)
    .execute()
}

function versionsIn(db: Kysely<ConfigTables>): ConfigVersions {
  const columns = ['id', 'at', 'author as by', 'reason', 'said', 'changes'] as const
  const parsed = <T extends { changes: string; said: string | null }>({ said, ...row }: T) => ({
    ...row,
    changes: JSON.parse(row.changes) as ReturnType<typeof changesBetween>,
    ...(said === null ? {} : { said: JSON.parse(said) as Wordings }),
  })
  return {
    // Each write keeps its own.
    record: () => Promise.resolve(),
    list: async () =>
      (await answered(db.selectFrom('hub_config_versions').select(columns).orderBy('id', 'desc').execute())).map(
        parsed,
      ),
    get: async (id) => {
      const row = await answered(
        db
          .selectFrom('hub_config_versions')
          .select([...columns, 'servers', 'system', 'profiles'])
          .where('id', '=', id)
          .executeTakeFirst(),
      )
      if (row === undefined) return null
      const { servers, system, profiles, ...version } = row
      return { ...parsed(version), files: { servers, system, profiles } }
    },
  }
}

/** Null for what no hub wrote: whoever may connect to the database may notify. What is missed so is found by `reconcile`. */
function noticeOf(payload: string): { document: DocumentName; version: number } | null {
  try {
    const { document, version } = JSON.parse(payload) as { document?: unknown; version?: unknown }
    if (typeof document !== 'string' || !isDocument(document) || !Number.isSafeInteger(version)) return null
    return { document, version: version as number }
  } catch {
    return null
  }
}
