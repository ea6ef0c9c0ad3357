/**
 * A pure function of a string that remembers its answers: for values that come again with every request, such as headers.
 * Senders choose them, so it forgets everything once there are too many.
 */
export function memoize<T>(answer: (text: string) => T, max = 200): (text: string) => T {
  const known = new Map<string, T>()
  return (text) => {
    const hit = known.get(text)
    if (hit !== undefined) return hit
    const made = answer(text)
    if (known.size >= max) known.clear()
    known.set(text, made)
    return made
  }
}
