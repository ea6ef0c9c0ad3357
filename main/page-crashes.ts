const WINDOW_MS = 60_000
const MAX_RELOADS = 3

/**
 * Whether a page that crashed now is to be loaded again: up to three times within a minute. One that crashes each time would
 * do so for ever; then somebody has to ask for it.
 */
export function createReloadLimit(now: () => number = Date.now): () => boolean {
  let reloads: number[] = []
  return () => {
    const at = now()
    reloads = reloads.filter((time) => at - time < WINDOW_MS)
    if (reloads.length >= MAX_RELOADS) return false
    reloads.push(at)
    return true
  }
}
