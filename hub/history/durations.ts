/** Upper bounds of the spans that durations are counted in, in milliseconds; one more span holds what is longer. */
export const durationBounds = [
  1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1_000, 1_500, 2_000, 3_000, 5_000, 10_000,
  30_000, 60_000, 300_000,
] as const

export function bucketOf(durationMs: number): number {
  let low = 0
  let high: number = durationBounds.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (durationMs <= (durationBounds[middle] ?? Infinity)) high = middle
    else low = middle + 1
  }
  return low
}

/** The duration that the given part of calls stayed under, as far as the counts per span tell; null without calls. */
export function quantile(counts: readonly number[], part: number): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0)
  if (total === 0) return null
  const wanted = total * part
  let below = 0
  for (const [bucket, count] of counts.entries()) {
    if (count > 0 && below + count >= wanted) {
      const lower = bucket === 0 ? 0 : (durationBounds[bucket - 1] ?? 0)
      const upper = durationBounds[bucket] ?? lower
      return Math.round((lower + (upper - lower) * ((wanted - below) / count)) * 10) / 10
    }
    below += count
  }
  return durationBounds.at(-1) ?? null
}
