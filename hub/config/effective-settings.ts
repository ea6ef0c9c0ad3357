import { findNodeAtLocation, type Node } from 'jsonc-parser'
import type { SystemFile } from '../contract/index.ts'
import { referencesInText } from './interpolate.ts'
import { positionOf } from './jsonc.ts'
import { valueAt, type Given, type Origin } from './read-settings.ts'
import { defaultOf, isSystemPath, settingEntries, type Setting, type SettingName, type Where } from './settings.ts'

export const REDACTED = '[redacted]'

/** A setting with the value that is in force, as far as it may be shown. */
export interface EffectiveSetting {
  name: SettingName
  value: unknown
  origin: Origin
  /** Whether a change of system.json takes effect while the hub runs. */
  live: boolean
}

export interface SystemDocument {
  file: string
  text: string
  /** As it is written. */
  written: SystemFile
  /** With the values of its references. */
  system: SystemFile
  root: Node | undefined
}

/** Every setting, with its value and where that comes from: command line, environment, system.json, default. */
export function effectiveSettings(given: Given, document: SystemDocument, where: Where): EffectiveSetting[] {
  return settingEntries.map(([name, setting]): EffectiveSetting => {
    const live = setting.live === true
    const set = given.get(name)
    if (set !== undefined) return { name, value: shown(setting, set.value), origin: set.origin, live }
    const fromFile = isSystemPath(name) ? fileValue(document, name) : null
    if (fromFile !== null) return { name, value: shown(setting, fromFile.value), origin: fromFile.origin, live }
    const value = defaultOf(name, { ...where, rateLimit: document.system.rateLimit })
    return { name, value, origin: { from: 'default' }, live }
  })
}

function fileValue(
  { file, text, written, system, root }: SystemDocument,
  name: string,
): { value: unknown; origin: Origin } | null {
  const path = name.split('.')
  if (root === undefined || findNodeAtLocation(root, path) === undefined) return null
  const references = referencesInText(JSON.stringify(valueAt(written, name)))
  const isHidden = references.some(({ kind }) => kind === 'secret' || kind === 'file')
  const { line } = positionOf(text, root, path)
  return { value: isHidden ? REDACTED : valueAt(system, name), origin: { from: 'file', file, line } }
}

function shown({ secret }: Setting, value: unknown): unknown {
  if (secret === true) return REDACTED
  return typeof value === 'string' && URL.canParse(value) && new URL(value).password !== '' ? REDACTED : value
}
