import { isDeepStrictEqual } from 'node:util'
import type { Limiter, LimiterPolicy, Taken } from '../cluster/cluster.ts'
import { defaultOf, fixedDefault } from '../config/settings.ts'
import type { RateClass, SystemFile } from '../contract/index.ts'
import { say, type Said } from '../say.ts'
import { anonymousCaller, bootstrapCaller, type Caller } from './caller.ts'
import { placeOf } from './client-address.ts'

const classes: readonly RateClass[] = ['login', 'apiRead', 'apiWrite', 'mcp']

/** MCP_HUB_TOKEN is the operator's own, and without tokens (`auth.mcp`) only this computer gets in at all. */
const unlimited = new Set([bootstrapCaller.id, anonymousCaller.id])

/** What came of one request: whether it may go on, and what its answer says of it. */
export interface Rate {
  passed: boolean
  retryAfterMs: number
  headers: Readonly<Record<string, string>>
}

export interface RateLimits {
  /** The settings are others. */
  update: () => void
  /** Counts a request. Null where there is no limit; at once where this hub counts alone. */
  take: (
    rateClass: RateClass,
    caller: Pick<Caller, 'id'> | null,
    address: string,
    points?: number,
  ) => Rate | Promise<Rate> | null
}

/**
 * `rateLimit` of system.json. The keys of the guide, `windowMs` and `maxRequests`, hold for the API; each class may have its
 * own. On the desktop, where one person works, there is only what is written.
 */
export function createRateLimits(options: {
  mode: 'desktop' | 'server'
  /** As they are in force. */
  settings: () => SystemFile['rateLimit']
  limiter: (policy: LimiterPolicy) => Pick<Limiter, 'take'>
}): RateLimits {
  const limiters = new Map<RateClass, { limiter: Pick<Limiter, 'take'>; policy: LimiterPolicy }>()
  function update(): void {
    for (const rateClass of classes) {
      const policy = policyOf(rateClass, options.mode, options.settings() ?? {})
      // Who counts already goes on.
      if (isDeepStrictEqual(policy, limiters.get(rateClass)?.policy ?? null)) continue
      if (policy === null) limiters.delete(rateClass)
      else limiters.set(rateClass, { policy, limiter: options.limiter(policy) })
    }
  }
  update()
  return {
    update,
    take: (rateClass, caller, address, points = 1) => {
      if (caller !== null && unlimited.has(caller.id)) return null
      const found = limiters.get(rateClass)
      if (found === undefined) return null
      const taken = found.limiter.take(caller === null ? `from ${placeOf(address)}` : caller.id, points)
      return taken instanceof Promise
        ? taken.then((result) => rateOf(rateClass, found.policy, result))
        : rateOf(rateClass, found.policy, taken)
    },
  }
}

function policyOf(
  rateClass: RateClass,
  mode: 'desktop' | 'server',
  settings: NonNullable<SystemFile['rateLimit']>,
): LimiterPolicy | null {
  const own = settings[rateClass]
  const usual = defaultOf(`rateLimit.${rateClass}`, { mode, production: false, rateLimit: settings })
  const { maxRequests, windowMs } = { ...(usual === false ? {} : usual), ...own }
  if (own === false || maxRequests === undefined) return null
  return {
    name: `rate-${rateClass}`,
    points: maxRequests,
    durationMs: windowMs ?? settings.windowMs ?? fixedDefault('rateLimit.windowMs'),
    kind: 'limit',
  }
}

/** The fields of draft-ietf-httpapi-ratelimit-headers, and `Retry-After` of RFC 9110. */
function rateOf(name: RateClass, { points, durationMs }: LimiterPolicy, { passed, left, resetMs }: Taken): Rate {
  const seconds = Math.ceil(resetMs / 1_000)
  const headers = {
    'ratelimit-policy': `"${name}";q=${points};w=${Math.ceil(durationMs / 1_000)}`,
    ratelimit: `"${name}";r=${left};t=${seconds}`,
  }
  return { passed, retryAfterMs: resetMs, headers: passed ? headers : { ...headers, 'retry-after': String(seconds) } }
}

/** What a person or a program reads on a 429. */
export function rateRefusal(rateClass: RateClass, { retryAfterMs }: Rate): { message: Said; cure: Said } {
  return {
    message: say`Too many requests (rateLimit.${rateClass} in system.json)`,
    cure: say`Try again in ${Math.max(1, Math.ceil(retryAfterMs / 1_000))} s.`,
  }
}
