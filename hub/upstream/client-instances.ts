import { capabilitiesOfProfile } from '../gateway/call.ts'
import { McpError, rpc } from '../gateway/json-rpc.ts'
import { createLanes, type LaneOptions, type Lanes } from './lanes.ts'
import type { Instance } from './instance.ts'

export interface ClientInstancesOptions extends Omit<LaneOptions, 'open' | 'max' | 'personal'> {
  server: string
  open: (profile: string, ...lane: Parameters<LaneOptions['open']>) => ReturnType<LaneOptions['open']>
  /** For one principal and profile. */
  maxLanes: number
  /** For all of them together. */
  maxInstances: number
}

/**
 * A legacy server shapes what it offers by what its client can be asked for. So each principal and capability profile has
 * connections of its own, opened when needed and closed when idle (PROTOCOL, "Attribution and capability profiles").
 */
export interface ClientInstances {
  readonly all: readonly Instance[]
  /** Calls that the server works on, on any of them. */
  readonly working: number
  /** The connections of one principal and profile. */
  of: (principal: string, profile: string) => Lanes
  /** What they offer may have changed: what closed connections offered counts no longer. */
  forget: () => void
  reap: (unusedSince: number) => Promise<void>
  /** Gives all its connections away; whoever takes them closes them. */
  leave: () => readonly Instance[]
}

/** Principals and profiles whose connections are closed, but known what they offered. */
const MAX_REMEMBERED = 200

export function createClientInstances(options: () => ClientInstancesOptions): ClientInstances {
  const groups = new Map<string, Lanes>()

  function count(): number {
    let sum = 0
    for (const lanes of groups.values()) sum += lanes.instances.length
    return sum
  }

  /** Where the limit is met, the connection goes that nobody has used for the longest time. */
  function makeRoom(): void {
    const { server, maxInstances } = options()
    if (count() < maxInstances) return
    let idlest: Lanes | null = null
    for (const lanes of groups.values())
      if (lanes.idleSince !== null && lanes.idleSince < (idlest?.idleSince ?? Infinity)) idlest = lanes
    if (idlest === null)
      throw new McpError(
        rpc.limitExceeded,
        `Server ${server} already has ${maxInstances} connections for single clients, all in use (hub.maxInstances; limits.maxInstancesPerServer); try again when a call has ended`,
      )
    idlest.evict()
  }

  return {
    get all() {
      return [...groups.values()].flatMap((lanes) => lanes.instances)
    },
    get working() {
      let sum = 0
      for (const lanes of groups.values()) for (const { connection } of lanes.instances) sum += connection.working
      return sum
    },
    of: (principal, profile) => {
      const key = `${profile} ${principal}`
      const known = groups.get(key)
      if (known !== undefined) return known
      if (groups.size > MAX_REMEMBERED)
        for (const [other, { instances }] of groups) if (instances.length === 0) groups.delete(other)
      const { open, onReady, onGone, exclusive, maxLanes, waitMs } = options()
      const lanes = createLanes({
        onReady,
        onGone,
        exclusive,
        personal: capabilitiesOfProfile(profile)['roots'] !== undefined,
        max: maxLanes,
        waitMs,
        open: (...lane) => {
          makeRoom()
          return open(profile, ...lane)
        },
      })
      groups.set(key, lanes)
      return lanes
    },
    forget: () => {
      for (const [key, { instances }] of groups) if (instances.length === 0) groups.delete(key)
    },
    reap: async (unusedSince) => {
      await Promise.all([...groups.values()].map((lanes) => lanes.reap(unusedSince)))
    },
    leave: () => {
      const open = [...groups.values()]
      groups.clear()
      return open.flatMap((lanes) => lanes.leave())
    },
  }
}
