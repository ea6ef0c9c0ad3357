import { McpError, rpc } from '../gateway/json-rpc.ts'
import type { Instance } from './instance.ts'

interface Lane extends OpenedLane {
  /** Whose calls are in flight; null when none are. */
  owner: string | null
  inFlight: number
}

export interface OpenedLane {
  instance: Instance
  /** Rejects with McpError when it does not start. */
  ready: Promise<void>
}

export interface LaneOptions {
  /** Opens one more connection; `onLost` tells when it ended by itself. */
  open: (onLost: () => void) => OpenedLane
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
  readonly inFlight: number
  /** Some connection, for what it offers. */
  any: () => Promise<Instance>
  /** A connection for a call of this client; `release` when the call is over. Rejects with McpError. */
  take: (owner: string) => Promise<{ instance: Instance; release: () => void }>
  /** Closes connections that nobody used since then; false when none is left. */
  reap: (unusedSince: number) => Promise<boolean>
  close: (atOnce: boolean) => Promise<void>
}

export function createLanes(options: LaneOptions): Lanes {
  let lanes: Lane[] = []
  const waiting: (() => void)[] = []

  function add(): Lane {
    const lane: Lane = { ...options.open(() => remove(lane)), owner: null, inFlight: 0 }
    lanes.push(lane)
    lane.ready.catch(() => {
      remove(lane)
      void lane.instance.close()
    })
    return lane
  }

  function remove(lane: Lane): void {
    lanes = lanes.filter((other) => other !== lane)
    waiting.shift()?.()
  }

  function free(owner: string): Lane | null {
    if (!options.exclusive) return lanes[0] ?? add()
    const own = lanes.find((lane) => lane.owner === owner) ?? lanes.find((lane) => lane.owner === null)
    return own ?? (lanes.length < options.max ? add() : null)
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
      lane = free(owner)
    }
    const taken = lane
    taken.owner = owner
    taken.inFlight++
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

  return {
    get instances() {
      return lanes.map(({ instance }) => instance)
    },
    get inFlight() {
      let sum = 0
      for (const lane of lanes) sum += lane.inFlight
      return sum
    },
    any: async () => {
      const lane = lanes[0] ?? add()
      await lane.ready
      return lane.instance
    },
    take,
    reap: async (unusedSince) => {
      const idle = lanes.filter(({ inFlight, instance }) => inFlight === 0 && instance.lastUsed <= unusedSince)
      for (const lane of idle) remove(lane)
      await Promise.all(idle.map(({ instance }) => instance.close()))
      return lanes.length > 0
    },
    close: async (atOnce) => {
      const open = lanes
      lanes = []
      await Promise.all(open.map(({ instance }) => instance.close(atOnce)))
    },
  }
}
