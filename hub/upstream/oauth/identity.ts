import { decodeJwt } from 'jose'

/**
 * Who is signed in, as the id token or a readable access token tells. For show only: it came from the token endpoint over
 * the connection that was authenticated, so its signature adds nothing (OpenID Connect Core §3.1.3.7).
 */
export function whoIs(tokens: { id_token?: string | undefined; access_token: string }): string | null {
  for (const token of [tokens.id_token, tokens.access_token]) {
    const claims = claimsOf(token)
    for (const name of ['email', 'preferred_username', 'name', 'sub']) {
      const value = claims[name]
      if (typeof value === 'string' && value !== '') return value.slice(0, 200)
    }
  }
  return null
}

function claimsOf(token: string | undefined): Record<string, unknown> {
  try {
    return token === undefined ? {} : decodeJwt(token)
  } catch {
    return {}
  }
}
