/** All scopes of several lists, each once, in the order in which they came; null when there are none. */
export function wantedScopes(...lists: (string | null | undefined)[]): string | null {
  const all = new Set(lists.flatMap(words))
  return all.size === 0 ? null : [...all].join(' ')
}

/** Scopes that were asked for and not granted. */
export function missingScopes(asked: string | undefined, granted: string | undefined): string[] {
  const have = new Set(words(granted))
  return words(asked).filter((scope) => !have.has(scope))
}

function words(list: string | null | undefined): string[] {
  return (list ?? '').split(/\s+/).filter(Boolean)
}
