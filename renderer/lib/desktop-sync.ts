import { watch } from 'vue'
import type { Router } from 'vue-router'
import type { DesktopSettings } from '../../preload/contract.ts'
import { desktop, invoke } from './desktop.ts'
import type { usePreferences } from './preferences.ts'

type Look = Pick<DesktopSettings, 'theme' | 'locale'>

/**
 * On the desktop the app's settings are the truth and the page's storage is its shadow for the next first paint.
 * @param onRefused told why the app could not keep what was chosen
 */
export async function connectDesktop(
  router: Router,
  preferences: ReturnType<typeof usePreferences>,
  onRefused: (error: unknown) => void,
): Promise<void> {
  if (desktop === undefined) return
  /** What was told last, by either side. To send back what was taken would undo a choice that is still on its way, for ever. */
  let told: Look | undefined
  const take = ({ theme, locale }: Look): void => {
    told = { theme, locale }
    preferences.theme = theme
    preferences.localeChoice = locale
  }
  await invoke('settings.get').then(take, () => undefined)
  desktop.on('settings.changed', take)
  desktop.on('navigate', ({ path }) => void router.push(path))
  watch(
    () => ({ theme: preferences.theme, locale: preferences.localeChoice }),
    (look) => {
      if (look.theme === told?.theme && look.locale === told.locale) return
      told = look
      invoke('settings.set', look).catch(async (error: unknown) => {
        onRefused(error)
        const kept = await invoke('settings.get').catch(() => null)
        // What the app keeps is shown again, so that the same can be chosen anew; but not in the place of a later choice.
        if (kept !== null && told === look) take(kept)
      })
    },
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
