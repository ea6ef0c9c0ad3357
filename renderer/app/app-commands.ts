import { CircleHelp, Component, LogOut, Languages, Plus, Search, SunMoon, Copy } from '@lucide/vue'
import { useI18n } from 'vue-i18n'
import { useRouter } from 'vue-router'
import { toast } from 'vue-sonner'
import { copyText } from '../lib/clipboard.ts'
import { useCommands, type Command } from '../lib/commands.ts'
import { desktop, invoke } from '../lib/desktop.ts'
import { focusNewest, focusTargets } from '../lib/focus-targets.ts'
import { localeNames, locales } from '../lib/i18n.ts'
import { themes, usePreferences } from '../lib/preferences.ts'
import { useHub } from '../lib/queries.ts'
import { useSession } from '../lib/session.ts'
import { furtherPages, navItems } from './nav.ts'
import { useLogout } from './use-logout.ts'

/** What can be done from anywhere. */
export function useAppCommands({ openPalette, openHelp }: { openPalette: () => void; openHelp: () => void }): void {
  const { t } = useI18n()
  const router = useRouter()
  const preferences = usePreferences()
  const { data: hub } = useHub()
  const { mode, canManage } = useSession()
  const logout = useLogout()

  async function copyEndpoint(): Promise<void> {
    const url = hub.value?.endpoint.url
    if (url === undefined) return
    if (await copyText(url)) toast.success(t('common.copied'), { description: url })
    else toast.error(t('common.copyRefused'))
  }

  useCommands(() => {
    const go = navItems.map((item): Command => ({
      id: `go${item.to}`,
      group: 'go',
      title: t(item.label),
      icon: item.icon,
      keys: item.keys,
      run: () => router.push(item.to),
    }))
    const further = furtherPages
      .filter(({ manage }) => manage !== true || canManage.value)
      .map(({ to, label }): Command => ({ id: `go${to}`, group: 'go', title: t(label), run: () => router.push(to) }))
    const act: Command[] = [
      { id: 'palette', group: 'view', title: t('palette.open'), icon: Search, keys: 'mod+k', run: openPalette },
      { id: 'help', group: 'view', title: t('help.title'), icon: CircleHelp, keys: '?', run: openHelp },
      {
        id: 'filter',
        group: 'view',
        title: t('help.filter'),
        icon: Search,
        keys: '/',
        run: () => focusNewest(focusTargets.filter),
      },
      { id: 'endpoint.copy', group: 'act', title: t('endpoint.copy'), icon: Copy, run: copyEndpoint },
    ]
    if (canManage.value)
      act.push({
        id: 'server.add',
        group: 'act',
        title: t('add.title'),
        icon: Plus,
        keys: 'a',
        run: () => router.push('/servers/add'),
      })
    if (desktop !== undefined)
      act.push({
        id: 'token.copy',
        group: 'act',
        title: t('endpoint.copyToken'),
        icon: Copy,
        run: () => invoke('endpoint.copy', { kind: 'token' }).then(() => toast.success(t('common.copied'))),
      })
    if (mode.value === 'server')
      act.push({ id: 'logout', group: 'act', title: t('login.signOut'), icon: LogOut, run: logout })
    if (import.meta.env.DEV)
      act.push({
        id: 'gallery',
        group: 'view',
        title: 'Component gallery',
        icon: Component,
        run: () => router.push('/dev/ui'),
      })
    const look = [
      ...themes.map((theme): Command => ({
        id: `theme.${theme}`,
        group: 'view',
        title: t('settings.themeCommand', { theme: t(`settings.themes.${theme}`) }),
        icon: SunMoon,
        run: () => (preferences.theme = theme),
      })),
      ...locales.map((locale): Command => ({
        id: `locale.${locale}`,
        group: 'view',
        title: t('settings.languageCommand', { language: localeNames[locale] }),
        icon: Languages,
        run: () => (preferences.localeChoice = locale),
      })),
    ]
    return [...go, ...further, ...act, ...look]
  })
}
