import { sql, type Expression, type Kysely, type SqlBool, type Transaction } from 'kysely'
import type { AuditEntry, AuditFilter, HistoryFilter } from '../contract/index.ts'
import { prunedAct } from './acts.ts'
import { chain } from './audit-chain.ts'
import { callsSince, createLastCalls } from './last-calls.ts'
import { searchTerms } from './search-terms.ts'
import type { HistoryLimits, HistoryStore } from './store.ts'
import { trafficSteps } from './traffic.ts'
import {
  toAuditEntry,
  toAuditRow,
  toRequest,
  type AuditRow,
  type AuditTables,
  type HistoryTables,
  type NewRequest,
  type TrafficRow,
} from './tables.ts'

/** What differs between the databases. */
export interface Engine {
  history: Kysely<HistoryTables>
  audit: Kysely<AuditTables>
  append: (requests: readonly NewRequest[], traffic: readonly TrafficRow[]) => Promise<void>
  /** Makes sure that a search finds what was appended last. */
  beforeSearch: () => Promise<void>
  /** Requests with words that begin so, with all of them. */
  matchesWords: (beginnings: readonly string[]) => Expression<SqlBool>
  /** Runs in the transaction that appends to the chain: nobody else may append until it ends. */
  lockAudit: (transaction: Transaction<AuditTables>) => Promise<unknown>
  pruneRequests: (limits: HistoryLimits, now: number) => Promise<void>
  close: () => Promise<void>
}

const CHAIN_PAGE = 1_000
const DAY_MS = 86_400_000
const recordColumns = [
  'id',
  'at',
  'duration_ms',
  'principal',
  'client',
  'endpoint',
  'server',
  'method',
  'name',
  'bytes_in',
  'bytes_out',
  'outcome',
  'error_code',
  'error_message',
  'trace_id',
  'request_id',
  'waited_ms',
  'sent_ms',
  'notified_ms',
  'replied_ms',
  'notifications',
  'first_byte_ms',
  'asked_ms',
  'client_ms',
] as const

/** Adds to what the span has already: the same statement in both databases. */
export function trafficInsert(db: Kysely<HistoryTables>, rows: readonly TrafficRow[]) {
  return db
    .insertInto('hub_traffic')
    .values(rows)
    .onConflict((conflict) =>
      conflict.columns(['step', 'at', 'server', 'client', 'principal', 'bucket']).doUpdateSet((update) => ({
        calls: update('hub_traffic.calls', '+', update.ref('excluded.calls')),
        errors: update('hub_traffic.errors', '+', update.ref('excluded.errors')),
        bytes_in: update('hub_traffic.bytes_in', '+', update.ref('excluded.bytes_in')),
        bytes_out: update('hub_traffic.bytes_out', '+', update.ref('excluded.bytes_out')),
        last_at: update
          .case()
          .when('hub_traffic.last_at', '>', update.ref('excluded.last_at'))
          .then(update.ref('hub_traffic.last_at'))
          .else(update.ref('excluded.last_at'))
          .end(),
      })),
    )
}

function requestsWhere({ history, matchesWords }: Pick<Engine, 'history' | 'matchesWords'>, filter: HistoryFilter) {
  const lists = [
    ['server', filter.server],
    ['method', filter.method],
    ['name', filter.name],
    ['client', filter.client],
    ['principal', filter.principal],
    ['endpoint', filter.endpoint],
    ['outcome', filter.outcome],
    ['request_id', filter.requestId],
  ] as const
  let query = history.selectFrom('hub_requests')
  for (const [column, values] of lists) if (values !== undefined) query = query.where(column, 'in', values)
  if (filter.from !== undefined) query = query.where('at', '>=', filter.from)
  if (filter.to !== undefined) query = query.where('at', '<', filter.to)
  if (filter.minDurationMs !== undefined) query = query.where('duration_ms', '>=', filter.minDurationMs)
  const terms = searchTerms(filter.q)
  const beginnings = terms.filter(({ match }) => match === 'prefix').map(({ text }) => text)
  if (beginnings.length > 0) query = query.where(matchesWords(beginnings))
  for (const { text, match } of terms)
    if (match === 'substring')
      query = query.where(sql<SqlBool>`concat_ws(' ', name, error_message, request, response) LIKE ${`%${text}%`}`)
  return query
}

/** The columns of a page of requests, the newest first: nothing is sorted, and nothing is read behind the page's end. */
export function requestsPage(
  engine: Pick<Engine, 'history' | 'matchesWords'>,
  filter: HistoryFilter,
  { before, limit }: Parameters<HistoryStore['findRequests']>[1],
) {
  return requestsWhere(engine, filter)
    .select(recordColumns)
    .$if(before !== undefined, (query) => query.where('id', '<', before ?? 0))
    .orderBy('id', 'desc')
    .limit(limit)
}

/** What can be asked of an audit log. */
export function auditReader(audit: Kysely<AuditTables>): Pick<HistoryStore, 'findAudit' | 'auditChain'> {
  function auditWhere(filter: AuditFilter) {
    const lists = [
      ['actor', filter.actor],
      ['action', filter.action],
      ['target', filter.target],
      ['outcome', filter.outcome],
    ] as const
    let query = audit.selectFrom('hub_audit')
    for (const [column, values] of lists) if (values !== undefined) query = query.where(column, 'in', values)
    if (filter.from !== undefined) query = query.where('at', '>=', filter.from)
    if (filter.to !== undefined) query = query.where('at', '<', filter.to)
    for (const { text } of searchTerms(filter.q)) {
      const pattern = `%${text}%`
      query = query.where((where) =>
        where.or(
          (['actor_name', 'action', 'target', 'details'] as const).map((column) =>
            where(sql<string>`lower(${where.ref(column)})`, 'like', pattern),
          ),
        ),
      )
    }
    return query
  }

  return {
    findAudit: async (filter, { before, limit }) => {
      const rows = await auditWhere(filter)
        .selectAll()
        .$if(before !== undefined, (query) => query.where('seq', '<', before ?? 0))
        .orderBy('seq', 'desc')
        .limit(limit)
        .execute()
      return rows.map(toAuditEntry)
    },
    async *auditChain() {
      for (let after = 0; ;) {
        const rows: AuditRow[] = await audit
          .selectFrom('hub_audit')
          .selectAll()
          .where('seq', '>', after)
          .orderBy('seq')
          .limit(CHAIN_PAGE)
          .execute()
        yield* rows.map(toAuditEntry)
        const last = rows.at(-1)
        if (last === undefined || rows.length < CHAIN_PAGE) return
        after = last.seq
      }
    },
  }
}

export function createKyselyStore(engine: Engine): HistoryStore {
  const { history, audit } = engine
  const lastCalls = createLastCalls(history)

  /** In a transaction that has the lock. */
  async function appendTo(
    transaction: Transaction<AuditTables>,
    acts: Parameters<HistoryStore['appendAudit']>[0],
  ): Promise<AuditEntry[]> {
    const end = await transaction
      .selectFrom('hub_audit')
      .select(['seq', 'hash'])
      .orderBy('seq', 'desc')
      .limit(1)
      .executeTakeFirst()
    const entries = chain(end ?? null, acts)
    await transaction.insertInto('hub_audit').values(entries.map(toAuditRow)).execute()
    return entries
  }

  async function pruneAudit(before: number): Promise<void> {
    await audit.transaction().execute(async (transaction) => {
      await engine.lockAudit(transaction)
      // Entries stand in the order of their acts but for the hubs' clocks, so the oldest that stays decides.
      const kept = await transaction
        .selectFrom('hub_audit')
        .select('seq')
        .where('at', '>=', before)
        .orderBy('seq')
        .limit(1)
        .executeTakeFirst()
      const last = await transaction
        .selectFrom('hub_audit')
        .select(['seq', 'hash'])
        .$if(kept !== undefined, (query) => query.where('seq', '<', kept?.seq ?? 0))
        .orderBy('seq', 'desc')
        .limit(1)
        .executeTakeFirst()
      if (last === undefined) return
      await appendTo(transaction, [prunedAct(last, Date.now())])
      await transaction.deleteFrom('hub_audit').where('seq', '<=', last.seq).execute()
    })
  }

  return {
    appendRequests: engine.append,
    findRequests: async (filter, page) => {
      if (searchTerms(filter.q).length > 0) await engine.beforeSearch()
      const rows = await requestsPage(engine, filter, page).execute()
      return rows.map(toRequest)
    },
    lastCalls: async (principal) => {
      if (principal === undefined) return lastCalls()
      const uses = await callsSince(history, 0, principal).execute()
      return uses.map(({ server, name, at }) => ({ server, name, at }))
    },
    usesSince: (from) =>
      history
        .selectFrom('hub_requests')
        .select([
          'principal',
          'endpoint',
          'server',
          sql<string | null>`CASE WHEN method = 'tools/call' THEN name END`.as('tool'),
        ])
        .where('at', '>=', from)
        .distinct()
        .execute(),
    oldest: async () =>
      (await history.selectFrom('hub_requests').select('at').orderBy('id').limit(1).executeTakeFirst())?.at ?? null,
    findRequest: async (id) => {
      const row = await history
        .selectFrom('hub_requests')
        .select([...recordColumns, 'request', 'response'])
        .where('id', '=', id)
        .executeTakeFirst()
      return row === undefined ? null : { ...toRequest(row), request: row.request, response: row.response }
    },
    traffic: (step, from) =>
      history.selectFrom('hub_traffic').selectAll().where('step', '=', step).where('at', '>=', from).execute(),
    appendAudit: (acts) =>
      audit.transaction().execute(async (transaction) => {
        await engine.lockAudit(transaction)
        return appendTo(transaction, acts)
      }),
    ...auditReader(audit),
    maintain: async (limits, now) => {
      for (const { step, keepMs } of trafficSteps)
        await history
          .deleteFrom('hub_traffic')
          .where('step', '=', step)
          .where('at', '<', now - keepMs)
          .execute()
      await engine.pruneRequests(limits, now)
      await pruneAudit(now - limits.auditDays * DAY_MS)
    },
    ping: async () => {
      await sql`select 1`.execute(history)
    },
    close: engine.close,
  }
}
