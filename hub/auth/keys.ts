import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { roleGrants, type Key, type Permission, type Scope } from '../contract/index.ts'
import type { Notes } from '../cluster/cluster.ts'
import { HubError } from '../hub-error.ts'
import type { Log } from '../observe/log.ts'
import { say } from '../say.ts'
import type { Audit } from './audit.ts'
import { may, type Caller } from './caller.ts'
import type { KeyEntry } from './identity-entries.ts'
import type { IdentityFile } from './identity-file.ts'
import { unlessAway } from './unless-away.ts'

const PREFIX = 'mcphub_'
const FORM = /^mcphub_([0-9a-f]{12})_([\w-]{43})$/
const MAX_KNOWN = 10_000
const FLUSH_MS = 30_000
const CODE_LIFETIME_MS = 15 * 60_000
const DAY_MS = 86_400_000

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

interface Use {
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

  /** Throws when the caller may not give away these permissions. A key that leaked must not live on in keys that it made. */
  function checkGrant(caller: Caller, permissions: readonly Permission[]): void {
    const refused = permissions.filter(
      (permission) => !may(caller, permission) || permission.startsWith('keys:') || permission === 'host:access',
    )
    if (refused.length > 0)
      throw new HubError('HUB_FORBIDDEN', say`A key of yours cannot have ${refused.join(', ')}`, {
        cure: say`Leave it out: a key may what its owner may, except managing keys.`,
      })
  }

  function lookUp(token: string): Known | null {
    const [, id, secret = ''] = FORM.exec(token) ?? []
    const entry = id === undefined ? undefined : file.current.keys.find((key) => key.id === id)
    if (entry === undefined || !timingSafeEqual(Buffer.from(entry.hash, 'hex'), digest(secret))) return null
    const caller = callerOf(entry)
    return caller === null ? null : { caller, id: entry.id, expiresAt: entry.expiresAt ?? Infinity }
  }

  /** A key that the caller may see; those of others are not there for them. */
  function own(caller: Caller, id: string, entry: KeyEntry | undefined): KeyEntry {
    if (entry === undefined || !visible(caller, entry))
      throw new HubError('HUB_KEY_NOT_FOUND', say`There is no key ${id}`, { cure: say`GET /api/keys lists them.` })
    return entry
  }

  function visible(caller: Caller, entry: KeyEntry): boolean {
    return may(caller, 'keys:manage') || (entry.owner !== null && entry.owner === caller.user)
  }

  async function describe(entries: readonly KeyEntry[]): Promise<Key[]> {
    await flush()
    const read = entries.length === 0 ? new Map<string, string>() : await (await options.notes()).read()
    return entries.map((entry) => {
      const kept = read.get(entry.id)
      return keyOf(entry, uses.get(entry.id) ?? (kept === undefined ? null : (JSON.parse(kept) as Use)))
    })
  }

  function checkExpiry(expiresAt: number | null | undefined): void {
    if (typeof expiresAt === 'number' && expiresAt <= now())
      throw new HubError('HUB_BAD_REQUEST', say`expiresAt is in the past`, {
        cure: say`Give a time to come, or null for never.`,
      })
  }

  function add(caller: Caller, entry: KeyEntry, reason: string): Promise<KeyEntry> {
    return file.change('keys', entry.id, { by: caller.name, reason }, (_found, { users }) => {
      // Whoever gets the name of one who is gone gets no keys with it.
      if (entry.owner !== null && !users.some(({ name }) => name === entry.owner))
        throw new HubError('HUB_USER_NOT_FOUND', say`There is no user ${entry.owner}`)
      return entry
    })
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
    list: (caller) => describe(file.current.keys.filter((entry) => visible(caller, entry))),
    create: async (caller, { name, permissions = ['mcp:connect'], scope, expiresAt, toolSearch }) => {
      checkExpiry(expiresAt)
      checkGrant(caller, permissions)
      const secret = newSecret()
      const entry: KeyEntry = {
        id: newId(),
        name,
        hash: digest(secret).toString('hex'),
        owner: caller.user,
        permissions,
        ...(scope ? { scope } : {}),
        createdAt: now(),
        ...(expiresAt ? { expiresAt } : {}),
        ...(typeof toolSearch === 'boolean' ? { toolSearch } : {}),
      }
      await add(caller, entry, 'key.create')
      audit({ action: 'key.create', by: caller, target: entry.id, details: { name, permissions } })
      // Nothing that may be away is asked: the secret is told once.
      return { ...keyOf(entry, null), secret: tokenOf(entry.id, secret) }
    },
    invite: async (caller, { name, days, programs }) => {
      const permissions: Permission[] = programs ? ['config:push', 'servers:exec'] : ['config:push']
      checkGrant(caller, permissions)
      const secret = newSecret()
      const expiresAt = now() + CODE_LIFETIME_MS
      const value: KeyEntry = {
        id: newId(),
        name,
        hash: digest(secret).toString('hex'),
        owner: caller.user,
        permissions,
        createdAt: now(),
        expiresAt,
        purpose: 'enrolment',
        days,
      }
      await add(caller, value, 'key.invite')
      audit({ action: 'key.invite', by: caller, target: value.id, details: { name, permissions, days } })
      return { id: value.id, code: tokenOf(value.id, secret), expiresAt, days }
    },
    exchange: async (caller) => {
      if (caller.purpose !== 'enrolment')
        throw new HubError('HUB_BAD_REQUEST', say`This is no code of a deploy key`, {
          cure: say`Make one: mcp-hub deploy-key enrol at the hub, or POST /api/admin/deploy-keys.`,
        })
      const secret = newSecret()
      const note = { by: caller.name, reason: 'key.enrol' }
      let lasts = 1
      // In the code's place, by one write: of two that come with the same code the second finds none.
      const value = await file.change('keys', caller.id.slice('key:'.length), note, (found): KeyEntry => {
        if (found?.purpose !== 'enrolment') return spent()
        const { days = 1, ...code } = found
        lasts = days
        return {
          ...code,
          hash: digest(secret).toString('hex'),
          createdAt: now(),
          expiresAt: now() + days * DAY_MS,
          purpose: 'deploy',
        }
      })
      audit({ action: 'key.enrol', by: caller, target: value.id, details: { name: value.name, days: lasts } })
      return { ...keyOf(value, null), secret: tokenOf(value.id, secret) }
    },
    edit: async (caller, id, { name, scope, expiresAt, toolSearch }) => {
      const next = await file.change('keys', id, { by: caller.name, reason: 'key.change' }, (found): KeyEntry => {
        const { scope: oldScope, expiresAt: oldExpiry, toolSearch: oldSearch, ...entry } = own(caller, id, found)
        checkExpiry(expiresAt)
        if (entry.purpose !== undefined && expiresAt !== undefined && (expiresAt ?? Infinity) > (oldExpiry ?? 0))
          throw new HubError(
            'HUB_BAD_REQUEST',
            say`A deploy key and its code do not last longer than they were made for`,
            {
              cure: say`Enrol another.`,
            },
          )
        const nextScope = scope === undefined ? oldScope : (scope ?? undefined)
        const nextExpiry = expiresAt === undefined ? oldExpiry : (expiresAt ?? undefined)
        const nextSearch = toolSearch === undefined ? oldSearch : (toolSearch ?? undefined)
        return {
          ...entry,
          ...(name === undefined ? {} : { name }),
          ...(nextScope === undefined ? {} : { scope: nextScope }),
          ...(nextExpiry === undefined ? {} : { expiresAt: nextExpiry }),
          ...(nextSearch === undefined ? {} : { toolSearch: nextSearch }),
        }
      })
      audit({ action: 'key.change', by: caller, target: id, details: { name, scope, expiresAt, toolSearch } })
      return unlessAway(async () => (await describe([next]))[0] as Key, keyOf(next, uses.get(id) ?? null))
    },
    remove: async (caller, id) => {
      let name = ''
      await file.change('keys', id, { by: caller.name, reason: 'key.delete' }, (found) => {
        name = own(caller, id, found).name
        return undefined
      })
      uses.delete(id)
      audit({ action: 'key.delete', by: caller, target: id, details: { name } })
      await unlessAway(async () => (await options.notes()).delete(id), undefined)
    },
    dispose: async () => {
      clearInterval(flusher)
      await flush()
    },
  }
}

function spent(): never {
  throw new HubError('HUB_UNAUTHENTICATED', say`The code was used already`, {
    cure: say`Make another: mcp-hub deploy-key enrol at the hub, or POST /api/admin/deploy-keys.`,
  })
}

function keyOf(entry: KeyEntry, use: Use | null): Key {
  return {
    id: entry.id,
    name: entry.name,
    prefix: `${PREFIX}${entry.id}_`,
    owner: entry.owner,
    permissions: entry.permissions,
    scope: entry.scope ?? null,
    toolSearch: entry.toolSearch ?? null,
    purpose: entry.purpose ?? null,
    createdAt: entry.createdAt,
    expiresAt: entry.expiresAt ?? null,
    lastUsedAt: use?.at ?? null,
    lastUsedFrom: use?.address ?? null,
  }
}

const newSecret = (): string => randomBytes(32).toString('base64url')
const newId = (): string => randomBytes(6).toString('hex')
const tokenOf = (id: string, secret: string): string => `${PREFIX}${id}_${secret}`

function digest(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}
