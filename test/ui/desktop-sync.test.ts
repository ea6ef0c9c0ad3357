import { flushPromises } from '@vue/test-utils'
import { createPinia } from 'pinia'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createMemoryHistory, createRouter } from 'vue-router'
import type { DesktopSettings } from '../../preload/contract.ts'

type Look = Pick<DesktopSettings, 'theme' | 'locale'>

/** What the page asked main to keep and main did not answer yet. */
let asked: { look: Look; answer: (result: object) => void }[] = []
/** Main's own message that the settings are other ones. */
let tell: (look: Look) => void

beforeEach(() => {
  asked = []
  vi.resetModules()
  vi.stubGlobal('desktop', {
    on: (name: string, listener: (look: Look) => void) => {
      if (name === 'settings.changed') tell = listener
      return () => undefined
    },
    invoke: (name: string, look: Look) => {
      if (name === 'settings.get') return Promise.resolve({ ok: true, value: { theme: 'system', locale: 'en' } })
      if (name !== 'settings.set') return Promise.resolve({ ok: true, value: null })
      return new Promise<object>((answer) => asked.push({ look, answer }))
    },
  })
})
afterEach(() => vi.unstubAllGlobals())

async function connect(onRefused: (error: unknown) => void) {
  const { connectDesktop } = await import('../../renderer/lib/desktop-sync.ts')
  const { usePreferences } = await import('../../renderer/lib/preferences.ts')
  const preferences = usePreferences(createPinia())
  const router = createRouter({ history: createMemoryHistory(), routes: [] })
  await connectDesktop(router, preferences, onRefused)
  return preferences
}

it('sends each choice to the app once, however quickly they follow each other', async () => {
  const preferences = await connect(() => undefined)
  expect(preferences.localeChoice).toBe('en')
  preferences.theme = 'dark'
  await flushPromises()
  preferences.theme = 'light'
  await flushPromises()
  // Main keeps them one after the other, and tells the page so each time.
  for (let kept = 0; kept < Math.min(asked.length, 10); kept++) {
    const { look, answer } = asked[kept] as (typeof asked)[number]
    tell(look)
    answer({ ok: true, value: look })
    await flushPromises()
  }
  expect(asked.map(({ look }) => look)).toEqual([
    { theme: 'dark', locale: 'en' },
    { theme: 'light', locale: 'en' },
  ])
  expect(preferences.theme).toBe('light')
  // Back to what main told before is a choice like any other.
  preferences.theme = 'system'
  await flushPromises()
  expect(asked.at(-1)?.look.theme).toBe('system')
})

it('tells why a choice could not be kept, and lets it be made again', async () => {
  const refused = vi.fn()
  const preferences = await connect(refused)
  preferences.theme = 'dark'
  await flushPromises()
  asked[0]?.answer({ ok: false, error: { code: 'internal', message: 'EACCES: settings.json' } })
  await flushPromises()
  expect(refused).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ message: 'EACCES: settings.json' }))
  expect(preferences.theme).toBe('system')
  preferences.theme = 'dark'
  await flushPromises()
  expect(asked).toHaveLength(2)
  // What was chosen since is not taken back.
  preferences.theme = 'light'
  await flushPromises()
  asked[1]?.answer({ ok: false, error: { code: 'internal', message: 'EACCES: settings.json' } })
  await flushPromises()
  expect(preferences.theme).toBe('light')
})
