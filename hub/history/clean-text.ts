/** Text that every database takes: bounded, no NUL, no halves of characters. */
export function clean<T extends string | null>(text: T, max = Infinity): T {
  if (text === null) return text
  const cut = text.length > max ? text.slice(0, max) : text
  return (cut.isWellFormed() && !cut.includes('\0') ? cut : cut.toWellFormed().replaceAll('\0', '\uFFFD')) as T
}
