import { createKeySchema, editKeySchema } from '../contract/index.ts'
import type { Keys } from '../auth/keys.ts'
import { bodyOf, callerOf, type On } from './routes.ts'

/** `/api/keys`: one's own, and everybody's for who may manage them. */
export function keyRoutes(on: On, keys: Keys): void {
  on('GET /api/keys', async (request, response) => {
    response.json(await keys.list(callerOf(request)))
  })

  on('POST /api/keys', async (request, response) => {
    response.status(201).json(await keys.create(callerOf(request), bodyOf(request, createKeySchema)))
  })

  on('PUT /api/keys/:id', async (request, response) => {
    response.json(await keys.edit(callerOf(request), String(request.params['id']), bodyOf(request, editKeySchema)))
  })

  on('DELETE /api/keys/:id', async (request, response) => {
    await keys.remove(callerOf(request), String(request.params['id']))
    response.status(204).end()
  })
}
