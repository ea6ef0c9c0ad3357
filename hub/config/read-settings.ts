import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Fault, SystemFile } from '../contract/index.ts'
import { defaultOf, fixedDefault, isSystemPath, settingEntries, type SettingName, type SystemPath } from './settings.ts'
import type { Where } from './settings.ts'

/** Where the value of a setting comes from. */
export type Origin =
  | { from: 'option' | 'environment'; name: string }
  | { from: 'file'; file: string; line: number | null }
  | { from: 'default' }

/** What the command line and the environment set; they go before system.json. */
export type Given = ReadonlyMap<SettingName, { value: unknown; origin: Origin }>
/** Of those, what goes before the same path in system.json. */
export type SystemOverrides = Readonly<Partial<Record<SystemPath, unknown>>>

/**
 * The settings on the command line (`options` by the option's name) and in an environment without empty values, as
 * `takeEnvironment` gives it. `faults` tells of every one that is wrong.
 */
export function readSettings(sources: {
  options?: Readonly<Record<string, string | boolean | undefined>>
  environment: Readonly<Record<string, string>>
}): { given: Given; faults: Fault[] } {
  const { options = {}, environment } = sources
  const given = new Map<SettingName, { value: unknown; origin: Origin }>()
  const faults: Fault[] = []
  for (const [name, { variable = '', option = '', check, parse }] of settingEntries) {
    const typed = options[option]
    const isTyped = typeof typed === 'string' && typed !== ''
    const text = isTyped ? typed : environment[variable]
    if (text === undefined) continue
    const inFile = environment[`${variable}_FILE`] !== undefined
    const origin: Origin = isTyped
      ? { from: 'option', name: `--${option}` }
      : { from: 'environment', name: inFile ? `${variable}_FILE` : variable }
    const message = check?.(text) ?? null
    if (message === null) given.set(name, { value: parse?.(text) ?? text, origin })
    else
      faults.push({
        file: null,
        path: isTyped ? `option --${option}` : `environment ${variable}`,
        line: null,
        column: null,
        message,
        cure: isTyped ? 'Correct the option.' : 'Correct the variable.',
      })
  }
  return { given, faults }
}

/** The text of a setting that stands on the command line or in the environment. */
export function givenText(given: Given, name: SettingName): string | undefined {
  const value = given.get(name)?.value
  return typeof value === 'string' ? value : undefined
}

export function givenFolder(given: Given, name: 'CONFIG_DIR' | 'DATA_DIR'): string {
  return givenText(given, name) ?? join(homedir(), fixedDefault(name).replace(/^~\//, ''))
}

export function systemOverrides(given: Given): SystemOverrides {
  return Object.fromEntries([...given].flatMap(([name, { value }]) => (isSystemPath(name) ? [[name, value]] : [])))
}

/** system.json with what goes before it in its place. */
export function withOverrides(system: SystemFile, overrides: SystemOverrides): SystemFile {
  let result: Record<string, unknown> = system
  for (const [path, value] of Object.entries(overrides)) result = withValue(result, path.split('.'), value)
  return result
}

function withValue(
  object: Readonly<Record<string, unknown>>,
  [key = '', ...rest]: string[],
  value: unknown,
): Record<string, unknown> {
  const inner = object[key]
  return {
    ...object,
    [key]: rest.length === 0 ? value : withValue(isObject(inner) ? inner : {}, rest, value),
  }
}

/** What stands at a path; undefined where nothing does. */
export function valueAt(system: SystemFile, path: string): unknown {
  let value: unknown = system
  for (const key of path.split('.')) value = isObject(value) ? value[key] : undefined
  return value
}

/** The value that is in force: of system.json with its overrides, else the default. */
export function inForce(system: SystemFile, name: SystemPath, where: Where): unknown {
  return valueAt(system, name) ?? defaultOf(name, { ...where, rateLimit: system.rateLimit })
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
