import { definitionHash, instructionsItem } from '../catalog/definition.ts'
import type { Pins } from '../catalog/pins.ts'
import { namesOfOthers, warningsOf } from '../catalog/warnings.ts'
import { setPinsSchema, type Pin, type PinOutcome, type PinsSet } from '../contract/index.ts'
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
    const body = bodyOf(request, setPinsSchema)
    const at = Date.now()
    const by = callerOf(request).name
    const found = body.tools.map((one: Named) => ({ one, item: itemOrFault(one) }))
    if (body.action !== 'undo' && body.each !== true)
      for (const { one, item } of found) {
        if (item instanceof HubError) throw item
        if (body.action === 'approve' && isAnother(one, item)) throw changedSince(one)
      }

    function decide(one: Named, item: Item): PinOutcome {
      const { server } = one
      if (body.action === 'undo') return pins.takeBack(server, item, body.at) ? 'done' : 'superseded'
      const state = pins.state(server, item)
      if (body.action === 'quarantine') {
        if (state === 'quarantined') return 'same'
        pins.quarantine(server, item, by, at)
        return 'done'
      }
      if (isAnother(one, item)) return 'changed'
      if (state === 'approved') return 'same'
      pins.approve(server, item, by, at)
      return 'done'
    }

    const altered = new Set<string>()
    const results = found.map(({ one, item }): PinsSet['tools'][number] => {
      const { server, tool = null } = one
      if (item instanceof HubError) return { server, tool, outcome: 'gone', state: null }
      const outcome = decide(one, item)
      if (outcome === 'done') altered.add(server)
      return { server, tool, outcome, state: pins.state(server, item) }
    })
    for (const server of altered) options.changed(server)
    response.json({ at, tools: results } satisfies PinsSet)
  })

  function itemOrFault({ server, tool }: Named): Item | HubError {
    try {
      return itemOf(server, tool ?? null)
    } catch (error) {
      if (error instanceof HubError) return error
      throw error
    }
  }
}

/** A tool, or a server's instructions, and what a person looked at of it. */
interface Named {
  server: string
  tool?: string | undefined
  hash?: string | undefined
}

/** Whether somebody looked at another definition than there is now. */
function isAnother({ hash }: Named, item: Item): boolean {
  return hash !== undefined && hash !== definitionHash(item)
}

function changedSince({ server, tool }: Named): HubError {
  const message =
    tool === undefined
      ? say`What ${server} tells models has changed since you looked at it`
      : say`Tool ${tool} of ${server} has changed since you looked at it`
  return new HubError('HUB_CONFLICT', message, { cure: say`Compare it again.` })
}
