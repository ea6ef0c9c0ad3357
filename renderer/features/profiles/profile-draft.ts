import { matchesPattern, selects, type Profile, type ProfileServer } from '../../../hub/contract/index.ts'
import { equalJson } from '../../lib/json.ts'

/** Changes of a profile as a person makes them. Each gives a new profile; what was there by rule stays a rule. */
export const offerKinds = ['tools', 'prompts', 'resources'] as const
export type OfferKind = (typeof offerKinds)[number]

const NOTHING: ProfileServer = { tools: { include: [] }, prompts: { include: [] }, resources: { include: [] } }

export function entryOf(profile: Profile, server: string): ProfileServer | undefined {
  if (Object.hasOwn(profile.servers, server)) return profile.servers[server]
  return profile.otherServers === true ? {} : undefined
}

export function includesServer(profile: Profile, server: string): boolean {
  const entry = entryOf(profile, server)
  return entry !== undefined && !offerKinds.every((kind) => entry[kind]?.include?.length === 0)
}

export function setServer(profile: Profile, server: string, on: boolean): Profile {
  const { [server]: _entry, ...rest } = profile.servers
  if (on) return { ...profile, servers: { ...rest, [server]: withoutNothing(_entry) } }
  // Where all other servers belong to the profile, one is left out by taking nothing of it.
  return { ...profile, servers: profile.otherServers === true ? { ...rest, [server]: NOTHING } : rest }
}

/** An entry whose rules were written before its server was chosen: these stay, and all else of the server comes in. */
function withoutNothing(entry: ProfileServer = {}): ProfileServer {
  if (!offerKinds.every((kind) => entry[kind]?.include?.length === 0)) return {}
  let opened = entry
  for (const kind of offerKinds) {
    const { include: _nothing, ...rules } = entry[kind] ?? {}
    opened = { ...opened, [kind]: rules }
    if (Object.keys(rules).length === 0) {
      const { [kind]: _empty, ...others } = opened
      opened = others
    }
  }
  return opened
}

export interface Offered {
  name: string
  readOnly: boolean
}

export function isSelected(profile: Profile, server: string, kind: OfferKind, item: Offered): boolean {
  const entry = entryOf(profile, server)
  if (entry === undefined) return false
  if (kind === 'tools' && entry.tools?.readOnly === true && !item.readOnly) return false
  return selects(entry[kind], item.name)
}

/** The rule that keeps an item out, which choosing it by name cannot change; null when there is none. */
export function barringRule(profile: Profile, server: string, kind: OfferKind, item: Offered): string | null {
  const entry = entryOf(profile, server)
  if (kind === 'tools' && entry?.tools?.readOnly === true && !item.readOnly) return 'readOnly'
  const exclude = entry?.[kind]?.exclude ?? []
  return (
    exclude.find((pattern) => pattern !== item.name && pattern.includes('*') && matchesPattern(pattern, item.name)) ??
    null
  )
}

export function setItem(profile: Profile, server: string, kind: OfferKind, name: string, on: boolean): Profile {
  return setItems(profile, server, kind, [name], on)
}

/** All of one server at once: thousands are one pass over the lists. */
export function setItems(
  profile: Profile,
  server: string,
  kind: OfferKind,
  names: readonly string[],
  on: boolean,
): Profile {
  const entry = entryOf(profile, server) ?? NOTHING
  const selection = entry[kind] ?? {}
  const changed = new Set(names)
  const without = (list: readonly string[] | undefined): string[] =>
    (list ?? []).filter((pattern) => !changed.has(pattern))
  let include = selection.include === undefined ? undefined : without(selection.include)
  const exclude = without(selection.exclude)
  const patterns = include?.filter((pattern) => pattern.includes('*'))
  const chosenByRule = (name: string): boolean =>
    patterns === undefined || patterns.some((pattern) => matchesPattern(pattern, name))
  if (!on) exclude.push(...names.filter(chosenByRule))
  else if (include !== undefined) include = [...include, ...names.filter((name) => !chosenByRule(name))]
  const { include: _include, exclude: _exclude, ...others } = selection
  return withSelection(profile, server, entry, kind, {
    ...others,
    ...(include === undefined ? {} : { include }),
    ...(exclude.length === 0 ? {} : { exclude }),
  })
}

/** Sets or (with undefined) removes one key of what is selected of a kind. A rule alone takes nothing of a server. */
export function setRule<K extends OfferKind, R extends keyof NonNullable<ProfileServer[K]>>(
  profile: Profile,
  server: string,
  kind: K,
  rule: R,
  value: NonNullable<ProfileServer[K]>[R] | undefined,
): Profile {
  const present = entryOf(profile, server)
  if (present === undefined && value === undefined) return profile
  const entry = present ?? NOTHING
  const { [rule]: _old, ...others } = (entry[kind] ?? {}) as Record<PropertyKey, unknown>
  // Where nothing else was taken of the server, all of this kind was not meant either.
  const isAlone = offerKinds.every((other) => other === kind || entry[other]?.include?.length === 0)
  const left = rule === 'include' && isAlone ? { ...others, include: [] } : others
  const next = withSelection(profile, server, entry, kind, value === undefined ? left : { ...others, [rule]: value })
  return next.otherServers !== true && equalJson(next.servers[server], NOTHING) ? setServer(next, server, false) : next
}

export function setOverride(
  profile: Profile,
  server: string,
  kind: 'tools' | 'prompts',
  name: string,
  override: Record<string, unknown> | null,
): Profile {
  const { [name]: _old, ...rest } = entryOf(profile, server)?.[kind]?.overrides ?? {}
  const overrides = override === null ? rest : { ...rest, [name]: override }
  return setRule(profile, server, kind, 'overrides', Object.keys(overrides).length === 0 ? undefined : overrides)
}

function withSelection(
  profile: Profile,
  server: string,
  entry: ProfileServer,
  kind: OfferKind,
  selection: Record<string, unknown>,
): Profile {
  const { [kind]: _old, ...others } = entry
  const next = Object.keys(selection).length === 0 ? others : { ...others, [kind]: selection }
  return { ...profile, servers: { ...profile.servers, [server]: next } }
}

/** One name or pattern a line. */
export function patternsOf(text: string): string[] | undefined {
  const patterns = text
    .split(/[\n,]/)
    .map((line) => line.trim())
    .filter((line) => line !== '')
  return patterns.length === 0 ? undefined : patterns
}
