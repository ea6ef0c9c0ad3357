import { Router } from 'express'
import { exportRequestSchema, publishRequestSchema } from '../contract/index.ts'
import type { Publisher } from '../publish/index.ts'
import { adminOnly, appOnly } from './permissions.ts'
import { bodyOf } from './routes.ts'

/** `/api/publish`: the live configuration as a deployment bundle. */
export function publishRoutes(publisher: Publisher): Router {
  const router = Router()

  router.post('/preview', adminOnly, async (request, response) => {
    response.json(await publisher.preview(bodyOf(request, publishRequestSchema).target))
  })

  router.post('/export', adminOnly, appOnly, async (request, response) => {
    const { target, directory, overwrite } = bodyOf(request, exportRequestSchema)
    response.json(await publisher.exportTo(target, directory, overwrite))
  })

  return router
}
