import type { Identities } from './identity-entries.ts'

/** Keys that say themselves whether their clients get all tools or find them by search; others have what the profile says. */
export interface KeyToolSearch {
  /** By the id of the caller, as `key:<id>`; undefined when it has no say of its own. */
  of: (principal: string) => boolean | undefined
  /** Whether any key has. */
  readonly isUsed: boolean
  /** Grows with every change of that. */
  readonly revision: number
  /** Some key has another say than before. */
  onChange: (() => void) | null
}

/** Follows what `take` is given, the first time what is there at the start. */
export function createKeyToolSearch(first: Identities): KeyToolSearch & { take: (identities: Identities) => void } {
  let known = modesOf(first)
  let revision = 0
  const modes = {
    of: (principal: string) => (known.size === 0 ? undefined : known.get(principal)),
    get isUsed() {
      return known.size > 0
    },
    get revision() {
      return revision
    },
    onChange: null as (() => void) | null,
    take: (identities: Identities) => {
      const next = modesOf(identities)
      if (next.size === known.size && [...next].every(([principal, on]) => known.get(principal) === on)) return
      known = next
      revision++
      modes.onChange?.()
    },
  }
  return modes
}

function modesOf({ keys }: Identities): Map<string, boolean> {
  return new Map(keys.flatMap(({ id, toolSearch }) => (toolSearch === undefined ? [] : [[`key:${id}`, toolSearch]])))
}
