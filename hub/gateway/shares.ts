import type { GatewayContext } from './context.ts'
import { McpError, rpc } from './json-rpc.ts'

/** How much of something each principal has, so that none uses up what is there for all. */
export class Shares {
  readonly #taken = new Map<string, number>()
  readonly #max: () => number
  readonly #refusal: (taken: number) => string

  /** `max` of one principal; `refusal` says what one has that wants more, and names the setting. */
  constructor(max: () => number, refusal: (taken: number) => string) {
    this.#max = max
    this.#refusal = refusal
  }

  /** Throws McpError when a principal may not have so many more. */
  check(principal: string, more = 1): void {
    const taken = this.#taken.get(principal) ?? 0
    if (taken + more > this.#max()) throw new McpError(rpc.limitExceeded, this.#refusal(taken))
  }

  /** One more for a principal; throws McpError when there is none. To be called once: what is returned gives it back. */
  take(principal: string): () => void {
    this.check(principal)
    this.#taken.set(principal, (this.#taken.get(principal) ?? 0) + 1)
    let isTaken = true
    return () => {
      if (!isTaken) return
      isTaken = false
      const left = (this.#taken.get(principal) ?? 1) - 1
      if (left === 0) this.#taken.delete(principal)
      else this.#taken.set(principal, left)
    }
  }
}

const ofGateways = new WeakMap<GatewayContext, Shares>()

/** Of the resources that somebody subscribed to, in sessions and listens together. */
export function subscriptionShares(context: GatewayContext): Shares {
  const known = ofGateways.get(context)
  if (known !== undefined) return known
  const shares = new Shares(
    () => context.limits.maxSubscriptionsPerPrincipal,
    (taken) =>
      `This key already has ${taken} subscriptions to resources (limits.maxSubscriptionsPerPrincipal): end some that are not needed`,
  )
  ofGateways.set(context, shares)
  return shares
}
