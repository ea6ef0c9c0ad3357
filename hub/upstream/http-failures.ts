import type { Reason } from '../contract/index.ts'
import { say, told } from '../say.ts'

/** True when the request cannot have reached the server, so that sending it again cannot do a thing twice. */
export function isUndelivered(error: unknown): boolean {
  const code = codeOf(error)
  return (
    code === 'ECONNREFUSED' ||
    code === 'UND_ERR_CONNECT_TIMEOUT' ||
    code === 'EHOSTUNREACH' ||
    code === 'ENETUNREACH' ||
    code === 'ENOTFOUND' ||
    code === 'EAI_AGAIN'
  )
}

export function codeOf(error: unknown): string {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const code = (at as NodeJS.ErrnoException).code
    if (typeof code === 'string') return code
    if (at instanceof AggregateError && at.errors[0] instanceof Error) return codeOf(at.errors[0])
  }
  return ''
}

/** A server is where this hub may not be led. */
export function blockedReason(where: string): Reason {
  return told({
    code: 'blocked-address',
    message: say`The hub does not connect there: ${where} is not on the internet`,
    cure: say`If the server is meant to be in a private network, an administrator sets its hub.allowPrivateAddresses. The metadata services of clouds are never reached.`,
  })
}

/** Explains a connection that failed below HTTP. */
export function failureReason(error: unknown, url: string): Reason {
  const code = codeOf(error)
  const host = new URL(url).host
  const detail = error instanceof Error ? error.message : String(error)
  if (code === 'EBLOCKED') return blockedReason(detail)
  if (isProxyFailure(error, code, url)) {
    return told({
      code: 'proxy',
      message: say`The proxy does not let the hub through to ${host}: ${detail}`,
      cure: say`Check hub.proxy of the server, or HTTP_PROXY, HTTPS_PROXY and NO_PROXY, and the user and password in it.`,
    })
  }
  if (code === 'ECONNREFUSED') {
    return told({
      code: 'connection-refused',
      message: say`Nothing answers at ${host} (connection refused)`,
      cure: say`Start the server, or correct its URL and port.`,
      detail,
    })
  }
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return told({
      code: 'host-not-found',
      message: say`The host name of ${host} was not found`,
      cure: say`Check the URL and the network connection.`,
      detail,
    })
  }
  if (/CERTIFICATE_REQUIRED|ALERT_BAD_CERTIFICATE|ALERT_UNKNOWN_CA|ALERT_HANDSHAKE/.test(code)) {
    return told({
      code: 'tls',
      message: say`${host} did not accept who the hub is in TLS (${code})`,
      cure: say`Give the client certificate that it asks for in hub.tls.cert and hub.tls.key.`,
      detail,
    })
  }
  if (/CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER/.test(code)) {
    return told({
      code: 'tls',
      message: say`The TLS connection to ${host} failed (${code})`,
      cure: say`Check the certificate; where an authority of your own issued it, give that in hub.tls.ca.`,
      detail,
    })
  }
  // Some servers say so in TLS, others only hang up.
  const mutual = new URL(url).protocol === 'https:' && (code === 'UND_ERR_SOCKET' || code === 'ECONNRESET')
  return told({
    code: 'connection-refused',
    message: say`The connection to ${host} failed: ${detail}`,
    cure: say`Check that the server runs and the network reaches it${mutual ? say`; if it asks for a client certificate, give that in hub.tls.cert and hub.tls.key` : ''}.`,
    detail: code || detail,
  })
}

/** The words are undici's; a connection that another port refused was not to the server. */
function isProxyFailure(error: unknown, code: string, url: string): boolean {
  if (/^Proxy (response|Authentication)/.test(error instanceof Error ? error.message : '')) return true
  if (code === 'UND_ERR_PRX_TLS' || code === 'UND_ERR_PRX_CONN') return true
  const { port, protocol } = new URL(url)
  const refused = (error as { port?: unknown } | null)?.port
  return (
    code === 'ECONNREFUSED' &&
    typeof refused === 'number' &&
    refused !== (port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port))
  )
}

/** Explains an HTTP status that is no answer to an MCP request. */
export function statusReason(status: number, body: string, url: string): Reason {
  const where = new URL(url)
  const detail = body === '' ? {} : { detail: body }
  // nginx answers so where others break the connection off.
  if (status === 400 && /SSL certificate/i.test(body))
    return told({
      code: 'tls',
      message: say`${where.host} did not accept the client certificate, or got none (400)`,
      cure: say`Give the client certificate that it asks for in hub.tls.cert and hub.tls.key.`,
      ...detail,
    })
  if (status === 401)
    return told({
      code: 'needs-auth',
      message: say`${where.host} asks for a sign-in (401)`,
      cure: say`Sign in, or add an Authorization header with a valid token.`,
      ...detail,
    })
  if (status === 403)
    return told({
      code: 'http-status',
      message: say`${where.host} refused access (403)`,
      cure: say`Check that the token is valid for this server.`,
      ...detail,
    })
  if (status === 404 || status === 405) {
    return told({
      code: 'http-status',
      message: say`${where.host}${where.pathname} is no MCP endpoint (${status})`,
      cure: say`Check the path of the URL; it often ends in /mcp.`,
      ...detail,
    })
  }
  return told({
    code: 'http-status',
    message: say`${where.host} answered with HTTP status ${status}`,
    cure: status >= 500 ? say`The server has a fault; read its own logs.` : say`Check the URL and the headers.`,
    ...detail,
  })
}

export function bodyText(body: Buffer): string {
  return body.subarray(0, 1_000).toString().trim()
}
