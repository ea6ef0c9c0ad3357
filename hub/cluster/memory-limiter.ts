import { steadyNow } from '../clock.ts'
import type { Limiter, LimiterPolicy, Taken } from './cluster.ts'

/** Who chooses keys, such as addresses, must not fill the memory with them. */
const MAX_KEYS = 100_000

/**
 * Counts in this process. Answers at once, where rate-limiter-flexible makes a promise and a timer: it is asked for every
 * request of every MCP client.
 */
export function memoryLimiter(
  { points: allowed, durationMs }: Pick<LimiterPolicy, 'points' | 'durationMs'>,
  now: () => number = steadyNow,
): Limiter & { take: (key: string, points?: number) => Taken } {
  const windows = new Map<string, { taken: number; endsAt: number }>()
  let sweepAt = now() + durationMs

  function makeRoom(at: number): void {
    if (at >= sweepAt || windows.size >= MAX_KEYS) {
      for (const [key, { endsAt }] of windows) if (endsAt <= at) windows.delete(key)
      sweepAt = at + durationMs
    }
    // The oldest are first in a Map.
    for (const key of windows.keys()) {
      if (windows.size < MAX_KEYS) break
      windows.delete(key)
    }
  }

  const answer = (taken: number, resetMs: number): Taken => ({
    passed: taken <= allowed,
    taken,
    left: Math.max(0, allowed - taken),
    resetMs,
  })

  return {
    take: (key, points = 1) => {
      const at = now()
      let window = windows.get(key)
      if (window === undefined || window.endsAt <= at) {
        makeRoom(at)
        window = { taken: 0, endsAt: at + durationMs }
        windows.delete(key)
        windows.set(key, window)
      }
      window.taken += points
      return answer(window.taken, window.endsAt - at)
    },
    peek: (key) => {
      const window = windows.get(key)
      const left = (window?.endsAt ?? 0) - now()
      return Promise.resolve(left > 0 ? answer(window?.taken ?? 0, left) : answer(0, 0))
    },
    clear: (key) => {
      windows.delete(key)
      return Promise.resolve()
    },
  }
}
