import { createLanes, type LaneOptions, type Lanes } from './lanes.ts'
import type { Instance } from './instance.ts'

export interface ClientInstancesOptions extends Omit<LaneOptions, 'open'> {
  open: (profile: string, onLost: () => void) => ReturnType<LaneOptions['open']>
}

/**
 * A legacy server shapes what it offers by what its client can be asked for. So each principal and capability profile has
 * connections of its own, opened when needed and closed when idle (PROTOCOL, "Attribution and capability profiles").
 */
export interface ClientInstances {
  readonly all: readonly Instance[]
  readonly inFlight: number
  /** The connections of one principal and profile. */
  of: (principal: string, profile: string) => Lanes
  reap: (unusedSince: number) => Promise<void>
  close: (atOnce: boolean) => Promise<void>
}

export function createClientInstances(options: () => ClientInstancesOptions): ClientInstances {
  const groups = new Map<string, Lanes>()

  return {
    get all() {
      return [...groups.values()].flatMap((lanes) => lanes.instances)
    },
    get inFlight() {
      let sum = 0
      for (const lanes of groups.values()) sum += lanes.inFlight
      return sum
    },
    of: (principal, profile) => {
      const key = `${profile} ${principal}`
      const known = groups.get(key)
      if (known !== undefined) return known
      const { open, ...rest } = options()
      const lanes = createLanes({ ...rest, open: (onLost) => open(profile, onLost) })
      groups.set(key, lanes)
      return lanes
    },
    reap: async (unusedSince) => {
      await Promise.all(
        [...groups].map(async ([key, lanes]) => {
          if (!(await lanes.reap(unusedSince)) && groups.get(key) === lanes) groups.delete(key)
        }),
      )
    },
    close: async (atOnce) => {
      const open = [...groups.values()]
      groups.clear()
      await Promise.all(open.map((lanes) => lanes.close(atOnce)))
    },
  }
}
