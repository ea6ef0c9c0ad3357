import type { IncomingMessage, ServerResponse } from 'node:http'
import { sendJson } from '../http-answers.ts'
import type { ExternalIssuer } from './external-issuer.ts'

const WELL_KNOWN = '/.well-known/oauth-protected-resource'
const ENDPOINT = /^\/(?:mcp(?:\/[^/]+)?|sse)$/

/** The MCP endpoints as protected resources of OAuth 2.1: what they are called, and where a client gets a token for them. */
export interface ProtectedResources {
  /** Audiences that a token may have at this path. */
  audiences: (path: string) => string[]
  /** The parameters of a `WWW-Authenticate: Bearer`; `why` for a token that was there and is not good enough. */
  challenge: (path: string, why: 'invalid_token' | 'insufficient_scope' | null) => string
  /** Answers RFC 9728 metadata; false when the path is none of it. */
  serve: (request: IncomingMessage, response: ServerResponse, path: string) => boolean
}

/** `issuer` null: the hub's own tokens and keys only, and no client is sent anywhere to get one. */
export function createProtectedResources(options: {
  issuer: Pick<ExternalIssuer, 'issuer' | 'connectScopes'> | null
  audience: readonly string[]
  /** URL below which clients reach this hub; null while there is none. */
  baseUrl: () => string | null
}): ProtectedResources {
  const { issuer } = options
  const configured = options.audience.map(withoutSlash)

  /** The endpoint that stands for a path: a trailing slash is no other, and messages belong to their stream. */
  function endpointOf(path: string): string {
    const plain = withoutSlash(path)
    return plain === '/messages' ? '/sse' : plain
  }

  return {
    audiences: (path) => {
      const base = options.baseUrl()
      if (base === null || path.startsWith('/api')) return configured
      // The hub as a whole, all its servers together, and this endpoint.
      return [base, `${base}/mcp`, `${base}${endpointOf(path)}`, ...configured]
    },
    challenge: (path, why) => {
      const base = options.baseUrl()
      const parameters = why === null ? [] : [`error="${why}"`]
      if (issuer !== null && base !== null) {
        const { origin, pathname } = new URL(base)
        parameters.push(`resource_metadata="${origin}${WELL_KNOWN}${withoutSlash(pathname)}${endpointOf(path)}"`)
        const [scope] = issuer.connectScopes
        if (scope !== undefined) parameters.push(`scope="${scope}"`)
      }
      return parameters.length === 0 ? 'Bearer' : `Bearer ${parameters.join(', ')}`
    },
    serve: (request, response, path) => {
      if (!path.startsWith(WELL_KNOWN)) return false
      const base = options.baseUrl()
      if (issuer === null || base === null) return false
      const prefix = withoutSlash(new URL(base).pathname)
      const asked = withoutSlash(path.slice(WELL_KNOWN.length))
      const endpoint = prefix !== '' && asked.startsWith(prefix) ? asked.slice(prefix.length) : asked
      if (endpoint !== '' && !ENDPOINT.test(endpoint)) return false
      // Open to every page: it says nothing that is not for everybody, and names no server that is or is not there.
      const headers = { 'access-control-allow-origin': '*', 'cache-control': 'max-age=300' }
      if (request.method === 'OPTIONS') {
        response.writeHead(204, { ...headers, 'access-control-allow-headers': 'MCP-Protocol-Version' }).end()
        return true
      }
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        sendJson(response, 405, '{}', { ...headers, allow: 'GET' })
        return true
      }
      const document = {
        resource: `${base}${endpoint}`,
        authorization_servers: [issuer.issuer],
        scopes_supported: issuer.connectScopes,
        bearer_methods_supported: ['header'],
        resource_name: 'MCP Hub',
      }
      sendJson(response, 200, JSON.stringify(document), headers)
      return true
    },
  }
}

export function withoutSlash(url: string): string {
  return url.replace(/\/$/, '')
}
