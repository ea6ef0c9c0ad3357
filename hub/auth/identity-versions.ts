import { isDeepStrictEqual } from 'node:util'
import { applyEdits, findNodeAtLocation, modify, parseTree } from 'jsonc-parser'
import type { IdentityChange, IdentityVersion } from '../contract/index.ts'
import { saidOf, told, type Words } from '../say.ts'
import { idOf, type Identities, type KeyEntry, type UserEntry } from './identity-entries.ts'

/** Each holds all users and keys: more would make a change slow. */
const MAX_KEPT = 50

/** Who changes users.json, and by what. */
export interface Note {
  by: string | null
  reason: Words | null
}

/** `user-versions.json`, or its row in PostgreSQL: written with users.json itself, and readable to nobody else. */
interface Kept extends Omit<IdentityVersion, 'changes'> {
  text: string
}

const formattingOptions = { tabSize: 2, insertSpaces: true, eol: '\n' }

/** Written by this hub or one like it; what somebody broke by hand is as good as none. */
export function keptVersions(text: string | null): Kept[] {
  if (text === null || text === '') return []
  try {
    const { versions } = JSON.parse(text) as { versions?: unknown }
    return Array.isArray(versions) && versions.every(isKept) ? versions : []
  } catch {
    return []
  }
}

function isKept(version: unknown): version is Kept {
  const { id, at, text } = (version ?? {}) as Partial<Kept>
  return Number.isSafeInteger(id) && typeof at === 'number' && typeof text === 'string'
}

/** The versions with one more, that of `text`; before the first one comes what was there until now. */
export function withVersion(kept: readonly Kept[], before: string, text: string, note: Note, at: number): string {
  const first: Kept = { id: 1, at, by: null, reason: null, text: before }
  const versions = kept.length === 0 ? [first] : [...kept]
  const newest = versions.at(-1)
  if (newest !== undefined && newest.text !== text) versions.push(told({ id: newest.id + 1, at, ...note, text }))
  return `${JSON.stringify({ versions: versions.slice(-MAX_KEPT) })}\n`
}

/** The newest first, without a value of any of them. */
export async function describeVersions(
  kept: readonly Kept[],
  parse: (text: string) => Promise<Identities>,
): Promise<IdentityVersion[]> {
  const parsed = await Promise.all(kept.map(({ text }) => parse(text)))
  return kept
    .map(({ id, at, by, reason, said }, index) => {
      const [before, after] = [parsed[index - 1], parsed[index]]
      const changes = before === undefined || after === undefined ? [] : identityChanges(before, after)
      return { id, at, by, reason, changes, ...saidOf({ said }) }
    })
    .reverse()
}

/** By name: a hash is told of as what it is the hash of. */
export function identityChanges(before: Identities, after: Identities): IdentityChange[] {
  return (['users', 'keys'] as const).flatMap((list) => {
    const [was, is] = [before, after].map(
      (side) => new Map((side[list] as readonly (UserEntry | KeyEntry)[]).map((entry) => [idOf(entry), entry])),
    )
    return [...new Set([...(was?.keys() ?? []), ...(is?.keys() ?? [])])].flatMap((id): IdentityChange[] => {
      const [old, fresh] = [was?.get(id), is?.get(id)]
      if (old === undefined) return [{ list, id, kind: 'added', fields: [] }]
      if (fresh === undefined) return [{ list, id, kind: 'removed', fields: [] }]
      const fields = fieldsBetween(old, fresh)
      return fields.length === 0 ? [] : [{ list, id, kind: 'changed', fields }]
    })
  })
}

const SHOWN_AS: Readonly<Record<string, string>> = { passwordHash: 'password', hash: 'secret' }

function fieldsBetween(old: UserEntry | KeyEntry, fresh: UserEntry | KeyEntry): string[] {
  const [before, after] = [old, fresh] as unknown as [Record<string, unknown>, Record<string, unknown>]
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((field) => !isDeepStrictEqual(before[field], after[field]))
    .map((field) => SHOWN_AS[field] ?? field)
}

/** The text of users.json without one entry of a list. */
export function withoutEntry(text: string, list: keyof Identities, at: number): string {
  const root = parseTree(text)
  const entries = root === undefined ? undefined : findNodeAtLocation(root, [list])
  const bracket = entries === undefined ? 0 : entries.offset + entries.length - 1
  // `modify` takes it that a blank stands between the last entry and the bracket, and leaves a brace where none does.
  const apart = text[bracket - 1] === '}' ? `${text.slice(0, bracket)}\n${text.slice(bracket)}` : text
  return applyEdits(apart, modify(apart, [list, at], undefined, { formattingOptions }))
}

/**
 * The text of a version as it may come into force: a key that was deleted or replaced since stays so, because that may be why
 * it was, and who gets an old password back must change it.
 */
export function restorable(text: string, version: Identities, now: Identities): string {
  let result = text
  const edit = (path: (string | number)[], value: unknown): void => {
    result = applyEdits(result, modify(result, path, value, { formattingOptions }))
  }
  for (const [index, key] of [...version.keys.entries()].reverse()) {
    const present = now.keys.find(({ id }) => id === key.id)
    if (present?.hash !== key.hash) result = withoutEntry(result, 'keys', index)
  }
  for (const [index, user] of version.users.entries()) {
    const present = now.users.find(({ name }) => name === user.name)
    if (present?.passwordHash !== user.passwordHash) edit(['users', index, 'mustChangePassword'], true)
  }
  return result
}
