import { McpError, isObject, rpc, type Params } from '../gateway/json-rpc.ts'
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

/** What one connection offers: its lists, whole and in the server's order, and what is derived from them. */
export interface Catalog {
  lists: Record<ListKind, Item[]>
  /** Arguments that travel as headers, by tool. */
  headerParams: Map<string, HeaderParam[]>
}

export const emptyCatalog: Catalog = {
  lists: { tools: [], prompts: [], resources: [], resourceTemplates: [] },
  headerParams: new Map(),
}

const MAX_PAGES = 1_000
const keyOf: Record<ListKind, string> = {
  tools: 'name',
  prompts: 'name',
  resources: 'uri',
  resourceTemplates: 'uriTemplate',
}
const capabilityOf: Record<ListKind, string> = {
  tools: 'tools',
  prompts: 'prompts',
  resources: 'resources',
  resourceTemplates: 'resources',
}

/** Reads the lists that the server declares. One bad item never spoils a list: it is left out, and `warn` says so. */
export async function readCatalog(
  connection: Connection,
  kinds: readonly ListKind[],
  previous: Catalog,
  warn: (text: string) => void,
): Promise<Catalog> {
  const lists = { ...previous.lists }
  await Promise.all(
    kinds.map(async (kind) => {
      lists[kind] =
        connection.hello.capabilities[capabilityOf[kind]] === undefined ? [] : await readList(connection, kind, warn)
    }),
  )
  if (!kinds.includes('tools')) return { lists, headerParams: previous.headerParams }
  return catalogOfLists(lists, warn)
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
  return { lists: { ...lists, tools }, headerParams: params }
}

async function readList(connection: Connection, kind: ListKind, warn: (text: string) => void): Promise<Item[]> {
  const items = new Map<string, Item>()
  let cursor: unknown
  for (let page = 0; page < MAX_PAGES; page++) {
    let result: unknown
    try {
      result = await connection.request(listMethods[kind], cursor === undefined ? undefined : { cursor })
    } catch (error) {
      // Templates are optional even where resources are declared.
      if (error instanceof McpError && error.code === rpc.methodNotFound) return []
      throw error
    }
    const found = isObject(result) ? result[kind] : undefined
    if (!Array.isArray(found))
      throw new McpError(rpc.internalError, `The answer to ${listMethods[kind]} has no array ${kind}`)
    for (const item of found as unknown[]) {
      const key = isObject(item) ? item[keyOf[kind]] : undefined
      if (!isObject(item) || typeof key !== 'string' || key === '')
        warn(`An item of ${listMethods[kind]} without ${keyOf[kind]} is left out`)
      else if (!items.has(key)) items.set(key, item)
    }
    // An empty string is a cursor like any other; only its absence ends the list.
    cursor = isObject(result) ? result['nextCursor'] : undefined
    if (typeof cursor !== 'string') return [...items.values()]
  }
  warn(`${listMethods[kind]} has more than ${MAX_PAGES} pages; the rest is left out`)
  return [...items.values()]
}
