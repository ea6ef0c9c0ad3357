import { profileInScope, serverInScope, toolInScope, type Scopes } from '../auth/scope.ts'
import { wholeShape } from '../catalog/shape.ts'
import type { Profile } from '../contract/index.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { createAggregatedView } from './aggregated-view.ts'
import { createProfileView } from './profile-view.ts'
import { createSearchableView, type ToolSearchModes } from './searchable-view.ts'
import { createServerView } from './server-view.ts'
import type { Admission, HubInfo, View } from './view.ts'

const MAX_SCOPES = 200

export interface ScopedViews {
  /** The endpoint as a narrowed caller sees it; null when it is not there for them. */
  find: (scopes: Scopes, name: string) => View | null
}

/** What users and keys with a scope see: only what is named in it, under the same paths. */
export function createScopedViews(options: {
  hubInfo: HubInfo
  upstreams: () => ReadonlyMap<string, Upstream>
  enabled: () => readonly Upstream[]
  profiles: () => Readonly<Record<string, Profile>>
  admission: Admission
  toolSearch: ToolSearchModes
}): ScopedViews {
  const { admission, toolSearch, hubInfo } = options
  const known = new Map<string, Map<string, View>>()

  function viewsOf(scopes: Scopes): Map<string, View> {
    const key = JSON.stringify(scopes)
    const found = known.get(key)
    if (found !== undefined) return found
    if (known.size >= MAX_SCOPES) known.clear()
    const made = new Map<string, View>()
    known.set(key, made)
    return made
  }

  function make(scopes: Scopes, name: string): View | null {
    const narrowed: Admission = {
      get revision() {
        return admission.revision
      },
      isPersonal: true,
      admits: (server, tool) => toolInScope(scopes, server, String(tool['name'])) && admission.admits(server, tool),
      instructions: admission.instructions,
    }
    if (name === '') {
      let of: readonly Upstream[] | null = null
      let members: Upstream[] = []
      const inScope = (): Upstream[] => {
        const all = options.enabled()
        if (of !== all) {
          of = all
          members = all.filter((upstream) => serverInScope(scopes, upstream.name))
        }
        return members
      }
      const view = createAggregatedView('/mcp', inScope, () => wholeShape, narrowed, hubInfo)
      return createSearchableView(view, toolSearch, hubInfo)
    }
    const all = options.upstreams()
    const upstream = all.get(name) ?? [...all.values()].find((candidate) => candidate.prefix === name)
    if (upstream !== undefined) {
      if (!serverInScope(scopes, upstream.name)) return null
      const view = createServerView(upstream.name, () => options.upstreams().get(upstream.name), narrowed)
      return createSearchableView(view, toolSearch, hubInfo)
    }
    if (!Object.hasOwn(options.profiles(), name) || !profileInScope(scopes, name)) return null
    return createProfileView(name, { ...options, upstreams: options.enabled, admission: narrowed })
  }

  return {
    find: (scopes, name) => {
      const views = viewsOf(scopes)
      const found = views.get(name)
      if (found !== undefined) return found
      const made = make(scopes, name)
      if (made !== null) views.set(name, made)
      return made
    },
  }
}
