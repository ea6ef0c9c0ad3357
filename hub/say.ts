import { fillIn, wordingOfIssue, type Wording, type Wordings } from './contract/index.ts'

/** An English text of the hub that remembers what it was made of, so that a page can say it in another language. */
export class Said {
  readonly text: string
  readonly wording: Wording
  constructor(code: string, params: readonly (string | number | Said)[]) {
    const texts = params.map(String)
    this.text = fillIn(code, texts)
    this.wording = {
      code,
      params: params.map((param, index) => (param instanceof Said ? param.wording : (texts[index] as string))),
    }
  }
  toString(): string {
    return this.text
  }
}

/** Words of the hub, or of a person. */
export type Words = string | Said

/**
 * Marks a text that people read: say`The command ${command} was not found`. Each needs its line in
 * renderer/locales/hub.zh-CN.json; a test names those that have none.
 */
export function say(texts: TemplateStringsArray, ...params: (string | number | Said)[]): Said {
  return new Said(texts.map((text, index) => (index === 0 ? text : `{${index - 1}}${text}`)).join(''), params)
}

/** The same for a text of a table, whose parameters are known later. */
export function saying(code: string): (...params: (string | number | Said)[]) => Said {
  return (...params) => new Said(code, params)
}

type Told<T> = { [K in keyof T]: Said extends T[K] ? string | Exclude<T[K], Said> : T[K] } & { said?: Wordings }

/** An object as it goes out: what was said becomes its English, with `said` beside it. */
export function told<const T extends object>(parts: T): Told<T> {
  const texts = Object.entries(parts).filter((part): part is [string, Said] => part[1] instanceof Said)
  if (texts.length === 0) return parts as Told<T>
  return {
    ...parts,
    ...Object.fromEntries(texts.map(([field, { text }]) => [field, text])),
    said: {
      ...('said' in parts ? (parts.said as Wordings) : {}),
      ...Object.fromEntries(texts.map(([field, { wording }]) => [field, wording])),
    },
  } as Told<T>
}

/** A text of another object with what it was made of, to be told on. */
export function wordsFrom<F extends { said?: Wordings | undefined }, K extends keyof F & string>(
  from: F,
  field: K,
): F[K] | Said {
  const wording = from.said?.[field]
  return wording === undefined ? from[field] : saidAgain(wording)
}

const saidAgain = ({ code, params }: Wording): Said =>
  new Said(
    code,
    params.map((param) => (typeof param === 'string' ? param : saidAgain(param))),
  )

/** What zod or a schema says of a value. */
export function saidOfIssue(issue: { message: string }): Said {
  const { code, params } = wordingOfIssue(issue)
  return new Said(code, params)
}

/** What the texts of another object were made of, where they are told on under the same names. */
export function saidOf(from: { said?: Wordings | undefined }): { said?: Wordings } {
  return from.said === undefined ? {} : { said: from.said }
}

/** Without what the texts were made of, for logs and for clients, whose models would only pay for it. */
export function unsaid<T extends { said?: Wordings | undefined }>(from: T): Omit<T, 'said'> {
  const { said: _, ...rest } = from
  return rest
}
