import { once } from 'node:events'
import { checkServerIdentity, connect, type DetailedPeerCertificate, type TLSSocket } from 'node:tls'
import type { Verification } from '../../contract/push.ts'
import type { Target } from '../../contract/publish.ts'
import { say, type Words } from '../../say.ts'
import type { Shell } from './shell.ts'

const DAY_MS = 86_400_000
/** certbot renews 30 days before the end: what is this near to it was not renewed. */
const SOON_DAYS = 14
const PATIENCE_MS = 10_000

/** What one look found, before it is told. */
export type Look = Pick<Verification, 'outcome'> & { message: Words; cure: Words | null }

/** The certificate that nginx shows, seen from the target itself: no firewall and no DNS is in between. */
export async function verifyCertificate(shell: Shell, target: Target): Promise<Look> {
  let socket: TLSSocket | null = null
  try {
    const stream = await shell.forward(target.listenAddress ?? '127.0.0.1', target.httpsPort)
    socket = connect({ socket: stream, servername: target.domain, rejectUnauthorized: false })
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(PATIENCE_MS) })
    return judge(socket.getPeerCertificate(true), socket.authorizationError, target.domain, Date.now())
  } catch (error) {
    return {
      outcome: 'failed',
      message: say`There is no TLS on port ${target.httpsPort}: ${(error as Error).message}`,
      cure: say`Check nginx there: nginx -t, and its error log.`,
    }
  } finally {
    socket?.destroy()
  }
}

export function judge(
  certificate: DetailedPeerCertificate,
  untrusted: Error | string | undefined | null,
  domain: string,
  now: number,
): Look {
  const days = Math.floor((Date.parse(certificate.valid_to) - now) / DAY_MS)
  const cure = say`Run certbot there, as README.md says.`
  if (days < 0) return { outcome: 'failed', message: say`The certificate ended ${-days} days ago`, cure }
  const wrongName = checkServerIdentity(domain, certificate)
  if (wrongName !== undefined)
    return { outcome: 'failed', message: say`The certificate is not for ${domain}: ${wrongName.message}`, cure }
  if (untrusted !== undefined && untrusted !== null && untrusted !== '')
    return {
      outcome: 'warning',
      message: say`A certificate for ${domain}, good for ${days} days, that clients do not trust (${String(untrusted)})`,
      cure,
    }
  if (days < SOON_DAYS)
    return {
      outcome: 'warning',
      message: say`A certificate for ${domain}, good for ${days} days: it was not renewed`,
      cure,
    }
  return { outcome: 'passed', message: say`A certificate for ${domain}, good for ${days} days`, cure: null }
}
