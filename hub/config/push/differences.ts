import { isDeepStrictEqual } from 'node:util'
import { isEnabled, isRemote, type ConfigDifference, type Meaning, type ServerConfig } from '../../contract/index.ts'
import { leavesOf } from '../changes.ts'
import type { PortableConfig } from './portable.ts'
import { profileMeanings } from './profile-meanings.ts'

type Entries = Readonly<Record<string, unknown>>
type Paths = ConfigDifference['paths']

/** What differs, by path and by meaning. Both sides hold references in the place of secrets, so no value of one is shown. */
export function differencesBetween(before: PortableConfig, after: PortableConfig): ConfigDifference[] {
  return [
    ...entries(before.servers, after.servers, serverMeanings).map((one) => ({ file: 'servers' as const, ...one })),
    ...entries(before.profiles, after.profiles, profileMeanings).map((one) => ({ file: 'profiles' as const, ...one })),
    ...entries(before.system, after.system, settingMeanings).map((one) => ({ file: 'system' as const, ...one })),
  ]
}

function entries<T>(
  before: Readonly<Record<string, T>>,
  after: Readonly<Record<string, T>>,
  meanings: (name: string, was: T | undefined, is: T | undefined) => Meaning[],
): Omit<ConfigDifference, 'file'>[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((name) => {
    const was = Object.hasOwn(before, name) ? before[name] : undefined
    const is = Object.hasOwn(after, name) ? after[name] : undefined
    if (isDeepStrictEqual(was, is)) return []
    const kind = was === undefined ? 'added' : is === undefined ? 'removed' : 'changed'
    return [{ name, kind, paths: pathsBetween(was, is), meanings: meanings(name, was, is) }]
  })
}

function pathsBetween(was: unknown, is: unknown): Paths {
  const [before, after] = [was, is].map((value) => (isEntries(value) ? leavesOf(value) : { '': value }))
  if (before === undefined || after === undefined) return []
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((path) => !isDeepStrictEqual(before[path], after[path]))
    .map((path) => ({
      path,
      ...(before[path] === undefined ? {} : { before: before[path] }),
      ...(after[path] === undefined ? {} : { after: after[path] }),
    }))
}

const isEntries = (value: unknown): value is Entries =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const commandOf = (entry: ServerConfig): string =>
  isRemote(entry) ? entry.url : [entry.command, ...(entry.args ?? [])].join(' ')

/** Said by `command`, `url` and `enabled` as a whole. */
const TOGETHER = new Set(['command', 'args', 'url', 'type', 'enabled', 'disabled', 'hub.enabled'])

function serverMeanings(server: string, was: ServerConfig | undefined, is: ServerConfig | undefined): Meaning[] {
  const none = { subject: server, field: null, item: null, before: null, after: null }
  if (is === undefined) return [{ ...none, code: 'server-removed', message: `${server} is removed` }]
  const after = commandOf(is)
  if (was === undefined) {
    const does = isRemote(is) ? `connects to ${after}` : `runs ${after}`
    return [{ ...none, code: 'server-added', after, message: `${server} is added: ${does}` }]
  }
  const found: Meaning[] = []
  const change = (field: string, from: string | null, to: string | null, message: string): number =>
    found.push({ ...none, code: 'server-changed', field, before: from, after: to, message: `${server} ${message}` })
  if (isEnabled(was) !== isEnabled(is))
    change('enabled', String(isEnabled(was)), String(isEnabled(is)), isEnabled(is) ? 'is enabled' : 'is disabled')
  const before = commandOf(was)
  if (before !== after) {
    if (isRemote(is)) change('url', before, after, `connects to ${after} instead of ${before}`)
    else change('command', before, after, `runs ${after} instead of ${before}`)
  }
  for (const { path, ...values } of pathsBetween(was, is)) {
    if (TOGETHER.has(path)) continue
    const [from, to] = [textOf(values.before), textOf(values.after)]
    change(path, from, to, `has another ${path}: ${from ?? 'none'} → ${to ?? 'none'}`)
  }
  return found
}

function settingMeanings(setting: string, was: unknown, is: unknown): Meaning[] {
  const [before, after] = [textOf(was), textOf(is)]
  const message = `${setting}: ${before ?? 'its default'} → ${after ?? 'its default'}`
  return [{ code: 'setting-changed', subject: setting, field: null, item: null, before, after, message }]
}

const textOf = (value: unknown): string | null => (value === undefined ? null : JSON.stringify(value))
