import { describe, expect, it, vi } from 'vitest'
import { createI18n } from 'vue-i18n'
import { createAppI18n, locales } from '../../renderer/lib/i18n.ts'
import en from '../../renderer/locales/en.json' with { type: 'json' }
import zhCN from '../../renderer/locales/zh-CN.json' with { type: 'json' }

type Translate = (key: string, ...rest: unknown[]) => string
const messages = { en, 'zh-CN': zhCN }

function keysOf(texts: object, before = ''): string[] {
  return Object.entries(texts).flatMap(([name, text]) =>
    typeof text === 'string' ? [before + name] : keysOf(text as object, `${before}${name}.`),
  )
}

describe('the short way to a text', () => {
  it.each(locales)('says what vue-i18n says, in %s', async (locale) => {
    const plain = createI18n({ legacy: false, locale, messages, missingWarn: false, fallbackWarn: false })
    const long = plain.global.t as Translate
    const short = (await createAppI18n(locale)).global.t as Translate
    const named = (text: unknown): Record<string, string> =>
      Object.fromEntries([...String(text).matchAll(/\{(\w+)\}/g)].map(([, name = '']) => [name, `<${name}>`]))
    for (const key of keysOf(messages[locale])) {
      const values = named(
        key.split('.').reduce<unknown>((at, name) => (at as Record<string, unknown>)[name], messages[locale]),
      )
      for (const given of [[], [values], [1], [2], [0], [values, 1], [values, 2], [{ n: '1,000' }, 1_000]])
        expect(short(key, ...structuredClone(given)), `${key} ${JSON.stringify(given)}`).toBe(
          long(key, ...structuredClone(given)),
        )
    }
  })
})

it('shows the language that was chosen last, whichever is loaded last', async () => {
  // The texts of the other language are yet to come, those of this one are here.
  vi.resetModules()
  const { createAppI18n, setLocale } = await import('../../renderer/lib/i18n.ts')
  const i18n = await createAppI18n('en')
  await Promise.all([setLocale(i18n, 'zh-CN'), setLocale(i18n, 'en')])
  expect(i18n.global.locale.value).toBe('en')
  expect(document.documentElement.lang).toBe('en')
})
