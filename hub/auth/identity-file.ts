import { applyEdits, modify } from 'jsonc-parser'
import type { Fault } from '../contract/index.ts'
import { emptyTexts, type Documents, type ReadDocument } from '../config/documents.ts'
import type { Parsed } from '../config/jsonc.ts'
import { isDeepStrictEqual } from '../deep-equal.ts'
import { BrokenFile } from '../faults.ts'
import { HubError } from '../hub-error.ts'
import { idOf, type Identities, type KeyEntry, type UserEntry } from './identity-entries.ts'

type Entry = { list: 'users'; value: UserEntry } | { list: 'keys'; value: KeyEntry }

/** `users.json`: users and keys, without anything that opens a door by itself. Comments in it are kept. */
export interface IdentityFile {
  readonly current: Identities
  /** What is wrong with the file as it is on disk; while there is something the last good one is in force. */
  readonly faults: Fault[]
  /** Told when they are others than before. */
  onFaults: (() => void) | null
  /** Adds or replaces an entry, unless the newest file says that there is no need to. */
  put: (entry: Entry, unless?: (newest: Identities) => boolean) => Promise<void>
  remove: (list: 'users' | 'keys', id: string) => Promise<void>
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
      if (parsed.ok) take(textOf(found), parsed.value, true)
      else faults = parsed.faults
    }
    if (!isDeepStrictEqual(before, faults)) identities.onFaults?.()
  }

  /** One change at a time, each on the newest text, so that none is lost. */
  function edit(change: (text: string, now: Identities) => string): Promise<void> {
    const work = queue.then(async () => {
      for (let tries = 1; ; tries++) {
        const over = await documents.read('users')
        const parsed = await parse(over)
        if (!parsed.ok) {
          throw new HubError('HUB_CONFIG_FILE_BROKEN', `${file} is broken, so nothing is written into it`, {
            faults: parsed.faults,
            cure: 'Correct the file first.',
          })
        }
        const text = change(textOf(over), parsed.value)
        const after = await parseIdentities(text, file)
        if (!after.ok) throw new HubError('HUB_BAD_REQUEST', after.faults[0]?.message ?? 'The entry is not valid')
        if (text === textOf(over) || (await documents.write([{ document: 'users', text, over }], null, null))) {
          take(text, after.value, false)
          return
        }
        if (tries === MAX_TRIES) throw new HubError('HUB_BUSY', `${file} is changed by others all the time`)
      }
    })
    queue = work.catch(() => undefined)
    return work
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
    put: ({ list, value }, unless) =>
      edit((text, now) => {
        if (unless?.(now) === true) return text
        const entries: readonly (UserEntry | KeyEntry)[] = now[list]
        const found = entries.findIndex((entry) => idOf(entry) === idOf(value))
        const at = found === -1 ? entries.length : found
        return applyEdits(text, modify(text, [list, at], value, { formattingOptions, isArrayInsertion: found === -1 }))
      }),
    remove: (list, id) =>
      edit((text, now) => {
        const entries: readonly (UserEntry | KeyEntry)[] = now[list]
        const at = entries.findIndex((entry) => idOf(entry) === id)
        return at === -1 ? text : applyEdits(text, modify(text, [list, at], undefined, { formattingOptions }))
      }),
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

/** The schema is loaded where there is something to check. */
async function parseIdentities(text: string, file: string): Promise<Parsed<Identities>> {
  if (text === emptyTexts.users) return { ok: true, value: { users: [], keys: [] } }
  return (await import('./parse-identities.ts')).parseIdentities(text, file)
}
