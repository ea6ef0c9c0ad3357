import { isDeepStrictEqual } from 'node:util'
import { parse } from 'jsonc-parser'
import type { ConfigChange, ConfigTexts } from '../contract/index.ts'

/** What differs between two configurations, by meaning: layout and comments do not count. */
export function changesBetween(before: ConfigTexts, after: ConfigTexts): ConfigChange[] {
  return [
    ...entryChanges('servers', partOf(before.servers, 'mcpServers'), partOf(after.servers, 'mcpServers')),
    ...entryChanges('profiles', partOf(before.profiles, 'profiles'), partOf(after.profiles, 'profiles')),
    ...entryChanges('system', leavesOf(recordOf(before.system)), leavesOf(recordOf(after.system))),
  ]
}

type Entries = Readonly<Record<string, unknown>>

function entryChanges(file: ConfigChange['file'], before: Entries, after: Entries): ConfigChange[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)])
  return [...names].flatMap((name): ConfigChange[] => {
    if (!Object.hasOwn(before, name)) return [{ file, name, kind: 'added' }]
    if (!Object.hasOwn(after, name)) return [{ file, name, kind: 'removed' }]
    return isDeepStrictEqual(before[name], after[name]) ? [] : [{ file, name, kind: 'changed' }]
  })
}

export function recordOf(text: string): Entries {
  const value: unknown = parse(text)
  return isEntries(value) ? value : {}
}

function partOf(text: string, key: string): Entries {
  const value = recordOf(text)[key]
  return isEntries(value) ? value : {}
}

/** The leaves by their paths; what holds a list is a leaf. */
export function leavesOf(value: Entries, path = ''): Entries {
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]): [string, unknown][] =>
      isEntries(inner) ? Object.entries(leavesOf(inner, `${path}${key}.`)) : [[`${path}${key}`, inner]],
    ),
  )
}

const isEntries = (value: unknown): value is Entries =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
