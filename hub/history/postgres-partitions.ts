import { sql, type Kysely } from 'kysely'

export const DAY_MS = 86_400_000

/**
 * What a role may do with the partitions of a table that it does not own: only these, each for one day. They run as the role that
 * made them, in the schema of the tables and nowhere else.
 */
const add = `CREATE OR REPLACE FUNCTION hub_add_partition(day bigint) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF hub_requests FOR VALUES FROM (%s) TO (%s)',
    'hub_requests_' || to_char(to_timestamp(day * 86400) AT TIME ZONE 'UTC', 'YYYYMMDD'), day * ${DAY_MS}, (day + 1) * ${DAY_MS});
END $$`
const drop = `CREATE OR REPLACE FUNCTION hub_drop_partition(day bigint) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  EXECUTE format('DROP TABLE IF EXISTS %I', 'hub_requests_' || to_char(to_timestamp(day * 86400) AT TIME ZONE 'UTC', 'YYYYMMDD'));
END $$`

/** Makes them, for who owns the tables. Nobody may call them before they are granted. */
export async function makePartitionFunctions(db: Kysely<unknown>): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    const { rows } = await sql<{ schema: string }>`SELECT current_schema() AS schema`.execute(transaction)
    for (const [name, body] of Object.entries({ hub_add_partition: add, hub_drop_partition: drop })) {
      await sql.raw(body).execute(transaction)
      await sql`ALTER FUNCTION ${sql.id(name)}(bigint) SET search_path = ${sql.id(rows[0]?.schema ?? 'public')}, pg_temp`.execute(
        transaction,
      )
      await sql`REVOKE ALL ON FUNCTION ${sql.id(name)}(bigint) FROM PUBLIC`.execute(transaction)
    }
  })
}

export interface Partitions {
  /** Makes that of a day (UTC, in days since the epoch) where there is none. */
  add: (db: Kysely<never>, day: number) => Promise<unknown>
  drop: (db: Kysely<never>, day: number) => Promise<unknown>
}

/** By the functions where they were made, else as the owner of the tables. */
export async function openPartitions(db: Kysely<never>): Promise<Partitions> {
  const { rows } = await sql<{ made: boolean }>`
    SELECT to_regprocedure('hub_add_partition(bigint)') IS NOT NULL AS made`.execute(db)
  if (rows[0]?.made === true)
    return {
      add: (on, day) => sql`SELECT hub_add_partition(${day}::bigint)`.execute(on),
      drop: (on, day) => sql`SELECT hub_drop_partition(${day}::bigint)`.execute(on),
    }
  const nameOf = (day: number) =>
    sql.id(`hub_requests_${new Date(day * DAY_MS).toISOString().slice(0, 10).replaceAll('-', '')}`)
  return {
    add: (on, day) =>
      sql`CREATE TABLE IF NOT EXISTS ${nameOf(day)} PARTITION OF hub_requests
        FOR VALUES FROM (${sql.lit(day * DAY_MS)}) TO (${sql.lit((day + 1) * DAY_MS)})`.execute(on),
    drop: (on, day) => sql`DROP TABLE ${nameOf(day)}`.execute(on),
  }
}
