import type { IncomingMessage } from 'node:http'
import type { ErrorCode } from '../contract/index.ts'
import { memoize } from '../memo.ts'

/**
 * At any port: through a tunnel, `kubectl port-forward` or a container's mapping a client names the port at its own end. A page
 * cannot choose it: browsers name the port that they connect to, and an `Origin` must match it exactly.
 */
const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]'])

export interface GuardOptions {
  /** Names besides loopback that `Host` may carry. */
  allowedHosts: readonly string[]
  /** Origins besides the page's own that a browser may call from. */
  allowedOrigins: readonly string[]
}

export interface Refusal {
  code: ErrorCode
  message: string
}

/** Tells why a request is turned away before anything else looks at it; null when it may pass. */
export function createGuard(options: GuardOptions): (request: IncomingMessage) => Refusal | null {
  const allowed = new Set(options.allowedHosts.map((entry) => entry.toLowerCase()))
  const isAllowedHost = memoize((host) => {
    const name = host.toLowerCase().replace(/:\d+$/, '')
    return LOOPBACK.has(name) || allowed.has(name) || allowed.has(host.toLowerCase())
  })
  return (request) => {
    const host = request.headers.host ?? ''
    if (!isAllowedHost(host)) {
      // A page that rebinds its name to this address arrives with its own name here.
      return {
        code: 'HUB_HOST_REFUSED',
        message: `The host name ${host === '' ? '(none)' : host} is not one of this hub’s; add it to server.allowedHosts in system.json`,
      }
    }
    const { origin } = request.headers
    if (origin !== undefined && !isAllowedOrigin(origin, host, options.allowedOrigins)) {
      return {
        code: 'HUB_ORIGIN_REFUSED',
        message: `Requests from the origin ${origin} are not allowed; add it to server.cors.origin in system.json`,
      }
    }
    const site = request.headers['sec-fetch-site']
    // A browser sends cookies by itself; what changes something must come from a page of ours. A bearer token it never adds.
    const fromElsewhere = site === 'cross-site' || site === 'same-site'
    if (fromElsewhere && origin === undefined && isUnsafe(request) && request.headers.authorization === undefined) {
      return {
        code: 'HUB_ORIGIN_REFUSED',
        message: `A page of another site may not ask for this (Sec-Fetch-Site: ${site})`,
      }
    }
    return null
  }
}

function isUnsafe({ method = 'GET' }: IncomingMessage): boolean {
  return method !== 'GET' && method !== 'HEAD' && method !== 'OPTIONS'
}

function isAllowedOrigin(origin: string, host: string, allowed: readonly string[]): boolean {
  if (allowed.includes(origin)) return true
  try {
    const url = new URL(origin)
    return (url.protocol === 'http:' || url.protocol === 'https:') && url.host === host.toLowerCase()
  } catch {
    return false
  }
}
