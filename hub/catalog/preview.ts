import type { Profile, ProfilePreview, ShownItem } from '../contract/index.ts'
import type { Catalog, ListKind } from '../upstream/catalog.ts'
import { metaTools } from './meta-tools.ts'
import { createProfileShape, overrideState, type Member } from './shape.ts'
import { tokenCost, type CountTokens } from './token-cost.ts'
import type { Item } from '../upstream/catalog.ts'

export interface Offer extends Member {
  catalog: Catalog
}

/** Exactly what clients of a profile get, with what it costs them. */
export function previewProfile(
  profile: Profile,
  offers: readonly Offer[],
  admits: (server: string, tool: Item) => boolean,
  count: CountTokens,
): ProfilePreview {
  const shape = createProfileShape(profile)

  const shown = (kind: ListKind, key: 'name' | 'uri' | 'uriTemplate'): ShownItem[] =>
    offers.flatMap((offer) => {
      const entry = Object.hasOwn(profile.servers, offer.name) ? profile.servers[offer.name] : undefined
      return shape.show(kind, offer, offer.catalog.lists[kind]).flatMap(({ item, original }) => {
        if (kind === 'tools' && !admits(offer.name, original)) return []
        const override = kind === 'tools' || kind === 'prompts' ? entry?.[kind]?.overrides : undefined
        return [
          {
            server: offer.name,
            name: String(original[key]),
            exposedName: String(item[key]),
            title: textOf(item['title']),
            description: textOf(item['description']),
            tokens: key === 'name' ? tokenCost(item, count) : 0,
            ...overrideState(override?.[String(original[key])], original),
          },
        ]
      })
    })

  const tools = shown('tools', 'name')
  const prompts = shown('prompts', 'name')
  const resources = [...shown('resources', 'uri'), ...shown('resourceTemplates', 'uriTemplate')]
  const tokensOfAll = total(tools)
  return {
    tools,
    prompts,
    resources,
    tokensOfAll,
    tokens:
      profile.toolSearch === true ? metaTools.reduce((sum, tool) => sum + tokenCost(tool, count), 0) : tokensOfAll,
    collisions: [...collisions(tools), ...collisions(prompts)],
    toolCounts: Object.fromEntries(
      [...Map.groupBy(tools, ({ server }) => server)].map(([server, of]) => [server, of.length]),
    ),
  }
}

/** The same with the items of one server alone: of thousands, an editor shows only these. */
export function previewOfServer(preview: ProfilePreview, server: string): ProfilePreview {
  const ours = (items: readonly ShownItem[]): ShownItem[] => items.filter((item) => item.server === server)
  const { tools, prompts, resources } = preview
  return { ...preview, tools: ours(tools), prompts: ours(prompts), resources: ours(resources) }
}

function collisions(items: readonly ShownItem[]): ProfilePreview['collisions'] {
  const byName = Map.groupBy(items, ({ exposedName }) => exposedName)
  return [...byName].flatMap(([exposedName, sharing]) =>
    sharing.length < 2 ? [] : [{ exposedName, items: sharing.map(({ server, name }) => `${server}/${name}`) }],
  )
}

const total = (items: readonly ShownItem[]): number => items.reduce((sum, { tokens }) => sum + tokens, 0)

const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null)
