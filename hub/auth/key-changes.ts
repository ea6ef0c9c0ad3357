import { randomBytes } from 'node:crypto'
import type { Notes } from '../cluster/cluster.ts'
import type { Key, Permission } from '../contract/index.ts'
import { HubError } from '../hub-error.ts'
import { say } from '../say.ts'
import type { Audit } from './audit.ts'
import { may, type Caller } from './caller.ts'
import type { KeyEntry } from './identity-entries.ts'
import type { IdentityFile } from './identity-file.ts'
import { digest, PREFIX, type Keys, type Use } from './keys.ts'
import { unlessAway } from './unless-away.ts'

const CODE_LIFETIME_MS = 15 * 60_000
const DAY_MS = 86_400_000

/** What is done to keys, and what is told of them: loaded when somebody asks for it. */
export function createKeyChanges(options: {
  file: IdentityFile
  notes: () => Promise<Notes>
  audit: Audit
  now: () => number
  /** Uses that are not kept yet. */
  uses: Map<string, Use>
  flush: () => Promise<void>
}): Pick<Keys, 'list' | 'create' | 'invite' | 'exchange' | 'edit' | 'remove'> {
  const { file, audit, now, uses, flush } = options

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
