import type { Scope } from '../../../hub/contract/index.ts'

export const scopeParts = ['profiles', 'servers', 'tools'] as const
/** Each part as it is typed: one pattern a line. */
export type ScopeText = Record<(typeof scopeParts)[number], string>

export function toText(scope: Scope | null): ScopeText {
  const lines = (part: (typeof scopeParts)[number]): string => scope?.[part]?.join('\n') ?? ''
  return { profiles: lines('profiles'), servers: lines('servers'), tools: lines('tools') }
}

/** Parts without a line are left out: nothing of that kind is meant then. */
export function toScope(text: ScopeText): Scope {
  const entries = scopeParts.flatMap((part) => {
    const patterns = text[part]
      .split('\n')
      .map((line) => line.trim())
      .filter(Boolean)
    return patterns.length === 0 ? [] : [[part, patterns] as const]
  })
  return Object.fromEntries(entries)
}
