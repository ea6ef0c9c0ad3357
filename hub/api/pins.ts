import { instructionsItem } from '../catalog/definition.ts'
import type { Pins } from '../catalog/pins.ts'
import { namesOfOthers, warningsOf } from '../catalog/warnings.ts'
import { setPinsSchema, type Pin } from '../contract/index.ts'
import { HubError } from '../hub-error.ts'
import { say } from '../say.ts'
import type { Item } from '../upstream/catalog.ts'
import { knownTool } from '../upstream/known-tools.ts'
import type { Supervisor } from '../upstream/supervisor.ts'
import { toolOwners } from './tool-owners.ts'
import { bodyOf, callerOf, nameParam, type On } from './routes.ts'

/** `/api/pins`: what of the tools' definitions, and of the servers' instructions, a person has approved. */
export function pinRoutes(
  on: On,
  options: {
    supervisor: Supervisor
    pins: Pins
    /** Clients are told, and the page. */
    changed: (server: string) => void
  },
): void {
  const { supervisor, pins } = options

  /** Without a tool the instructions of the server. */
  function itemOf(server: string, tool: string | null): Item {
    const upstream = supervisor.upstreams.get(server)
    if (upstream === undefined) throw new HubError('HUB_SERVER_NOT_FOUND', say`There is no server named ${server}`)
    if (tool === null) return instructionsItem(upstream.hello?.instructions ?? null)
    const item = knownTool(upstream, tool)?.tool
    if (item === undefined) throw new HubError('HUB_TOOL_NOT_FOUND', say`Server ${server} has no tool named ${tool}`)
    return item
  }

  function pinOf(server: string, tool: string | null): Pin {
    const item = itemOf(server, tool)
    const warnings = [...warningsOf(item), ...namesOfOthers(server, item, toolOwners(supervisor.upstreams.values()))]
    return { ...pins.pin(server, item), tool, warnings }
  }

  on('GET /api/servers/:name/tools/:tool/pin', (request, response) => {
    response.json(pinOf(nameParam(request), String(request.params['tool'])))
  })

  on('GET /api/servers/:name/instructions/pin', (request, response) => {
    response.json(pinOf(nameParam(request), null))
  })

  on('POST /api/pins', (request, response) => {
    const { action, tools } = bodyOf(request, setPinsSchema)
    const chosen = tools.map(({ server, tool = null, hash }) => ({ server, tool, item: itemOf(server, tool), hash }))
    for (const { server, tool, item, hash } of chosen) {
      if (action === 'approve' && hash !== undefined && hash !== pins.pin(server, item).hash)
        throw new HubError(
          'HUB_CONFLICT',
          tool === null
            ? say`What ${server} tells models has changed since you looked at it`
            : say`Tool ${tool} of ${server} has changed since you looked at it`,
          {
            cure: say`Compare it again.`,
          },
        )
    }
    const by = callerOf(request).name
    for (const { server, item } of chosen) {
      if (action === 'approve') pins.approve(server, item, by)
      else pins.quarantine(server, item, by)
    }
    for (const server of new Set(chosen.map((one) => one.server))) options.changed(server)
    response.status(204).end()
  })
}
