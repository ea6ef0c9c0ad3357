/**
 * What several hubs must agree on: who is signed in, and how often something was tried. One machine keeps it in SQLite
 * (`local.ts`), many share a Redis (`redis.ts`); one suite of tests runs against both.
 */
export interface Cluster {
  readonly sessions: SessionStore
  /** Another hub ended sessions, or may have: what it wrote is not looked at, or it could not be heard for a while. */
  onRevoked: (() => void) | null
  /** Small facts for people to look at, by name of their kind. */
  notes: (kind: string) => Notes
  limiter: (policy: LimiterPolicy) => Limiter
  /** What a hub needs to go on with the MCP sessions of another; null where there is no other. */
  readonly clientSessions: ClientSessions | null
  dispose: () => Promise<void>
}

/** A client's MCP session of the legacy era, as far as it can be made anew: no stream, no call, no event, no secret. */
export interface ClientSessionRecord {
  version: string
  capabilities: Record<string, unknown>
  clientInfo?: unknown
  logLevel: string | null
  /** URIs of resources, as the client knows them. */
  subscriptions: string[]
}

/**
 * A session as one hub has it. The hub that opened it has generation 0, each that went on with it the next: whoever has a
 * lower one than the record has it no more.
 */
export interface HeldSession {
  readonly id: string
  readonly generation: number
}

/** Whose a session is, and at which endpoint: `/mcp`, or that of a server or profile. */
export interface SessionBond {
  principal: string
  path: string
}

export type Adoption =
  | { outcome: 'adopted'; generation: number; record: ClientSessionRecord }
  | { outcome: 'foreign'; principal: string }
  | { outcome: 'unknown' }

/** `missing`: the store does not have it as it is; `lost`: another hub went on with it; `unknown`: the store is down. */
export type RecordState = 'kept' | 'missing' | 'lost' | 'unknown'

/** Nothing here fails: while the store is down there are no records, and none is written. */
export interface ClientSessions {
  /** A hub went on with a session: another one that has it under a lower generation lets go of it. */
  onAdopted: ((id: string, generation: number) => void) | null
  /** What was told may not have been heard, and what was written may be lost. */
  onReconnected: (() => void) | null
  save: (held: HeldSession, bond: SessionBond, record: ClientSessionRecord, ttlMs: number) => Promise<RecordState>
  /** Lets the records live on; the state of each, in their order. */
  renew: (held: readonly HeldSession[], ttlMs: number) => Promise<RecordState[]>
  /** Makes the session this hub's, whoever had it, if it is this principal's. */
  adopt: (id: string, bond: SessionBond, ttlMs: number) => Promise<Adoption>
  remove: (id: string, generation: number) => Promise<void>
}

/** One sign-in of a user: a family of refresh tokens, of which only the newest counts. */
export interface SessionRecord {
  id: string
  user: string
  /** Fingerprint of what the user was when signing in (password, role, state); another one ends the session. */
  stamp: string
  /** Part of each refresh token of this session, so that the signing key alone forges none. */
  secret: string
  /** How often the refresh token was exchanged. */
  generation: number
  createdAt: number
  usedAt: number
  /** End of the session unless it is used before. */
  idleEndsAt: number
  /** End of the session in any case. */
  endsAt: number
  address: string
  userAgent: string
}

/** `repeated`: the token before the newest, again within the leeway, as two tabs or a lost answer do. */
export type Rotation =
  { outcome: 'rotated' | 'repeated'; generation: number } | { outcome: 'reused' } | { outcome: 'unknown' }

/** Every call fails when the store cannot be reached: a session that cannot be looked up may have been revoked. */
export interface SessionStore {
  open: (session: SessionRecord) => Promise<void>
  find: (id: string) => Promise<SessionRecord | null>
  /** Exchanges a generation for the next, for exactly one caller. An older one than the last is theft: it ends the session. */
  rotate: (id: string, generation: number, times: { leewayMs: number; idleMs: number }) => Promise<Rotation>
  /** Newest first; of one user, or of all. */
  list: (user: string | null) => Promise<SessionRecord[]>
  revoke: (id: string) => Promise<boolean>
  /** Ends all sessions of a user, but for one if it is named; how many. */
  revokeUser: (user: string, except?: string) => Promise<number>
}

/** They may lag, and be lost when the store is down. */
export interface Notes {
  put: (entries: ReadonlyMap<string, string>) => Promise<void>
  read: () => Promise<ReadonlyMap<string, string>>
  get: (key: string) => Promise<string | null>
  delete: (key: string) => Promise<void>
}

export interface LimiterPolicy {
  name: string
  points: number
  durationMs: number
  /**
   * `limit`: protects the hub from load; without the shared store each hub counts alone.
   * `lockout`: protects passwords; it outlasts a restart, and without the shared store each hub allows its share only.
   */
  kind: 'limit' | 'lockout'
}

export interface Taken {
  passed: boolean
  /** Points taken in this window, with these. */
  taken: number
  left: number
  /** Milliseconds until the window ends. */
  resetMs: number
}

/** Counts in windows that begin with the first use. Never fails: see `kind`. */
export interface Limiter {
  /** With negative points it gives back what was taken. At once where one process counts alone. */
  take: (key: string, points?: number) => Taken | Promise<Taken>
  peek: (key: string) => Promise<Taken>
  clear: (key: string) => Promise<void>
}
