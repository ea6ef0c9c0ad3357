import { sameScopes } from '../auth/scope.ts'
import { steadyNow } from '../clock.ts'
import type { GatewayContext, HttpRequest } from './context.ts'
import { McpError, rpc, type Params } from './json-rpc.ts'
import { ReplaySpace } from './replay.ts'
import { Session, type Continued } from './session.ts'

const REAP_MS = 30_000
/** Who says nothing after `initialize`, not even `notifications/initialized`, is taken to be gone after this. */
const SILENT_MS = 2 * 60_000

/** The sessions that this hub has, with those that it goes on with in place of another. */
export interface SessionTable {
  /** By id. */
  readonly known: ReadonlyMap<string, Session>
  /** The session that a request names, if it is the caller's and of this endpoint. */
  find: (http: HttpRequest) => Session | null
  /** False when what its caller is narrowed to has changed, by which it is ended. */
  keepsScopes: (session: Session, http: HttpRequest) => boolean
  /** When the session that a request names is here, if another hub had it; null when there is nothing to wait for. */
  arrival: (http: HttpRequest) => Promise<void> | null
  /** Throws McpError when there is no room for it. */
  create: (http: HttpRequest, params: Params) => Session
  /** It has a client that knows its id: from now on other hubs may go on with it. */
  opened: (session: Session) => void
  /** What its client wants to hear is another thing now. */
  changed: (session: Session) => void
  end: (session: Session) => void
  endOf: (principal: string) => void
  /** Ends those that no call is under way in, so that their clients come to another hub. */
  closeIdle: () => void
  closeAll: () => void
}

export function createSessionTable(context: GatewayContext): SessionTable {
  const sessions = new Map<string, Session>()
  const perPrincipal = new Map<string, number>()
  const replays = new ReplaySpace(() => context.limits)
  const records = context.sessionRecords?.(context, { known: sessions, full, add, drop }) ?? null

  const reaper = setInterval(() => {
    const { sessionIdleMs } = context.limits
    const now = steadyNow()
    for (const session of sessions.values()) {
      const limit = now - (session.hasSpoken ? sessionIdleMs : Math.min(SILENT_MS, sessionIdleMs))
      if (session.lastUsed < limit && !session.isListening && session.inFlight.size === 0) end(session)
      else session.shrink()
    }
    records?.renew()
  }, REAP_MS).unref()

  /** Why there is no room for another one. */
  function full(principal: string): string | null {
    const mine = perPrincipal.get(principal) ?? 0
    if (sessions.size >= context.limits.maxSessions)
      return `The hub already has ${sessions.size} sessions (limits.maxSessions)`
    return mine >= context.limits.maxSessionsPerPrincipal
      ? `This key already has ${mine} sessions (limits.maxSessionsPerPrincipal)`
      : null
  }

  function add(http: HttpRequest, params: Params, continued: Continued | null = null): Session {
    const principal = http.principal.id
    const fault = full(principal)
    if (fault !== null) throw new McpError(rpc.limitExceeded, fault)
    const reader = {
      maxBufferedBytes: context.limits.maxBufferedBytesPerReader,
      onOverflow: () => context.slowReader(principal),
    }
    const session = new Session(context.instance, http.principal, http.view, reader, replays, continued)
    session.begin(params)
    sessions.set(session.id, session)
    perPrincipal.set(principal, (perPrincipal.get(principal) ?? 0) + 1)
    return session
  }

  /** False when it is not here (any more). */
  function drop(session: Session, kept: boolean): boolean {
    if (!sessions.delete(session.id)) return false
    records?.ended(session, kept)
    const others = (perPrincipal.get(session.principal) ?? 1) - 1
    if (others === 0) perPrincipal.delete(session.principal)
    else perPrincipal.set(session.principal, others)
    return true
  }

  /** `kept`: another hub may go on with it. */
  function end(session: Session, kept = false): void {
    if (drop(session, kept)) session.close()
  }

  function find(http: HttpRequest): Session | null {
    const id = http.request.headers['mcp-session-id']
    const session = typeof id === 'string' ? sessions.get(id) : undefined
    // Its id was seen by somebody whom it was not given to.
    if (session !== undefined && session.principal !== http.principal.id)
      context.foreignSession(http.principal, session.principal)
    // A session of somebody else, or of another endpoint, is as unknown as one that never was.
    if (session === undefined || session.principal !== http.principal.id || session.view.path !== http.view.path)
      return null
    if (!keepsScopes(session, http)) return null
    session.lastUsed = steadyNow()
    session.hasSpoken = true
    return session
  }

  /** Its view is what its key was good for when it was opened: after a change of that its client opens another one. */
  function keepsScopes(session: Session, { principal }: HttpRequest): boolean {
    if (sameScopes(session.scopes, principal.scopes)) return true
    end(session)
    return false
  }

  function arrival(http: HttpRequest): Promise<void> | null {
    if (records === null) return null
    const id = http.request.headers['mcp-session-id']
    if (typeof id !== 'string' || sessions.has(id)) return null
    // Its client opens a new one here, and is told then what is full.
    return full(http.principal.id) === null ? records.adopt(id, http) : null
  }

  return {
    known: sessions,
    find,
    keepsScopes,
    arrival,
    create: add,
    opened: (session) => records?.opened(session),
    changed: (session) => records?.changed(session),
    end,
    endOf: (principal) => {
      for (const session of [...sessions.values()]) if (session.principal === principal) end(session)
      records?.closeLeft(principal)
    },
    closeIdle: () => {
      for (const session of [...sessions.values()]) if (session.inFlight.size === 0) end(session, true)
    },
    closeAll: () => {
      clearInterval(reaper)
      for (const session of [...sessions.values()]) end(session, true)
      records?.closeLeft(null)
    },
  }
}
