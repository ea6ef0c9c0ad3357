import type { Wording, Wordings } from './wording.ts'

/** What the hub says in a language, by the code of each text; empty in English, in which it comes. */
export type Catalogue = Readonly<Record<string, string>>

/** The English of a wording, or another pattern for its parameters. */
export function fillIn(pattern: string, params: readonly string[]): string {
  return pattern.replace(/\{(\d+)\}/g, (whole, index: string) => params[Number(index)] ?? whole)
}

/** As the hub said it. */
const englishOf = ({ code, params }: Wording): string =>
  fillIn(
    code,
    params.map((param) => (typeof param === 'string' ? param : englishOf(param))),
  )

/** Null where the catalogue has no words for it. */
export function wordsIn(catalogue: Catalogue, { code, params }: Wording): string | null {
  // Not `in`: a code may be any text.
  const pattern = Object.hasOwn(catalogue, code) ? catalogue[code] : undefined
  if (pattern === undefined) return null
  const words = params.map((param) =>
    typeof param === 'string' ? param : (wordsIn(catalogue, param) ?? englishOf(param)),
  )
  return fillIn(pattern, words)
}

/** A text of the hub in the language of the catalogue, or as it came where a newer hub says what that does not know. */
export function textIn<F extends { said?: Wordings | undefined }, K extends keyof F & string>(
  catalogue: Catalogue,
  from: F,
  field: K,
): F[K] | string {
  const wording = from.said?.[field]
  return wording === undefined ? from[field] : (wordsIn(catalogue, wording) ?? from[field])
}
