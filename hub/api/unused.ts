import { unusedQuerySchema, type UnusedScopes } from '../contract/index.ts'
import type { Identity } from '../auth/identity.ts'
import { unusedGrants } from '../auth/unused-grants.ts'
import { unusedScopes } from '../auth/unused-scopes.ts'
import type { Recorder } from '../history/recorder.ts'
import { askStore } from './history.ts'
import { callerOf, queryOf, type On } from './routes.ts'

const DAY_MS = 86_400_000

/** `/api/access`: who and what could be let go; on the desktop there are keys only. */
export function unusedRoutes(on: On, { identity, history }: { identity: Identity; history: Recorder }): void {
  on('GET /api/access/unused', async (request, response) => {
    const { days } = queryOf(request, unusedQuerySchema)
    const people = await identity.people()
    const [users, keys] = await Promise.all([people?.users.list() ?? [], identity.keys.list(callerOf(request))])
    response.json(unusedGrants(users, keys, days, Date.now()))
  })

  on('GET /api/access/unused-scopes', async (request, response) => {
    const { days } = queryOf(request, unusedQuerySchema)
    const people = await identity.people()
    const [users, keys] = await Promise.all([people?.users.list() ?? [], identity.keys.list(callerOf(request))])
    const now = Date.now()
    const found = await askStore(history, async (store): Promise<UnusedScopes> => {
      const oldest = await store.oldest()
      if (oldest === null) return { since: null, grants: [] }
      const since = Math.max(oldest, now - days * DAY_MS)
      const open = keys.filter(({ expiresAt }) => expiresAt === null || expiresAt > now)
      return { since, grants: unusedScopes(users, open, await store.usesSince(since), since) }
    })
    response.json(found)
  })
}
