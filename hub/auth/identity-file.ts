import { isDeepStrictEqual } from 'node:util'
import { applyEdits, modify } from 'jsonc-parser'
import type { Fault, IdentityChange, IdentityVersion } from '../contract/index.ts'
import { emptyTexts, type Documents, type ReadDocument } from '../config/documents.ts'
import type { Parsed } from '../config/jsonc.ts'
import { BrokenFile } from '../faults.ts'
import { HubError } from '../hub-error.ts'
import { say, wordsFrom } from '../say.ts'
import { idOf, type EntryOf, type Identities } from './identity-entries.ts'
import type { Note } from './identity-versions.ts'

/** `users.json`: users and keys, without anything that opens a door by itself. Comments in it are kept. */
export interface IdentityFile {
  readonly current: Identities
  /** What is wrong with the file as it is on disk; while there is something the last good one is in force. */
  readonly faults: Fault[]
  /** Told when they are others than before. */
  onFaults: (() => void) | null
  /**
   * Makes of an entry what `next` says, which gets it as the newest file has it, for `current` may be older; undefined is none.
   * Answers what it made. `next` may be asked several times; what it throws is thrown, and nothing is written.
   */
  change: <List extends keyof EntryOf, Next extends EntryOf[List] | undefined>(
    list: List,
    id: string,
    note: Note,
    next: (found: EntryOf[List] | undefined, newest: Identities) => Next,
  ) => Promise<Next>
  /** What the file was, the newest first, and what going back to one would change. */
  versions: () => Promise<IdentityVersion[]>
  differences: (id: number) => Promise<IdentityChange[]>
  /** Goes back to a version, after `check` has seen what would be in force. Throws HUB_VERSION_NOT_FOUND. */
  restore: (id: number, note: Note, check: (next: Identities) => void) => Promise<void>
  /** Tells of every change, ours and those of other programs. */
  onChange: (listener: (before: Identities, after: Identities, byOthers: boolean) => void) => void
  watch: () => void
  dispose: () => Promise<void>
}

/** So often may other hubs be quicker before a change is given up. */
const MAX_TRIES = 20
const formattingOptions = { tabSize: 2, insertSpaces: true, eol: '\n' }

/** Throws BrokenFile when the file is there and cannot be used: without it nobody is known. */
export async function openIdentityFile(documents: Documents): Promise<IdentityFile> {
  const file = documents.placeOf('users')
  const listeners: ((before: Identities, after: Identities, byOthers: boolean) => void)[] = []
  const read = await documents.read('users')
  const first = await parse(read)
  if (!first.ok) throw new BrokenFile(first.faults)
  let seen = textOf(read)
  let current = first.value
  let faults: Fault[] = []
  let queue: Promise<unknown> = Promise.resolve()
  let watcher: { close: () => void } | null = null

  function take(text: string, next: Identities, byOthers: boolean): void {
    const before = current
    seen = text
    current = next
    faults = []
    for (const listener of listeners) listener(before, next, byOthers)
  }

  async function reload(): Promise<void> {
    const found = await documents.read('users')
    const before = faults
    if (found.ok && textOf(found) === seen) faults = []
    else {
      const parsed = await parse(found)
      if (parsed.ok) {
        const was = seen
        take(textOf(found), parsed.value, true)
        // What is in force must not wait for what is kept of it.
        await noteByHand(was, textOf(found)).catch(() => undefined)
      } else faults = parsed.faults
    }
    if (!isDeepStrictEqual(before, faults)) identities.onFaults?.()
  }

  /** One change at a time, each on the newest text, so that none is lost. */
  function edit(note: Note, change: (text: string, now: Identities) => string | Promise<string>): Promise<void> {
    const work = queue.then(async () => {
      for (let tries = 1; ; tries++) {
        const over = await documents.read('users')
        const parsed = await parse(over)
        if (!parsed.ok) {
          throw new HubError('HUB_CONFIG_FILE_BROKEN', say`${file} is broken, so nothing is written into it`, {
            faults: parsed.faults,
            cure: say`Correct the file first.`,
          })
        }
        const text = await change(textOf(over), parsed.value)
        const after = await parseIdentities(text, file)
        if (!after.ok)
          throw new HubError(
            'HUB_BAD_REQUEST',
            after.faults[0] === undefined ? say`The entry is not valid` : wordsFrom(after.faults[0], 'message'),
          )
        if (text === textOf(over) || (await write(over, text, note))) {
          take(text, after.value, false)
          return
        }
        if (tries === MAX_TRIES)
          throw new HubError('HUB_BUSY', say`${file} is changed by others all the time`, { retryAfterMs: 1_000 })
      }
    })
    queue = work.catch(() => undefined)
    return work
  }

  /** With what is known of the change. */
  async function write(over: ReadDocument, text: string, note: Note): Promise<boolean> {
    const kept = await documents.read('user-versions')
    const { keptVersions, withVersion } = await loadVersions()
    const versions = withVersion(keptVersions(kept.ok ? kept.text : null), textOf(over), text, note, Date.now())
    const changes = [
      { document: 'users', text, over },
      { document: 'user-versions', text: versions, over: kept },
    ] as const
    return documents.write(changes, note.by, note.reason)
  }

  /** Somebody edited the file: who, only the system can tell. */
  async function noteByHand(before: string, text: string): Promise<void> {
    if (documents.shared) return
    const over = await documents.read('user-versions')
    const { keptVersions, withVersion } = await loadVersions()
    const versions = withVersion(
      keptVersions(over.ok ? over.text : null),
      before,
      text,
      { by: null, reason: null },
      Date.now(),
    )
    await documents.write([{ document: 'user-versions', text: versions, over }], null, null)
  }

  async function versionOf(id: number): Promise<{ text: string; value: Identities }> {
    const kept = await documents.read('user-versions')
    const { keptVersions } = await loadVersions()
    const found = keptVersions(kept.ok ? kept.text : null).find((version) => version.id === id)
    if (found === undefined) throw new HubError('HUB_VERSION_NOT_FOUND', say`There is no version ${id} of users.json`)
    return { text: found.text, value: await valid(found.text) }
  }

  async function valid(text: string): Promise<Identities> {
    const parsed = await parseIdentities(text, file)
    // It was in force once.
    return parsed.ok ? parsed.value : { users: [], keys: [] }
  }

  function parse(found: ReadDocument): Promise<Parsed<Identities>> {
    return found.ok ? parseIdentities(textOf(found), file) : Promise.resolve({ ok: false, faults: [found.fault] })
  }

  const identities: IdentityFile = {
    onFaults: null,
    get current() {
      return current
    },
    get faults() {
      return faults
    },
    change: async <List extends keyof EntryOf, Next extends EntryOf[List] | undefined>(
      list: List,
      id: string,
      note: Note,
      next: (found: EntryOf[List] | undefined, newest: Identities) => Next,
    ) => {
      let made: Next | undefined
      const { withoutEntry } = await loadVersions()
      await edit(note, (text, now) => {
        const lists: { [Name in keyof EntryOf]: readonly EntryOf[Name][] } = now
        const entries = lists[list]
        const at = entries.findIndex((entry) => idOf(entry) === id)
        const found = entries[at]
        made = next(found, now)
        if (made === found) return text
        if (made === undefined) return withoutEntry(text, list, at)
        const isArrayInsertion = found === undefined
        const path = [list, isArrayInsertion ? entries.length : at]
        return applyEdits(text, modify(text, path, made, { formattingOptions, isArrayInsertion }))
      })
      return made as Next
    },
    versions: async () => {
      const kept = await documents.read('user-versions')
      const { describeVersions, keptVersions } = await loadVersions()
      return describeVersions(keptVersions(kept.ok ? kept.text : null), valid)
    },
    differences: async (id) => {
      const { text, value } = await versionOf(id)
      const { identityChanges, restorable } = await loadVersions()
      return identityChanges(current, await valid(restorable(text, value, current)))
    },
    restore: async (id, note, check) => {
      const version = await versionOf(id)
      const { restorable } = await loadVersions()
      await edit(note, async (_text, now) => {
        const text = restorable(version.text, version.value, now)
        check(await valid(text))
        return text
      })
    },
    onChange: (listener) => {
      listeners.push(listener)
    },
    watch: () => {
      const look = (): void => {
        queue = queue.then(reload).catch(() => undefined)
      }
      watcher = documents.watch(['users'], look)
      // What another hub wrote since this one read the file would else be missed.
      look()
    },
    dispose: async () => {
      watcher?.close()
      await queue
    },
  }
  return identities
}

const textOf = (found: ReadDocument): string => (found.ok ? found.text : null) ?? emptyTexts.users

/** What was, and how a file becomes another: loaded with the first change, or look back. */
const loadVersions = () => import('./identity-versions.ts')

/** The schema is loaded where there is something to check. */
async function parseIdentities(text: string, file: string): Promise<Parsed<Identities>> {
  if (text === emptyTexts.users) return { ok: true, value: { users: [], keys: [] } }
  return (await import('./parse-identities.ts')).parseIdentities(text, file)
}
