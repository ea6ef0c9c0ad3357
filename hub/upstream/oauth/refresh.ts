import type { AuthorizationServerMetadata, OAuthClientInformationMixed } from '@modelcontextprotocol/client'
import type { Reason } from '../../contract/index.ts'
import { saidOf, say, type Said } from '../../say.ts'
import type { Fetch } from '../network/guarded-fetch.ts'
import { knownClient } from './client.ts'
import { asDiscovery, resourceOf } from './discovery.ts'
import { isFinal, messageOf, needsSignIn, retryAfterMs, unavailable, type TokenAnswer } from './failures.ts'
import { whoIs } from './identity.ts'
import { sameIssuer, type AccountPlace } from './place.ts'
import type { AccountRecord } from './record.ts'
import { loadSdk } from './sdk.ts'
import { keptTokens } from './sign-in.ts'

export type RefreshOutcome =
  | { kind: 'refreshed' | 'ended'; record: AccountRecord }
  /** The service is busy or away; nothing is lost. */
  | { kind: 'later'; record: AccountRecord; reason: Reason; afterMs: number | null }

/** Renews the access token once. What the authorization server says is told apart: the grant is over, or this is not the moment. */
export async function refreshTokens(record: AccountRecord, place: AccountPlace, now: number): Promise<RefreshOutcome> {
  const { tokens, discovery: kept } = record
  const refreshToken = tokens?.refresh_token
  if (tokens === null || refreshToken === undefined || kept === null) {
    return ended(record, say`The sign-in has ended, and the service gave nothing to renew it with`, now)
  }
  const discovery = asDiscovery(kept)
  const metadata: AuthorizationServerMetadata = discovery.authorizationServerMetadata
  const client = clientOf(record, place, now)
  // Never to another server than the one that issued them.
  if (!sameIssuer(tokens.issuer, metadata.issuer) || client === undefined) {
    return ended(record, say`The credentials do not belong to the authorization server any more`, now)
  }
  const sdk = await loadSdk()
  const resource = resourceOf(discovery)
  const answer: TokenAnswer = { status: 0, retryAfterMs: null }
  try {
    const fresh = await sdk.refreshAuthorization(discovery.authorizationServerUrl, {
      metadata,
      clientInformation: client,
      refreshToken,
      fetchFn: noting(place.fetch, answer, now),
      ...(resource === undefined ? {} : { resource }),
    })
    const next = keptTokens(
      { ...fresh, ...((fresh.id_token ?? tokens.id_token) ? { id_token: fresh.id_token ?? tokens.id_token } : {}) },
      tokens.issuer,
      now,
      tokens.scope,
    )
    return {
      kind: 'refreshed',
      record: {
        ...record,
        tokens: next,
        who: whoIs(next) ?? record.who,
        lastRefreshAt: now,
        lastError: null,
        // A wider scope is still wanted: refreshing does not grant it.
        reason: record.wantedScope === null ? null : record.reason,
      },
    }
  } catch (error) {
    const host = new URL(metadata.token_endpoint).host
    if (isFinal(error, answer)) {
      const forgetClient = (error as { code?: unknown }).code === 'invalid_client'
      return ended(
        forgetClient ? withoutClient(record, tokens.issuer) : record,
        say`${host} does not renew the sign-in any more: ${messageOf(error)}`,
        now,
      )
    }
    const why = answer.status === 0 ? messageOf(error) : say`it answers with HTTP status ${answer.status}`
    const reason = unavailable(say`The sign-in cannot be renewed at ${host} right now: ${why}`)
    return {
      kind: 'later',
      record: { ...record, lastError: lastErrorOf(reason, now) },
      reason,
      afterMs: answer.retryAfterMs,
    }
  }
}

/** The registered client whose tokens these are. */
export function clientOf(
  record: AccountRecord,
  place: AccountPlace,
  now: number,
): OAuthClientInformationMixed | undefined {
  const issuer = record.tokens?.issuer ?? ''
  const redirectUrl = record.clients[issuer]?.redirectUrl ?? ''
  const id = record.clients[issuer]?.information.client_id
  return knownClient(record, issuer, place, redirectUrl, id, now)
}

/** The access token may be good for a while yet; only what renews it is gone. */
function ended(record: AccountRecord, message: Said, now: number): RefreshOutcome {
  const { tokens } = record
  const reason = needsSignIn(message, say`Sign in again.`)
  const { refresh_token: _gone, ...rest } = tokens ?? {}
  return {
    kind: 'ended',
    record: {
      ...record,
      tokens: tokens === null ? null : (rest as AccountRecord['tokens']),
      reason,
      lastError: lastErrorOf(reason, now),
    },
  }
}

function lastErrorOf(reason: Reason, at: number): AccountRecord['lastError'] {
  return { at, message: reason.message, cure: reason.cure, ...saidOf(reason) }
}

function withoutClient(record: AccountRecord, issuer: string): AccountRecord {
  return { ...record, clients: Object.fromEntries(Object.entries(record.clients).filter(([key]) => key !== issuer)) }
}

function noting(fetch: Fetch, answer: TokenAnswer, now: number): Fetch {
  return async (url, init) => {
    const response = await fetch(url, init)
    answer.status = response.status
    answer.retryAfterMs = retryAfterMs(response.headers.get('retry-after'), now)
    return response
  }
}
