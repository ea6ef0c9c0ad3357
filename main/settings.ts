import { renameSync } from 'node:fs'
import Store from 'electron-store'
import { keepSettings, type Settings, type SettingsFile } from './settings-file.ts'

/** The shell's preferences in `settings.json` of the user's data folder. `onProblem` hears what could not be read or written. */
export function openSettings(folder: string, onProblem: (error: unknown) => void): Settings {
  let store: Store<SettingsFile> | null = null
  const open = (): Store<SettingsFile> =>
    (store ??= new Store<SettingsFile>({ name: 'settings', cwd: folder, clearInvalidConfig: false }))
  return keepSettings(
    {
      read: () => open().store,
      moveAside: () => renameSync(`${folder}/settings.json`, `${folder}/settings.broken-${Date.now()}.json`),
      write: (settings) => {
        open().store = settings
      },
    },
    onProblem,
  )
}
