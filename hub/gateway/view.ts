import type { Era } from '../contract/index.ts'
import { emptyCatalog, type Catalog, type Item, type ListKind } from '../upstream/catalog.ts'
import type { Upstream } from '../upstream/upstream.ts'
import type { Shape, Shown } from '../catalog/shape.ts'
import { META, McpError, isObject, rpc, type Params } from './json-rpc.ts'
import { capabilityProfile, type ClientCapabilities } from './call.ts'
import { forLegacyClient } from './era-bridge.ts'

/** Who asks, as far as it decides what they see. */
export interface Viewer {
  principal: string
  capabilities: ClientCapabilities
  era: Era
}

/** What carries a call: a server, or the hub itself. */
export type Target = Pick<Upstream, 'name' | 'instance' | 'call'>

export interface Route {
  upstream: Target
  params: Params | undefined
  catalog: Catalog
  /** The client named another tool than the one that is called: its `Mcp-Param-*` headers are not of this one. */
  renamed?: boolean
}

/** What one endpoint shows: all servers or those of a profile under prefixed names, or one server as it is. */
export interface View {
  readonly path: string
  /** As the configuration is now: a view outlasts its changes, because sessions hold it. */
  readonly upstreams: readonly Upstream[]
  includes: (upstream: Upstream) => boolean
  /** The result of a list method as JSON text, made once per change. */
  list: (kind: ListKind, viewer: Viewer) => Promise<string>
  /** Where a request goes, with names as the server knows them. Rejects with McpError. */
  route: (method: string, params: Params | undefined, viewer: Viewer) => Promise<Route>
  /** What `initialize` and `server/discover` say. Rejects with McpError when the one server of the endpoint is down. */
  describe: (viewer: Viewer) => Promise<{ capabilities: Params; serverInfo: Params; instructions: string | null }>
}

/** How long a list waits for servers that are just starting. */
const SETTLE_MS = 10_000

export interface HubInfo {
  name: string
  version: string
}

async function catalogOf(upstream: Upstream, viewer: Viewer): Promise<Catalog> {
  await upstream.settled(SETTLE_MS)
  if (upstream.unavailable() !== null) return upstream.catalog
  return upstream.instanceFor(viewer.principal, viewer.capabilities).then(
    (instance) => instance.catalog,
    () => upstream.catalog,
  )
}

export function listText(kind: ListKind, items: readonly Item[], era: Era, serverInfo: unknown): string {
  if (era === 'legacy') return JSON.stringify({ [kind]: kind === 'tools' ? items.map(forLegacyClient) : items })
  return JSON.stringify({
    resultType: 'complete',
    [kind]: items,
    ttlMs: 0,
    cacheScope: 'private',
    _meta: { [META.serverInfo]: serverInfo },
  })
}

/** Which tools may be shown and called; `revision` grows with every change of that. */
export interface Admission {
  readonly revision: number
  admits: (server: string, tool: Item) => boolean
}

function heldBack(server: string, tool: string): McpError {
  return new McpError(
    rpc.invalidParams,
    `Tool ${tool} of server ${server} is held back until a person approves its definition in MCP Hub, under Tools`,
    { server, tool },
  )
}

/** Keeps the text of a list as long as everything that it was made of is the same. */
function createTextCache(): (key: string, parts: readonly unknown[], make: () => string) => string {
  const cache = new Map<string, { parts: readonly unknown[]; text: string }>()
  return (key, parts, make) => {
    const hit = cache.get(key)
    if (hit !== undefined && sameParts(hit.parts, parts)) return hit.text
    const text = make()
    if (cache.size > 100) cache.clear()
    cache.set(key, { parts, text })
    return text
  }
}

function sameParts(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((part, position) => part === b[position])
}

/** `/mcp/<server>`: nothing is renamed. */
export function createServerView(name: string, find: () => Upstream | undefined, admission: Admission): View {
  const cached = createTextCache()
  let held = { catalog: emptyCatalog, revision: -1, tools: new Set<unknown>() }

  /** The names of the tools that may not be called; worked out once per change, because each call asks. */
  function heldTools(catalog: Catalog): ReadonlySet<unknown> {
    const { revision } = admission
    if (held.catalog !== catalog || held.revision !== revision) {
      const tools = catalog.lists.tools.filter((tool) => !admission.admits(name, tool)).map((tool) => tool['name'])
      held = { catalog, revision, tools: new Set(tools) }
    }
    return held.tools
  }

  function current(): Upstream {
    const upstream = find()
    if (upstream === undefined) throw new McpError(rpc.serverUnavailable, `Server ${name} was removed from the hub`)
    return upstream
  }

  return {
    path: `/mcp/${encodeURIComponent(name)}`,
    get upstreams() {
      const upstream = find()
      return upstream === undefined ? [] : [upstream]
    },
    includes: (other) => other === find(),
    list: async (kind, viewer) => {
      const upstream = current()
      const catalog = await catalogOf(upstream, viewer)
      if (catalog === emptyCatalog)
        throw upstream.unavailable() ?? new McpError(rpc.serverUnavailable, `Server ${upstream.name} is not available`)
      return cached(
        `${kind} ${viewer.era} ${capabilityProfile(viewer.capabilities)}`,
        [catalog, admission.revision],
        () =>
          listText(
            kind,
            kind === 'tools'
              ? catalog.lists.tools.filter((tool) => admission.admits(upstream.name, tool))
              : catalog.lists[kind],
            viewer.era,
            upstream.instance?.connection.hello.serverInfo ?? { name: upstream.name, version: '' },
          ),
      )
    },
    route: async (method, params, viewer) => {
      const upstream = current()
      const ready = upstream.instance
      const catalog =
        ready === null
          ? upstream.catalog
          : ready.connection.hello.era === 'modern'
            ? ready.catalog
            : await catalogOf(upstream, viewer)
      if (method === 'tools/call' && heldTools(catalog).has(params?.['name']))
        throw heldBack(name, String(params?.['name']))
      return { upstream, params, catalog }
    },
    describe: async (viewer) => {
      const upstream = current()
      await upstream.settled(SETTLE_MS)
      const instance = await upstream.instanceFor(viewer.principal, viewer.capabilities)
      const { hello } = instance.connection
      return {
        capabilities: capabilitiesFor(viewer.era, [hello.capabilities], hello.era),
        serverInfo: hello.serverInfo ?? { name: upstream.name, version: '' },
        instructions: hello.instructions,
      }
    },
  }
}

interface Index {
  upstreams: readonly Upstream[]
  shape: Shape
  /** Everything that it was made of. */
  parts: readonly unknown[]
  catalogs: Catalog[]
  tools: Map<string, { upstream: Upstream; name: string; catalog: Catalog }>
  /** Tools that would be shown, but wait for a person's approval. */
  held: Map<string, { server: string; tool: string }>
  prompts: Map<string, { upstream: Upstream; name: string; catalog: Catalog }>
  resources: Map<string, { upstream: Upstream; catalog: Catalog }>
  templates: { pattern: RegExp; upstream: Upstream; catalog: Catalog }[]
}

/** `/mcp` and `/mcp/<profile>`: what a shape shows of the members, in the order of the configuration. */
export function createAggregatedView(
  path: string,
  members: () => readonly Upstream[],
  currentShape: () => Shape,
  admission: Admission,
  hubInfo: HubInfo,
): View {
  const cached = createTextCache()
  const indexes = new Map<string, Index>()

  async function indexFor(viewer: Viewer): Promise<Index> {
    const upstreams = members()
    const catalogs = await Promise.all(upstreams.map((upstream) => catalogOf(upstream, viewer)))
    const shape = currentShape()
    const parts = [upstreams, shape, admission.revision, ...catalogs]
    const key = `${viewer.principal} ${capabilityProfile(viewer.capabilities)}`
    const known = indexes.get(key)
    if (known !== undefined && sameParts(known.parts, parts)) return known
    if (indexes.size > 100) indexes.clear()
    const index: Index = {
      upstreams,
      shape,
      parts,
      catalogs,
      tools: new Map(),
      held: new Map(),
      prompts: new Map(),
      resources: new Map(),
      templates: [],
    }
    upstreams.forEach((upstream, position) => {
      const catalog = catalogs[position] ?? emptyCatalog
      const shown = (kind: ListKind): Shown[] => shape.show(kind, upstream, catalog.lists[kind])
      for (const kind of ['tools', 'prompts'] as const)
        for (const { item, original } of shown(kind)) {
          const name = String(original['name'])
          if (kind === 'prompts' || admission.admits(upstream.name, original))
            index[kind].set(String(item['name']), { upstream, name, catalog })
          else index.held.set(String(item['name']), { server: upstream.name, tool: name })
        }
      // The first configured server owns a URI that two servers offer.
      for (const { original } of shown('resources'))
        if (!index.resources.has(String(original['uri'])))
          index.resources.set(String(original['uri']), { upstream, catalog })
      for (const { original } of shown('resourceTemplates'))
        index.templates.push({ pattern: templatePattern(String(original['uriTemplate'])), upstream, catalog })
    })
    indexes.set(key, index)
    return index
  }

  function listItems(kind: ListKind, index: Index): Item[] {
    const seen = new Set<string>()
    return index.upstreams.flatMap((upstream, position) => {
      const { lists } = index.catalogs[position] ?? emptyCatalog
      const items = index.shape
        .show(kind, upstream, lists[kind])
        .filter(({ original }) => kind !== 'tools' || admission.admits(upstream.name, original))
        .map(({ item }) => item)
      if (kind === 'tools' || kind === 'prompts') return items
      return items.filter((item) => {
        const key = String(item[kind === 'resources' ? 'uri' : 'uriTemplate'])
        return !seen.has(key) && seen.add(key)
      })
    })
  }

  function ownerOfUri(index: Index, uri: string): { upstream: Upstream; catalog: Catalog } {
    const owner = index.resources.get(uri) ?? index.templates.find(({ pattern }) => pattern.test(uri))
    if (owner !== undefined) return owner
    const able = index.upstreams.filter(
      (upstream) =>
        upstream.instance?.connection.hello.capabilities['resources'] !== undefined &&
        index.shape.show('resources', upstream, [{ uri }]).length > 0,
    )
    const [only] = able
    if (able.length === 1 && only !== undefined) return { upstream: only, catalog: only.catalog }
    throw new McpError(rpc.invalidParams, `No server offers the resource ${uri}`, { uri })
  }

  function ownerOfName(
    map: Index['tools'],
    kind: string,
    name: unknown,
  ): { upstream: Upstream; name: string; catalog: Catalog } {
    const owner = typeof name === 'string' ? map.get(name) : undefined
    if (owner !== undefined) return owner
    const server =
      typeof name === 'string' ? members().find((upstream) => name.startsWith(`${upstream.prefix}__`)) : undefined
    throw server?.unavailable() ?? new McpError(rpc.invalidParams, `Unknown ${kind}: ${String(name)}`)
  }

  return {
    path,
    get upstreams() {
      return members()
    },
    includes: (upstream) => members().includes(upstream),
    list: async (kind, viewer) => {
      const index = await indexFor(viewer)
      return cached(`${kind} ${viewer.era} ${capabilityProfile(viewer.capabilities)}`, index.parts, () =>
        listText(kind, listItems(kind, index), viewer.era, hubInfo),
      )
    },
    route: async (method, params, viewer) => {
      const index = await indexFor(viewer)
      if (method === 'tools/call' || method === 'prompts/get') {
        const held = method === 'tools/call' ? index.held.get(String(params?.['name'])) : undefined
        if (held !== undefined) throw heldBack(held.server, held.tool)
        const owner = ownerOfName(
          method === 'tools/call' ? index.tools : index.prompts,
          method === 'tools/call' ? 'tool' : 'prompt',
          params?.['name'],
        )
        return { upstream: owner.upstream, params: { ...params, name: owner.name }, catalog: owner.catalog }
      }
      if (method === 'resources/read' || method === 'resources/subscribe' || method === 'resources/unsubscribe') {
        return { ...ownerOfUri(index, String(params?.['uri'])), params }
      }
      if (method === 'completion/complete') {
        const ref = isObject(params?.['ref']) ? params['ref'] : {}
        if (ref['type'] === 'ref/prompt') {
          const owner = ownerOfName(index.prompts, 'prompt', ref['name'])
          return {
            upstream: owner.upstream,
            params: { ...params, ref: { ...ref, name: owner.name } },
            catalog: owner.catalog,
          }
        }
        const template = String(ref['uri'])
        const owner = index.upstreams.find((_, position) =>
          index.catalogs[position]?.lists.resourceTemplates.some((item) => item['uriTemplate'] === template),
        )
        return owner === undefined
          ? { ...ownerOfUri(index, template), params }
          : { upstream: owner, params, catalog: owner.catalog }
      }
      throw new McpError(
        rpc.methodNotFound,
        `Method not found: ${method}. On the endpoint of all servers it has no owner; use /mcp/<server>.`,
      )
    },
    describe: async (viewer) => {
      const upstreams = members()
      await Promise.all(upstreams.map((upstream) => upstream.settled(SETTLE_MS)))
      const declared = upstreams.flatMap((upstream) =>
        upstream.instance === null ? [] : [upstream.instance.connection.hello.capabilities],
      )
      const always = {
        tools: { listChanged: true },
        prompts: { listChanged: true },
        resources: { listChanged: true, subscribe: true },
      }
      const down = upstreams.filter((upstream) => upstream.unavailable() !== null)
      const parts = upstreams.flatMap((upstream) => {
        const text = upstream.instance?.connection.hello.instructions
        return text ? [`## ${upstream.prefix}\n${text}`] : []
      })
      const notice = down.map((upstream) => `Not available now: ${upstream.unavailable()?.message ?? upstream.name}`)
      return {
        capabilities: { ...capabilitiesFor(viewer.era, declared, 'legacy'), ...always },
        serverInfo: { ...hubInfo },
        instructions: parts.length + notice.length === 0 ? null : [...parts, ...notice].join('\n\n'),
      }
    },
  }
}

/** Capabilities towards a client: merged, and without what its era does not have. */
function capabilitiesFor(era: Era, declared: readonly Params[], upstreamEra: Era): Params {
  const merged: Params = {}
  for (const capabilities of declared) {
    for (const [key, value] of Object.entries(capabilities))
      merged[key] = isObject(value) && isObject(merged[key]) ? { ...merged[key], ...value } : value
  }
  if (era === 'legacy' && upstreamEra === 'modern') {
    // A legacy client subscribes one URI at a time; the hub keeps one listen for all of them.
    for (const key of ['tools', 'prompts'])
      if (merged[key] !== undefined) merged[key] = { ...(merged[key] as Params), listChanged: true }
    if (isObject(merged['extensions'])) {
      const { 'io.modelcontextprotocol/tasks': _tasks, ...rest } = merged['extensions']
      merged['extensions'] = rest
    }
    merged['logging'] ??= {}
  }
  if (era === 'modern') {
    // The legacy tasks of 2025-11-25 have another wire form than the extension.
    delete merged['tasks']
  }
  return merged
}

/** A URI template (RFC 6570) as a pattern that its expansions match. */
export function templatePattern(template: string): RegExp {
  const parts = template.split(/(\{[^}]*\})/).map((part) => {
    if (!part.startsWith('{')) return part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    return /^\{[+#]|\*\}$/.test(part) || part.startsWith('{/')
      ? '.*'
      : part.startsWith('{?') || part.startsWith('{&')
        ? '(?:[?&].*)?'
        : '[^/]*'
  })
  return new RegExp(`^${parts.join('')}$`)
}
