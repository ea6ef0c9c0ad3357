import { Router } from 'express'
import { moveEndpointSchema, type HubStatus } from '../contract/index.ts'
import type { Events } from '../observe/events.ts'
import { adminOnly, appOnly } from './permissions.ts'
import { bodyOf } from './routes.ts'

/** `/api/hub`: the hub itself, and the events of everything. */
export function hubRoutes(options: {
  status: () => HubStatus
  moveEndpoint: (port: number | undefined) => Promise<void>
  events: Events
}): Router {
  const router = Router()

  router.get('/hub', (_request, response) => {
    response.json(options.status())
  })

  router.post('/hub/endpoint', adminOnly, appOnly, async (request, response) => {
    await options.moveEndpoint(bodyOf(request, moveEndpointSchema).port)
    response.json(options.status())
  })

  router.get('/events', (request, response) => {
    const logsOf = typeof request.query['logs'] === 'string' ? request.query['logs'] : null
    options.events.stream(response, { lastEventId: request.get('last-event-id'), logsOf })
  })

  return router
}
