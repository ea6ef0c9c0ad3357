import { createHash, createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto'

const ISSUER = 'mcp-hub'
const ALGORITHM = 'HS256'
const DEVICE_DAYS = 400

export interface AccessClaims {
  user: string
  session: string
  /** Fingerprint of the user when the token was made. */
  stamp: string
}

/** The tokens that the hub signs itself. The first key signs; all of them are good for checking, so that keys can be exchanged. */
export interface AccessTokens {
  readonly expiresIn: number
  sign: (claims: AccessClaims) => Promise<string>
  verify: (token: string) => Promise<AccessClaims | null>
  /** Marks a browser that a user signed in with before. */
  signDevice: (user: string) => Promise<string>
  verifyDevice: (token: string) => Promise<{ user: string; id: string } | null>
  /** Says which session and which exchange of it; forged only by who has both the key and the store. */
  refreshToken: (session: { id: string; secret: string }, generation: number) => string
  readRefreshToken: (token: string) => { id: string; generation: number; proof: Buffer } | null
  proves: (session: { id: string; secret: string }, generation: number, proof: Buffer) => boolean
}

export function createAccessTokens(keys: readonly Uint8Array[], seconds: () => number): AccessTokens {
  for (const key of keys) if (key.length < 32) throw new Error('A signing key needs at least 32 bytes')
  const byId = new Map(keys.map((key) => [keyId(key), key]))
  const [current] = keys
  if (current === undefined) throw new Error('There is no signing key')
  const refreshKeys = keys.map((key) => Buffer.from(hkdfSync('sha256', key, '', 'mcp-hub refresh token', 32)))

  async function sign(typ: string, subject: string, seconds: number, claims: Record<string, string>): Promise<string> {
    const { SignJWT } = await import('jose')
    return new SignJWT(claims)
      .setProtectedHeader({ alg: ALGORITHM, typ, kid: keyId(current as Uint8Array) })
      .setSubject(subject)
      .setIssuer(ISSUER)
      .setAudience(ISSUER)
      .setIssuedAt()
      .setExpirationTime(`${seconds}s`)
      .sign(current as Uint8Array)
  }

  async function verify(typ: string, token: string): Promise<Record<string, unknown> | null> {
    const { jwtVerify } = await import('jose')
    try {
      const { payload } = await jwtVerify(
        token,
        // The token only names a key of ours; it brings none.
        ({ kid }) => {
          const key = byId.get(kid ?? '')
          if (key === undefined) throw new Error('unknown key')
          return key
        },
        {
          algorithms: [ALGORITHM],
          issuer: ISSUER,
          audience: ISSUER,
          typ,
          requiredClaims: ['sub', 'exp', 'iat'],
        },
      )
      return payload
    } catch {
      return null
    }
  }

  const proof = (key: Buffer, { id, secret }: { id: string; secret: string }, generation: number): Buffer =>
    createHmac('sha256', key).update(`${id}.${generation}.${secret}`).digest()

  return {
    get expiresIn() {
      return seconds()
    },
    sign: ({ user, session, stamp }) => sign('at+jwt', user, seconds(), { sid: session, ver: stamp }),
    verify: async (token) => {
      const payload = await verify('at+jwt', token)
      const { sub, sid, ver } = payload ?? {}
      return typeof sub === 'string' && typeof sid === 'string' && typeof ver === 'string'
        ? { user: sub, session: sid, stamp: ver }
        : null
    },
    signDevice: (user) =>
      sign('device+jwt', user, DEVICE_DAYS * 86_400, { jti: randomBytes(12).toString('base64url') }),
    verifyDevice: async (token) => {
      const { sub, jti } = (await verify('device+jwt', token)) ?? {}
      return typeof sub === 'string' && typeof jti === 'string' ? { user: sub, id: jti } : null
    },
    refreshToken: (session, generation) =>
      `${session.id}.${generation}.${proof(refreshKeys[0] as Buffer, session, generation).toString('base64url')}`,
    readRefreshToken: (token) => {
      const match = /^([0-9a-f]{32})\.(\d{1,9})\.([\w-]{43})$/.exec(token)
      return match === null
        ? null
        : { id: match[1] ?? '', generation: Number(match[2]), proof: Buffer.from(match[3] ?? '', 'base64url') }
    },
    proves: (session, generation, given) =>
      refreshKeys.some((key) => timingSafeEqual(proof(key, session, generation), given)),
  }
}

/** The same for the same key on every hub. */
function keyId(key: Uint8Array): string {
  return createHash('sha256').update('mcp-hub kid').update(key).digest('base64url').slice(0, 12)
}
