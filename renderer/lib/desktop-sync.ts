import { watch } from 'vue'
import type { Router } from 'vue-router'
import { desktop, invoke } from './desktop.ts'
import type { usePreferences } from './preferences.ts'

/** On the desktop the app's settings are the truth and the page's storage is its shadow for the next first paint. */
export async function connectDesktop(router: Router, preferences: ReturnType<typeof usePreferences>): Promise<void> {
  if (desktop === undefined) return
  const take = ({
    theme,
    locale,
  }: {
    theme: typeof preferences.theme
    locale: typeof preferences.localeChoice
  }): void => {
    preferences.theme = theme
    preferences.localeChoice = locale
  }
  await invoke('settings.get').then(take, () => undefined)
  desktop.on('settings.changed', take)
  desktop.on('navigate', ({ path }) => void router.push(path))
  watch(
    () => ({ theme: preferences.theme, locale: preferences.localeChoice }),
    (settings) => void invoke('settings.set', settings),
  )
  void router.isReady().then(() => invoke('page.ready'))
}

/** What goes wrong in the page ends in the app's log, where a person can find it. */
export function reportPageErrors(): void {
  if (desktop === undefined) return
  const report = (error: unknown): void => {
    const known = error instanceof Error ? error : new Error(String(error))
    void invoke('page.error', {
      message: known.message.slice(0, 10_000),
      ...(known.stack === undefined ? {} : { stack: known.stack.slice(0, 50_000) }),
    })
  }
  window.addEventListener('error', (event) => report(event.error ?? event.message))
  window.addEventListener('unhandledrejection', (event) => report(event.reason))
}
