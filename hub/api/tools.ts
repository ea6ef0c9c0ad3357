import { toolsQuerySchema, type PromptEntry, type ResourceEntry, type ToolEntry } from '../contract/index.ts'
import { definitionHash } from '../catalog/definition.ts'
import type { Pins } from '../catalog/pins.ts'
import { namesOfOthers, warningsOf } from '../catalog/warnings.ts'
import { loadTokenizer, tokenCost } from '../catalog/token-cost.ts'
import type { Request } from 'express'
import { serverInScope, toolInScope } from '../auth/scope.ts'
import { isObject } from '../gateway/json-rpc.ts'
import { exposedName } from '../gateway/names.ts'
import { SHOWS_APPS } from './shows-apps.ts'
import type { Item, ListKind } from '../upstream/catalog.ts'
import type { Supervisor } from '../upstream/supervisor.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { toolOwners } from './tool-owners.ts'
import { callerOf, queryOf, type On } from './routes.ts'

const VISIBLE_TO = ['model', 'app'] as const

/** Of MCP Apps: `_meta.ui`, or the key that was before it. A tool that says nothing is for models and apps. */
function userInterface({ _meta: meta }: Item): ToolEntry['ui'] {
  const known = isObject(meta) ? meta : {}
  const ui = isObject(known['ui']) ? known['ui'] : {}
  const { visibility } = ui
  return {
    resourceUri: textOf(ui['resourceUri']) ?? textOf(known['ui/resourceUri']),
    visibility: Array.isArray(visibility) ? VISIBLE_TO.filter((who) => visibility.includes(who)) : [...VISIBLE_TO],
  }
}

/** Whether it has a user interface, or is there for one. */
function isOfApps(tool: Item): boolean {
  const { resourceUri, visibility } = userInterface(tool)
  return resourceUri !== null || !visibility.includes('model')
}

const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null)

/** `/api/tools`, `/api/prompts`, `/api/resources`: what all servers offer. */
export function catalogRoutes(on: On, options: { supervisor: Supervisor; pins: Pins }): void {
  function each<T>(
    kind: ListKind,
    request: Request,
    make: (upstream: Upstream, item: Item) => T,
    server?: string,
  ): T[] {
    const { scopes } = callerOf(request)
    return [...options.supervisor.upstreams.values()]
      .filter(({ name }) => serverInScope(scopes, name) && (server === undefined || name === server))
      .flatMap((upstream) =>
        itemsOf(upstream, kind)
          .filter((item) => kind !== 'tools' || toolInScope(scopes, upstream.name, String(item['name'])))
          .map((item) => make(upstream, item)),
      )
  }

  /** Beside what everybody is offered, the tools with a user interface that only who shows them is offered, as far as that is known. */
  function itemsOf(upstream: Upstream, kind: ListKind): Item[] {
    const plain = upstream.catalog.lists[kind]
    if (kind !== 'tools') return plain
    const names = new Set(plain.map(({ name }) => name))
    const apps = upstream.catalogs
      .flatMap(({ lists }) => lists.tools)
      .filter((tool) => isOfApps(tool) && !names.has(tool['name']) && names.add(tool['name']))
    return [...plain, ...apps]
  }

  /** A modern server is asked on the connection that is there; the page hears of what it finds. */
  function lookForApps(request: Request): void {
    for (const upstream of options.supervisor.upstreams.values())
      if (upstream.instance?.connection.hello.era === 'modern')
        upstream.offersTo(callerOf(request).id, SHOWS_APPS).catch(() => undefined)
  }

  on('GET /api/tools', async (request, response) => {
    lookForApps(request)
    const count = await loadTokenizer()
    const { server, name, schemas, pin } = queryOf(request, toolsQuerySchema)
    const owners = toolOwners(options.supervisor.upstreams.values())
    const warnings = ({ name: of }: Upstream, tool: Item): ToolEntry['warnings'] => [
      ...new Set([...warningsOf(tool), ...namesOfOthers(of, tool, owners)].map(({ kind }) => kind)),
    ]
    const entry = (upstream: Upstream, tool: Item, state = options.pins.state(upstream.name, tool)): ToolEntry => ({
      server: upstream.name,
      name: String(tool['name']),
      exposedName: exposedName(upstream.prefix, String(tool['name'])),
      title: textOf(tool['title']),
      description: textOf(tool['description']),
      ...(schemas === 'true' && { inputSchema: tool['inputSchema'] }),
      ...(schemas === 'true' && 'outputSchema' in tool && { outputSchema: tool['outputSchema'] }),
      annotations: isObject(tool['annotations']) ? tool['annotations'] : null,
      pin: state,
      hash: state === 'approved' ? null : definitionHash(tool),
      warnings: warnings(upstream, tool),
      ui: userInterface(tool),
      tokens: tokenCost({ ...tool, name: exposedName(upstream.prefix, String(tool['name'])) }, count),
    })
    const isAsked = (upstream: Upstream, tool: Item): boolean =>
      (name === undefined || tool['name'] === name) &&
      (pin === undefined || options.pins.state(upstream.name, tool) !== 'approved')
    const one = (upstream: Upstream, tool: Item): ToolEntry[] =>
      isAsked(upstream, tool) ? [entry(upstream, tool)] : []
    response.json(each('tools', request, one, server).flat())
  })

  on('GET /api/prompts', (request, response) => {
    const entries: PromptEntry[] = each('prompts', request, (upstream, prompt) => ({
      server: upstream.name,
      name: String(prompt['name']),
      exposedName: exposedName(upstream.prefix, String(prompt['name'])),
      title: textOf(prompt['title']),
      description: textOf(prompt['description']),
      arguments: (Array.isArray(prompt['arguments']) ? (prompt['arguments'] as unknown[]) : [])
        .filter(isObject)
        .map((argument) => ({
          name: String(argument['name']),
          description: textOf(argument['description']),
          required: argument['required'] === true,
        })),
    }))
    response.json(entries)
  })

  on('GET /api/resources', (request, response) => {
    const entry = (template: boolean) => (upstream: Upstream, item: Item) => ({
      server: upstream.name,
      uri: String(item[template ? 'uriTemplate' : 'uri']),
      template,
      name: String(item['name']),
      title: textOf(item['title']),
      description: textOf(item['description']),
      mimeType: textOf(item['mimeType']),
    })
    const entries: ResourceEntry[] = [
      ...each('resources', request, entry(false)),
      ...each('resourceTemplates', request, entry(true)),
    ]
    response.json(entries)
  })
}
