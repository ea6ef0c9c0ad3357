import type { Limits } from '../contract/index.ts'
import type { ServedClient } from '../upstream/subscriptions.ts'
import { McpError, rpc, type Params } from './json-rpc.ts'
import type { View, Viewer } from './view.ts'

export interface ResourceSubscriptionsOptions {
  view: View
  /** Who subscribes, as it is now. */
  client: () => { viewer: Viewer; owner: string; wantsLogs: boolean }
  /** Counts one more for whoever it is; throws McpError when there is no room. What it returns gives it back. */
  take: () => () => void
  /** Tells the client; the params are those of `notifications/resources/updated`, with URIs as the client knows them. */
  tell: (params: Params) => void
}

/** Throws McpError for a URI that is too long to be kept for somebody. */
export function checkUri(uri: string, { maxSubscriptionUriBytes }: Limits): void {
  const bytes = Buffer.byteLength(uri)
  if (bytes <= maxSubscriptionUriBytes) return
  const text = `The URI of a subscription has at most ${maxSubscriptionUriBytes} bytes, and this one ${bytes} (limits.maxSubscriptionUriBytes)`
  throw new McpError(rpc.limitExceeded, text)
}

/** The resources that one client wants to hear of, each at the server whose it is. */
export class ResourceSubscriptions {
  readonly #options: ResourceSubscriptionsOptions
  readonly #made = new Map<string, { end: Promise<() => void>; giveBack: () => void }>()

  constructor(options: ResourceSubscriptionsOptions) {
    this.#options = options
  }

  get uris(): string[] {
    return [...this.#made.keys()]
  }

  /** Resolves once the server has taken it. Rejects with McpError. */
  async add(uri: string): Promise<void> {
    const known = this.#made.get(uri)
    const made = known ?? { giveBack: this.#options.take(), end: this.#subscribe(uri) }
    if (known === undefined) this.#made.set(uri, made)
    try {
      await made.end
    } catch (error) {
      if (this.#made.get(uri) === made) this.remove(uri)
      throw error
    }
  }

  remove(uri: string): void {
    const made = this.#made.get(uri)
    if (made === undefined) return
    this.#made.delete(uri)
    made.giveBack()
    // What was refused needs no end.
    made.end.then((end) => end()).catch(() => undefined)
  }

  /** Another connection may serve the client from now on. */
  async renew(): Promise<void> {
    await Promise.allSettled(
      [...this.#made.keys()].map((uri) => {
        this.remove(uri)
        return this.add(uri)
      }),
    )
  }

  close(): void {
    for (const uri of [...this.#made.keys()]) this.remove(uri)
  }

  async #subscribe(uri: string): Promise<() => void> {
    const { view, tell } = this.#options
    const { viewer, owner, wantsLogs } = this.#options.client()
    const route = await view.route('resources/subscribe', { uri }, viewer)
    const upstream = view.upstreams.find(({ name }) => name === route.upstream.name)
    if (upstream === undefined) throw new McpError(rpc.invalidParams, `No server offers the resource ${uri}`, { uri })
    const own = String(route.params?.['uri'])
    const client: ServedClient = { owner, wantsLogs, principal: viewer.principal, capabilities: viewer.capabilities }
    const subscription = {
      uri: own,
      client,
      updated: (params: Params) => {
        const changed = String(params['uri'])
        tell({ ...params, uri: changed === own ? uri : (route.expose?.(changed) ?? changed) })
      },
    }
    await upstream.subscribe(subscription)
    return () => upstream.unsubscribe(subscription)
  }
}
