import { RateLimiterRes, type RateLimiterAbstract } from 'rate-limiter-flexible'
import type { Limiter, LimiterPolicy, Taken } from './cluster.ts'

/** A limiter of rate-limiter-flexible: what it rejects with is an answer here, not an error. */
export function flexibleLimiter(limiter: RateLimiterAbstract, policy: LimiterPolicy): Limiter {
  const taken = (result: RateLimiterRes, passed: boolean): Taken => ({
    passed,
    taken: result.consumedPoints,
    left: Math.max(0, policy.points - result.consumedPoints),
    resetMs: result.msBeforeNext,
  })
  return {
    take: (key, points = 1) =>
      (points < 0 ? limiter.reward(key, -points) : limiter.consume(key, points)).then(
        (result) => taken(result, true),
        (refused: unknown) => {
          if (refused instanceof RateLimiterRes) return taken(refused, false)
          throw refused
        },
      ),
    peek: async (key) => {
      const result = await limiter.get(key)
      return result === null
        ? { passed: true, taken: 0, left: policy.points, resetMs: 0 }
        : taken(result, result.consumedPoints <= policy.points)
    },
    clear: async (key) => {
      await limiter.delete(key)
    },
  }
}
