import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { OAuthClientProvider, StoredOAuthTokens } from '@modelcontextprotocol/client'
import { say } from '../../say.ts'
import { isLoopbackHost } from '../network/addresses.ts'
import { authMethodFor, clientMetadata, knownClient, ownMetadataUrl } from './client.ts'
import { asDiscovery, discover, type Discovery } from './discovery.ts'
import { IssuerChanged, SignInFailure, messageOf, oneLine } from './failures.ts'
import { whoIs } from './identity.ts'
import { sameIssuer, sameUrl, type AccountPlace } from './place.ts'
import type { AccountRecord, KeptClient, KeptTokens, PendingSignIn } from './record.ts'
import { loadSdk } from './sdk.ts'

const ANSWER_WITHIN_MS = 10 * 60_000

export interface BeginOptions {
  record: AccountRecord | null
  place: AccountPlace
  /** From the last challenge of the server. */
  resourceMetadataUrl: string | undefined
  scope: string | undefined
  redirectUrl: string
  /** Prefix by which the answer finds its account. */
  key: string
  acceptIssuer: string | undefined
  browser: string | null
  now: number
}

/** Discovers, registers if need be, and makes the URL that a person signs in at. The caller keeps the rest for the answer. */
export async function beginSignIn(
  options: BeginOptions,
): Promise<{ authorizationUrl: string; clients: Record<string, KeptClient>; pending: PendingSignIn }> {
  const { record, place, redirectUrl, now } = options
  const discovery = await discover(place, options.resourceMetadataUrl)
  const { issuer } = discovery.authorizationServerMetadata
  const before = record?.issuer ?? null
  if (before !== null && !sameIssuer(before, issuer) && options.acceptIssuer !== issuer) {
    throw new IssuerChanged(before, issuer)
  }
  const state = `${options.key}.${randomBytes(32).toString('base64url')}`
  const { scope } = options
  const session = createSession({ place, discovery, record, redirectUrl, state, codeVerifier: '', scope, now })
  const sdk = await loadSdk()
  await sdk.auth(session.provider, {
    serverUrl: place.url,
    fetchFn: place.fetch,
    forceReauthorization: true,
    ...(scope === undefined ? {} : { scope }),
  })
  const { authorizationUrl, codeVerifier } = session.result()
  const pending: PendingSignIn = {
    stateHash: digest(state),
    browserHash: options.browser === null ? null : digest(options.browser),
    codeVerifier,
    redirectUrl,
    url: place.url,
    scope: authorizationUrl.searchParams.get('scope'),
    discovery: { ...discovery },
    expiresAt: now + ANSWER_WITHIN_MS,
  }
  return { authorizationUrl: checkedUrl(authorizationUrl), clients: session.clients, pending }
}

/** Whether an answer belongs to the sign-in that was begun, and to the browser that began it. */
export function isAnswerTo(pending: PendingSignIn | null, state: string, browser: string | null, now: number): boolean {
  if (pending === null || pending.expiresAt <= now || !sameDigest(pending.stateHash, digest(state))) return false
  return pending.browserHash === null || (browser !== null && sameDigest(pending.browserHash, digest(browser)))
}

/** Redeems the code of an answer. Throws SignInFailure; the tokens of an earlier sign-in are untouched then. */
export async function finishSignIn(options: {
  record: AccountRecord
  pending: PendingSignIn
  place: AccountPlace
  answer: URLSearchParams
  now: number
}): Promise<AccountRecord> {
  const { record, pending, place, answer, now } = options
  const sdk = await loadSdk()
  if (!sameUrl(pending.url, place.url)) {
    throw new SignInFailure(say`The URL of the server was changed during the sign-in`, say`Begin the sign-in again.`)
  }
  const discovery = asDiscovery(pending.discovery)
  const metadata = discovery.authorizationServerMetadata
  const iss = answer.get('iss') ?? undefined
  try {
    // Also of a refusal: what another server says about this sign-in is not even shown.
    sdk.validateAuthorizationResponseIssuer({
      iss,
      expectedIssuer: metadata.issuer,
      issParameterSupported: metadata['authorization_response_iss_parameter_supported'] === true,
    })
  } catch {
    throw new SignInFailure(
      say`The answer does not come from ${metadata.issuer}, where the sign-in was begun; it was not used`,
      say`Begin the sign-in again. If this repeats, somebody may be tampering with it.`,
    )
  }
  const code = answer.get('code')
  if (code === null) throw refusal(answer)
  const session = createSession({
    place,
    discovery,
    record,
    redirectUrl: pending.redirectUrl,
    state: '',
    codeVerifier: pending.codeVerifier,
    scope: undefined,
    now,
  })
  try {
    await sdk.auth(session.provider, {
      serverUrl: place.url,
      authorizationCode: code,
      fetchFn: place.fetch,
      ...(iss === undefined ? {} : { iss }),
      ...(pending.scope === null ? {} : { scope: pending.scope }),
    })
  } catch (error) {
    throw new SignInFailure(
      say`${metadata.issuer} did not give tokens for the sign-in: ${messageOf(error)}`,
      say`Begin the sign-in again.`,
    )
  }
  const tokens = session.tokens()
  const kept = keptTokens(tokens, metadata.issuer, now, pending.scope ?? undefined)
  return {
    ...record,
    url: pending.url,
    issuer: metadata.issuer,
    discovery: pending.discovery,
    tokens: kept,
    wantedScope: null,
    who: whoIs(kept),
    signedInAt: now,
    lastRefreshAt: null,
    lastError: null,
    reason: null,
    pending: null,
  }
}

/** Tokens as they are kept: bound to who issued them, with the time of their end. */
export function keptTokens(tokens: StoredOAuthTokens, issuer: string, now: number, scope?: string): KeptTokens {
  return {
    ...tokens,
    // Left out when it is what was asked for (RFC 6749 §5.1).
    ...(tokens.scope === undefined && scope !== undefined ? { scope } : {}),
    issuer,
    obtainedAt: now,
    expiresAt: tokens.expires_in === undefined ? null : now + tokens.expires_in * 1_000,
  }
}

interface SessionOptions {
  place: AccountPlace
  discovery: Discovery
  record: AccountRecord | null
  redirectUrl: string
  state: string
  codeVerifier: string
  /** That the client has to be allowed to ask for. */
  scope: string | undefined
  now: number
}

interface Session {
  provider: OAuthClientProvider
  /** Registrations that were made. */
  clients: Record<string, KeptClient>
  result: () => { authorizationUrl: URL; codeVerifier: string }
  tokens: () => StoredOAuthTokens
}

/** What the SDK asks of its host during one sign-in. It sees no tokens of earlier ones, so it cannot lose them. */
function createSession(options: SessionOptions): Session {
  const { place, discovery, record, redirectUrl, now } = options
  const metadataUrl = place.oauth.clientMetadataUrl ?? ownMetadataUrl(redirectUrl)
  const clients: Record<string, KeptClient> = {}
  let forgotten = false
  let authorizationUrl: URL | null = null
  let codeVerifier = options.codeVerifier
  let tokens: StoredOAuthTokens | null = null
  const provider: OAuthClientProvider = {
    redirectUrl,
    ...(metadataUrl === undefined ? {} : { clientMetadataUrl: metadataUrl }),
    clientMetadata: clientMetadata(redirectUrl, authMethodFor(discovery)),
    state: () => options.state,
    clientInformation: (context) => {
      const issuer = context?.issuer ?? discovery.authorizationServerMetadata.issuer
      const fresh = clients[issuer]?.information
      if (fresh !== undefined) return fresh
      return forgotten ? undefined : knownClient(record, issuer, place, redirectUrl, metadataUrl, now, options.scope)
    },
    saveClientInformation: (information, context) => {
      const issuer = context?.issuer ?? discovery.authorizationServerMetadata.issuer
      clients[issuer] = { redirectUrl, information: { ...information } }
    },
    tokens: () => undefined,
    saveTokens: (given) => {
      tokens = given
    },
    redirectToAuthorization: (url) => {
      authorizationUrl = url
    },
    saveCodeVerifier: (verifier) => {
      codeVerifier = verifier
    },
    codeVerifier: () => codeVerifier,
    discoveryState: () => discovery,
    saveDiscoveryState: () => undefined,
    invalidateCredentials: (scope) => {
      if (scope === 'client' || scope === 'all') forgotten = true
    },
  }
  return {
    provider,
    clients,
    result: () => {
      if (authorizationUrl === null) throw new SignInFailure(say`The sign-in has no page to open`, say`Try again.`)
      return { authorizationUrl, codeVerifier }
    },
    tokens: () => {
      if (tokens === null) throw new SignInFailure(say`The service gave no tokens`, say`Begin the sign-in again.`)
      return tokens
    },
  }
}

/** A browser is sent there: https, or http on this computer. */
function checkedUrl(url: URL): string {
  if (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopbackHost(url.hostname))) return url.href
  throw new SignInFailure(
    say`The sign-in page ${url.origin} is not https, so it is not opened`,
    say`Ask the service to correct its authorization_endpoint.`,
  )
}

function refusal(answer: URLSearchParams): SignInFailure {
  const error = oneLine(answer.get('error') ?? 'an answer without a code')
  const text = oneLine(answer.get('error_description') ?? '')
  if (error === 'access_denied')
    return new SignInFailure(
      text === '' ? say`The sign-in was refused` : say`The sign-in was refused: ${text}`,
      say`Begin it again to allow it.`,
    )
  return new SignInFailure(
    text === '' ? say`The service answered ${error}` : say`The service answered ${error}: ${text}`,
    say`Begin the sign-in again; if it stays, correct hub.oauth (client, scopes) of the server.`,
  )
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}

function sameDigest(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))
}
