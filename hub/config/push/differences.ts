import { isEnabled, isRemote, type ConfigDifference, type Meaning, type ServerConfig } from '../../contract/index.ts'
import { isDeepStrictEqual } from '../../deep-equal.ts'
import { leavesOf } from '../changes.ts'
import type { PortableConfig } from './portable.ts'
import { profileMeaning } from './profile-meaning.ts'

type Entries = Readonly<Record<string, unknown>>
type Paths = ConfigDifference['paths']

/** What differs, by path and by meaning. Both sides hold references in the place of secrets, so no value of one is shown. */
export function differencesBetween(before: PortableConfig, after: PortableConfig): ConfigDifference[] {
  return [
    ...entries(before.servers, after.servers, serverMeaning).map((one) => ({ file: 'servers' as const, ...one })),
    ...entries(before.profiles, after.profiles, profileMeaning).map((one) => ({ file: 'profiles' as const, ...one })),
    ...entries(before.system, after.system, settingMeaning).map((one) => ({ file: 'system' as const, ...one })),
  ]
}

function entries<T>(
  before: Readonly<Record<string, T>>,
  after: Readonly<Record<string, T>>,
  meaning: (name: string, was: T | undefined, is: T | undefined) => Meaning[],
): Omit<ConfigDifference, 'file'>[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((name) => {
    const was = Object.hasOwn(before, name) ? before[name] : undefined
    const is = Object.hasOwn(after, name) ? after[name] : undefined
    if (isDeepStrictEqual(was, is)) return []
    const kind = was === undefined ? 'added' : is === undefined ? 'removed' : 'changed'
    return [{ name, kind, paths: pathsBetween(was, is), meaning: meaning(name, was, is) }]
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

function serverMeaning(server: string, was: ServerConfig | undefined, is: ServerConfig | undefined): Meaning[] {
  const say = (code: Meaning['code'], text: string, more: Record<string, string> = {}): Meaning => ({
    code,
    subject: { server, ...more },
    text,
  })
  if (is === undefined) return [say('server-removed', `${server} is removed`)]
  const target = commandOf(is)
  if (was === undefined) {
    const does = isRemote(is) ? `connects to ${target}` : `runs ${target}`
    return [say('server-added', `${server} is added: ${does}`, { target })]
  }
  const found: Meaning[] = []
  if (isEnabled(was) !== isEnabled(is))
    found.push(
      isEnabled(is) ? say('server-enabled', `${server} is enabled`) : say('server-disabled', `${server} is disabled`),
    )
  if (commandOf(was) !== target) {
    const of = { before: commandOf(was), target }
    found.push(
      isRemote(is)
        ? say('address-changed', `${server} connects to ${target} instead of ${of.before}`, of)
        : say('program-changed', `${server} runs ${target} instead of ${of.before}`, of),
    )
  }
  const [envBefore, envAfter] = [was, is].map((entry) => (isRemote(entry) ? entry.headers : entry.env) ?? {})
  const names = pathsBetween(envBefore, envAfter).map(({ path }) => path)
  if (names.length > 0) {
    const what = isRemote(is) ? 'headers' : 'environment'
    found.push(
      say('environment-changed', `${server} gets another ${what}: ${names.join(', ')}`, { names: names.join(', ') }),
    )
  }
  if (found.length === 0) found.push(say('options-changed', `${server} has other options`))
  return found
}

function settingMeaning(setting: string, was: unknown, is: unknown): Meaning[] {
  const [before, after] = [was, is].map((value) => (value === undefined ? 'its default' : JSON.stringify(value)))
  return [
    {
      code: 'setting-changed',
      subject: { setting, before: before ?? '', after: after ?? '' },
      text: `${setting}: ${before} → ${after}`,
    },
  ]
}
