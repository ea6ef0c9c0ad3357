import { isDeepStrictEqual } from 'node:util'
import { inForce } from './config/read-settings.ts'
import { isSystemPath, settingEntries, type SystemPath, type Where } from './config/settings.ts'
import type { SystemFile } from './contract/index.ts'
import type { Log } from './observe/log.ts'

/** What a change of system.json does to a hub that runs. */
export interface LiveSettings {
  /** Settings of system.json that are others than the hub was started with, and that it cannot take over. */
  readonly restartNeeded: SystemPath[]
  /** system.json is another. */
  changed: () => void
}

const paths = settingEntries.map(([name]) => name).filter(isSystemPath)
const isLive = new Map<string, boolean>(settingEntries.map(([name, { live }]) => [name, live === true]))

/**
 * Compares system.json, setting by setting, with what is in force. `takeOver` is told which of those that can change live
 * did, and nothing else is touched; the others are named until the hub is started anew, or until they are back.
 */
export function createLiveSettings(options: {
  system: () => SystemFile
  where: Where
  takeOver: (names: ReadonlySet<SystemPath>) => void
  /** Whether a value came into force by another way than a restart. */
  isThere: (name: SystemPath, value: unknown) => boolean
  log: Log
}): LiveSettings {
  const { where, log } = options
  const started = options.system()
  let current = started
  let restartNeeded: SystemPath[] = []

  const differing = (a: SystemFile, b: SystemFile): SystemPath[] =>
    paths.filter((path) => !isDeepStrictEqual(inForce(a, path, where), inForce(b, path, where)))

  return {
    get restartNeeded() {
      return restartNeeded
    },
    changed: () => {
      const before = current
      current = options.system()
      const names = differing(before, current)
      const now = names.filter((name) => isLive.get(name) === true)
      if (now.length > 0) {
        options.takeOver(new Set(now))
        log('info', 'Settings of system.json are in force', { settings: now })
      }
      restartNeeded = differing(started, current).filter(
        (name) => isLive.get(name) !== true && !options.isThere(name, inForce(current, name, where)),
      )
      const later = names.filter((name) => restartNeeded.includes(name))
      if (later.length > 0)
        log('warn', 'Settings of system.json take effect after a restart of the hub', { settings: later })
    },
  }
}
