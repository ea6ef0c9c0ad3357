import type { Kysely } from 'kysely'
import type { ToolUse } from '../contract/index.ts'
import type { HistoryTables } from './tables.ts'

/** Requests before the last one seen that are read again: another hub may have written one late, under an id that it took before. */
const LATECOMERS = 1_000

/** The last call of each tool among the requests with a larger id, in milliseconds since the epoch; with a principal, by that one. */
export function callsSince(history: Kysely<HistoryTables>, id: number, principal?: string) {
  return history
    .selectFrom('hub_requests')
    .select(({ fn }) => ['server', 'name', fn.max('at').as('at'), fn.max('id').as('id')])
    .where('id', '>', id)
    .where('method', '=', 'tools/call')
    .where('server', 'is not', null)
    .where('name', 'is not', null)
    .$if(principal !== undefined, (query) => query.where('principal', '=', principal ?? ''))
    .groupBy(['server', 'name'])
    .$narrowType<{ server: string; name: string }>()
}

/**
 * When each tool was called last, by whomever, as far as the history goes back. It is kept from one question to the next, so that
 * only what came since is read. An index would tell it too, but be written with every call, for a list that is looked at now and then.
 */
export function createLastCalls(history: Kysely<HistoryTables>): () => Promise<ToolUse[]> {
  const known = new Map<string, ToolUse & { id: number }>()
  let seen = 0

  const edge = async (order: 'asc' | 'desc'): Promise<number | undefined> =>
    (await history.selectFrom('hub_requests').select('id').orderBy('id', order).limit(1).executeTakeFirst())?.id

  return async () => {
    const last = await edge('desc')
    for (const use of await callsSince(history, Math.max(0, seen - LATECOMERS)).execute()) {
      const key = JSON.stringify([use.server, use.name])
      known.set(key, { ...use, at: Math.max(use.at, known.get(key)?.at ?? 0) })
    }
    seen = last ?? 0
    const first = (await edge('asc')) ?? Infinity
    for (const [key, { id }] of known) if (id < first) known.delete(key)
    return [...known.values()].map(({ server, name, at }) => ({ server, name, at }))
  }
}
