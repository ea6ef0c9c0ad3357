import { McpError, rpc } from '../gateway/json-rpc.ts'
import type { Catalog } from './catalog.ts'
import type { Instance } from './instance.ts'

interface Lane extends OpenedLane {
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

export interface LaneOptions {
  /** Opens one more connection; `onLost` tells when it ended by itself. Throws McpError when there may be no more. */
  open: (onLost: () => void) => OpenedLane
  /** It is there, and what it offers is known. */
  onReady: () => void
  /**
   * One client at a time on a connection: where a server's question does not name its call (a pipe, HTTP+SSE), nothing else
   * keeps it from reaching another client.
   */
  exclusive: boolean
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
  /** Some connection, for what it offers. */
  any: () => Promise<Instance>
  /** The connection where this client's calls go, beside them. Rejects with McpError. */
  home: (owner: string) => Promise<Instance>
  /** A connection for a call of this client; `release` when the call is over. Rejects with McpError. */
  take: (owner: string) => Promise<{ instance: Instance; release: () => void }>
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

  function add(): Lane {
    const lane: Lane = { ...options.open(() => remove(lane)), owner: null, inFlight: 0, isReady: false }
    lanes.push(lane)
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
  }

  function free(owner: string): Lane | null {
    if (!options.exclusive) return lanes[0] ?? add()
    const home = homes.get(owner)
    if (home !== undefined && (home.owner === owner || home.owner === null)) return home
    const unused = lanes.filter((lane) => lane.owner === null)
    const inhabited = new Set(homes.values())
    const own = unused.find((lane) => !inhabited.has(lane)) ?? unused[0]
    return own ?? (lanes.length < options.max ? add() : null)
  }

  function settle(owner: string, lane: Lane): void {
    homes.delete(owner)
    homes.set(owner, lane)
    const [oldest] = homes.keys()
    if (homes.size > MAX_HOMES && oldest !== undefined) homes.delete(oldest)
  }

  async function take(owner: string): Promise<{ instance: Instance; release: () => void }> {
    const deadline = Date.now() + options.waitMs
    let lane = free(owner)
    while (lane === null) {
      if (Date.now() >= deadline) {
        throw new McpError(
          rpc.limitExceeded,
          `${options.max} clients already wait for input at this server; try again when one is done`,
        )
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, deadline - Date.now())
        waiting.push(() => {
          clearTimeout(timer)
          resolve()
        })
      })
      if (left) throw new McpError(rpc.serverUnavailable, 'The server went away before it had room for this call')
      lane = free(owner)
    }
    const taken = lane
    taken.owner = owner
    taken.inFlight++
    if (options.exclusive) settle(owner, taken)
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
      return { instance: taken.instance, release }
    } catch (error) {
      release()
      throw error
    }
  }

  const idle = (): Lane[] =>
    lanes.filter(({ inFlight, isReady, instance }) => inFlight === 0 && isReady && !instance.isSubscribed)

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
    any: async () => {
      const lane = lanes[0] ?? add()
      await lane.ready
      return lane.instance
    },
    home: async (owner) => {
      const lane = homes.get(owner) ?? free(owner) ?? lanes[0] ?? add()
      if (options.exclusive) settle(owner, lane)
      await lane.ready
      return lane.instance
    },
    take,
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
