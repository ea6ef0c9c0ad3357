const UNITS: Record<string, number> = { ms: 0.001, s: 1, m: 60, h: 3_600, d: 86_400 }

/** Seconds of a duration such as `900`, `15m`, `1h`, `7d`; null when it is none. */
export function parseDuration(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?$/.exec(text.trim())
  return match === null ? null : Math.round(Number(match[1]) * (UNITS[match[2] ?? 's'] ?? 1))
}
