import { createHash, randomBytes } from 'node:crypto'
import { roleGrants, type SessionInfo } from '../contract/index.ts'
import type { Cluster, SessionRecord } from '../cluster/cluster.ts'
import { HubError } from '../hub-error.ts'
import { say } from '../say.ts'
import type { AccessTokens } from './access-tokens.ts'
import type { Audit } from './audit.ts'
import { may, type Caller } from './caller.ts'
import type { UserEntry } from './identity-entries.ts'
import type { IdentityFile } from './identity-file.ts'
import { createLockout, type Lockout } from './lockout.ts'
import type { PasswordRules } from './password-rules.ts'
import { roundsOf, type Passwords } from './passwords.ts'

/** A refresh token that comes twice within this time is a second tab, or an answer that was lost. */
const LEEWAY_MS = 10_000
const LONGEST_SESSION_MS = 30 * 86_400_000

/** Where a request came from, as far as a sign-in cares. */
export interface Origin {
  address: string
  userAgent: string
  /** Cookie of a browser that was signed in before. */
  device: string | null
}

export interface SignedIn {
  user: UserEntry
  mustChangePassword: boolean
  accessToken: string
  /** Seconds. */
  expiresIn: number
  refreshToken: string
  refreshExpiresIn: number
}

export interface SignIn {
  readonly lockout: Lockout
  login: (name: string, password: string, origin: Origin) => Promise<SignedIn & { device: string }>
  refresh: (token: string, origin: Origin) => Promise<SignedIn>
  logout: (caller: Caller | null, refreshToken: string | null) => Promise<void>
  /** Ends every session of the user, and opens one for who asks. */
  changePassword: (caller: Caller, current: string, next: string, origin: Origin) => Promise<SignedIn>
  /** The caller of an access token; null when it is not valid (any more). */
  verify: (token: string) => Promise<Caller | null>
  /** Whether the session that a caller came with is still there. */
  isCurrent: (caller: Caller) => Promise<boolean>
  sessions: (caller: Caller, everybody: boolean) => Promise<SessionInfo[]>
  revoke: (caller: Caller, id: string) => Promise<void>
  countSessions: () => Promise<ReadonlyMap<string, number>>
  /** When each user was last there, as far as is known: also without a session now. */
  lastSeen: () => Promise<ReadonlyMap<string, number>>
}

/** When users were last there, in the store that hubs share. */
export const USER_USES = 'user-uses'

export interface SignInSettings {
  /** Wrong passwords that are let pass, and how long they count. */
  attempts: number
  durationMs: number
  /** How long a session lasts without use. */
  refreshMs: number
}

export interface SignInOptions {
  file: IdentityFile
  cluster: Cluster
  tokens: AccessTokens
  passwords: Passwords
  rules: PasswordRules
  /** As they are in force. */
  settings: () => SignInSettings
  audit: Audit
  now: () => number
}

export function createSignIn(options: SignInOptions): SignIn {
  const { file, cluster, tokens, passwords, rules, settings, audit, now } = options
  const { sessions } = cluster
  const uses = cluster.notes(USER_USES)
  const lockout = createLockout(cluster, settings)

  const find = (name: string): UserEntry | undefined =>
    file.current.users.find((user) => user.name === name && user.disabled !== true)

  const mustChange = (user: UserEntry): boolean =>
    user.mustChangePassword === true || rules.expired(user.passwordChangedAt, now())

  async function tokensOf(user: UserEntry, session: SessionRecord, generation: number): Promise<SignedIn> {
    return {
      user,
      mustChangePassword: mustChange(user),
      accessToken: await tokens.sign({ user: user.name, session: session.id, stamp: session.stamp }),
      expiresIn: tokens.expiresIn,
      refreshToken: tokens.refreshToken(session, generation),
      refreshExpiresIn: Math.floor(Math.min(settings().refreshMs, session.endsAt - now()) / 1_000),
    }
  }

  async function openSession(user: UserEntry, { address, userAgent }: Origin): Promise<SignedIn> {
    const { refreshMs } = settings()
    const session: SessionRecord = {
      id: randomBytes(16).toString('hex'),
      user: user.name,
      stamp: stampOf(user),
      secret: randomBytes(32).toString('base64url'),
      generation: 0,
      createdAt: now(),
      usedAt: now(),
      idleEndsAt: now() + refreshMs,
      endsAt: now() + Math.max(LONGEST_SESSION_MS, refreshMs),
      address,
      userAgent: userAgent.slice(0, 200),
    }
    await sessions.open(session)
    await uses.put(new Map([[user.name, String(now())]]))
    return tokensOf(user, session, 0)
  }

  /** Counts against the lockout, whoever asks. */
  async function checkPassword(name: string, password: string, origin: Origin): Promise<UserEntry | null> {
    const known = origin.device === null ? null : await tokens.verifyDevice(origin.device)
    const attempt = { user: name, address: origin.address, device: known?.user === name ? known.id : null }
    try {
      await lockout.admit(attempt)
    } catch (error) {
      const isLocked = error instanceof HubError && error.code === 'HUB_LOGIN_LOCKED'
      if (isLocked) audit({ action: 'auth.locked', by: null, target: name, address: origin.address, ok: false })
      else await lockout.unchecked(attempt)
      throw error
    }
    const user = find(name)
    const most = Math.max(0, ...file.current.users.map(({ passwordHash }) => roundsOf(passwordHash)))
    const good = await passwords.verify(password, user?.passwordHash ?? null, most).catch(async (error: unknown) => {
      await lockout.unchecked(attempt)
      throw error
    })
    if (!good || user === undefined) {
      audit({ action: 'auth.login', by: null, target: name, address: origin.address, ok: false })
      return null
    }
    await lockout.succeeded(attempt)
    return user
  }

  const ended = (): HubError =>
    new HubError('HUB_UNAUTHENTICATED', say`The session has ended`, { cure: say`Sign in again.` })
  const wrong = (): HubError => new HubError('HUB_LOGIN_FAILED', say`The present password is wrong`)

  return {
    lockout,
    login: async (name, password, origin) => {
      const user = await checkPassword(name, password, origin)
      if (user === null) throw new HubError('HUB_LOGIN_FAILED', say`The user name or the password is wrong`)
      const signedIn = await openSession(user, origin)
      audit({ action: 'auth.login', by: { id: `user:${name}`, name }, address: origin.address })
      return { ...signedIn, device: await tokens.signDevice(name) }
    },
    refresh: async (token, { address }) => {
      const given = tokens.readRefreshToken(token)
      const session = given === null ? null : await sessions.find(given.id)
      if (given === null || session === null || !tokens.proves(session, given.generation, given.proof)) throw ended()
      const user = find(session.user)
      if (user === undefined || stampOf(user) !== session.stamp) {
        await sessions.revoke(session.id)
        throw ended()
      }
      const rotation = await sessions.rotate(given.id, given.generation, {
        leewayMs: LEEWAY_MS,
        idleMs: settings().refreshMs,
      })
      if (rotation.outcome === 'reused') {
        audit({
          action: 'auth.refresh-reused',
          by: { id: `user:${user.name}`, name: user.name },
          target: session.id,
          address,
          ok: false,
        })
        throw new HubError('HUB_UNAUTHENTICATED', say`This refresh token was used before, so the session was ended`, {
          cure: say`Sign in again. If it was not you who used it, change the password.`,
        })
      }
      if (rotation.outcome === 'unknown') throw ended()
      await uses.put(new Map([[user.name, String(now())]]))
      return tokensOf(user, session, rotation.generation)
    },
    logout: async (caller, refreshToken) => {
      const given = refreshToken === null ? null : tokens.readRefreshToken(refreshToken)
      const session = given === null ? null : await sessions.find(given.id)
      const proven = given !== null && session !== null && tokens.proves(session, given.generation, given.proof)
      const id = caller?.session ?? (proven ? session.id : null)
      if (id === null) return
      await sessions.revoke(id)
      audit({ action: 'auth.logout', by: caller ?? { id: `user:${session?.user ?? ''}`, name: session?.user ?? '' } })
    },
    changePassword: async (caller, current, next, origin) => {
      if (caller.user === null || caller.session === null)
        throw new HubError('HUB_FORBIDDEN', say`Only a user who is signed in has a password`)
      const user = await checkPassword(caller.user, current, origin)
      if (user === null) throw wrong()
      if (current === next)
        throw new HubError('HUB_WEAK_PASSWORD', say`The new password is the old one`, { cure: say`Choose another.` })
      await rules.check(next, [user.name])
      const passwordHash = await passwords.hash(next)
      const note = { by: caller.name, reason: 'auth.password' }
      const changed = await file.change('users', user.name, note, (found): UserEntry => {
        if (found === undefined || found.disabled === true) throw ended()
        // An administrator set another meanwhile, and so this one is the present one no more.
        if (found.passwordHash !== user.passwordHash) throw wrong()
        const { mustChangePassword: _, ...rest } = found
        return { ...rest, passwordHash, passwordChangedAt: now() }
      })
      audit({ action: 'auth.password', by: caller, address: origin.address })
      await sessions.revokeUser(user.name)
      return openSession(changed, origin)
    },
    verify: async (token) => {
      const claims = await tokens.verify(token)
      if (claims === null) return null
      const user = find(claims.user)
      if (user === undefined || stampOf(user) !== claims.stamp) return null
      // Also for each access token: a session that was ended is over at once, not when its token is.
      const session = await sessions.find(claims.session)
      if (session?.user !== user.name) return null
      const changeFirst = mustChange(user)
      return {
        id: `user:${user.name}`,
        name: user.name,
        role: user.role,
        permissions: new Set(changeFirst ? [] : roleGrants[user.role]),
        scopes: user.scope === undefined ? [] : [user.scope],
        user: user.name,
        session: session.id,
        mustChangePassword: changeFirst,
      }
    },
    isCurrent: async (caller) => {
      const user = find(caller.user ?? '')
      const session = user === undefined ? null : await sessions.find(caller.session ?? '')
      return user !== undefined && session?.user === user.name && session.stamp === stampOf(user)
    },
    sessions: async (caller, everybody) => {
      if (!everybody && caller.user === null) return []
      const records = await sessions.list(everybody ? null : caller.user)
      return records.map((record) => ({
        id: record.id,
        user: record.user,
        createdAt: record.createdAt,
        usedAt: record.usedAt,
        endsAt: Math.min(record.endsAt, record.idleEndsAt),
        address: record.address,
        userAgent: record.userAgent,
        current: record.id === caller.session,
      }))
    },
    revoke: async (caller, id) => {
      const session = await sessions.find(id)
      if (session === null || (session.user !== caller.user && !may(caller, 'users:manage')))
        throw new HubError('HUB_SESSION_NOT_FOUND', say`There is no such session`, {
          cure: say`GET /api/sessions lists them.`,
        })
      await sessions.revoke(id)
      audit({ action: 'session.revoke', by: caller, target: session.user })
    },
    lastSeen: async () => {
      const seen = new Map([...(await uses.read())].map(([user, at]) => [user, Number(at)]))
      // Of sessions from before this was noted.
      for (const { user, usedAt } of await sessions.list(null)) seen.set(user, Math.max(seen.get(user) ?? 0, usedAt))
      return seen
    },
    countSessions: async () => {
      const counts = new Map<string, number>()
      for (const { user } of await sessions.list(null)) counts.set(user, (counts.get(user) ?? 0) + 1)
      return counts
    },
  }
}

/** Another password, role, scope or state makes another stamp, wherever it was changed: sessions with the old one are over. */
export function stampOf({ passwordHash, role, disabled = false, scope }: UserEntry): string {
  return createHash('sha256')
    .update(JSON.stringify([passwordHash, role, disabled, scope ?? null]))
    .digest('base64url')
    .slice(0, 16)
}
