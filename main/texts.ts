import en from '../renderer/locales/desktop.en.json' with { type: 'json' }
import zhCN from '../renderer/locales/desktop.zh-CN.json' with { type: 'json' }
import hubZhCN from '../renderer/locales/hub.zh-CN.json' with { type: 'json' }
import type { Catalogue } from '../hub/contract/index.ts'

export type Texts = typeof en & {
  /** What the hub says in this language. */
  said: Catalogue
}
const english: Texts = { ...en, said: {} }
const chinese: Texts = { ...zhCN, said: hubZhCN }
export type Locale = 'en' | 'zh-CN'

export function chooseLocale(setting: 'system' | Locale, systemLocale: string): Locale {
  if (setting !== 'system') return setting
  return systemLocale.toLowerCase().startsWith('zh') ? 'zh-CN' : 'en'
}

/** The texts of tray, menus and dialogs, from the same files as the page's. */
export function textsOf(locale: Locale): Texts {
  return locale === 'zh-CN' ? chinese : english
}

/** Puts values in place of `{name}`. */
export function fill(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) =>
    Object.hasOwn(values, name) ? String(values[name]) : whole,
  )
}

/** What somebody reads whose app does not start: the cause, and what helps. `folder` is where the app keeps its data. */
export function failedStart(error: unknown, folder: string, systemLocale: string): { title: string; text: string } {
  const { title, text } = textsOf(chooseLocale('system', systemLocale)).startFailed
  return { title, text: fill(text, { cause: error instanceof Error ? error.message : String(error), folder }) }
}
