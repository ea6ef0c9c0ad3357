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
