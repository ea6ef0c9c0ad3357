import { readFile } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { applyEdits, modify } from 'jsonc-parser'
import type { Fault } from '../contract/index.ts'
import { writeFileAtomic } from '../config/atomic-file.ts'
import { watchFiles } from '../config/watch-files.ts'
import type { Parsed } from '../config/jsonc.ts'
import { BrokenFile } from '../faults.ts'
import { HubError } from '../hub-error.ts'
import { idOf, type Identities, type KeyEntry, type UserEntry } from './identity-entries.ts'

type Entry = { list: 'users'; value: UserEntry } | { list: 'keys'; value: KeyEntry }

/** `users.json`: users and keys, without anything that opens a door by itself. Comments in it are kept. */
export interface IdentityFile {
  readonly current: Identities
  /** What is wrong with the file as it is on disk; while there is something the last good one is in force. */
  readonly faults: Fault[]
  /** Adds or replaces an entry, unless the newest file says that there is no need to. */
  put: (entry: Entry, unless?: (newest: Identities) => boolean) => Promise<void>
  remove: (list: 'users' | 'keys', id: string) => Promise<void>
  /** Tells of every change, ours and those of other programs. */
  onChange: (listener: (before: Identities, after: Identities, byOthers: boolean) => void) => void
  watch: () => void
  dispose: () => Promise<void>
}

const EMPTY = '{\n  "users": []\n}\n'
const formattingOptions = { tabSize: 2, insertSpaces: true, eol: '\n' }

/** Throws BrokenFile when the file is there and cannot be used: without it nobody is known. */
export async function openIdentityFile(file: string): Promise<IdentityFile> {
  const listeners: ((before: Identities, after: Identities, byOthers: boolean) => void)[] = []
  let seen = await textOf(file)
  const first = await parseIdentities(seen, file)
  if (!first.ok) throw new BrokenFile(first.faults)
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
    const text = await textOf(file)
    if (text === seen) {
      faults = []
      return
    }
    const parsed = await parseIdentities(text, file)
    if (parsed.ok) take(text, parsed.value, true)
    else faults = parsed.faults
  }

  /** One change at a time, each on the newest text, so that none is lost. */
  function edit(change: (text: string, now: Identities) => string): Promise<void> {
    const work = queue.then(async () => {
      const before = await textOf(file)
      const parsed = await parseIdentities(before, file)
      if (!parsed.ok) {
        throw new HubError('HUB_CONFIG_FILE_BROKEN', `${file} is broken, so nothing is written into it`, {
          faults: parsed.faults,
          cure: 'Correct the file first.',
        })
      }
      const text = change(before, parsed.value)
      const after = await parseIdentities(text, file)
      if (!after.ok) throw new HubError('HUB_BAD_REQUEST', after.faults[0]?.message ?? 'The entry is not valid')
      await writeFileAtomic(file, text, 0o600)
      take(text, after.value, false)
    })
    queue = work.catch(() => undefined)
    return work
  }

  return {
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
      watcher = watchFiles(dirname(file), [basename(file)], look)
      // What another hub wrote since this one read the file would else be missed.
      look()
    },
    dispose: async () => {
      watcher?.close()
      await queue
    },
  }
}

async function textOf(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).replace(/^\uFEFF/, '')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return EMPTY
    throw error
  }
}

/** The schema is loaded where there is something to check. */
async function parseIdentities(text: string, file: string): Promise<Parsed<Identities>> {
  if (text === EMPTY) return { ok: true, value: { users: [], keys: [] } }
  return (await import('./parse-identities.ts')).parseIdentities(text, file)
}
