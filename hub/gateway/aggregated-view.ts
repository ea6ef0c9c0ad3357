import type { Shape, Shown } from '../catalog/shape.ts'
import { emptyCatalog, mergeFreshness, unkept, type Catalog, type Item, type ListKind } from '../upstream/catalog.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { createAppTools, type AppTools, type Named } from './app-tools.ts'
import { uiUris, withUiUris } from './exposed-uris.ts'
import { McpError, isObject, rpc, type Params } from './json-rpc.ts'
import { createLateSkills } from './late-skills.ts'
import { createResourceOwners, templatePattern, type ResourceOwners } from './resource-owners.ts'
import {
  GREETING_WAIT_MS,
  LIST_WAIT_MS,
  MERGED_LIST_WAIT_MS,
  cachedList,
  capabilitiesFor,
  catalogNow,
  heldBack,
  known,
  listText,
  profileKey,
  sameParts,
  started,
  type Admission,
  type HubInfo,
  type ListCache,
  type Route,
  type View,
  type Viewer,
} from './view.ts'

interface Index {
  upstreams: readonly Upstream[]
  shape: Shape
  /** What the admission was. */
  revision: number
  /** Everything that it was made of. */
  parts: readonly unknown[]
  catalogs: Catalog[]
  tools: Map<string, Named>
  /** Tools that would be shown, but wait for a person's approval. */
  held: Map<string, { server: string; tool: string }>
  prompts: Map<string, Named>
  appTools: AppTools
  resources: ResourceOwners
  lists: ListCache
  /** Those of what was there before it. */
  earlier: ListCache | null
}

/** Viewers for which it is known what they are shown. */
const MAX_INDEXES = 500

const READS = new Set(['resources/read', 'resources/directory/read'])
const URI_METHODS = new Set([
  'resources/read',
  'resources/subscribe',
  'resources/unsubscribe',
  'resources/directory/read',
])

/** `/mcp` and `/mcp/<profile>`: what a shape shows of the members, in the order of the configuration. */
export function createAggregatedView(
  path: string,
  members: () => readonly Upstream[],
  currentShape: () => Shape,
  admission: Admission,
  hubInfo: HubInfo,
): View {
  const indexes = new Map<string, Index>()
  const skills = createLateSkills(
    members,
    (upstream, uri) => currentShape().show('resources', upstream, [{ uri }]).length > 0,
  )

  /**
   * What was found last for such a viewer, if everything that it was made of is the same; null when not, or when what a member
   * offers is not known yet and `whole` is wanted. Each list and each call asks for it.
   */
  function unchanged(viewer: Viewer, whole: boolean): Index | null {
    const before = indexes.get(profileKey(viewer))
    const upstreams = members()
    if (before?.upstreams !== upstreams || before.shape !== currentShape() || before.revision !== admission.revision)
      return null
    for (let position = 0; position < upstreams.length; position++) {
      const upstream = upstreams[position]
      if (upstream === undefined) return null
      const offered = catalogNow(upstream, viewer)
      if (offered === null && whole) return null
      if ((offered ?? upstream.catalog) !== before.catalogs[position]) return null
    }
    return before
  }

  /** What the members offer, as far as it is known: of one whose connection for this client starts, what all are offered. */
  function indexNow(viewer: Viewer): Index {
    const before = unchanged(viewer, false)
    if (before !== null) return before
    const upstreams = members()
    return indexOf(
      upstreams,
      upstreams.map((upstream) => catalogNow(upstream, viewer) ?? upstream.catalog),
      viewer,
    )
  }

  /** Those members of which it is not known yet what they offer. */
  function pending(viewer: Viewer): Upstream[] {
    return members().filter((upstream) => catalogNow(upstream, viewer) === null)
  }

  /** What the members offer, those included that are quick to start. */
  function wholeIndex(viewer: Viewer, ms: number): Index | Promise<Index> {
    const before = unchanged(viewer, true)
    if (before !== null) return before
    const unknown = pending(viewer)
    return unknown.length === 0 ? indexNow(viewer) : known(unknown, viewer, ms).then(() => indexNow(viewer))
  }

  function indexOf(upstreams: readonly Upstream[], catalogs: Catalog[], viewer: Viewer): Index {
    const shape = currentShape()
    const { revision } = admission
    const parts = [upstreams, shape, revision, ...catalogs]
    const key = profileKey(viewer)
    const before = indexes.get(key)
    // Deleted, so that the first is the one that was made the longest time ago.
    indexes.delete(key)
    const [oldest] = indexes.keys()
    if (indexes.size >= MAX_INDEXES && oldest !== undefined) indexes.delete(oldest)
    for (const other of indexes.values())
      if (sameParts(other.parts, parts)) {
        indexes.set(key, other)
        return other
      }
    const shown = (kind: ListKind, position: number): Shown[] => {
      const upstream = upstreams[position]
      return upstream === undefined ? [] : shape.show(kind, upstream, catalogs[position]?.lists[kind] ?? [])
    }
    const index: Index = {
      upstreams,
      shape,
      revision,
      parts,
      catalogs,
      tools: new Map(),
      held: new Map(),
      prompts: new Map(),
      appTools: createAppTools(),
      resources: createResourceOwners(
        upstreams.map((upstream, position) => {
          const templates = shown('resourceTemplates', position).map(({ original }) => String(original['uriTemplate']))
          return {
            upstream,
            uris: [
              ...shown('resources', position).map(({ original }) => String(original['uri'])),
              ...shown('tools', position).flatMap(({ original }) => uiUris(original)),
            ],
            templates,
            shows: (uri) =>
              shape.show('resources', upstream, [{ uri }]).length > 0 ||
              templates.some((template) => templatePattern(template).test(uri)),
          }
        }),
      ),
      lists: new Map(),
      earlier: before?.lists ?? null,
    }
    upstreams.forEach((upstream, position) => {
      const hasApps = shown('tools', position).some(({ original }) => uiUris(original).length > 0)
      for (const kind of ['tools', 'prompts'] as const)
        for (const { item, original } of shown(kind, position)) {
          const name = String(original['name'])
          if (kind === 'prompts' || admission.admits(upstream.name, original)) {
            index[kind].set(String(item['name']), { upstream, name })
            if (kind === 'tools' && hasApps) index.appTools.add({ upstream, name })
          } else index.held.set(String(item['name']), { server: upstream.name, tool: name })
        }
    })
    indexes.set(key, index)
    return index
  }

  function listOf(index: Index, kind: ListKind, viewer: Viewer): Buffer {
    return cachedList(index.lists, index.earlier, kind, viewer.era, () =>
      listText(
        kind,
        listItems(kind, index),
        viewer.era,
        hubInfo,
        admission.isPersonal === true ? unkept : mergeFreshness(index.catalogs.map(({ freshness }) => freshness[kind])),
      ),
    )
  }

  function listItems(kind: ListKind, index: Index): Item[] {
    return index.upstreams.flatMap((upstream, position) => {
      const { lists } = index.catalogs[position] ?? emptyCatalog
      const items = index.shape
        .show(kind, upstream, lists[kind])
        .filter(({ original }) => kind !== 'tools' || admission.admits(upstream.name, original))
        .map(({ item }) => item)
      return index.resources.hasMarked(upstream) ? items.map((item) => exposedItem(kind, index, upstream, item)) : items
    })
  }

  /** An item of a server that offers URIs which are another one's here. */
  function exposedItem(kind: ListKind, { resources }: Index, upstream: Upstream, item: Item): Item {
    if (kind === 'tools') return withUiUris(item, (uri) => resources.exposed(upstream, uri))
    if (kind === 'resources') return { ...item, uri: resources.exposed(upstream, String(item['uri'])) }
    if (kind === 'prompts') return item
    return { ...item, uriTemplate: resources.exposedTemplate(upstream, String(item['uriTemplate'])) }
  }

  function routeTo(index: Index, upstream: Upstream, params: Params | undefined): Route {
    const { resources } = index
    const catalog = index.catalogs[index.upstreams.indexOf(upstream)] ?? emptyCatalog
    if (!resources.hasMarked(upstream)) return { upstream, params, catalog }
    return { upstream, params, catalog, expose: (uri) => resources.exposed(upstream, uri) }
  }

  /** The member that a request names; null when none does, as far as they are known. */
  function find(index: Index, method: string, params: Params | undefined): Route | null {
    if (method === 'tools/call' || method === 'prompts/get') {
      const name = params?.['name']
      const held = method === 'tools/call' ? index.held.get(String(name)) : undefined
      if (held !== undefined) throw heldBack(held.server, held.tool)
      const owner =
        method === 'tools/call'
          ? (index.tools.get(String(name)) ?? index.appTools.find(String(name)))
          : index.prompts.get(String(name))
      return owner === undefined ? null : routeTo(index, owner.upstream, { ...params, name: owner.name })
    }
    if (URI_METHODS.has(method)) {
      const owner = index.resources.find(String(params?.['uri']))
      return owner === null ? null : routeTo(index, owner.upstream, { ...params, uri: owner.uri })
    }
    if (method !== 'completion/complete')
      throw new McpError(
        rpc.methodNotFound,
        `Method not found: ${method}. On the endpoint of all servers it has no owner; use /mcp/<server>.`,
      )
    const ref = isObject(params?.['ref']) ? params['ref'] : {}
    if (ref['type'] === 'ref/prompt') {
      const owner = index.prompts.get(String(ref['name']))
      return owner === undefined
        ? null
        : routeTo(index, owner.upstream, { ...params, ref: { ...ref, name: owner.name } })
    }
    const uri = String(ref['uri'])
    const owner = index.resources.findTemplate(uri) ?? index.resources.find(uri)
    return owner === null ? null : routeTo(index, owner.upstream, { ...params, ref: { ...ref, uri: owner.uri } })
  }

  /** Whom a request waits for that names what nobody offers yet: the one whose prefix it has, or all that start. */
  function awaited(name: unknown, viewer: Viewer): Upstream[] {
    const all = pending(viewer)
    const owner = all.find(({ prefix }) => typeof name === 'string' && name.startsWith(`${prefix}__`))
    return owner === undefined ? all : [owner]
  }

  /** Where a request goes that names nothing which a member lists: to the only server that it can be meant for, or nowhere. */
  function elsewhere(index: Index, method: string, params: Params | undefined): Route | Promise<Route> {
    const loaded = READS.has(method) ? skills() : null
    if (loaded === null) return unlisted(index, method, params)
    return loaded.then(({ reads }) => reads(params) ?? unlisted(index, method, params))
  }

  function unlisted(index: Index, method: string, params: Params | undefined): Route {
    const ref = isObject(params?.['ref']) ? params['ref'] : {}
    if (URI_METHODS.has(method) || (method === 'completion/complete' && ref['type'] !== 'ref/prompt')) {
      const uri = String(URI_METHODS.has(method) ? params?.['uri'] : ref['uri'])
      const able = index.upstreams.filter(
        (upstream) =>
          upstream.hello?.capabilities['resources'] !== undefined &&
          index.shape.show('resources', upstream, [{ uri }]).length > 0,
      )
      const [only] = able
      if (able.length === 1 && only !== undefined) return { upstream: only, params, catalog: only.catalog }
      throw new McpError(
        rpc.invalidParams,
        `No server offers the resource ${uri}; end it in #server=<prefix> to say whose it is`,
        { uri },
      )
    }
    const name = method === 'completion/complete' ? ref['name'] : params?.['name']
    const server =
      typeof name === 'string' ? index.upstreams.find(({ prefix }) => name.startsWith(`${prefix}__`)) : undefined
    const kind = method === 'tools/call' ? 'tool' : 'prompt'
    throw server?.unavailable() ?? new McpError(rpc.invalidParams, `Unknown ${kind}: ${String(name)}`)
  }

  function route(method: string, params: Params | undefined, viewer: Viewer): Route | Promise<Route> {
    const now = indexNow(viewer)
    const found = find(now, method, params)
    if (found !== null) return found
    const unknown = awaited(params?.['name'], viewer)
    if (unknown.length === 0) return elsewhere(now, method, params)
    return known(unknown, viewer, LIST_WAIT_MS).then(() => {
      const index = indexNow(viewer)
      return find(index, method, params) ?? elsewhere(index, method, params)
    })
  }

  return {
    path,
    get upstreams() {
      return members()
    },
    includes: (upstream) => members().includes(upstream),
    aggregates: true,
    serverInfo: { ...hubInfo },
    list: (kind, viewer) => {
      for (const upstream of members()) upstream.freshen(viewer.principal, viewer.capabilities)
      const whole = wholeIndex(viewer, MERGED_LIST_WAIT_MS)
      return whole instanceof Promise ? whole.then((index) => listOf(index, kind, viewer)) : listOf(whole, kind, viewer)
    },
    listNow: (kind, viewer) => listOf(indexNow(viewer), kind, viewer),
    route: (method, params, viewer) => {
      const loaded = method.startsWith('skills/') ? skills() : null
      if (loaded === null) return route(method, params, viewer)
      return loaded.then((known) => known.route(method, params, viewer) ?? route(method, params, viewer))
    },
    describe: async (viewer) => {
      const upstreams = members()
      // What they can do is the hub's to say, so a client's greeting waits for servers that are quick, and no longer.
      await Promise.all(upstreams.map((upstream) => started(upstream, GREETING_WAIT_MS)))
      const declared = upstreams.flatMap(({ hello }) => hello ?? [])
      // The tasks of 2025-11-25 name no server.
      const { tasks: _tasks, ...capabilities } = capabilitiesFor(viewer.era, declared)
      const always = {
        tools: { listChanged: true },
        prompts: { listChanged: true },
        resources: { listChanged: true, subscribe: true },
        completions: {},
        ...(viewer.era === 'legacy' ? { logging: {} } : {}),
      }
      const down = upstreams.filter((upstream) => upstream.unavailable() !== null)
      const parts = upstreams.flatMap((upstream) => {
        const text = admission.instructions(upstream.name, upstream.hello?.instructions ?? null)
        return text ? [`## ${upstream.prefix}\n${text}`] : []
      })
      const notice = down.map((upstream) => `Not available now: ${upstream.unavailable()?.message ?? upstream.name}`)
      return {
        capabilities: { ...capabilities, ...always },
        serverInfo: { ...hubInfo },
        instructions: parts.length + notice.length === 0 ? null : [...parts, ...notice].join('\n\n'),
      }
    },
  }
}
