import { randomInt } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { IdentityChange, IdentityVersion, Role, Scope, User } from '../contract/index.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { HubError } from '../hub-error.ts'
import { say } from '../say.ts'
import type { Audit } from './audit.ts'
import type { Caller } from './caller.ts'
import type { Identities, UserEntry } from './identity-entries.ts'
import type { IdentityFile } from './identity-file.ts'
import type { Note } from './identity-versions.ts'
import type { PasswordRules } from './password-rules.ts'
import type { Passwords } from './passwords.ts'
import type { SetupCode } from './setup-code.ts'
import { USER_USES, type SignIn } from './sign-in.ts'
import { unlessAway } from './unless-away.ts'

/** The users, as administrators manage them. */
export interface Users {
  list: () => Promise<User[]>
  get: (name: string) => Promise<User>
  /** The first administrator, with the code that the hub printed. */
  setup: (code: string, name: string, password: string) => Promise<void>
  create: (
    caller: Caller,
    user: { name: string; role: Role; scope?: Scope | null | undefined; password?: string | undefined },
  ) => Promise<User & { initialPassword?: string }>
  edit: (
    caller: Caller,
    name: string,
    changes: { role?: Role | undefined; scope?: Scope | null | undefined; disabled?: boolean | undefined },
  ) => Promise<User>
  remove: (caller: Caller, name: string) => Promise<void>
  resetPassword: (
    caller: Caller,
    name: string,
    password: string | undefined,
  ) => Promise<User & { initialPassword?: string }>
  /** What users and keys were, the newest first. */
  versions: () => Promise<IdentityVersion[]>
  /** One of them, and what going back to it would change. */
  version: (id: number) => Promise<IdentityVersion & { differences: IdentityChange[] }>
  /** Goes back to one. Whose password is another then must change it; keys that were deleted stay so. */
  restore: (caller: Caller, id: number, reason: string | undefined) => Promise<void>
  unlock: (caller: Caller, name: string) => Promise<User>
  /** Ends all sessions of a user; how many. */
  signOut: (caller: Caller, name: string) => Promise<number>
}

export interface UsersOptions {
  file: IdentityFile
  cluster: Cluster
  passwords: Passwords
  rules: PasswordRules
  signIn: SignIn
  setupCode: SetupCode | null
  audit: Audit
  now: () => number
}

export function createUsers(options: UsersOptions): Users {
  const { file, cluster, passwords, rules, signIn, setupCode, audit, now } = options

  const entryOf = (name: string): UserEntry =>
    there(
      name,
      file.current.users.find((user) => user.name === name),
    )

  async function describe(entries: readonly UserEntry[]): Promise<User[]> {
    const [lockouts, counts, seen] = await Promise.all([
      signIn.lockout.list(),
      signIn.countSessions(),
      signIn.lastSeen(),
    ])
    return entries.map((entry) => ({
      ...userOf(entry),
      lastSeenAt: seen.get(entry.name) ?? null,
      lockouts: lockouts.filter(({ user }) => user === entry.name).map(({ address, until }) => ({ address, until })),
      sessions: counts.get(entry.name) ?? 0,
    }))
  }

  async function described(entry: UserEntry): Promise<User> {
    return (await describe([entry]))[0] as User
  }

  /** The answer to a change that is made by now, whether or not the store can be tidied after it. */
  function afterwards(entry: UserEntry, tidy: () => Promise<unknown>): Promise<User> {
    return unlessAway(async () => {
      await tidy()
      return described(entry)
    }, userOf(entry))
  }

  async function newPassword(
    name: string,
    given: string | undefined,
  ): Promise<{ hash: string; shown: { initialPassword?: string } }> {
    if (given !== undefined) await rules.check(given, [name])
    const password = given ?? randomPassword()
    return {
      hash: await passwords.hash(password),
      shown: given === undefined ? { initialPassword: password } : {},
    }
  }

  async function endKeys(user: string, note: Note): Promise<void> {
    for (const { id, owner } of file.current.keys)
      if (owner === user) await file.change('keys', id, note, () => undefined)
  }

  return {
    list: () => describe(file.current.users),
    get: async (name) => described(entryOf(name)),
    setup: async (code, name, password) => {
      checkNobody(file.current)
      if ((await setupCode?.matches(code)) !== true)
        throw new HubError('HUB_LOGIN_FAILED', say`The setup code is wrong, or older than 15 minutes`, {
          cure: say`Take the newest from the hub’s output, or from setup-code in its data folder.`,
        })
      await rules.check(password, [name])
      const value: UserEntry = {
        name,
        passwordHash: await passwords.hash(password),
        role: 'admin',
        createdAt: now(),
        passwordChangedAt: now(),
      }
      await file.change('users', name, { by: name, reason: 'auth.setup' }, (_found, newest) => {
        checkNobody(newest)
        return value
      })
      await setupCode?.discard()
      audit({ action: 'auth.setup', by: { id: `user:${name}`, name }, target: name })
    },
    create: async (caller, { name, role, scope, password }) => {
      checkFree(
        name,
        file.current.users.find((user) => user.name === name),
      )
      const { hash, shown } = await newPassword(name, password)
      const entry: UserEntry = {
        name,
        passwordHash: hash,
        role,
        ...(scope ? { scope } : {}),
        // Whoever made the account knows the password.
        mustChangePassword: true,
        createdAt: now(),
        passwordChangedAt: now(),
      }
      await file.change('users', name, { by: caller.name, reason: 'user.create' }, (found) => {
        checkFree(name, found)
        return entry
      })
      audit({ action: 'user.create', by: caller, target: name, details: { role, scope } })
      // Nobody has used it yet, and nothing that may be away is asked: a password that was made is told once.
      return { ...userOf(entry), ...shown }
    },
    edit: async (caller, name, { role, scope, disabled }) => {
      const note = { by: caller.name, reason: 'user.change' }
      const entry = await file.change('users', name, note, (found, { users }): UserEntry => {
        const before = there(name, found)
        if ((role !== undefined && role !== 'admin') || disabled === true) keepAnAdmin(users, before)
        const { scope: oldScope, disabled: oldDisabled, ...rest } = before
        const nextScope = scope === undefined ? oldScope : (scope ?? undefined)
        return {
          ...rest,
          role: role ?? before.role,
          ...(nextScope === undefined ? {} : { scope: nextScope }),
          ...((disabled ?? oldDisabled) === true ? { disabled: true } : {}),
        }
      })
      audit({ action: 'user.change', by: caller, target: name, details: { role, scope, disabled } })
      // Their stamp is another now; this takes them off the list.
      return afterwards(entry, () => cluster.sessions.revokeUser(name))
    },
    remove: async (caller, name) => {
      const note = { by: caller.name, reason: 'user.delete' }
      keepAnAdmin(file.current.users, entryOf(name))
      // Before their owner: keys that were left behind would be those of whoever gets the name next.
      await endKeys(name, note)
      await file.change('users', name, note, (found, { users }) => {
        keepAnAdmin(users, there(name, found))
        return undefined
      })
      // Made until then; from here on nobody makes one.
      await endKeys(name, note)
      audit({ action: 'user.delete', by: caller, target: name })
      await unlessAway(async () => {
        await cluster.sessions.revokeUser(name)
        // Whoever gets the name next is somebody else.
        await cluster.notes(USER_USES).delete(name)
      }, undefined)
    },
    resetPassword: async (caller, name, password) => {
      const { hash, shown } = await newPassword(name, password)
      const note = { by: caller.name, reason: 'user.password' }
      const entry = await file.change('users', name, note, (found): UserEntry => ({
        ...there(name, found),
        passwordHash: hash,
        mustChangePassword: true,
        passwordChangedAt: now(),
      }))
      audit({ action: 'user.password', by: caller, target: name })
      const user = await afterwards(entry, async () => {
        await cluster.sessions.revokeUser(name)
        await signIn.lockout.unlock(name)
      })
      return { ...user, ...shown }
    },
    versions: file.versions,
    version: async (id) => {
      const [differences, all] = await Promise.all([file.differences(id), file.versions()])
      const found = all.find((version) => version.id === id)
      if (found === undefined) throw new HubError('HUB_VERSION_NOT_FOUND', say`There is no version ${id} of users.json`)
      return { ...found, differences }
    },
    restore: async (caller, id, reason) => {
      const before = file.current.users
      await file.restore(id, { by: caller.name, reason: reason ?? say`Back to version ${id}` }, ({ users }) => {
        if (!users.some(({ role, disabled }) => role === 'admin' && disabled !== true))
          throw new HubError('HUB_LAST_ADMIN', say`In version ${id} there is no administrator`, {
            cure: say`Go back to one that has an administrator who is not disabled.`,
          })
      })
      audit({ action: 'users.restore', by: caller, target: String(id) })
      const after = new Map(file.current.users.map((user) => [user.name, user]))
      // Their stamps are others now; this takes them off the list.
      await unlessAway(async () => {
        for (const user of before)
          if (!isDeepStrictEqual(user, after.get(user.name))) await cluster.sessions.revokeUser(user.name)
      }, undefined)
    },
    unlock: async (caller, name) => {
      const entry = entryOf(name)
      await signIn.lockout.unlock(name)
      audit({ action: 'user.unlock', by: caller, target: name })
      return described(entry)
    },
    signOut: async (caller, name) => {
      entryOf(name)
      const ended = await cluster.sessions.revokeUser(name)
      audit({ action: 'user.sign-out', by: caller, target: name, details: { sessions: ended } })
      return ended
    },
  }
}

/** Without what the store of sessions knows. */
function userOf(entry: UserEntry): User {
  return {
    name: entry.name,
    role: entry.role,
    disabled: entry.disabled ?? false,
    scope: entry.scope ?? null,
    mustChangePassword: entry.mustChangePassword ?? false,
    createdAt: entry.createdAt ?? null,
    passwordChangedAt: entry.passwordChangedAt ?? null,
    lastSeenAt: null,
    lockouts: [],
    sessions: 0,
  }
}

function there(name: string, entry: UserEntry | undefined): UserEntry {
  if (entry === undefined) throw new HubError('HUB_USER_NOT_FOUND', say`There is no user ${name}`)
  return entry
}

function checkFree(name: string, entry: UserEntry | undefined): void {
  if (entry !== undefined)
    throw new HubError('HUB_USER_EXISTS', say`There is already a user ${name}`, { cure: say`Choose another name.` })
}

function checkNobody({ users }: Identities): void {
  if (users.length > 0) throw new HubError('HUB_CONFLICT', say`There is a user already`, { cure: say`Sign in.` })
}

/** Somebody must be left who can let others in. */
function keepAnAdmin(users: readonly UserEntry[], without: UserEntry): void {
  const admins = users.filter(({ role, disabled }) => role === 'admin' && disabled !== true)
  if (admins.length === 1 && admins[0] === without)
    throw new HubError('HUB_LAST_ADMIN', say`${without.name} is the only administrator`, {
      cure: say`Make somebody else an administrator first.`,
    })
}

/** To be typed once: no letters that look alike. 95 bits. */
function randomPassword(): string {
  const letters = 'abcdefghijkmnpqrstuvwxyz23456789'
  const group = (): string => Array.from({ length: 5 }, () => letters[randomInt(letters.length)]).join('')
  return [group(), group(), group(), group()].join('-')
}
