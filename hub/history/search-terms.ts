/** One word of a search. Scripts without spaces between words have no beginnings of words to look for. */
export interface Term {
  text: string
  match: 'prefix' | 'substring'
}

const MAX_TERMS = 10
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]/u

/** The words of a search, as the indexes cut text: letters and digits, everything else stands between words. */
export function searchTerms(query: string | undefined): Term[] {
  const words =
    query
      ?.normalize('NFC')
      .toLowerCase()
      .match(/[\p{L}\p{M}\p{N}]+/gu) ?? []
  return [...new Set(words)]
    .slice(0, MAX_TERMS)
    .map((text) => ({ text, match: UNSPACED.test(text) ? 'substring' : 'prefix' }))
}
