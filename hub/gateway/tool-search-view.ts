import { parseExactly } from '../contract/exact-json.ts'
import { metaTools, summaryOf } from '../catalog/meta-tools.ts'
import { createToolSearch, type ToolSearch } from '../catalog/tool-search.ts'
import { emptyCatalog, type Item } from '../upstream/catalog.ts'
import { McpError, Reply, rpc, type Params } from './json-rpc.ts'
import { listText, profileKey, type HubInfo, type Target, type View, type Viewer } from './view.ts'

interface Built {
  tools: Map<string, Item>
  search: ToolSearch
  /** Those whom this list was offered last, by what decides that. */
  viewers: Set<string>
}

/** Lists whose index is kept: clients whose capabilities shape what they are offered have others than the rest. */
const MAX_BUILT = 20
/** Viewers that are remembered of a list: it goes when these are offered others. */
const MAX_VIEWERS = 500

const INSTRUCTIONS =
  'The tools of this endpoint are found with search_tools, read with describe_tool and called with call_tool.'

/** A view whose many tools are reached through four: `search_tools`, `describe_tool`, `call_tool` and `hub_status`. */
export function createToolSearchView(inner: View, hubInfo: HubInfo): View {
  /** By list, which is the same buffer for all who are offered the same for as long as it is; the one used last at the end. */
  const built = new Map<Buffer, Built>()
  const lists = {
    legacy: Buffer.from(listText('tools', [...metaTools], 'legacy', hubInfo)),
    modern: Buffer.from(listText('tools', [...metaTools], 'modern', hubInfo)),
  }

  function drop(list: Buffer, { search }: Built): void {
    built.delete(list)
    search.close()
  }

  function indexOf(list: Buffer, viewer: Viewer): Built {
    const who = `${viewer.era} ${profileKey(viewer)}`
    for (const [other, index] of built)
      if (other !== list && index.viewers.delete(who) && index.viewers.size === 0) drop(other, index)
    const index = built.get(list) ?? build(list)
    if (index.viewers.size < MAX_VIEWERS) index.viewers.add(who)
    built.delete(list)
    built.set(list, index)
    return index
  }

  function build(list: Buffer): Built {
    for (const [oldest, index] of built) {
      if (built.size < MAX_BUILT) break
      drop(oldest, index)
    }
    const { tools } = parseExactly(list.toString()) as { tools: Item[] }
    return {
      tools: new Map(tools.map((tool) => [String(tool['name']), tool])),
      search: createToolSearch(tools, (tool) => /^(.+?)__/.exec(String(tool['name']))?.[1] ?? ''),
      viewers: new Set(),
    }
  }

  async function answer(name: string, given: unknown, viewer: Viewer): Promise<unknown> {
    if (name === 'hub_status') return structured({ servers: serverStates(inner) })
    const { describeArguments, parseArguments, searchArguments } = await import('./meta-tool-arguments.ts')
    const list = await inner.list('tools', viewer)
    // Nothing is waited for from here on: another client's search may close the index.
    const { tools, search } = indexOf(list, viewer)
    if (name === 'describe_tool') {
      const wanted = parseArguments(describeArguments, given).name
      const tool = tools.get(wanted)
      if (tool === undefined) throw unknownTool(wanted, search)
      return structured({ ...tool })
    }
    const { query, limit } = parseArguments(searchArguments, given)
    return structured({ tools: search.search(query, limit).map(({ tool }) => summaryOf(tool)), total: tools.size })
  }

  const target = (name: string, viewer: Viewer): Target => ({
    name: 'hub',
    hello: null,
    call: (call) => {
      answer(name, call.params?.['arguments'] ?? {}, viewer).then(
        (result) => call.finish(Reply.result(result)),
        (error: unknown) => call.finish(failure(error)),
      )
      // An answer of the hub itself is there at once: there is nothing to stop.
      return () => undefined
    },
  })

  return {
    path: inner.path,
    get upstreams() {
      return inner.upstreams
    },
    includes: (upstream) => inner.includes(upstream),
    aggregates: inner.aggregates,
    get serverInfo() {
      return inner.serverInfo
    },
    list: (kind, viewer) => (kind === 'tools' ? lists[viewer.era] : inner.list(kind, viewer)),
    listNow: (kind, viewer) => (kind === 'tools' ? lists[viewer.era] : inner.listNow(kind, viewer)),
    route: (method, params, viewer) => {
      const name = method === 'tools/call' ? params?.['name'] : undefined
      if (name === 'call_tool') {
        return import('./meta-tool-arguments.ts').then(async ({ callArguments, parseArguments }) => {
          const wanted = parseArguments(callArguments, params?.['arguments'] ?? {})
          const routed: Params = { ...params, name: wanted.name, arguments: wanted.arguments }
          // The client named another tool: its headers say nothing of this one's arguments.
          return { ...(await inner.route(method, routed, viewer)), renamed: true }
        })
      }
      if (typeof name === 'string' && metaTools.some((tool) => tool['name'] === name))
        return { upstream: target(name, viewer), params, catalog: emptyCatalog }
      return inner.route(method, params, viewer)
    },
    describe: async (viewer) => {
      const described = await inner.describe(viewer)
      const instructions =
        described.instructions === null ? INSTRUCTIONS : `${INSTRUCTIONS}\n\n${described.instructions}`
      return { ...described, capabilities: { ...described.capabilities, tools: { listChanged: true } }, instructions }
    },
  }
}

function serverStates(view: View): unknown[] {
  return view.upstreams.map((upstream) => {
    const { name, prefix, state, reason, counts } = upstream.status()
    return {
      name,
      prefix,
      state,
      tools: counts.tools,
      ...(reason === null ? {} : { problem: reason.message, cure: reason.cure }),
    }
  })
}

function unknownTool(name: string, search: ToolSearch): McpError {
  const near = search.search(name, 3).map(({ tool }) => String(tool['name']))
  const hint = near.length === 0 ? 'Use search_tools to find one.' : `Did you mean ${near.join(', ')}?`
  return new McpError(rpc.invalidParams, `There is no tool named ${name}. ${hint}`)
}

/** An assistant can act on a failed tool; a protocol error it often never sees. */
function failure(error: unknown): Reply {
  const message = error instanceof Error ? error.message : String(error)
  return Reply.result({ content: [{ type: 'text', text: message }], isError: true })
}

function structured(value: Params): unknown {
  return { content: [{ type: 'text', text: JSON.stringify(value) }], structuredContent: value }
}
