import type { IncomingMessage } from 'node:http'

/** The cookies of a browser that is signed in. No script can read them, and no other site's page sends them along. */
const COOKIES = {
  /** The access token. */
  session: { name: 'mcp_hub_session', prefix: '__Host-', path: '/' },
  refresh: { name: 'mcp_hub_refresh', prefix: '__Secure-', path: '/api/auth' },
  /** Says that somebody signed in with this browser before: a lockout by strangers does not concern it. */
  device: { name: 'mcp_hub_device', prefix: '__Secure-', path: '/api/auth' },
} as const
export type CookieName = keyof typeof COOKIES

/** Over TLS the name itself keeps others of the domain from setting it; a plain one is not taken there. */
function nameOf(cookie: CookieName, secure: boolean): string {
  const { name, prefix } = COOKIES[cookie]
  return secure ? prefix + name : name
}

export function readCookie(request: IncomingMessage, cookie: CookieName, secure: boolean): string | null {
  const wanted = nameOf(cookie, secure)
  for (const part of (request.headers.cookie ?? '').split(';')) {
    const at = part.indexOf('=')
    if (at !== -1 && part.slice(0, at).trim() === wanted) return part.slice(at + 1).trim()
  }
  return null
}

/** A `Set-Cookie` header; `seconds` 0 takes the cookie away. The values are of URL-safe characters. */
export function cookieHeader(cookie: CookieName, value: string, seconds: number, secure: boolean): string {
  const parts = [
    `${nameOf(cookie, secure)}=${value}`,
    `Path=${COOKIES[cookie].path}`,
    `Max-Age=${seconds}`,
    'HttpOnly',
    'SameSite=Strict',
    ...(secure ? ['Secure'] : []),
  ]
  return parts.join('; ')
}
