import { emptyCatalog, unkept, type Catalog, type ListKind } from '../upstream/catalog.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { McpError, rpc, type Params } from './json-rpc.ts'
import {
  LIST_WAIT_MS,
  cachedList,
  capabilitiesFor,
  catalogNow,
  catalogOf,
  heldBack,
  listText,
  type Admission,
  type ListCache,
  type Route,
  type View,
  type Viewer,
} from './view.ts'

/** What is made of a catalog, once per change, because each call asks. */
interface Made {
  catalog: Catalog
  revision: number
  /** The names of the tools that may not be called. */
  held: ReadonlySet<unknown>
  lists: ListCache
}

/** `/mcp/<server>`: nothing is renamed. */
export function createServerView(name: string, find: () => Upstream | undefined, admission: Admission): View {
  const unnamed = { name, version: '' }
  /** Clients with connections of their own may be offered different things. */
  const known = new WeakMap<Catalog, Made>()
  let last: Made | null = null

  function madeOf(catalog: Catalog): Made {
    const { revision } = admission
    if (last?.catalog === catalog && last.revision === revision) return last
    let made = known.get(catalog)
    if (made?.revision !== revision) {
      const tools = catalog.lists.tools.filter((tool) => !admission.admits(name, tool)).map((tool) => tool['name'])
      made = { catalog, revision, held: new Set(tools), lists: new Map() }
      known.set(catalog, made)
    }
    last = made
    return made
  }

  function current(): Upstream {
    const upstream = find()
    if (upstream === undefined) throw new McpError(rpc.serverUnavailable, `Server ${name} was removed from the hub`)
    return upstream
  }

  function listOf(upstream: Upstream, catalog: Catalog, kind: ListKind, viewer: Viewer): Buffer {
    if (catalog === emptyCatalog)
      throw upstream.unavailable() ?? new McpError(rpc.serverUnavailable, `Server ${upstream.name} is not available`)
    const earlier = last?.lists ?? null
    return cachedList(madeOf(catalog).lists, earlier, kind, viewer.era, () =>
      listText(
        kind,
        kind === 'tools'
          ? catalog.lists.tools.filter((tool) => admission.admits(upstream.name, tool))
          : catalog.lists[kind],
        viewer.era,
        upstream.hello?.serverInfo ?? unnamed,
        admission.isPersonal === true ? unkept : (catalog.freshness[kind] ?? unkept),
      ),
    )
  }

  function routeTo(upstream: Upstream, catalog: Catalog, method: string, params: Params | undefined): Route {
    if (method === 'tools/call' && madeOf(catalog).held.has(params?.['name']))
      throw heldBack(name, String(params?.['name']))
    return { upstream, params, catalog }
  }

  return {
    path: `/mcp/${encodeURIComponent(name)}`,
    get upstreams() {
      const upstream = find()
      return upstream === undefined ? [] : [upstream]
    },
    includes: (other) => other === find(),
    aggregates: false,
    get serverInfo() {
      return find()?.hello?.serverInfo ?? unnamed
    },
    list: (kind, viewer) => {
      const upstream = current()
      upstream.freshen(viewer.principal, viewer.capabilities)
      const now = catalogNow(upstream, viewer)
      return now === null
        ? catalogOf(upstream, viewer).then((catalog) => listOf(upstream, catalog, kind, viewer))
        : listOf(upstream, now, kind, viewer)
    },
    listNow: (kind, viewer) => {
      const upstream = find()
      if (upstream === undefined) return null
      const catalog = catalogNow(upstream, viewer) ?? upstream.catalog
      return catalog === emptyCatalog ? null : listOf(upstream, catalog, kind, viewer)
    },
    route: (method, params, viewer) => {
      const upstream = current()
      // The call itself waits for what starts.
      return routeTo(upstream, catalogNow(upstream, viewer) ?? upstream.catalog, method, params)
    },
    describe: async (viewer) => {
      const upstream = current()
      await upstream.settled(LIST_WAIT_MS)
      const hello =
        (upstream.isAsleep ? upstream.hello : null) ??
        (await upstream.instanceFor(viewer.principal, viewer.capabilities, viewer.resident)).connection.hello
      return {
        capabilities: capabilitiesFor(viewer.era, [hello]),
        serverInfo: hello.serverInfo ?? unnamed,
        instructions: admission.instructions(name, hello.instructions),
      }
    },
  }
}
