import { McpError, rpc } from '../gateway/json-rpc.ts'
import type { SessionClient } from '../gateway/call.ts'
import type { Catalog } from './catalog.ts'
import type { Instance } from './instance.ts'

/** A client as the connections know it. */
export interface Resident {
  owner: string
  /** Undefined where there is no session. */
  client?: SessionClient | undefined
}

interface Lane extends OpenedLane {
  /** The only client that it ever served; null once there were several, undefined when there was none. */
  resident: Resident | null | undefined
  /** The client that it served last. */
  last: string | null
  /** The client that announced other roots: the server asks for them next. */
  rooted: Resident | null
  /** Whose calls are in flight; null when none are. */
  owner: string | null
  inFlight: number
  isReady: boolean
}

export interface OpenedLane {
  instance: Instance
  /** Rejects with McpError when it does not start. */
  ready: Promise<void>
}

/** Whose something is that a server sends on a connection without saying so. */
export interface LaneClients {
  /** The client that the connection belongs to; null when it served several. */
  readonly only: SessionClient | null
  /** The client whose roots the server wants to know: the one that announced others since it asked last, or the only one. */
  readonly rooted: SessionClient | null
}

export interface LaneOptions {
  /** Opens one more connection; `onLost` tells when it ended by itself. Throws McpError when there may be no more. */
  open: (onLost: () => void, whose: LaneClients) => OpenedLane
  /** It is there, and what it offers is known. */
  onReady: () => void
  /** One went away, and the calls that were under way on it with it. */
  onGone: () => void
  /**
   * One client at a time on a connection: where a server's question does not name its call (a pipe, HTTP+SSE), nothing else
   * keeps it from reaching another client.
   */
  exclusive: boolean
  /** Each client has a connection of its own, as far as there may be so many: a server keeps a client's roots for all of it. */
  personal: boolean
  max: number
  waitMs: number
}

/** The connections to one server for one capability profile of one principal: opened when needed, closed when idle. */
export interface Lanes {
  readonly instances: readonly Instance[]
  /** What a connection offers, or the last one did; null when there was none yet. */
  readonly catalog: Catalog | null
  /** When the connection was used last that nobody uses for the longest time; null when all are in use. */
  readonly idleSince: number | null
  /** The connection that served this client last; null when there is none. Rejects with McpError when it does not start. */
  homeOf: (owner: string) => Promise<Instance> | null
  /** Some connection, for what it offers. */
  any: (resident?: Resident) => Promise<Instance>
  /** The connection where this client's calls go, beside them. Rejects with McpError. */
  home: (owner: string) => Promise<Instance>
  /** A connection for a call of this client; `release` when the call is over. Rejects with McpError. */
  take: (resident: Resident) => Promise<{ instance: Instance; release: () => void }>
  /** The client announces other roots, to the connection that serves it if there is one. */
  rootsChanged: (resident: Resident) => void
  /** Closes the connection of `idleSince`. */
  evict: () => void
  /** Closes connections that nobody used since then. */
  reap: (unusedSince: number) => Promise<void>
  /** Gives its connections away and takes no more calls; those under way go on. */
  leave: () => readonly Instance[]
}

/** Clients whose connection is remembered: sessions come and go, and each is another client. */
const MAX_HOMES = 1_000

export function createLanes(options: LaneOptions): Lanes {
  let lanes: Lane[] = []
  let left = false
  /** The connection that served each client last: what it left in the process is there. */
  const homes = new Map<string, Lane>()
  const waiting: (() => void)[] = []
  let lastCatalog: Catalog | null = null

  function add(resident?: Resident): Lane {
    const whose: LaneClients = {
      get only() {
        return lane.resident?.client ?? null
      },
      get rooted() {
        const announced = lane.rooted
        lane.rooted = null
        return (announced ?? lane.resident)?.client ?? null
      },
    }
    const opened = options.open(() => remove(lane), whose)
    const lane: Lane = {
      ...opened,
      resident,
      last: resident?.owner ?? null,
      rooted: null,
      owner: null,
      inFlight: 0,
      isReady: false,
    }
    lanes.push(lane)
    if (resident !== undefined) settle(resident.owner, lane)
    lane.ready.then(
      () => {
        lane.isReady = true
        options.onReady()
      },
      () => {
        remove(lane)
        void lane.instance.close()
      },
    )
    return lane
  }

  function remove(lane: Lane): void {
    if (lane.isReady) lastCatalog = lane.instance.catalog
    lanes = lanes.filter((other) => other !== lane)
    for (const [owner, home] of homes) if (home === lane) homes.delete(owner)
    waiting.shift()?.()
    options.onGone()
  }

  function free(resident: Resident): Lane | null {
    const { exclusive, personal, max } = options
    if (!exclusive && !personal) return lanes[0] ?? add(resident)
    const isFree = (lane: Lane): boolean => !exclusive || lane.owner === null || lane.owner === resident.owner
    const home = homes.get(resident.owner)
    if (home !== undefined && isFree(home)) return home
    const usable = lanes.filter(isFree)
    const inhabited = new Set(homes.values())
    const empty = usable.find((lane) => !inhabited.has(lane))
    if (empty !== undefined) return empty
    if (lanes.length < max && (personal || usable.length === 0)) return add(resident)
    return usable.toSorted((a, b) => a.instance.lastUsed - b.instance.lastUsed)[0] ?? null
  }

  function settle(owner: string, lane: Lane): void {
    if (!options.exclusive && !options.personal) return
    homes.delete(owner)
    homes.set(owner, lane)
    const [oldest] = homes.keys()
    if (homes.size > MAX_HOMES && oldest !== undefined) homes.delete(oldest)
  }

  /** Another client of its own ends that a connection belongs to one. */
  function inhabit(lane: Lane, resident: Resident): void {
    settle(resident.owner, lane)
    const known = lane.resident
    if (known === undefined || (known?.owner === resident.owner && known.client === undefined)) lane.resident = resident
    else if (known?.owner !== resident.owner) lane.resident = null
  }

  function announceRoots(lane: Lane, resident: Resident): void {
    lane.rooted = resident
    lane.instance.connection.notify('notifications/roots/list_changed')
  }

  async function take(resident: Resident): Promise<{ instance: Instance; release: () => void }> {
    const deadline = performance.now() + options.waitMs
    let lane = free(resident)
    while (lane === null) {
      if (performance.now() >= deadline) {
        throw new McpError(
          rpc.limitExceeded,
          `${options.max} clients already wait for input at this server; try again when one is done`,
        )
      }
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          clearTimeout(timer)
          resolve()
        }
        const timer = setTimeout(() => {
          // Else it would be woken in place of somebody who still waits.
          waiting.splice(waiting.indexOf(wake), 1)
          resolve()
        }, deadline - performance.now())
        waiting.push(wake)
      })
      if (left) throw new McpError(rpc.serverUnavailable, 'The server went away before it had room for this call')
      lane = free(resident)
    }
    const taken = lane
    taken.owner = resident.owner
    taken.inFlight++
    inhabit(taken, resident)
    const isAnother = taken.last !== resident.owner
    taken.last = resident.owner
    let released = false
    const release = (): void => {
      if (released) return
      released = true
      if (--taken.inFlight > 0) return
      taken.owner = null
      waiting.shift()?.()
    }
    try {
      await taken.ready
      if (options.personal && isAnother && resident.client !== undefined) announceRoots(taken, resident)
      return { instance: taken.instance, release }
    } catch (error) {
      release()
      throw error
    }
  }

  const idle = (): Lane[] =>
    lanes.filter(
      ({ inFlight, isReady, instance }) =>
        inFlight === 0 && isReady && !instance.isSubscribed && instance.openTasks.size === 0,
    )

  function longestIdle(): Lane | null {
    return idle().reduce<Lane | null>(
      (oldest, lane) => (oldest === null || lane.instance.lastUsed < oldest.instance.lastUsed ? lane : oldest),
      null,
    )
  }

  return {
    get instances() {
      return lanes.map(({ instance }) => instance)
    },
    get catalog() {
      return lanes.find(({ isReady }) => isReady)?.instance.catalog ?? lastCatalog
    },
    get idleSince() {
      return longestIdle()?.instance.lastUsed ?? null
    },
    homeOf: (owner) => {
      const lane = homes.get(owner)
      return lane === undefined ? null : lane.ready.then(() => lane.instance)
    },
    any: async (resident) => {
      const lane = lanes[0] ?? add(resident)
      await lane.ready
      return lane.instance
    },
    home: async (owner) => {
      const lane = homes.get(owner) ?? free({ owner }) ?? lanes[0] ?? add({ owner })
      inhabit(lane, { owner })
      await lane.ready
      return lane.instance
    },
    take,
    rootsChanged: (resident) => {
      const lane = homes.get(resident.owner)
      if (lane === undefined) return
      if (lane.isReady) announceRoots(lane, resident)
      // It may have asked already, while nobody could be asked.
      else
        lane.ready.then(
          () => announceRoots(lane, resident),
          () => undefined,
        )
    },
    evict: () => {
      const lane = longestIdle()
      if (lane === null) return
      remove(lane)
      void lane.instance.close()
    },
    reap: async (unusedSince) => {
      const unused = idle().filter(({ instance }) => instance.lastUsed <= unusedSince)
      for (const lane of unused) remove(lane)
      await Promise.all(unused.map(({ instance }) => instance.close()))
    },
    leave: () => {
      const open = lanes
      lanes = []
      left = true
      homes.clear()
      for (const wake of waiting.splice(0)) wake()
      return open.map(({ instance }) => instance)
    },
  }
}
