import type { Selection } from './profiles.ts'

/** Whether a selection takes a name. */
export function selects(selection: Selection | undefined, name: string): boolean {
  if (selection === undefined) return true
  const matches = (pattern: string): boolean => matchesPattern(pattern, name)
  return (selection.include?.some(matches) ?? true) && !(selection.exclude?.some(matches) ?? false)
}

/** `*` stands for any characters. In linear time: patterns come from a file, names from strangers. */
export function matchesPattern(pattern: string, name: string): boolean {
  const [head = '', ...rest] = pattern.split('*')
  const tail = rest.pop()
  if (tail === undefined) return name === pattern
  if (name.length < head.length + tail.length || !name.startsWith(head) || !name.endsWith(tail)) return false
  const end = name.length - tail.length
  let at = head.length
  for (const part of rest) {
    const found = name.indexOf(part, at)
    if (found === -1 || found + part.length > end) return false
    at = found + part.length
  }
  return true
}
