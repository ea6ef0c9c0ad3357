import { shallowRef } from 'vue'
import { textIn, wordsIn, type Catalogue, type Wording, type Wordings } from '../../hub/contract/index.ts'

/** The hub's texts in the language in use. */
const texts = shallowRef<Catalogue>({})

export function setHubTexts(catalogue: Catalogue): void {
  texts.value = catalogue
}

/** A text of the hub in the language in use, or as it came where a newer hub says something that this page does not know. */
export function hubText<F extends { said?: Wordings | undefined }, K extends keyof F & string>(
  from: F,
  field: K,
): F[K] | string {
  return textIn(texts.value, from, field)
}

/** The same for a text that has no parameters and came alone. */
export function inOwnWords(text: string): string {
  return inWords({ code: text, params: [] }) ?? text
}

/** Null where the language in use has no words for it. */
export function inWords(wording: Wording): string | null {
  return wordsIn(texts.value, wording)
}
