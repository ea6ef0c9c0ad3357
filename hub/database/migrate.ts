import { sql, type Kysely, type Transaction } from 'kysely'

/** Numbered steps by name; each is run once, in the order of the names. */
export type Migrations = Record<string, (db: Transaction<unknown>) => Promise<void>>

/**
 * Brings the tables to the newest form, all of it or nothing. Forward only, and what a newer hub has done is let be: after a
 * roll-back the older one must be able to go on, which is why a step may only add. Kysely's own migrator refuses that.
 */
export async function migrate<T>(
  db: Kysely<T>,
  migrations: Migrations,
  lock: (transaction: Transaction<unknown>) => Promise<unknown>,
): Promise<void> {
  const all = db as unknown as Kysely<unknown>
  // Where nothing is left to do nothing is asked for that only the tables' owner may.
  const known = await done(all).catch(orNone)
  if (Object.keys(migrations).every((name) => known.has(name))) return
  await all.transaction().execute(async (transaction) => {
    await lock(transaction)
    await sql`CREATE TABLE IF NOT EXISTS hub_migrations (name text PRIMARY KEY)`.execute(transaction)
    const before = await done(transaction)
    for (const [name, step] of Object.entries(migrations)) {
      if (before.has(name)) continue
      await step(transaction)
      await sql`INSERT INTO hub_migrations (name) VALUES (${name})`.execute(transaction)
    }
  })
}

async function done(db: Kysely<unknown>): Promise<Set<string>> {
  const { rows } = await sql<{ name: string }>`SELECT name FROM hub_migrations`.execute(db)
  return new Set(rows.map(({ name }) => name))
}

/** Before the first hub there is no such table. */
function orNone(error: Error & { code?: string }): Set<string> {
  if (error.code === '42P01' || error.message.startsWith('no such table')) return new Set()
  throw error
}
