/** What `/` and `j` lead to on the page in sight: its filter and its list say so while they are mounted. */
export const focusTargets = {
  filter: new Set<() => void>(),
  list: new Set<() => void>(),
}

export function focusNewest(targets: ReadonlySet<() => void>): boolean {
  const newest = [...targets].at(-1)
  newest?.()
  return newest !== undefined
}
