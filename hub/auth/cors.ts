import type { IncomingMessage, ServerResponse } from 'node:http'

const SENT = new Set([
  'accept',
  'authorization',
  'content-type',
  'last-event-id',
  'mcp-method',
  'mcp-name',
  'mcp-protocol-version',
  'mcp-session-id',
])
/** What a modern client copies from a tool's arguments. */
const PARAMETER = /^mcp-param-[\w-]+$/
const EXPOSED =
  'Mcp-Session-Id, MCP-Protocol-Version, WWW-Authenticate, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id'
const PREFLIGHT_SECONDS = 600

/**
 * Lets the pages of listed origins read the answers. To be asked once the guard let the request pass; true when it was a
 * preflight, which is then answered.
 */
export type Cors = (request: IncomingMessage, response: ServerResponse, isMcp: boolean) => boolean

export function createCors(options: { origins: readonly string[]; credentials: boolean }): Cors {
  const listed = new Set(options.origins)
  if (listed.size === 0) return () => false
  return (request, response, isMcp) => {
    const { origin } = request.headers
    response.setHeader('vary', 'Origin')
    if (origin === undefined || !listed.has(origin)) return false
    response.setHeader('access-control-allow-origin', origin)
    if (options.credentials) response.setHeader('access-control-allow-credentials', 'true')
    if (request.method !== 'OPTIONS' || request.headers['access-control-request-method'] === undefined) {
      response.setHeader('access-control-expose-headers', EXPOSED)
      return false
    }
    // Headers that are not for pages to send are left out, and the browser refuses the request.
    const wanted = (request.headers['access-control-request-headers'] ?? '')
      .split(',')
      .map((name) => name.trim().toLowerCase())
      .filter((name) => SENT.has(name) || PARAMETER.test(name))
    response
      .writeHead(204, {
        'access-control-allow-methods': isMcp ? 'GET, POST, DELETE' : 'GET, POST, PUT, PATCH, DELETE',
        ...(wanted.length === 0 ? {} : { 'access-control-allow-headers': wanted.join(', ') }),
        'access-control-max-age': String(PREFLIGHT_SECONDS),
      })
      .end()
    return true
  }
}
