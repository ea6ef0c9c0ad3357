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
  await setLocale(i18n, locale)
  return i18n
}

/** What the compiler of texts looks for: places to fill in, forms, links. */
const SPECIAL = /[{}|@]/

/** Texts of words alone as functions, which are not looked up among the compiled ones by all of their text, each time they are shown. */
function withFunctions(messages: Messages): Messages {
  return Object.fromEntries(
    Object.entries(messages).map(([key, text]) => [
      key,
      typeof text === 'string' ? (SPECIAL.test(text) ? text : () => text) : withFunctions(text as Messages),
    ]),
  )
}

export async function setLocale(i18n: AppI18n, locale: Locale): Promise<void> {
  const [messages, hubTexts] = await Promise.all([loaders[locale](), hubLoaders[locale]?.()])
  setHubTexts(hubTexts?.default ?? {})
  i18n.global.setLocaleMessage(locale, markRaw(withFunctions(messages.default)) as never)
  i18n.global.locale.value = locale
  document.documentElement.lang = locale
}
