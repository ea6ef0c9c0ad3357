/** What an app may cost the page. A frame that sends more is closed; the page itself goes on. */
export const MAX_HTML_BYTES = 5_000_000
export const MAX_MESSAGE_BYTES = 4_000_000
export const MIN_HEIGHT = 48
export const MAX_HEIGHT = 900
/** Calls of an app that run at once, and what it may ask of the person meanwhile. */
export const MAX_CALLS = 8
export const MAX_QUESTIONS = 5
/** Files that it may hand over at once. */
export const MAX_FILES = 10
/** How long an app has to say `ui/initialize`, and its frame to be there. */
export const START_MS = 10_000

/** Codes of what it is refused, as JSON-RPC and MCP have them. */
export const INVALID_PARAMS = -32602
export const REFUSED = -32000
export const REFUSED_BY_USER = -1

const BURST = 600
const PER_SECOND = 150
const BYTES_OF_ONE = 10_000

export interface Budget {
  /** Whether a message of that size may still come. */
  spend: (bytes: number) => boolean
}

/** Some hundred messages at once and 150 a second for good are more than an app that redraws needs; large ones count for many. */
export function createBudget(now: () => number): Budget {
  let left = BURST
  let at = now()
  return {
    spend: (bytes) => {
      const time = now()
      left = Math.min(BURST, left + ((time - at) / 1_000) * PER_SECOND)
      at = time
      left -= 1 + bytes / BYTES_OF_ONE
      return left >= 0
    },
  }
}

/**
 * About how many bytes a value has as JSON; null when it is larger than `limit` or no JSON. Looks at no more of it than the limit
 * needs, because a structured clone can be endless (it may contain itself).
 */
export function jsonSize(value: unknown, limit: number): number | null {
  let size = 0
  const rest: unknown[] = [value]
  while (rest.length > 0) {
    const next = rest.pop()
    size += typeof next === 'string' ? next.length + 2 : 8
    if (size > limit) return null
    if (next === null || typeof next !== 'object') {
      if (typeof next === 'bigint') return null
      continue
    }
    const plain: unknown = Object.getPrototypeOf(next)
    if (Array.isArray(next)) {
      // Spread, an array of a million would be on the stack.
      if (next.length * 8 > limit) return null
      for (const item of next as unknown[]) rest.push(item)
    } else if (plain === Object.prototype || plain === null) {
      for (const [key, item] of Object.entries(next)) {
        size += key.length + 3
        rest.push(item)
      }
    } else return null
  }
  return size
}

/** The height that a frame gets, whatever its app asks for; null when that is none. */
export function frameHeight(asked: unknown): number | null {
  return typeof asked === 'number' && Number.isFinite(asked)
    ? Math.min(MAX_HEIGHT, Math.max(MIN_HEIGHT, Math.ceil(asked)))
    : null
}
