import { isDeepStrictEqual } from 'node:util'
import type { Account as AccountStatus, Reason } from '../../contract/index.ts'
import { say, type Said } from '../../say.ts'
import type { Authorization, Challenge } from '../authorization.ts'
import { parseChallenge, type ServerChallenge } from './challenge.ts'
import { namedAuthorizationServer } from './discovery.ts'
import { SignInFailure, failureOf, needsSignIn, wordsOf } from './failures.ts'
import { sameIssuer, sameUrl, type AccountPlace } from './place.ts'
import { emptyRecord, type AccountRecord, type KeptTokens } from './record.ts'
import { refreshTokens } from './refresh.ts'
import { revokeTokens } from './revoke.ts'
import { missingScopes, wantedScopes } from './scopes.ts'
import { beginSignIn, finishSignIn, isAnswerTo } from './sign-in.ts'
import type { TokenStore } from './token-store.ts'

export interface AccountOptions {
  server: string
  store: TokenStore
  now: () => number
  /** The record changed, here or by another hub. */
  onChange: () => void
  /** What was kept under another name and is this server's now; asked once, when nothing is kept under its own. */
  inherit: (place: AccountPlace) => Promise<AccountRecord | null>
}

/** The hub's account at one server: its tokens, who may have them, and how they stay valid. */
export interface ServerAccount {
  readonly server: string
  readonly reason: Reason | null
  /** Values that must not appear anywhere else. */
  readonly secrets: readonly string[]
  /** `place` where it may take over what was kept under another name. */
  load: (place?: AccountPlace) => Promise<void>
  /** Reads again what another hub may have written: whether somebody signed in or out there. A renewal is neither. */
  reload: () => Promise<'signed-in' | 'widened' | 'signed-out' | null>
  authorization: (place: AccountPlace) => Authorization
  beginSignIn: (
    place: AccountPlace,
    options: { redirectUrl: string; acceptIssuer: string | undefined; browser: string | null },
  ) => Promise<{ authorizationUrl: string; expiresAt: number }>
  /** True when it only widened what was granted. */
  finishSignIn: (place: AccountPlace, answer: URLSearchParams, browser: string | null) => Promise<boolean>
  /** Forgets the tokens; answers why the service did not take them back, or null. */
  signOut: (place: AccountPlace | null) => Promise<Said | null>
  /** `place` is null for an entry that is not configured (any more). */
  status: (place: AccountPlace | null) => AccountStatus
  dispose: () => void
}

/** A token is renewed this long before it ends, or in the last part of a short life. */
const RENEW_BEFORE_MS = 60_000
/** From here on a token may end on its way. */
const TOO_LATE_MS = 5_000
/** Servers count whole seconds. */
const ROUNDING_MS = 1_000
const RETRY_MS = [1_000, 2_000, 5_000, 15_000, 60_000]
const MAX_RETRY_AFTER_MS = 5 * 60_000
/** While renewals fail, the server is asked this often whether it signs in elsewhere now. */
const ISSUER_CHECK_MS = 30_000
/** Longest delay that a timer takes. */
const MAX_TIMER_MS = 2 ** 31 - 1

export function createAccount(options: AccountOptions): ServerAccount {
  const { server, store, now } = options
  const key = store.keyOf(server)
  let record: AccountRecord | null = null
  let loading: Promise<void> | null = null
  let loaded = false
  let challenge: ServerChallenge | null = null
  let renewing: Promise<void> | null = null
  let later: { until: number; reason: Reason; times: number } | null = null
  let timer: NodeJS.Timeout | null = null
  let used = false
  let issuerCheckAt = 0
  let disposed = false

  function adopt(next: AccountRecord | null): void {
    record = next
    options.onChange()
  }

  function load(place?: AccountPlace): Promise<void> {
    loading ??= read(place)
    return loading
  }

  async function read(place: AccountPlace | undefined): Promise<void> {
    record = await store.read(key)
    const inherited = record === null && place !== undefined ? await options.inherit(place) : null
    if (inherited !== null) adopt(inherited)
    loaded = true
  }

  async function reload(): Promise<'signed-in' | 'widened' | 'signed-out' | null> {
    const before = record
    const found = await store.read(key)
    if (isDeepStrictEqual(found, before)) return null
    adopt(found)
    const [was, is] = [before?.signedInAt ?? null, found?.signedInAt ?? null]
    if (was === is) return null
    if (is === null) return 'signed-out'
    return was !== null && (before?.wantedScope ?? null) !== null ? 'widened' : 'signed-in'
  }

  function change(edit: (before: AccountRecord) => AccountRecord, url: string): Promise<unknown> {
    return store.update(key, (before) => {
      const next = edit(before ?? record ?? emptyRecord(server, url))
      adopt(next)
      return next
    })
  }

  /** The tokens for this place: an entry that was pointed elsewhere has none. */
  function tokensFor(place: AccountPlace): KeptTokens | null {
    return record !== null && sameUrl(record.url, place.url) ? record.tokens : null
  }

  function header(place: AccountPlace): string | null | Promise<string | null> {
    if (!loaded) return load(place).then(() => header(place))
    const tokens = tokensFor(place)
    if (tokens === null) return null
    used = true
    const left = tokens.expiresAt === null ? Infinity : tokens.expiresAt - now()
    const life = (tokens.expiresAt ?? 0) - tokens.obtainedAt
    if (left > renewalLead(life) || tokens.refresh_token === undefined) {
      schedule(place)
      return bearer(tokens)
    }
    const renewal = renew(place, tokens.access_token)
    if (left > tooLate(life)) {
      renewal.catch(() => undefined)
      return bearer(tokens)
    }
    return renewal.then(() => {
      const renewed = tokensFor(place)
      return renewed === null ? null : bearer(renewed)
    })
  }

  /** Renews in time while the account is in use, so that no call waits for it and a refusal shows early. */
  function schedule(place: AccountPlace): void {
    const tokens = tokensFor(place)
    if (timer !== null || disposed || tokens === null || tokens.expiresAt === null) return
    if (tokens.refresh_token === undefined) return
    const due = tokens.expiresAt - renewalLead(tokens.expiresAt - tokens.obtainedAt)
    timer = setTimeout(
      () => {
        timer = null
        if (!used || disposed) return
        used = false
        renew(place, tokens.access_token).catch(() => undefined)
      },
      Math.min(MAX_TIMER_MS, Math.max(due, later?.until ?? 0) - now()),
    ).unref()
  }

  /** One renewal at a time, here and among all hubs of the store. Rejects with UpstreamFailure. */
  function renew(place: AccountPlace, stale: string): Promise<void> {
    renewing ??= renewNow(place, stale).finally(() => (renewing = null))
    return renewing
  }

  async function renewNow(place: AccountPlace, stale: string): Promise<void> {
    if (later !== null && later.until > now()) throw failureOf(later.reason)
    const result: { refusal: Reason | null } = { refusal: null }
    await store.update(key, async (before) => {
      const kept = before?.tokens
      if (before === null || kept === null || kept === undefined || kept.access_token !== stale) {
        // Another hub was faster, or somebody signed out.
        adopt(before)
        return before
      }
      const outcome = await refreshTokens(before, place, now())
      if (outcome.kind === 'later') {
        const times = (later?.times ?? 0) + 1
        const wait = Math.min(
          outcome.afterMs ?? RETRY_MS[Math.min(times, RETRY_MS.length) - 1] ?? 0,
          MAX_RETRY_AFTER_MS,
        )
        later = { until: now() + wait, reason: outcome.reason, times }
        result.refusal = outcome.reason
      } else {
        later = null
        if (outcome.kind === 'ended') result.refusal = outcome.record.reason
      }
      // In memory first: a token that was renewed must not be lost to a full disk.
      adopt(outcome.record)
      return outcome.record
    })
    schedule(place)
    if (result.refusal !== null) throw failureOf(result.refusal)
  }

  async function challenged(place: AccountPlace, given: Challenge): Promise<Reason | null> {
    await load()
    challenge = await parseChallenge(given)
    const tokens = tokensFor(place)
    if (tokens !== null && !given.retried && given.sent !== bearer(tokens)) return null
    if (given.status === 403) return scopeMissing(place, challenge, tokens)
    const { host } = new URL(place.url)
    if (tokens === null) return mark(place, needsSignIn(say`${host} asks for a sign-in`))
    if (given.retried) {
      const moved = await issuerChange(place, tokens)
      return mark(
        place,
        moved ?? needsSignIn(say`${host} does not accept the account that is signed in`, say`Sign in again.`),
      )
    }
    if (tokens.refresh_token === undefined) {
      return mark(
        place,
        record?.reason ??
          needsSignIn(say`The sign-in has ended, and the service gave nothing to renew it with`, say`Sign in again.`),
      )
    }
    try {
      await renew(place, tokens.access_token)
      return null
    } catch (error) {
      // An authorization server that is gone may have been replaced.
      const moved = await issuerChange(place, tokens)
      if (moved === null) throw error
      return mark(place, moved)
    }
  }

  /** A refresh cannot widen a grant, so a person has to (the calls that need no more go on). */
  function scopeMissing(place: AccountPlace, { scope }: ServerChallenge, tokens: KeptTokens | null): Promise<Reason> {
    const { host } = new URL(place.url)
    const missing = missingScopes(scope, tokens?.scope)
    const reason = needsSignIn(
      missing.length === 0
        ? tokens === null
          ? say`${host} refuses this for want of a permission that it does not name`
          : say`${host} refuses this for want of a permission that it does not name or that was granted already`
        : say`${host} asks for more permission than was granted: ${missing.join(' ')}`,
      say`Sign in again to grant it.`,
    )
    return mark(place, reason, wantedScopes(tokens?.scope, record?.wantedScope, scope))
  }

  /** Whether the server sends people to another authorization server than the one whose tokens these are. */
  async function issuerChange(place: AccountPlace, tokens: KeptTokens): Promise<Reason | null> {
    if (now() < issuerCheckAt) return null
    issuerCheckAt = now() + ISSUER_CHECK_MS
    const named = await namedAuthorizationServer(place, challenge?.resourceMetadataUrl)
    const known = record?.discovery?.authorizationServerUrl ?? tokens.issuer
    if (named === null || sameIssuer(named, known) || sameIssuer(named, tokens.issuer)) return null
    return needsSignIn(
      say`The server now signs in at ${named}, no longer at ${tokens.issuer}; the old account is not used there`,
      say`If you trust ${named}, sign in again and agree to it.`,
    )
  }

  /** Keeps why a person is needed. An entry on trial, or one that was pointed elsewhere, says nothing of this account. */
  async function mark(place: AccountPlace, reason: Reason, wantedScope?: string | null): Promise<Reason> {
    if (record !== null && !sameUrl(record.url, place.url)) return reason
    const edit = (before: AccountRecord): AccountRecord => ({
      ...before,
      reason,
      ...(wantedScope === undefined ? {} : { wantedScope }),
    })
    // Of an account that never was there is nothing to keep.
    if ((record?.tokens ?? null) === null) adopt(edit(record ?? emptyRecord(server, place.url)))
    else if (record?.reason?.message !== reason.message) await change(edit, place.url)
    return reason
  }

  return {
    server,
    get reason() {
      return record?.reason ?? null
    },
    get secrets() {
      const { tokens, clients, pending } = record ?? emptyRecord(server, '')
      return [
        tokens?.access_token,
        tokens?.refresh_token,
        tokens?.id_token,
        pending?.codeVerifier,
        ...Object.values(clients).map(({ information }) => information['client_secret']),
      ].filter((value) => typeof value === 'string')
    },
    load,
    reload,
    authorization: (place) => ({
      header: () => header(place),
      challenged: (given) => challenged(place, given),
    }),
    beginSignIn: async (place, { redirectUrl, acceptIssuer, browser }) => {
      await load()
      const scope = place.oauth.scopes === undefined ? challenge?.scope : place.oauth.scopes.join(' ')
      const { authorizationUrl, clients, pending } = await beginSignIn({
        record,
        place,
        resourceMetadataUrl: challenge?.resourceMetadataUrl ?? record?.discovery?.resourceMetadataUrl,
        scope: wantedScopes(record?.wantedScope ?? undefined, null, scope) ?? undefined,
        redirectUrl,
        key,
        acceptIssuer,
        browser,
        now: now(),
      })
      await change((before) => ({ ...before, clients: { ...before.clients, ...clients }, pending }), place.url)
      return { authorizationUrl, expiresAt: pending.expiresAt }
    },
    finishSignIn: async (place, answer, browser) => {
      let failure: unknown = null
      let widened = false
      await store.update(key, async (before) => {
        const pending = before?.pending ?? null
        if (before === null || pending === null || !isAnswerTo(pending, answer.get('state') ?? '', browser, now())) {
          failure = new SignInFailure(say`No sign-in waits for this answer`, say`Begin the sign-in again from MCP Hub.`)
          return before
        }
        // An answer is good for one try, whatever comes of it.
        const spent = { ...before, pending: null }
        try {
          adopt(await finishSignIn({ record: spent, pending, place, answer, now: now() }))
          later = null
          widened = before.tokens !== null && before.wantedScope !== null
        } catch (error) {
          failure = error
          const told = wordsOf(error, say`Begin the sign-in again.`)
          adopt({ ...spent, lastError: { at: now(), ...told } })
        }
        return record
      })
      if (failure !== null) throw failure as Error
      return widened
    },
    signOut: async (place) => {
      let outcome: Said | null = null
      await store.update(key, async (before) => {
        if (before !== null) {
          outcome =
            place === null
              ? say`The server is not configured any more, so its tokens end by themselves.`
              : await revokeTokens(before, place, now())
        }
        const next =
          before === null || place === null
            ? null
            : { ...before, tokens: null, wantedScope: null, who: null, signedInAt: null, reason: null, pending: null }
        adopt(next)
        return next
      })
      return outcome
    },
    status: (place) => statusOf(record ?? emptyRecord(server, place?.url ?? ''), place),
    dispose: () => {
      disposed = true
      if (timer !== null) clearTimeout(timer)
    },
  }
}

function statusOf(record: AccountRecord, place: AccountPlace | null): AccountStatus {
  const { tokens } = record
  const reason =
    tokens !== null && place !== null && !sameUrl(record.url, place.url)
      ? needsSignIn(say`The URL of the server was changed since the sign-in`, say`Sign in again.`)
      : record.reason
  return {
    server: record.server,
    configured: place !== null,
    state: reason !== null ? 'needs-sign-in' : tokens === null ? 'signed-out' : 'signed-in',
    who: record.who,
    issuer: tokens?.issuer ?? record.issuer,
    scopes: tokens?.scope?.split(' ').filter(Boolean) ?? [],
    expiresAt: tokens?.expiresAt ?? null,
    renewable: tokens?.refresh_token !== undefined,
    signedInAt: record.signedInAt,
    lastRefreshAt: record.lastRefreshAt,
    lastError: record.lastError,
    reason,
  }
}

function bearer(tokens: KeptTokens): string {
  return `Bearer ${tokens.access_token}`
}

function renewalLead(life: number): number {
  return Math.min(RENEW_BEFORE_MS, life / 5 + ROUNDING_MS, life / 2)
}

function tooLate(life: number): number {
  return Math.min(TOO_LATE_MS, life / 20 + ROUNDING_MS, life / 3)
}
