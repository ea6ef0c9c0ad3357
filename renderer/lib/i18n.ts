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

/** A text of words alone, or its words with the names of what stands between them at the odd places; null where there is more to it. */
type Said = string | readonly string[] | null

/** What makes forms, links and other things of texts that only vue-i18n knows. */
const SPECIAL = /[{}|@]/

function readText(messages: unknown, key: string): Said {
  let at = messages
  for (const name of key.split('.')) at = (at as Messages | undefined)?.[name]
  if (typeof at !== 'string') return null
  const parts = at.split(/\{(\w+)\}/)
  if (parts.some((part) => SPECIAL.test(part))) return null
  return parts.length === 1 ? at : parts
}

/**
 * Gives nearly all texts without vue-i18n's own way to them, which takes some ten steps for each: a page shows hundreds, and that was
 * a tenth of what it took to open.
 */
function speedUp({ global }: AppI18n): void {
  const { t } = global
  let read = new Map<string, Said>()
  let from: unknown
  const quick = (key: string, ...rest: unknown[]): string => {
    const messages = global.getLocaleMessage(global.locale.value)
    if (messages !== from) read = new Map<string, Said>()
    from = messages
    let said = read.get(key)
    if (said === undefined) read.set(key, (said = readText(messages, key)))
    const [values] = rest
    if (typeof said === 'string' && rest.length === 0) return said
    if (said === null || typeof said === 'string' || rest.length !== 1 || !isNamed(values)) return callT(key, ...rest)
    return said.map((part, index) => (index % 2 === 0 ? part : String(values[part] ?? ''))).join('')
  }
  const callT = t as (key: string, ...rest: unknown[]) => string
  global.t = quick
}

const isNamed = (values: unknown): values is Record<string, string | number> =>
  typeof values === 'object' && values !== null && !Array.isArray(values)

export async function setLocale(i18n: AppI18n, locale: Locale): Promise<void> {
  const [messages, hubTexts] = await Promise.all([loaders[locale](), hubLoaders[locale]?.()])
  setHubTexts(hubTexts?.default ?? {})
  i18n.global.setLocaleMessage(locale, markRaw(messages.default) as never)
  i18n.global.locale.value = locale
  document.documentElement.lang = locale
}
