import { defineStore } from 'pinia'
import { computed, ref, watch } from 'vue'
import { z } from 'zod'
import { detectLocale, locales, type Locale } from './i18n.ts'

export const themes = ['light', 'dark', 'system'] as const
export type Theme = (typeof themes)[number]

export const listViews = ['table', 'cards'] as const

const themeSchema = z.enum(themes).catch('system')
const viewSchema = z.enum(listViews).catch('table')
const localeSchema = z.enum(['system', ...locales]).catch('system')

/** What a person prefers on this device. */
export const usePreferences = defineStore('preferences', () => {
  const theme = ref(themeSchema.parse(read('mcp-hub.theme')))
  const localeChoice = ref(localeSchema.parse(read('mcp-hub.locale') ?? 'system'))
  const singleKeys = ref(read('mcp-hub.single-keys') !== 'off')
  /** In calls by hand, what a server asks is answered by hand. */
  const interactive = ref(read('mcp-hub.interactive') === 'on')
  const serversView = ref(viewSchema.parse(read('mcp-hub.servers-view')))

  const locale = computed<Locale>(() => (localeChoice.value === 'system' ? detectLocale() : localeChoice.value))

  watch(
    theme,
    (value) => {
      write('mcp-hub.theme', value)
      if (value === 'system') delete document.documentElement.dataset['theme']
      else document.documentElement.dataset['theme'] = value
    },
    { immediate: true },
  )
  watch(localeChoice, (value) => write('mcp-hub.locale', value === 'system' ? null : value))
  watch(singleKeys, (value) => write('mcp-hub.single-keys', value ? null : 'off'))
  watch(interactive, (value) => write('mcp-hub.interactive', value ? 'on' : null))
  watch(serversView, (value) => write('mcp-hub.servers-view', value === 'table' ? null : value))

  return { theme, localeChoice, locale, singleKeys, interactive, serversView }
})

function read(key: string): string | null {
  try {
    return localStorage.getItem(key)
  } catch {
    return null
  }
}

function write(key: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(key)
    else localStorage.setItem(key, value)
  } catch {
    // Storage is forbidden or full: the choice then lasts as long as the page.
  }
}
