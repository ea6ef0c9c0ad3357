import type { Call } from '../gateway/call.ts'
import type { Params } from '../gateway/json-rpc.ts'
import type { Instance } from './instance.ts'

/** A client, as far as it decides which connection serves it. */
export type ServedClient = Pick<Call, 'owner' | 'principal' | 'capabilities' | 'wantsLogs'>

/** A client's wish to hear of changes of a resource. */
export interface Subscription {
  readonly uri: string
  readonly client: ServedClient
  /** It has changed, or one below it; the params are those of `notifications/resources/updated`. */
  readonly updated: (params: Params) => void
}

/** Who wants to hear of which resource of one server, each on the connection that serves that client. */
export interface Subscriptions {
  readonly size: number
  /** Resolves once the server has taken it; rejects with McpError. While the server does not run it is kept for its start. */
  add: (subscription: Subscription) => Promise<void>
  remove: (subscription: Subscription) => void
  /** A connection brought word of a change. */
  updated: (instance: Instance, params: Params) => void
  /** The server has started: all are made (again). */
  renew: () => void
  /** A client's connection has ended by itself. */
  lost: (instance: Instance) => void
}

interface Place {
  instance: Instance | null
  /** The server had it before: what changed since then was not heard. */
  wasHeard: boolean
  /** How often it was to be made again since the server had it last. */
  vain: number
}

/** Those that one connection has for one URI. */
interface Held {
  by: Set<Subscription>
  granted: Promise<void>
}

const RETRY_MS = 1_000
/** Each try may start a process, and be refused as the one before. */
const MAX_RETRY_MS = 60_000

export function createSubscriptions(options: {
  /** The connection that serves a client; null while the server does not run. */
  connectionOf: (client: ServedClient) => Promise<Instance> | null
  later: (ms: number, then: () => void) => void
}): Subscriptions {
  const places = new Map<Subscription, Place>()
  const held = new WeakMap<Instance, Map<string, Held>>()

  function hold(instance: Instance, subscription: Subscription): Promise<void> {
    const uris = held.get(instance) ?? new Map<string, Held>()
    held.set(instance, uris)
    const known = uris.get(subscription.uri)
    if (known !== undefined) {
      known.by.add(subscription)
      return known.granted
    }
    const granted = instance.subscribe(subscription.uri)
    uris.set(subscription.uri, { by: new Set([subscription]), granted })
    return granted
  }

  function release(subscription: Subscription, place: Place): void {
    const { instance } = place
    place.instance = null
    const uris = instance === null ? undefined : held.get(instance)
    const entry = uris?.get(subscription.uri)
    if (entry?.by.delete(subscription) !== true || entry.by.size > 0) return
    uris?.delete(subscription.uri)
    instance?.unsubscribe(subscription.uri)
  }

  async function settle(subscription: Subscription, place: Place): Promise<void> {
    const connection = options.connectionOf(subscription.client)
    if (connection === null) return
    const instance = await connection
    if (places.get(subscription) !== place || place.instance !== null) return
    place.instance = instance
    try {
      await hold(instance, subscription)
      place.wasHeard = true
      place.vain = 0
    } catch (error) {
      if (place.instance === instance) release(subscription, place)
      throw error
    }
  }

  async function settleAgain(subscription: Subscription, place: Place): Promise<void> {
    const { wasHeard } = place
    try {
      await settle(subscription, place)
      if (wasHeard && place.instance !== null) subscription.updated({ uri: subscription.uri })
    } catch {
      retry(subscription, place)
    }
  }

  function retry(subscription: Subscription, place: Place): void {
    options.later(Math.min(RETRY_MS * 2 ** place.vain++, MAX_RETRY_MS), () => {
      if (places.get(subscription) === place && place.instance === null) void settleAgain(subscription, place)
    })
  }

  return {
    get size() {
      return places.size
    },
    add: async (subscription) => {
      const place: Place = { instance: null, wasHeard: false, vain: 0 }
      places.set(subscription, place)
      try {
        await settle(subscription, place)
      } catch (error) {
        places.delete(subscription)
        throw error
      }
    },
    remove: (subscription) => {
      const place = places.get(subscription)
      places.delete(subscription)
      if (place !== undefined) release(subscription, place)
    },
    updated: (instance, params) => {
      const uri = String(params['uri'])
      for (const [wanted, { by }] of held.get(instance) ?? [])
        if (covers(wanted, uri)) for (const subscription of [...by]) subscription.updated(params)
    },
    renew: () => {
      for (const [subscription, place] of places) {
        place.instance = null
        place.vain = 0
        void settleAgain(subscription, place)
      }
    },
    lost: (instance) => {
      for (const [subscription, place] of places) {
        if (place.instance !== instance) continue
        place.instance = null
        retry(subscription, place)
      }
    },
  }
}

/** A server may tell of a resource below the one that was subscribed to. */
function covers(wanted: string, uri: string): boolean {
  return uri === wanted || uri.startsWith(wanted.endsWith('/') ? wanted : `${wanted}/`)
}
