import { steadyNow } from '../clock.ts'
import type { ClientSessionRecord, ClientSessions } from '../cluster/cluster.ts'
import type { GatewayContext, HttpRequest } from './context.ts'
import type { Params } from './json-rpc.ts'
import type { Continued, Session } from './session.ts'
import { restore } from './session-wishes.ts'

/** Beyond the time after which an idle session ends, so that the hub that has it ends it first. */
const SPARE_MS = 60_000

/** Who has the sessions whose records are kept. */
export interface SessionHolder {
  readonly known: ReadonlyMap<string, Session>
  /** Why there is no room for another one of a principal's. */
  full: (principal: string) => string | null
  add: (http: HttpRequest, params: Params, continued: Continued) => Session
  /** Forgets a session without closing it; `kept`: another hub has it, or may go on with it. */
  drop: (session: Session, kept: boolean) => boolean
}

/** What other hubs can know of the sessions of this one. Nothing here fails, and nothing but `adopt` is waited for. */
export interface SessionRecords {
  opened: (session: Session) => void
  /** What is kept of it is another thing now. It is written once for all that one turn of the event loop changes. */
  changed: (session: Session) => void
  /** Before it is closed. `kept`: another hub may go on with it. */
  ended: (session: Session, kept: boolean) => void
  /** Lets records live on whose time has passed in part. */
  renew: () => void
  /** Goes on with a session that is not here, once for all requests that wait for it. Never rejects. */
  adopt: (id: string, http: HttpRequest) => Promise<void>
  /** Ends the calls of sessions that other hubs have now; of one principal, or all. */
  closeLeft: (principal: string | null) => void
}

/** `open` connects to where they are kept. Loaded only where there are other hubs. */
export function recordsIn(open: () => Promise<ClientSessions | null>): NonNullable<GatewayContext['sessionRecords']> {
  return (context, holder) => createSessionRecords(context, holder, open)
}

function createSessionRecords(
  context: GatewayContext,
  holder: SessionHolder,
  open: () => Promise<ClientSessions | null>,
): SessionRecords {
  /** When the record was last known to be there. */
  const kept = new Map<Session, number>()
  const dirty = new Set<Session>()
  /** Other hubs have them, but calls of them are under way here. */
  const left = new Set<Session>()
  const adoptions = new Map<string, Promise<void>>()
  let store: ClientSessions | null = null
  const opening = open().then(
    (opened) => {
      if (opened === null) return
      store = opened
      opened.onAdopted = letGo
      opened.onReconnected = () => void renewFrom(Infinity)
    },
    () => undefined,
  )
  const ttlMs = (): number => context.limits.sessionIdleMs + SPARE_MS
  const lost = ({ id, generation }: Session): void => letGo(id, generation + 1)
  const seen = (session: Session): void => {
    if (kept.has(session)) kept.set(session, steadyNow())
  }

  function changed(session: Session): void {
    if (!kept.has(session)) return
    if (dirty.size === 0) setImmediate(writeAll)
    dirty.add(session)
  }

  function writeAll(): void {
    for (const session of dirty) void write(session)
    dirty.clear()
  }

  async function write(session: Session): Promise<void> {
    const bond = { principal: session.principal, path: session.view.path }
    const state = await store?.save(session, bond, recordOf(session), ttlMs())
    if (state === 'kept') seen(session)
    else if (state === 'lost') lost(session)
  }

  /** Those that were last seen before that time. */
  async function renewFrom(time: number): Promise<void> {
    const due = [...kept].flatMap(([session, at]) => (at < time ? session : []))
    const states = due.length === 0 ? undefined : await store?.renew(due, ttlMs())
    for (const [at, session] of due.entries())
      if (states?.[at] === 'kept') seen(session)
      else if (states?.[at] === 'missing') changed(session)
      else if (states?.[at] === 'lost') lost(session)
  }

  /** Another hub has it now, unless this one has it again under a later generation. */
  function letGo(id: string, generation: number): void {
    const session = holder.known.get(id)
    if (session === undefined || session.generation >= generation || !holder.drop(session, true)) return
    session.leave()
    if (session.inFlight.size > 0) left.add(session)
  }

  async function adopt(id: string, http: HttpRequest): Promise<void> {
    await opening
    const answer = await store?.adopt(id, { principal: http.principal.id, path: http.view.path }, ttlMs())
    if (answer?.outcome === 'foreign') context.foreignSession(http.principal, answer.principal)
    if (answer?.outcome !== 'adopted') return
    // Others may have come while it was asked for.
    if (holder.full(http.principal.id) !== null) {
      await store?.remove(id, answer.generation)
      return
    }
    const { version, capabilities, clientInfo } = answer.record
    const params = { protocolVersion: version, capabilities, clientInfo }
    const session = holder.add(http, params, { id, generation: answer.generation })
    restore(context, session, answer.record)
    kept.set(session, 0)
    // Shows at once when yet another hub asked for it meanwhile: what it told came before the session was here.
    changed(session)
  }

  return {
    opened: (session) => {
      kept.set(session, 0)
      changed(session)
    },
    changed,
    ended: (session, keep) => {
      if (!kept.delete(session)) return
      const unwritten = dirty.delete(session)
      if (!keep) void store?.remove(session.id, session.generation)
      else if (unwritten) void write(session)
    },
    renew: () => {
      for (const session of left) if (session.inFlight.size === 0) left.delete(session)
      void renewFrom(steadyNow() - ttlMs() / 4)
    },
    closeLeft: (principal) => {
      for (const session of left) if (principal === null || session.principal === principal) session.close()
    },
    adopt: (id, http) => {
      const key = JSON.stringify([id, http.principal.id, http.view.path])
      const adoption = adoptions.get(key) ?? adopt(id, http).finally(() => adoptions.delete(key))
      adoptions.set(key, adoption)
      return adoption
    },
  }
}

function recordOf({ version, capabilities, clientInfo, logLevel, subscriptions }: Session): ClientSessionRecord {
  return { version, capabilities, clientInfo, logLevel: logLevel ?? null, subscriptions: subscriptions?.uris ?? [] }
}
