import { HubError } from '../hub-error.ts'
import type { Webhooks } from '../observe/webhooks.ts'
import type { On } from './routes.ts'

/** `/api/webhooks`: who is told of changes, and whether it arrived. They are set in system.json. */
export function webhookRoutes(on: On, { webhooks }: { webhooks: Pick<Webhooks, 'list' | 'test'> }): void {
  on('GET /api/webhooks', async (_request, response) => {
    response.json(await webhooks.list())
  })

  on('POST /api/webhooks/:id/test', async (request, response) => {
    const id = String(request.params['id'] ?? '')
    const delivery = await webhooks.test(id)
    if (delivery === null)
      throw new HubError('HUB_WEBHOOK_NOT_FOUND', `There is no webhook named ${id}`, {
        cure: 'GET /api/webhooks lists those of monitoring.webhooks in system.json.',
      })
    response.json(delivery)
  })
}
