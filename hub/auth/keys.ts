import { createHash, timingSafeEqual } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { roleGrants, type Key, type Permission, type Scope } from '../contract/index.ts'
import type { Notes } from '../cluster/cluster.ts'
import type { Log } from '../observe/log.ts'
import type { Audit } from './audit.ts'
import type { Caller } from './caller.ts'
import type { KeyEntry } from './identity-entries.ts'
import type { IdentityFile } from './identity-file.ts'
import type { createKeyChanges } from './key-changes.ts'

export const PREFIX = 'mcphub_'
const FORM = /^mcphub_([0-9a-f]{12})_([\w-]{43})$/
const MAX_KNOWN = 10_000
const FLUSH_MS = 30_000

export interface KeyChanges {
  name?: string | undefined
  scope?: Scope | null | undefined
  expiresAt?: number | null | undefined
  /** Null is as the profile says. */
  toolSearch?: boolean | null | undefined
}

/** API keys: made once, shown once, kept as a hash. A key never may more than its owner may at the moment. */
export interface Keys {
  /** At once, for the data path. */
  find: (token: string, address: string) => Caller | null
  /** Whether the key that a caller came with is still there, and good for the same. */
  isCurrent: (caller: Caller) => boolean
  list: (caller: Caller) => Promise<Key[]>
  create: (
    caller: Caller,
    key: { name: string; permissions?: Permission[] | undefined } & KeyChanges,
  ) => Promise<Key & { secret: string }>
  /** A code that is exchanged once, within minutes, for a key that does nothing but push configurations. */
  invite: (caller: Caller, deploy: { name: string; days: number; programs: boolean }) => Promise<Invitation>
  /** Makes the deploy key that the caller's code is good for; the code ends. */
  exchange: (caller: Caller) => Promise<Key & { secret: string }>
  edit: (caller: Caller, id: string, changes: KeyChanges) => Promise<Key>
  remove: (caller: Caller, id: string) => Promise<void>
  dispose: () => Promise<void>
}

export interface Invitation {
  id: string
  code: string
  expiresAt: number
  days: number
}

export interface Use {
  at: number
  address: string
}

interface Known {
  caller: Caller
  id: string
  expiresAt: number
}

export function createKeys(options: {
  file: IdentityFile
  notes: () => Promise<Notes>
  audit: Audit
  log: Log
  now: () => number
}): Keys {
  const { file, audit, log, now } = options
  const known = new Map<string, Known>()
  const uses = new Map<string, Use>()
  file.onChange(() => known.clear())
  const flusher = setInterval(() => void flush(), FLUSH_MS).unref()

  /** Those that cannot be kept are kept here until they can. */
  async function flush(): Promise<void> {
    if (uses.size === 0) return
    const unkept = new Map(uses)
    uses.clear()
    try {
      await (await options.notes()).put(new Map([...unkept].map(([id, use]) => [id, JSON.stringify(use)])))
    } catch (error) {
      for (const [id, use] of unkept) if (!uses.has(id)) uses.set(id, use)
      log('warn', 'When keys were used last could not be kept; it is tried again', { error: String(error) })
    }
  }

  function callerOf(entry: KeyEntry): Caller | null {
    const owner = file.current.users.find(({ name }) => name === entry.owner)
    // Who is gone or disabled has no keys either.
    if (entry.owner !== null && (owner === undefined || owner.disabled === true)) return null
    const granted = new Set<Permission>(owner === undefined ? roleGrants.admin : roleGrants[owner.role])
    return {
      id: `key:${entry.id}`,
      name: entry.name,
      role: owner?.role ?? 'user',
      // A code is good for its exchange and for nothing else.
      permissions: new Set(
        entry.purpose === 'enrolment' ? [] : entry.permissions.filter((permission) => granted.has(permission)),
      ),
      scopes: [entry.scope, owner?.scope].filter((scope) => scope !== undefined),
      user: entry.owner,
      session: null,
      mustChangePassword: false,
      ...(entry.purpose === undefined ? {} : { purpose: entry.purpose }),
    }
  }

  function lookUp(token: string): Known | null {
    const [, id, secret = ''] = FORM.exec(token) ?? []
    const entry = id === undefined ? undefined : file.current.keys.find((key) => key.id === id)
    if (entry === undefined || !timingSafeEqual(Buffer.from(entry.hash, 'hex'), digest(secret))) return null
    const caller = callerOf(entry)
    return caller === null ? null : { caller, id: entry.id, expiresAt: entry.expiresAt ?? Infinity }
  }

  let opened: ReturnType<typeof createKeyChanges> | null = null
  async function changes(): Promise<ReturnType<typeof createKeyChanges>> {
    const made = await import('./key-changes.ts')
    return (opened ??= made.createKeyChanges({ file, audit, now, uses, flush, notes: options.notes }))
  }

  return {
    find: (token, address) => {
      let found = known.get(token) ?? null
      if (found === null) {
        if (!token.startsWith(PREFIX)) return null
        found = lookUp(token)
        if (found === null) return null
        if (known.size >= MAX_KNOWN) known.clear()
        known.set(token, found)
      }
      const at = now()
      if (at >= found.expiresAt) return null
      const use = uses.get(found.id)
      if (use === undefined) uses.set(found.id, { at, address })
      else {
        use.at = at
        use.address = address
      }
      return found.caller
    },
    isCurrent: (caller) => {
      const entry = file.current.keys.find(({ id }) => caller.id === `key:${id}`)
      if (entry === undefined || now() >= (entry.expiresAt ?? Infinity)) return false
      // Another name is the same key.
      return isDeepStrictEqual({ ...callerOf(entry), name: caller.name }, caller)
    },
    list: async (caller) => (await changes()).list(caller),
    create: async (...args) => (await changes()).create(...args),
    invite: async (...args) => (await changes()).invite(...args),
    exchange: async (caller) => (await changes()).exchange(caller),
    edit: async (...args) => (await changes()).edit(...args),
    remove: async (...args) => (await changes()).remove(...args),
    dispose: async () => {
      clearInterval(flusher)
      await flush()
    },
  }
}

/** As keys are kept: SHA-256 of the secret. */
export function digest(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}
