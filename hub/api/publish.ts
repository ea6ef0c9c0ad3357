import { exportRequestSchema, publishRequestSchema } from '../contract/index.ts'
import type { Publisher } from '../publish/index.ts'
import { bodyOf, type On } from './routes.ts'

/** `/api/publish`: the live configuration as a deployment bundle. */
export function publishRoutes(on: On, publisher: Publisher): void {
  on('POST /api/publish/preview', async (request, response) => {
    response.json(await publisher.preview(bodyOf(request, publishRequestSchema).target))
  })

  on('POST /api/publish/archive', async (request, response) => {
    const archive = await publisher.archive(bodyOf(request, publishRequestSchema).target)
    response.attachment(archive.name).type('application/gzip')
    await archive.writeTo(response)
  })

  on('POST /api/publish/export', async (request, response) => {
    const { target, directory, overwrite } = bodyOf(request, exportRequestSchema)
    response.json(await publisher.exportTo(target, directory, overwrite))
  })
}
