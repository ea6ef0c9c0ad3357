import type { Response } from 'express'
import { may, type Caller } from '../auth/caller.ts'
import { eventsQuerySchema, moveEndpointSchema, type HubStatus } from '../contract/index.ts'
import type { Events } from '../observe/events.ts'
import { serverInScope } from '../auth/scope.ts'
import { bodyOf, callerOf, queryOf, type On } from './routes.ts'

/** `/api/hub`: the hub itself, and the events of everything. */
export function hubRoutes(
  on: On,
  options: {
    status: () => HubStatus
    moveEndpoint: (port: number | undefined) => Promise<void>
    events: Events
    hold: (response: Response, caller: Caller) => void
  },
): void {
  on('GET /api/hub', (_request, response) => {
    response.json(options.status())
  })

  on('POST /api/hub/endpoint', async (request, response) => {
    await options.moveEndpoint(bodyOf(request, moveEndpointSchema).port)
    response.json(options.status())
  })

  // To make it holds up everything else, and it never changes.
  let description: Promise<string> | null = null
  on('GET /api/openapi.json', async (_request, response) => {
    description ??= import('./openapi.ts').then(({ openApiDocument }) => JSON.stringify(openApiDocument()))
    response.type('application/json').end(await description)
  })

  on('GET /api/events', (request, response) => {
    // Express gives HEAD to what answers GET; here that would be an answer without an end.
    if (request.method === 'HEAD') {
      response.type('text/event-stream').end()
      return
    }
    const query = queryOf(request, eventsQuerySchema)
    const caller = callerOf(request)
    const { scopes } = caller
    options.hold(response, caller)
    options.events.stream(response, {
      lastEventId: request.get('last-event-id'),
      logsOf: query.logs ?? null,
      usage: query.usage === '1',
      sees: (server) => serverInScope(scopes, server),
      narrowed: scopes.length > 0,
      may: (permission) => may(caller, permission),
    })
  })
}
