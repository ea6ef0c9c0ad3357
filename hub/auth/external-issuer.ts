import type { JWTPayload, JWTVerifyGetKey } from 'jose'
import { roleGrants, roles, type IssuerSettings, type Permission, type Role, type Scope } from '../contract/index.ts'
import { HubError } from '../hub-error.ts'
import { say } from '../say.ts'
import type { Caller } from './caller.ts'
import { withoutSlash } from './protected-resource.ts'

const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']
const SKEW_SECONDS = 30
const FETCH_TIMEOUT_MS = 5_000
/** A token with a key that is not known yet asks for the keys again, so often at most: anybody can invent such tokens. */
const COOLDOWN_MS = 2_000
/** A key that the issuer withdrew is not trusted for longer. */
const KEYS_MAX_AGE_MS = 5 * 60_000
/** A token that was found good is not checked again for so long. */
const REMEMBERED_MS = 60_000
const MAX_REMEMBERED = 1_000

/** The authorization server of `auth.oauth`: whose access tokens it made, and what they allow here. */
export interface ExternalIssuer {
  readonly issuer: string
  /** OAuth scopes that open the MCP endpoints. */
  readonly connectScopes: readonly string[]
  /** At once: a token that was found good a moment ago, for one of these audiences. */
  quick: (token: string, audiences: readonly string[]) => Caller | null
  /** Null for a token that is not good here. Throws HUB_ISSUER_UNAVAILABLE when that cannot be told. */
  verify: (token: string, audiences: readonly string[]) => Promise<Caller | null>
}

interface Known {
  caller: Caller
  audiences: readonly string[]
  until: number
}

export function createExternalIssuer(settings: IssuerSettings, now: () => number = Date.now): ExternalIssuer {
  const { issuer } = settings
  const known = new Map<string, Known>()
  let keys: Promise<JWTVerifyGetKey> | null = null
  let failedUntil = 0

  async function loadKeys(): Promise<JWTVerifyGetKey> {
    const { createRemoteJWKSet } = await import('jose')
    return createRemoteJWKSet(await keysUrl(issuer), {
      timeoutDuration: FETCH_TIMEOUT_MS,
      cooldownDuration: COOLDOWN_MS,
      cacheMaxAge: KEYS_MAX_AGE_MS,
    })
  }

  function currentKeys(): Promise<JWTVerifyGetKey> {
    if (keys === null && now() < failedUntil) throw unavailable(issuer, 'it did not answer a moment ago')
    keys ??= loadKeys().catch((error: unknown) => {
      keys = null
      failedUntil = now() + COOLDOWN_MS
      throw unavailable(issuer, messageOf(error))
    })
    return keys
  }

  async function payloadOf(token: string): Promise<JWTPayload | null> {
    const [{ jwtVerify, errors }, find] = await Promise.all([import('jose'), currentKeys()])
    try {
      const { payload } = await jwtVerify(token, find, {
        issuer,
        algorithms: settings.algorithms ?? ALGORITHMS,
        typ: settings.tokenType ?? 'at+jwt',
        clockTolerance: settings.clockSkewSeconds ?? SKEW_SECONDS,
        requiredClaims: ['sub', 'exp', 'aud'],
      })
      return payload
    } catch (error) {
      const { JWKSTimeout, JWKSInvalid, JOSEError } = errors
      const isVerdict =
        error instanceof JOSEError &&
        // What jose says of an answer that is no set of keys.
        error.code !== 'ERR_JOSE_GENERIC' &&
        !(error instanceof JWKSTimeout) &&
        !(error instanceof JWKSInvalid)
      if (isVerdict) return null
      throw unavailable(issuer, messageOf(error))
    }
  }

  function remember(token: string, found: Known): void {
    if (known.size >= MAX_REMEMBERED) known.clear()
    known.set(token, found)
  }

  const isFor = (own: readonly string[], audiences: readonly string[]): boolean =>
    own.some((audience) => audiences.includes(withoutSlash(audience)))

  return {
    issuer,
    connectScopes: scopesFor('mcp:connect', settings.scopes),
    quick: (token, audiences) => {
      const found = known.get(token)
      return found !== undefined && now() < found.until && isFor(found.audiences, audiences) ? found.caller : null
    },
    verify: async (token, audiences) => {
      if (!(await isFrom(issuer, token))) return null
      const payload = await payloadOf(token)
      if (payload === null) return null
      const own = [payload.aud ?? []].flat()
      if (!isFor(own, audiences)) return null
      const caller = callerOf(payload, settings)
      if (caller === null) return null
      const expiresAt = caller.expiresAt ?? 0
      remember(token, { caller, audiences: own, until: Math.min(expiresAt, now() + REMEMBERED_MS) })
      return caller
    },
  }
}

/** Whether a token says that it is from there; of others the issuer's keys are not asked for. */
async function isFrom(issuer: string, token: string): Promise<boolean> {
  const { decodeJwt } = await import('jose')
  try {
    return decodeJwt(token).iss === issuer
  } catch {
    return false
  }
}

/** OpenID Connect discovery, then RFC 8414. */
async function keysUrl(issuer: string): Promise<URL> {
  const { origin, pathname } = new URL(issuer)
  const path = pathname.replace(/\/$/, '')
  const places = [
    `${origin}${path}/.well-known/openid-configuration`,
    `${origin}/.well-known/oauth-authorization-server${path}`,
  ]
  const refusals: string[] = []
  for (const place of places) {
    const response = await fetch(place, { redirect: 'error', signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) })
    if (!response.ok) {
      refusals.push(`${place} answers ${response.status}`)
      continue
    }
    const { issuer: named, jwks_uri: keys } = (await response.json()) as { issuer?: unknown; jwks_uri?: unknown }
    if (named !== issuer) throw new Error(`${place} is the metadata of ${String(named)}`)
    if (typeof keys !== 'string' || !URL.canParse(keys)) throw new Error(`${place} names no jwks_uri`)
    const url = new URL(keys)
    // Whoever can write between would choose the keys.
    if (url.protocol !== 'https:' && url.origin !== origin) throw new Error(`its jwks_uri ${keys} is not https:`)
    return url
  }
  throw new Error(refusals.join('; '))
}

/** Who the token's subject is here; null when the mapping of roles has no place for them. */
function callerOf(payload: JWTPayload, settings: IssuerSettings): Caller | null {
  const role = roleOf(payload, settings.roles)
  if (role === null) return null
  const allowed = new Set(scopesOf(payload).flatMap((scope) => permissionsOf(scope, settings.scopes)))
  const subject = String(payload.sub)
  return {
    id: `oauth:${subject}`,
    name: textClaim(payload, 'preferred_username') ?? textClaim(payload, 'email') ?? subject,
    role,
    // Keys would outlive the account at the issuer.
    permissions: new Set(roleGrants[role].filter((each) => allowed.has(each) && !each.startsWith('keys:'))),
    scopes: settings.access === undefined ? [] : [accessOf(payload, settings.access)],
    user: null,
    session: null,
    mustChangePassword: false,
    expiresAt: (payload.exp ?? 0) * 1_000,
  }
}

function permissionsOf(scope: string, mapping: IssuerSettings['scopes']): readonly Permission[] {
  if (mapping !== undefined) return Object.hasOwn(mapping, scope) ? (mapping[scope] ?? []) : []
  return roleGrants.admin.filter((permission) => permission === scope)
}

function scopesFor(permission: Permission, mapping: IssuerSettings['scopes']): string[] {
  if (mapping === undefined) return [permission]
  return Object.keys(mapping).filter((scope) => mapping[scope]?.includes(permission))
}

/** `scope` of RFC 9068, or `scp` as some services call it. */
function scopesOf(payload: JWTPayload): string[] {
  const given = [payload['scope'] ?? payload['scp'] ?? []].flat()
  return given.filter((value) => typeof value === 'string').flatMap((value) => value.split(' '))
}

/** Roles stand from the one that may the most down. */
function roleOf(payload: JWTPayload, mapping: IssuerSettings['roles']): Role | null {
  if (mapping === undefined) return 'user'
  const found = new Set(valuesOf(payload, mapping.claim, mapping.values))
  return roles.find((role) => found.has(role)) ?? mapping.default ?? null
}

function accessOf(payload: JWTPayload, mapping: NonNullable<IssuerSettings['access']>): Scope {
  const granted = valuesOf(payload, mapping.claim, mapping.values)
  return {
    profiles: [...new Set(granted.flatMap(({ profiles = [] }) => profiles))].sort(),
    servers: [...new Set(granted.flatMap(({ servers = [] }) => servers))].sort(),
  }
}

/** What a mapping has for the values of a claim. */
function valuesOf<T>(payload: JWTPayload, claim: string, mapping: Readonly<Record<string, T>>): T[] {
  // A claim whose own name has a dot, such as a URL, is taken as it is.
  const found = Object.hasOwn(payload, claim)
    ? payload[claim]
    : claim
        .split('.')
        .reduce<unknown>(
          (value, key) =>
            typeof value === 'object' && value !== null && Object.hasOwn(value, key)
              ? (value as Record<string, unknown>)[key]
              : undefined,
          payload,
        )
  return [found ?? []]
    .flat()
    .map(String)
    .flatMap((value) => (Object.hasOwn(mapping, value) ? [mapping[value] as T] : []))
}

function textClaim(payload: JWTPayload, name: string): string | null {
  const value = payload[name]
  return typeof value === 'string' && value !== '' ? value.slice(0, 200) : null
}

function unavailable(issuer: string, why: string): HubError {
  return new HubError('HUB_ISSUER_UNAVAILABLE', say`The tokens of ${issuer} cannot be checked: ${why}`, {
    cure: say`Try again; if it stays, an administrator compares auth.oauth in system.json with the issuer.`,
  })
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message
}
