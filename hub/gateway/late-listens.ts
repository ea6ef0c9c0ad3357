import type { GatewayContext } from './context.ts'
import type { Listens } from './listens.ts'

/** The subscriptions of modern clients, whose code is loaded with the first of them. */
export interface LateListens extends Omit<Listens, 'open'> {
  loaded: () => Promise<Listens>
}

export function createLateListens(context: GatewayContext): LateListens {
  let listens: Listens | null = null
  return {
    loaded: async () => {
      if (listens !== null) return listens
      const { createListens } = await import('./listens.ts')
      return (listens ??= createListens(context))
    },
    get size() {
      return listens?.size ?? 0
    },
    closeAll: () => listens?.closeAll(),
    catalogChanged: (upstream, kinds) => listens?.catalogChanged(upstream, kinds),
    listsChanged: () => listens?.listsChanged(),
    wantedTasks: () => listens?.wantedTasks() ?? new Map(),
    taskChanged: (upstream, params) => listens?.taskChanged(upstream, params),
  }
}
