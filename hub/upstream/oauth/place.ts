import type { OAuthOptions } from '../../contract/index.ts'
import type { Fetch } from '../network/guarded-fetch.ts'

/** A remote server as its sign-in needs it. */
export interface AccountPlace {
  url: string
  fetch: Fetch
  oauth: OAuthOptions
}

export function sameUrl(a: string, b: string): boolean {
  return URL.canParse(a) && URL.canParse(b) && new URL(a).href === new URL(b).href
}

/** Issuers are compared as they are written, but for one slash at the end, which URLs gain by being parsed (RFC 8414 §3.3). */
export function sameIssuer(a: string, b: string): boolean {
  return a.replace(/\/$/, '') === b.replace(/\/$/, '')
}
