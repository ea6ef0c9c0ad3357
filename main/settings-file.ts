import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { desktopSettingsSchema, type DesktopSettings } from '../preload/contract.ts'

const boundsSchema = z.strictObject({
  x: z.number(),
  y: z.number(),
  width: z.number(),
  height: z.number(),
  maximized: z.boolean(),
})
export type WindowBounds = z.infer<typeof boundsSchema>

export interface SettingsFile {
  version: 1
  desktop: DesktopSettings
  bounds: WindowBounds | null
  /** Closing to the tray is explained once. */
  trayHintShown: boolean
}

export interface Settings {
  readonly desktop: DesktopSettings
  readonly bounds: WindowBounds | null
  readonly trayHintShown: boolean
  /** Throws, and changes nothing, when the file cannot be written. */
  setDesktop: (change: Partial<DesktopSettings>) => DesktopSettings
  /** Holds at least until the app ends. */
  setBounds: (bounds: WindowBounds) => void
  setTrayHintShown: () => void
}

/** Where the settings are kept. Each throws what the system says. */
export interface SettingsPlace {
  read: () => unknown
  moveAside: () => void
  write: (settings: SettingsFile) => void
}

export const SETTINGS_VERSION = 1
export const defaultSettings: SettingsFile = {
  version: SETTINGS_VERSION,
  desktop: { theme: 'system', locale: 'system', closeToTray: true, openAtLogin: false },
  bounds: null,
  trayHintShown: false,
}

/**
 * Brings what is on disk to the present form; electron-store's own migrations are unsupported by its author. Values that do
 * not fit fall back to their defaults one by one, so that one bad value costs only itself.
 */
export function migrateSettings(found: unknown): SettingsFile {
  const record = typeof found === 'object' && found !== null ? (found as Record<string, unknown>) : {}
  const desktop =
    typeof record['desktop'] === 'object' && record['desktop'] !== null
      ? (record['desktop'] as Record<string, unknown>)
      : {}
  const settings = structuredClone(defaultSettings)
  for (const key of Object.keys(desktopSettingsSchema.shape) as (keyof DesktopSettings)[]) {
    const value = desktopSettingsSchema.shape[key].safeParse(desktop[key])
    if (value.success) Object.assign(settings.desktop, { [key]: value.data })
  }
  const bounds = boundsSchema.nullable().safeParse(record['bounds'])
  if (bounds.success) settings.bounds = bounds.data
  if (typeof record['trayHintShown'] === 'boolean') settings.trayHintShown = record['trayHintShown']
  return settings
}

/**
 * The settings that a place holds. A broken file is moved aside, never overwritten. A place that cannot be read or written
 * costs the app no start: the settings then hold until it ends, and `onProblem` hears why.
 */
export function keepSettings(place: SettingsPlace, onProblem: (error: unknown) => void): Settings {
  let found: unknown = {}
  /** Why nothing is written over what is there. */
  let obstacle: Error | null = null
  try {
    found = place.read()
  } catch (error) {
    onProblem(error)
    try {
      // What the system did not let us read may be in order.
      if ((error as NodeJS.ErrnoException).syscall !== undefined) throw error
      place.moveAside()
    } catch (cause) {
      obstacle = new Error(`The settings were not read at this start: ${reasonOf(cause)}`, { cause })
    }
  }
  let current = migrateSettings(found)

  function write(next: SettingsFile): void {
    if (obstacle !== null) throw obstacle
    place.write(next)
  }
  function remember(change: Partial<SettingsFile>): void {
    current = { ...current, ...change }
    try {
      write(current)
    } catch (error) {
      onProblem(error)
    }
  }
  // The store's own object has no prototype.
  if (!isDeepStrictEqual(current, { ...(found as object) })) remember({})

  return {
    get desktop() {
      return current.desktop
    },
    get bounds() {
      return current.bounds
    },
    get trayHintShown() {
      return current.trayHintShown
    },
    setDesktop: (change) => {
      const next = { ...current, desktop: { ...current.desktop, ...change } }
      write(next)
      current = next
      return current.desktop
    },
    setBounds: (bounds) => remember({ bounds }),
    setTrayHintShown: () => remember({ trayHintShown: true }),
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
