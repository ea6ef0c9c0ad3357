import { unusedQuerySchema } from '../contract/index.ts'
import type { Identity } from '../auth/identity.ts'
import { unusedGrants } from '../auth/unused-grants.ts'
import { callerOf, queryOf, type On } from './routes.ts'

/** `/api/access/unused`; on the desktop there are keys only. */
export function unusedRoutes(on: On, identity: Identity): void {
  on('GET /api/access/unused', async (request, response) => {
    const { days } = queryOf(request, unusedQuerySchema)
    const people = await identity.people()
    const [users, keys] = await Promise.all([people?.users.list() ?? [], identity.keys.list(callerOf(request))])
    response.json(unusedGrants(users, keys, days, Date.now()))
  })
}
