import { McpError, rpc } from '../gateway/json-rpc.ts'
import type { Instance } from './instance.ts'

interface Lane {
  opening: Promise<Instance>
  /** Whose calls are in flight; null when none are. */
  owner: string | null
  inFlight: number
}

export interface LaneOptions {
  /** Opens one more connection; `onLost` tells when it ended by itself. */
  open: (onLost: () => void) => Promise<Instance>
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
  /** Some connection, for what it offers. */
  any: () => Promise<Instance>
  /** A connection for a call of this client; `release` when the call is over. Rejects with McpError. */
  take: (owner: string) => Promise<{ instance: Instance; release: () => void }>
  /** Closes connections that nobody used since then; false when none is left. */
  reap: (unusedSince: number) => Promise<boolean>
  close: () => Promise<void>
}

export function createLanes(options: LaneOptions): Lanes {
  let lanes: Lane[] = []
  const waiting: (() => void)[] = []

  function add(): Lane {
    const lane: Lane = {
      opening: options.open(() => remove(lane)),
      owner: null,
      inFlight: 0,
    }
    lanes.push(lane)
    lane.opening.catch(() => remove(lane))
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
      return { instance: await taken.opening, release }
    } catch (error) {
      release()
      throw error
    }
  }

  return {
    any: () => (lanes[0] ?? add()).opening,
    take,
    reap: async (unusedSince) => {
      for (const lane of [...lanes]) {
        const instance = await lane.opening.catch(() => null)
        if (instance === null || lane.inFlight > 0 || instance.lastUsed > unusedSince) continue
        remove(lane)
        await instance.close()
      }
      return lanes.length > 0
    },
    close: async () => {
      const open = lanes
      lanes = []
      await Promise.all(
        open.map((lane) =>
          lane.opening.then(
            (instance) => instance.close(),
            () => undefined,
          ),
        ),
      )
    },
  }
}
