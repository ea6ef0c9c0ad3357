import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { watch, type FSWatcher } from 'chokidar'
import { applyEdits, modify } from 'jsonc-parser'
import { z } from 'zod'
import { permissionSchema, roleSchema, scopeSchema, userNameSchema, type Fault } from '../contract/index.ts'
import { writeFileAtomic } from '../config/atomic-file.ts'
import { parseJsonc } from '../config/parse.ts'
import { BrokenFile } from '../faults.ts'
import { HubError } from '../hub-error.ts'

const userEntrySchema = z.strictObject({
  name: userNameSchema,
  /** As bcrypt writes it, by whatever program. */
  passwordHash: z.string().regex(/^\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}$/, 'passwordHash must be a bcrypt hash'),
  role: roleSchema,
  disabled: z.boolean().optional(),
  scope: scopeSchema.optional(),
  mustChangePassword: z.boolean().optional(),
  createdAt: z.number().int().optional(),
  passwordChangedAt: z.number().int().optional(),
})
export type UserEntry = z.infer<typeof userEntrySchema>

const keyEntrySchema = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{12}$/),
  name: z.string().min(1).max(100),
  /** SHA-256 of the secret, which is too long to be guessed. */
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  owner: z.string().nullable(),
  permissions: z.array(permissionSchema),
  scope: scopeSchema.optional(),
  createdAt: z.number().int(),
  expiresAt: z.number().int().optional(),
})
export type KeyEntry = z.infer<typeof keyEntrySchema>

export const identitySchema = z.strictObject({
  $schema: z.string().optional(),
  users: z.array(userEntrySchema).default([]),
  keys: z.array(keyEntrySchema).default([]),
})
export type Identities = z.infer<typeof identitySchema>
type Entry = { list: 'users'; value: UserEntry } | { list: 'keys'; value: KeyEntry }

/** `users.json`: users and keys, without anything that opens a door by itself. Comments in it are kept. */
export interface IdentityFile {
  readonly current: Identities
  /** What is wrong with the file as it is on disk; while there is something the last good one is in force. */
  readonly faults: Fault[]
  put: (entry: Entry) => Promise<void>
  remove: (list: 'users' | 'keys', id: string) => Promise<void>
  /** Tells of every change, ours and those of other programs. */
  onChange: (listener: (before: Identities, after: Identities) => void) => void
  watch: () => void
  dispose: () => Promise<void>
}

const EMPTY = '{\n  "users": []\n}\n'
const formattingOptions = { tabSize: 2, insertSpaces: true, eol: '\n' }
const idOf = (entry: UserEntry | KeyEntry): string => ('id' in entry ? entry.id : entry.name)

/** Throws BrokenFile when the file is there and cannot be used: without it nobody is known. */
export async function openIdentityFile(file: string): Promise<IdentityFile> {
  const listeners: ((before: Identities, after: Identities) => void)[] = []
  let seen = await textOf(file)
  const first = parseIdentities(seen, file)
  if (!first.ok) throw new BrokenFile(first.faults)
  let current = first.value
  let faults: Fault[] = []
  let queue: Promise<unknown> = Promise.resolve()
  let watcher: FSWatcher | null = null
  let timer: NodeJS.Timeout | null = null

  function take(text: string, next: Identities): void {
    const before = current
    seen = text
    current = next
    faults = []
    for (const listener of listeners) listener(before, next)
  }

  async function reload(): Promise<void> {
    const text = await textOf(file)
    if (text === seen) {
      faults = []
      return
    }
    const parsed = parseIdentities(text, file)
    if (parsed.ok) take(text, parsed.value)
    else faults = parsed.faults
  }

  /** One change at a time, each on the newest text, so that none is lost. */
  function edit(change: (text: string, now: Identities) => string): Promise<void> {
    const work = queue.then(async () => {
      const before = await textOf(file)
      const parsed = parseIdentities(before, file)
      if (!parsed.ok) {
        throw new HubError('HUB_CONFIG_FILE_BROKEN', `${file} is broken, so nothing is written into it`, {
          faults: parsed.faults,
          cure: 'Correct the file first.',
        })
      }
      const text = change(before, parsed.value)
      const after = parseIdentities(text, file)
      if (!after.ok) throw new HubError('HUB_BAD_REQUEST', after.faults[0]?.message ?? 'The entry is not valid')
      await writeFileAtomic(file, text, 0o600)
      take(text, after.value)
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
    put: ({ list, value }) =>
      edit((text, now) => {
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
      // The folder, because the file is replaced as a whole.
      const folder = dirname(file)
      watcher = watch(folder, { depth: 0, ignoreInitial: true, ignored: (path) => path !== folder && path !== file })
      watcher.on('all', () => {
        if (timer !== null) clearTimeout(timer)
        timer = setTimeout(() => {
          queue = queue.then(reload).catch(() => undefined)
        }, 50)
      })
    },
    dispose: async () => {
      if (timer !== null) clearTimeout(timer)
      await watcher?.close()
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

function parseIdentities(text: string, file: string): { ok: true; value: Identities } | { ok: false; faults: Fault[] } {
  const parsed = parseJsonc(text, file)
  if (!parsed.ok) return parsed
  const result = identitySchema.safeParse(parsed.value.value)
  const fault = (path: string, message: string, cure: string): Fault => ({
    file,
    path,
    line: null,
    column: null,
    message,
    cure,
  })
  if (!result.success) {
    const cure = 'Correct users.json; mcp-hub user passwd makes a hash.'
    return {
      ok: false,
      faults: result.error.issues.map((issue) => fault(issue.path.map(String).join('.'), issue.message, cure)),
    }
  }
  for (const list of ['users', 'keys'] as const) {
    const ids = result.data[list].map(idOf)
    const twice = ids.find((id, at) => ids.indexOf(id) !== at)
    if (twice !== undefined)
      return { ok: false, faults: [fault(list, `${twice} is there twice`, 'Remove one of them.')] }
  }
  return { ok: true, value: result.data }
}
