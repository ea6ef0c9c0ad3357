/**
 * How well `query` names `text`: a prefix beats the start of a word, which beats letters in order. 0 when it does not.
 * Words of the query may come in any order.
 */
export function score(query: string, text: string): number {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean)
  const target = text.toLowerCase()
  let total = 0
  for (const word of words) {
    const value = scoreWord(word, target)
    if (value === 0) return 0
    total += value
  }
  // Of two equal matches the shorter text is the closer one.
  return words.length === 0 ? 1 : total / words.length - Math.min(target.length, 100) / 10_000
}

function scoreWord(word: string, target: string): number {
  if (target.startsWith(word)) return 4
  const index = target.indexOf(word)
  if (index > 0) return /[\p{L}\p{N}]/u.test(target[index - 1] ?? '') ? 2 : 3
  let from = 0
  for (const char of word) {
    const next = target.indexOf(char, from)
    if (next === -1) return 0
    from = next + 1
  }
  return 1
}
