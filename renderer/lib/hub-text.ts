import { shallowRef } from 'vue'
import { fillIn, type Wording, type Wordings } from '../../hub/contract/index.ts'

/** The hub's texts in the language in use, by their code. Empty in English, in which they come. */
const texts = shallowRef<Readonly<Record<string, string>>>({})

export function setHubTexts(catalogue: Readonly<Record<string, string>>): void {
  texts.value = catalogue
}

/** A text of the hub in the language in use, or as it came where a newer hub says something that this page does not know. */
export function hubText<F extends { said?: Wordings | undefined }, K extends keyof F & string>(
  from: F,
  field: K,
): F[K] | string {
  const wording = from.said?.[field]
  return wording === undefined ? from[field] : (inWords(wording) ?? from[field])
}

/** Null where the language in use has no words for it. */
export function inWords({ code, params }: Wording): string | null {
  // Not `in`: a code may be any text.
  const pattern = Object.hasOwn(texts.value, code) ? texts.value[code] : undefined
  if (pattern === undefined) return null
  const words = params.map((param) =>
    typeof param === 'string' ? param : (inWords(param) ?? fillIn(param.code, param.params)),
  )
  return fillIn(pattern, words)
}
