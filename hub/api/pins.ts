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

/** `/api/pins`: what of the tools' definitions a person has approved. */
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

  function toolOf(server: string, tool: string): Item {
    const upstream = supervisor.upstreams.get(server)
    if (upstream === undefined) throw new HubError('HUB_SERVER_NOT_FOUND', say`There is no server named ${server}`)
    const item = knownTool(upstream, tool)?.tool
    if (item === undefined) throw new HubError('HUB_TOOL_NOT_FOUND', say`Server ${server} has no tool named ${tool}`)
    return item
  }

  on('GET /api/servers/:name/tools/:tool/pin', (request, response) => {
    const server = nameParam(request)
    const tool = toolOf(server, String(request.params['tool']))
    const warnings = [...warningsOf(tool), ...namesOfOthers(server, tool, toolOwners(supervisor.upstreams.values()))]
    response.json({ ...pins.pin(server, tool), warnings } satisfies Pin)
  })

  on('POST /api/pins', (request, response) => {
    const { action, tools } = bodyOf(request, setPinsSchema)
    const chosen = tools.map(({ server, tool, hash }) => ({ server, item: toolOf(server, tool), hash }))
    for (const { server, item, hash } of chosen) {
      if (action === 'approve' && hash !== undefined && hash !== pins.pin(server, item).hash)
        throw new HubError(
          'HUB_CONFLICT',
          say`Tool ${String(item['name'])} of ${server} has changed since you looked at it`,
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
