import { join } from 'node:path'
import type { Cluster } from '../cluster/cluster.ts'
import type { Documents } from '../config/documents.ts'
import type { Fault, SystemFile } from '../contract/index.ts'
import type { Log } from '../observe/log.ts'
import type { Audit } from './audit.ts'
import { anonymousCaller, type Caller } from './caller.ts'
import { fixedDefault } from '../config/settings.ts'
import { parseDuration } from './duration.ts'
import type { Identities, UserEntry } from './identity-entries.ts'
import { openIdentityFile } from './identity-file.ts'
import { createKeyToolSearch, type KeyToolSearch } from './key-tool-search.ts'
import { createKeys, type Keys } from './keys.ts'
import { createSetupCode } from './setup-code.ts'
import type { Passwords } from './passwords.ts'
import type { SignIn, SignInSettings } from './sign-in.ts'
import { createTokenTable, type StaticToken } from './tokens.ts'
import type { Users } from './users.ts'

export interface IdentityOptions {
  mode: 'desktop' | 'server'
  documents: Documents
  dataDir: string
  tokens: readonly StaticToken[]
  /** The first signs; the others check what was signed before. */
  signingKeys: readonly Uint8Array[]
  /** As it is in force. */
  auth: () => NonNullable<SystemFile['auth']>
  /** Creates the user `admin` when there is none. */
  adminPassword: string | undefined
  /** Opened when first needed; whoever gave it closes it. */
  openCluster: () => Promise<Cluster>
  announceSetup: (code: string) => void
  audit: Audit
  log: Log
  now?: () => number
}

/** Users with their sign-ins; not there on the desktop, where the app is signed in already. */
export interface People {
  signIn: SignIn
  users: Users
}

/** Who is who: fixed tokens, keys, and users with their sessions. */
export interface Identity {
  readonly keys: Keys
  readonly keyToolSearch: KeyToolSearch
  readonly faults: Fault[]
  /** How often a password was not looked at because too many waited. */
  readonly refusedPasswords: number
  /** Whether the first administrator is still to be made, with a one-time code. */
  readonly setupNeeded: boolean
  setupCode: () => Promise<string | null>
  /** Loaded with the first sign-in: who only serves clients with keys needs none of it. Null on the desktop. */
  people: () => Promise<People> | null
  /** At once: fixed tokens and keys. */
  quick: (token: string, address: string) => Caller | null
  identify: (token: string, address: string) => Promise<Caller | null>
  /** Whether the credential that a caller came with is still good. Rejects when the store cannot tell. */
  isCurrent: (caller: Caller) => boolean | Promise<boolean>
  /** Some credential ended before its time. */
  onRevocation: (() => void) | null
  /** `faults` are others than before. */
  onFaults: (() => void) | null
  watch: () => void
  dispose: () => Promise<void>
}

/** Throws BrokenFile when users.json cannot be used. */
export async function openIdentity(options: IdentityOptions): Promise<Identity> {
  const { auth, audit, now = Date.now } = options
  const isServer = options.mode === 'server'
  const rounds = (): number => auth().bcryptRounds ?? fixedDefault('auth.bcryptRounds')
  const file = await openIdentityFile(options.documents)
  const fixed = createTokenTable(options.tokens)
  const { openCluster } = options
  const keys = createKeys({
    file,
    notes: async () => (await openCluster()).notes('key-uses'),
    audit,
    log: options.log,
    now,
  })
  const keyToolSearch = createKeyToolSearch(file.current)
  const isFixed = (caller: Caller): boolean =>
    caller === anonymousCaller || options.tokens.some((token) => token.caller === caller)
  const isEmpty = (): boolean => file.current.users.length === 0
  const setupCode =
    isServer && isEmpty() && options.adminPassword === undefined && options.tokens.length === 0
      ? createSetupCode({ file: join(options.dataDir, 'setup-code'), announce: options.announceSetup, now })
      : null

  let loaded: Promise<People & { dispose: () => Promise<void> }> | null = null
  let passwordPool: Passwords | null = null
  async function load(): Promise<People & { dispose: () => Promise<void> }> {
    const [{ createSignIn }, { createUsers }, { createPasswords }, { createPasswordRules }, { createAccessTokens }] =
      await Promise.all([
        import('./sign-in.ts'),
        import('./users.ts'),
        import('./passwords.ts'),
        import('./password-rules.ts'),
        import('./access-tokens.ts'),
      ])
    const opened = tellRevocations(await openCluster(), () => identity.onRevocation?.())
    const passwords = createPasswords(rounds)
    passwordPool = passwords
    const rules = createPasswordRules(passwords, () => auth().passwordRules ?? {})
    const seconds = (name: 'jwtExpiresIn' | 'jwtRefreshExpiresIn'): number =>
      parseDuration(auth()[name] ?? fixedDefault(`auth.${name}`)) ?? 0
    const tokens = createAccessTokens(options.signingKeys, () => seconds('jwtExpiresIn'))
    const settings = (): SignInSettings => ({
      attempts: auth().maxLoginAttempts ?? fixedDefault('auth.maxLoginAttempts'),
      durationMs: auth().lockoutDuration ?? fixedDefault('auth.lockoutDuration'),
      refreshMs: 1_000 * seconds('jwtRefreshExpiresIn'),
    })
    const signIn = createSignIn({ file, cluster: opened, tokens, passwords, rules, settings, audit, now })
    const users = createUsers({ file, cluster: opened, passwords, rules, signIn, setupCode, audit, now })
    return { signIn, users, dispose: () => passwords.dispose() }
  }
  /** Where the store could not be opened, the next one who asks tries again. */
  function people(): Promise<People> | null {
    if (!isServer || loaded !== null) return loaded
    const loading = load()
    loaded = loading
    loading.catch(() => (loaded = null))
    return loading
  }

  if (isServer && isEmpty() && options.adminPassword !== undefined) {
    const { createPasswords } = await import('./passwords.ts')
    const passwords = createPasswords(rounds)
    const passwordHash = await passwords.hash(options.adminPassword)
    await passwords.dispose()
    const value: UserEntry = {
      name: 'admin',
      passwordHash,
      role: 'admin',
      createdAt: now(),
      passwordChangedAt: now(),
    }
    // Hubs that start together share the file: the first one's administrator counts, or each would know another.
    const note = { by: 'MCP_HUB_ADMIN_PASSWORD', reason: 'user.create' }
    await file.change('users', 'admin', note, (found, { users }) => (users.length > 0 ? found : value))
  }

  file.onFaults = () => identity.onFaults?.()
  file.onChange((before, after, byOthers) => {
    keyToolSearch.take(after)
    identity.onRevocation?.()
    // The command line, or a person with an editor: who, only the system can tell. Another hub tells of it itself.
    if (byOthers && !options.documents.shared)
      audit({ action: 'users.file-changed', by: { id: 'file', name: 'users.json' }, details: changed(before, after) })
  })

  const quick = (token: string, address: string): Caller | null => fixed(token) ?? keys.find(token, address)

  const identity: Identity = {
    keys,
    keyToolSearch,
    get faults() {
      return file.faults
    },
    get refusedPasswords() {
      return passwordPool?.refused ?? 0
    },
    get setupNeeded() {
      return setupCode !== null && isEmpty()
    },
    setupCode: async () => (setupCode !== null && isEmpty() ? setupCode.current() : null),
    people,
    quick,
    identify: async (token, address) => {
      const found = quick(token, address)
      // An access token has three parts; anything else is not worth the look.
      if (found !== null || token.split('.').length !== 3) return found
      return (await people())?.signIn.verify(token) ?? null
    },
    isCurrent: (caller) => {
      if (caller.expiresAt !== undefined) return now() < caller.expiresAt
      if (caller.session !== null) return people()?.then(({ signIn }) => signIn.isCurrent(caller)) ?? false
      return isFixed(caller) || keys.isCurrent(caller)
    },
    onRevocation: null,
    onFaults: null,
    watch: () => file.watch(),
    dispose: async () => {
      await keys.dispose()
      await file.dispose()
      await (await loaded?.catch(() => null))?.dispose()
    },
  }
  return identity
}

/** The cluster, which tells when it ended a session. */
function tellRevocations(cluster: Cluster, revoked: () => void): Cluster {
  const { sessions } = cluster
  cluster.onRevoked = revoked
  async function told<T>(work: Promise<T>, isEnd: (result: T) => boolean): Promise<T> {
    const result = await work
    if (isEnd(result)) revoked()
    return result
  }
  return {
    ...cluster,
    sessions: {
      ...sessions,
      rotate: (id, generation, times) =>
        told(sessions.rotate(id, generation, times), ({ outcome }) => outcome === 'reused'),
      revoke: (id) => told(sessions.revoke(id), Boolean),
      revokeUser: (user, except) => told(sessions.revokeUser(user, except), (ended) => ended > 0),
    },
  }
}

/** Which users and keys were added, removed or changed. */
function changed(before: Identities, after: Identities): Record<'users' | 'keys', string[]> {
  const differing = <T>(was: readonly T[], is: readonly T[], idOf: (entry: T) => string): string[] => {
    const ids = new Set([...was, ...is].map(idOf))
    const text = (list: readonly T[], id: string): string => JSON.stringify(list.find((entry) => idOf(entry) === id))
    return [...ids].filter((id) => text(was, id) !== text(is, id))
  }
  return {
    users: differing(before.users, after.users, ({ name }) => name),
    keys: differing(before.keys, after.keys, ({ id }) => id),
  }
}
