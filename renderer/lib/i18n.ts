import { createI18n, type I18n } from 'vue-i18n'
import { markRaw } from 'vue'
import { setHubTexts } from './hub-text.ts'

export const locales = ['en', 'zh-CN'] as const
export type Locale = (typeof locales)[number]

/** Each language by its own name. */
export const localeNames: Readonly<Record<Locale, string>> = { en: 'English', 'zh-CN': '简体中文' }

type Messages = Record<string, unknown>

const loaders: Readonly<Record<Locale, () => Promise<{ default: Messages }>>> = {
  en: () => import('../locales/en.json'),
  'zh-CN': () => import('../locales/zh-CN.json'),
}

/** English is what the hub says by itself. */
const hubLoaders: Partial<Readonly<Record<Locale, () => Promise<{ default: Record<string, string> }>>>> = {
  'zh-CN': () => import('../locales/hub.zh-CN.json'),
}

export function detectLocale(languages: readonly string[] = navigator.languages): Locale {
  for (const language of languages) {
    if (/^zh/i.test(language)) return 'zh-CN'
    if (/^en/i.test(language)) return 'en'
  }
  return 'en'
}

type AppI18n = I18n<Record<string, never>, Record<string, never>, Record<string, never>, string, false>

/** Only the language in use is loaded. */
export async function createAppI18n(locale: Locale): Promise<AppI18n> {
  const i18n = createI18n({
    legacy: false,
    locale,
    fallbackLocale: locale,
    missingWarn: false,
    fallbackWarn: false,
  }) as unknown as AppI18n
  speedUp(i18n)
  await setLocale(i18n, locale)
  return i18n
}

/** A text of words alone, or its words with the names of what stands between them at the odd places. */
type Form = string | readonly string[]

/** What makes lists, links and other things of texts that only vue-i18n knows. */
const SPECIAL = /[{}|@]/

/** The forms of a text, most have one; null where there is more to it. */
function readText(messages: unknown, key: string): readonly Form[] | null {
  let at = messages
  for (const name of key.split('.')) at = (at as Messages | undefined)?.[name]
  if (typeof at !== 'string') return null
  const forms = at.split(/\s+\|\s+/).map((form) => form.split(/\{(\w+)\}/))
  if (forms.length > 2 || forms.flat().some((part) => SPECIAL.test(part))) return null
  return forms.map((parts) => (parts.length === 1 ? (parts[0] ?? '') : parts))
}

/**
 * Gives nearly all texts without vue-i18n's own way to them, which takes some ten steps for each and compiles those with forms: a page
 * shows hundreds, and that was a tenth of what it took to open.
 */
function speedUp({ global }: AppI18n): void {
  const { t } = global
  let read = new Map<string, readonly Form[] | null>()
  let from: unknown
  const quick = (key: string, ...rest: unknown[]): string => {
    const messages = global.getLocaleMessage(global.locale.value)
    if (messages !== from) read = new Map<string, readonly Form[] | null>()
    from = messages
    let forms = read.get(key)
    if (forms === undefined) read.set(key, (forms = readText(messages, key)))
    const values = isNamed(rest[0]) ? rest[0] : undefined
    const last = rest[values === undefined ? 0 : 1]
    const count = typeof last === 'number' ? last : undefined
    const known = (values === undefined ? 0 : 1) + (count === undefined ? 0 : 1) === rest.length
    // The second form is for what is not one, as vue-i18n has it for every language.
    const form =
      forms?.length === 1 ? forms[0] : count === undefined ? undefined : forms?.[Math.abs(count) === 1 ? 0 : 1]
    if (!known || form === undefined) return callT(key, ...rest)
    if (typeof form === 'string') return form
    if (rest.length === 0) return callT(key)
    const given = { n: count, count, ...values }
    return form
      .map((part, index) => (index % 2 === 0 ? part : String(given[part as keyof typeof given] ?? '')))
      .join('')
  }
  const callT = t as (key: string, ...rest: unknown[]) => string
  global.t = quick
}

const isNamed = (values: unknown): values is Record<string, string | number> =>
  typeof values === 'object' && values !== null && !Array.isArray(values)

let wanted: Locale | undefined

/** Shows the page in another language once its texts are here, unless yet another was chosen meanwhile. */
export async function setLocale(i18n: AppI18n, locale: Locale): Promise<void> {
  wanted = locale
  const [messages, hubTexts] = await Promise.all([loaders[locale](), hubLoaders[locale]?.()])
  if (wanted !== locale) return
  setHubTexts(hubTexts?.default ?? {})
  i18n.global.setLocaleMessage(locale, markRaw(messages.default) as never)
  i18n.global.locale.value = locale
  document.documentElement.lang = locale
}
