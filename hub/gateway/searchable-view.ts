import { createToolSearchView } from './tool-search-view.ts'
import type { Admission, HubInfo, View, Viewer } from './view.ts'

/** What keys say of tool search by themselves; see auth/key-tool-search.ts. */
export interface ToolSearchModes {
  of: (principal: string) => boolean | undefined
  readonly isUsed: boolean
  readonly revision: number
}

/**
 * A view that offers all tools, or the four to find them with: as the viewer's key says, else as `byDefault` does, which is
 * null when there is nothing to show any more.
 */
export function createSearchableView(
  plain: View,
  modes: ToolSearchModes,
  hubInfo: HubInfo,
  byDefault: () => boolean | null = () => false,
): View {
  const searched = createToolSearchView(plain, hubInfo)
  // Asked anew each time: sessions hold the view, and both may change while they are open.
  const viewFor = ({ principal }: Viewer): View => {
    const otherwise = byDefault()
    return otherwise !== null && (modes.of(principal) ?? otherwise) ? searched : plain
  }

  return {
    path: plain.path,
    get upstreams() {
      return plain.upstreams
    },
    includes: (upstream) => plain.includes(upstream),
    aggregates: plain.aggregates,
    get serverInfo() {
      return plain.serverInfo
    },
    list: (kind, viewer) => viewFor(viewer).list(kind, viewer),
    listNow: (kind, viewer) => (byDefault() === null ? null : viewFor(viewer).listNow(kind, viewer)),
    route: (method, params, viewer) => viewFor(viewer).route(method, params, viewer),
    describe: async (viewer) => viewFor(viewer).describe(viewer),
  }
}

/** Once a key has a say of its own, clients are shown different lists at the same address. */
export function personalWith(modes: ToolSearchModes, admission: Admission): Admission {
  return {
    get revision() {
      return admission.revision + modes.revision
    },
    get isPersonal() {
      return modes.isUsed || admission.isPersonal === true
    },
    admits: admission.admits,
    instructions: admission.instructions,
  }
}
