import { selects, type Profile } from '../contract/index.ts'
import { exposedName } from '../gateway/names.ts'
import type { Item, ListKind } from '../upstream/catalog.ts'
import { definitionHash } from './definition.ts'

/** A server as far as its items' names depend on it. */
export interface Member {
  name: string
  prefix: string
}

export interface Shown {
  /** As a client sees it. */
  item: Item
  /** As the server offers it. */
  original: Item
}

/** How an endpoint shows what its servers offer. */
export interface Shape {
  includes: (server: string) => boolean
  show: (kind: ListKind, server: Member, items: readonly Item[]) => Shown[]
}

const keyOf: Record<ListKind, string> = {
  tools: 'name',
  prompts: 'name',
  resources: 'uri',
  resourceTemplates: 'uriTemplate',
}

/** `/mcp`: everything of every server; tools and prompts as `<prefix>__<name>`. */
export const wholeShape: Shape = {
  includes: () => true,
  show: (kind, server, items) =>
    items.map((original) => ({ original, item: named(kind) ? renamed(server, original) : original })),
}

/** `/mcp/<profile>`: what the profile selects, with its overrides. */
export function createProfileShape(profile: Profile): Shape {
  const entryOf = (server: string): Profile['servers'][string] | undefined =>
    Object.hasOwn(profile.servers, server) ? profile.servers[server] : profile.otherServers === true ? {} : undefined
  return {
    includes: (server) => entryOf(server) !== undefined,
    show: (kind, server, items) => {
      const entry = entryOf(server.name)
      if (entry === undefined) return []
      if (kind === 'resources' || kind === 'resourceTemplates') {
        return items
          .filter((item) => selects(entry.resources, String(item[keyOf[kind]])))
          .map((item) => ({ item, original: item }))
      }
      const selection = entry[kind]
      return items.flatMap((original) => {
        const name = String(original['name'])
        if (!selects(selection, name)) return []
        if (kind === 'tools' && entry.tools?.readOnly === true && !isReadOnly(original)) return []
        return [{ original, item: overridden(renamed(server, original), selection?.overrides?.[name]) }]
      })
    },
  }
}

function named(kind: ListKind): boolean {
  return kind === 'tools' || kind === 'prompts'
}

function renamed(server: Member, item: Item): Item {
  return { ...item, name: exposedName(server.prefix, String(item['name'])) }
}

interface Override {
  name?: string | undefined
  title?: string | undefined
  description?: string | undefined
  annotations?: Record<string, unknown> | undefined
  basis?: string | undefined
}

function overridden(item: Item, override: Override | undefined): Item {
  if (override === undefined) return item
  const { basis: _basis, annotations, ...fields } = override
  return {
    ...item,
    ...Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)),
    ...(annotations === undefined ? {} : { annotations: { ...(item['annotations'] as object), ...annotations } }),
  }
}

/** The fields that an override changes, and whether the server's definition is another than when it was written. */
export function overrideState(
  override: Override | undefined,
  original: Item,
): { overridden: string[]; changedUpstream: boolean } {
  if (override === undefined) return { overridden: [], changedUpstream: false }
  const { basis, ...fields } = override
  return {
    overridden: Object.entries(fields).flatMap(([key, value]) => (value === undefined ? [] : [key])),
    changedUpstream: basis !== undefined && basis !== definitionHash(original),
  }
}

export function isReadOnly(tool: Item): boolean {
  const annotations = tool['annotations']
  return typeof annotations === 'object' && annotations !== null && 'readOnlyHint' in annotations
    ? annotations.readOnlyHint === true
    : false
}
