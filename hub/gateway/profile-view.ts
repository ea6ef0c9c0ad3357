import { createProfileShape, type Shape } from '../catalog/shape.ts'
import type { Profile } from '../contract/index.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { McpError, rpc } from './json-rpc.ts'
import { createAggregatedView } from './aggregated-view.ts'
import { createSearchableView, type ToolSearchModes } from './searchable-view.ts'
import type { Admission, HubInfo, View } from './view.ts'

interface ProfileViewOptions {
  /** `profiles.json`; a profile is one object for as long as it stays the same. */
  profiles: () => Readonly<Record<string, Profile>>
  /** The enabled servers, as one array for as long as the configuration stays. */
  upstreams: () => readonly Upstream[]
  admission: Admission
  toolSearch: ToolSearchModes
  hubInfo: HubInfo
}

/** `/mcp/<profile>`: always as the profile is now, because sessions hold the view. */
export function createProfileView(name: string, options: ProfileViewOptions): View {
  let known: { profile: Profile; shape: Shape; of: readonly Upstream[]; members: Upstream[] } | null = null

  function current(): { profile: Profile; shape: Shape; members: Upstream[] } {
    const profiles = options.profiles()
    const profile = Object.hasOwn(profiles, name) ? profiles[name] : undefined
    if (profile === undefined) throw new McpError(rpc.serverUnavailable, `Profile ${name} was removed from the hub`)
    const of = options.upstreams()
    if (known?.profile !== profile || known.of !== of) {
      const shape = known?.profile === profile ? known.shape : createProfileShape(profile)
      known = { profile, shape, of, members: of.filter((upstream) => shape.includes(upstream.name)) }
    }
    return known
  }

  const isThere = (): boolean => Object.hasOwn(options.profiles(), name)
  const plain = createAggregatedView(
    `/mcp/${encodeURIComponent(name)}`,
    () => (isThere() ? current().members : []),
    () => current().shape,
    options.admission,
    options.hubInfo,
  )
  return createSearchableView(plain, options.toolSearch, options.hubInfo, () =>
    isThere() ? current().profile.toolSearch === true : null,
  )
}
