import { renameSync } from 'node:fs'
import Store from 'electron-store'
import type { DesktopSettings } from '../preload/contract.ts'
import { migrateSettings, type SettingsFile, type WindowBounds } from './settings-file.ts'

export interface Settings {
  readonly desktop: DesktopSettings
  readonly bounds: WindowBounds | null
  readonly trayHintShown: boolean
  setDesktop: (change: Partial<DesktopSettings>) => DesktopSettings
  setBounds: (bounds: WindowBounds) => void
  setTrayHintShown: () => void
}

/** The shell's preferences in `settings.json` of the user's data folder. A broken file is moved aside, never overwritten. */
export function openSettings(folder: string, now: () => number = Date.now): Settings {
  const open = (): Store<SettingsFile> =>
    new Store<SettingsFile>({ name: 'settings', cwd: folder, clearInvalidConfig: false })
  let store: Store<SettingsFile>
  try {
    store = open()
    store.store satisfies SettingsFile
  } catch {
    renameSync(`${folder}/settings.json`, `${folder}/settings.broken-${now()}.json`)
    store = open()
  }
  store.store = migrateSettings(store.store)
  return {
    get desktop() {
      return store.get('desktop')
    },
    get bounds() {
      return store.get('bounds')
    },
    get trayHintShown() {
      return store.get('trayHintShown')
    },
    setDesktop: (change) => {
      store.set('desktop', { ...store.get('desktop'), ...change })
      return store.get('desktop')
    },
    setBounds: (bounds) => store.set('bounds', bounds),
    setTrayHintShown: () => store.set('trayHintShown', true),
  }
}
