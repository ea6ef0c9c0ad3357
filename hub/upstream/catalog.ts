import { isDeepStrictEqual } from 'node:util'
import { McpError, isObject, rpc, type Params } from '../gateway/json-rpc.ts'
import { MAX_SERVER_DEPTH, isDeeperThan } from '../gateway/message-shape.ts'
import { headerParams, type HeaderParam } from '../gateway/mcp-headers.ts'
import type { Connection } from './connection.ts'

export type Item = Params
export const listKinds = ['tools', 'prompts', 'resources', 'resourceTemplates'] as const
export type ListKind = (typeof listKinds)[number]

export const listMethods: Record<ListKind, string> = {
  tools: 'tools/list',
  prompts: 'prompts/list',
  resources: 'resources/list',
  resourceTemplates: 'resources/templates/list',
}

/** How long a list may be kept and by whom (2026-07-28, "Caching"). */
export interface Freshness {
  ttlMs: number
  cacheScope: 'public' | 'private'
}

/** Of a list that nobody has said anything of. */
export const unkept: Freshness = { ttlMs: 0, cacheScope: 'private' }

/** What one connection offers: its lists, whole and in the server's order, and what is derived from them. */
export interface Catalog {
  lists: Record<ListKind, Item[]>
  /** Null for what the server does not have. */
  freshness: Record<ListKind, Freshness | null>
  /** Arguments that travel as headers, by tool. */
  headerParams: Map<string, HeaderParam[]>
}

export const emptyCatalog: Catalog = {
  lists: { tools: [], prompts: [], resources: [], resourceTemplates: [] },
  freshness: { tools: unkept, prompts: unkept, resources: unkept, resourceTemplates: unkept },
  headerParams: new Map(),
}

const MAX_PAGES = 1_000
const keyOf: Record<ListKind, string> = {
  tools: 'name',
  prompts: 'name',
  resources: 'uri',
  resourceTemplates: 'uriTemplate',
}
export const capabilityOf: Record<ListKind, string> = {
  tools: 'tools',
  prompts: 'prompts',
  resources: 'resources',
  resourceTemplates: 'resources',
}

/**
 * Reads the lists that the server declares; what is as it was stays the same object, `previous` itself if all is. One bad
 * item never spoils a list: it is left out, and `warn` says so.
 */
export async function readCatalog(
  connection: Pick<Connection, 'hello' | 'request'>,
  kinds: readonly ListKind[],
  previous: Catalog,
  warn: (text: string) => void,
): Promise<Catalog> {
  const lists = { ...previous.lists }
  const freshness = { ...previous.freshness }
  const warnings: string[] = []
  await Promise.all(
    kinds.map(async (kind) => {
      const isDeclared = connection.hello.capabilities[capabilityOf[kind]] !== undefined
      const read = isDeclared ? await readList(connection, kind, (text) => warnings.push(text)) : nothing
      lists[kind] = read.items
      freshness[kind] = read.freshness
    }),
  )
  const read: Catalog = kinds.includes('tools')
    ? catalogOfLists(lists, (text) => warnings.push(text))
    : { ...previous, lists }
  for (const kind of kinds) if (areSame(read.lists[kind], previous.lists[kind])) read.lists[kind] = previous.lists[kind]
  const isSame = listKinds.every((kind) => read.lists[kind] === previous.lists[kind])
  if (isSame && previous !== emptyCatalog && isDeepStrictEqual(freshness, previous.freshness)) return previous
  for (const text of warnings) warn(text)
  return { ...read, freshness }
}

/** Most lists are compared with the empty one of a server that has just started. */
const areSame = (one: readonly Item[], other: readonly Item[]): boolean =>
  one.length === other.length && (one.length === 0 || isDeepStrictEqual(one, other))

/** The other catalog where it holds the same: what many connections offer is kept once, and so is what is made of it. */
export function shared(read: Catalog, other: Catalog): Catalog {
  const isSame =
    listKinds.every((kind) => areSame(read.lists[kind], other.lists[kind])) &&
    isDeepStrictEqual(read.freshness, other.freshness)
  return isSame && other !== emptyCatalog ? other : read
}

/** What is derived from the lists. Tools whose annotations for headers are not valid are left out. */
export function catalogOfLists(
  lists: Record<ListKind, Item[]>,
  warn: (text: string) => void = () => undefined,
): Catalog {
  const params = new Map<string, HeaderParam[]>()
  const tools = lists.tools.filter((tool) => {
    const found = headerParams(tool['inputSchema'])
    if (found === null) warn(`Tool ${String(tool['name'])} is left out: its x-mcp-header annotation is not valid`)
    else if (found.length > 0) params.set(String(tool['name']), found)
    return found !== null
  })
  return { lists: { ...lists, tools }, freshness: emptyCatalog.freshness, headerParams: params }
}

interface ReadList {
  items: Item[]
  freshness: Freshness | null
}

const nothing: ReadList = { items: [], freshness: null }

async function readList(
  connection: Pick<Connection, 'hello' | 'request'>,
  kind: ListKind,
  warn: (text: string) => void,
): Promise<ReadList> {
  const items = new Map<string, Item>()
  let freshness: Freshness | null = null
  let cursor: unknown
  for (let page = 0; page < MAX_PAGES; page++) {
    let result: unknown
    try {
      result = await connection.request(listMethods[kind], cursor === undefined ? undefined : { cursor })
    } catch (error) {
      // Templates are optional even where resources are declared.
      if (error instanceof McpError && error.code === rpc.methodNotFound) return nothing
      throw error
    }
    const found = isObject(result) ? result[kind] : undefined
    if (!isObject(result) || !Array.isArray(found))
      throw new McpError(rpc.internalError, `The answer to ${listMethods[kind]} has no array ${kind}`)
    freshness = mergeFreshness([freshness, freshnessOf(result)])
    for (const item of found as unknown[]) {
      const key = isObject(item) ? item[keyOf[kind]] : undefined
      if (!isObject(item) || typeof key !== 'string' || key === '')
        warn(`An item of ${listMethods[kind]} without ${keyOf[kind]} is left out`)
      else if (isDeeperThan(MAX_SERVER_DEPTH, item))
        warn(`${key} of ${listMethods[kind]} is left out: it is nested deeper than ${MAX_SERVER_DEPTH} levels`)
      else if (!items.has(key)) items.set(key, item)
    }
    // An empty string is a cursor like any other; only its absence ends the list.
    cursor = result['nextCursor']
    if (typeof cursor !== 'string') return { items: [...items.values()], freshness }
  }
  warn(`${listMethods[kind]} has more than ${MAX_PAGES} pages; the rest is left out`)
  return { items: [...items.values()], freshness }
}

/** What a server says of a list; one of the legacy era says nothing. */
function freshnessOf({ ttlMs, cacheScope }: Params): Freshness {
  return {
    ttlMs: typeof ttlMs === 'number' && Number.isInteger(ttlMs) && ttlMs > 0 ? ttlMs : 0,
    cacheScope: cacheScope === 'public' ? 'public' : 'private',
  }
}

/** Of lists put together: the shortest time, and `private` as soon as one is. */
export function mergeFreshness(parts: readonly (Freshness | null)[]): Freshness {
  const said = parts.filter((part) => part !== null)
  if (said.length === 0) return unkept
  return {
    ttlMs: Math.min(...said.map(({ ttlMs }) => ttlMs)),
    cacheScope: said.every(({ cacheScope }) => cacheScope === 'public') ? 'public' : 'private',
  }
}
