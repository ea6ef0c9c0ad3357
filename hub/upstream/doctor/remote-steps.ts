import { lookup as lookUp } from 'node:dns/promises'
import { connect as connectSocket, isIP } from 'node:net'
import { connect as connectTls, type PeerCertificate, type SecureContext } from 'node:tls'
import { say, told } from '../../say.ts'
import { blockedReason, failureReason } from '../http-failures.ts'
import { guardedLookup, kindOf, type AddressKind } from '../network/addresses.ts'
import { StepFailure, type Finding, type StepList } from './step-list.ts'

export interface RemotePatient {
  /** The address with its references resolved; throws UpstreamFailure when one has no value. */
  url: () => string
  /** Set when something stands between: then the hub's own connection says nothing. */
  proxy: string | null
  /** Where the server may be. */
  allowed: ReadonlySet<AddressKind>
  secureContext: () => SecureContext | undefined
  servername: string | undefined
}

const TIMEOUT_MS = 10_000
const DAY_MS = 86_400_000

/** What can be known of a remote server before MCP is spoken: name, port, certificate. */
export async function examineAddress(steps: StepList, patient: RemotePatient): Promise<void> {
  const { url } = await steps.take('configuration', () => {
    const url = new URL(patient.url())
    return told({ message: say`Every reference has a value`, url })
  })
  if (patient.proxy !== null) {
    const message = say`Left to the proxy ${patient.proxy}`
    for (const id of ['resolve', 'connect', 'tls'] as const) steps.add(id, 0, told({ outcome: 'skipped', message }))
    return
  }
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80)
  const failed = (error: unknown): StepFailure => new StepFailure(failureReason(error, url.href))

  await steps.take('resolve', async () => {
    const addresses = await lookUp(host, { all: true }).catch((error: unknown) => {
      throw failed(error)
    })
    const allowed = addresses.some(({ address }) => patient.allowed.has(kindOf(address)))
    if (!allowed) throw new StepFailure(blockedReason(`${host} (${addresses[0]?.address ?? ''})`))
    return { message: addresses.map(({ address }) => address).join(', ') }
  })
  // What was checked is what is connected to.
  const lookup = guardedLookup(patient.allowed)
  await steps.take('connect', async () => {
    await new Promise<void>((resolve, reject) => {
      const socket = connectSocket({ host, port, lookup, autoSelectFamily: true, timeout: TIMEOUT_MS })
      const end = (error?: unknown): void => {
        socket.destroy()
        if (error === undefined) resolve()
        else reject(failed(error))
      }
      socket.once('connect', () => end())
      socket.once('error', end)
      socket.once('timeout', () => end(timeout(host, port)))
    })
    return { message: `Port ${port} answers` }
  })
  await steps.take('tls', async (): Promise<Finding> => {
    if (url.protocol !== 'https:') return told({ outcome: 'skipped', message: say`The address is http:, without TLS` })
    return new Promise((resolve, reject) => {
      const secureContext = patient.secureContext()
      const socket = connectTls({
        host,
        port,
        lookup,
        // An address is no name that could be asked for.
        ...(patient.servername !== undefined || isIP(host) === 0 ? { servername: patient.servername ?? host } : {}),
        ALPNProtocols: ['http/1.1'],
        timeout: TIMEOUT_MS,
        ...(secureContext === undefined ? {} : { secureContext }),
      })
      socket.once('secureConnect', () => {
        const { subject, issuer, valid_to: until } = socket.getPeerCertificate() as Partial<PeerCertificate>
        const days = Math.floor((Date.parse(until ?? '') - Date.now()) / DAY_MS)
        const message = say`${socket.getProtocol() ?? 'TLS'}, ${nameOf(subject)} by ${nameOf(issuer)}, valid for ${days} days`
        socket.destroy()
        resolve(
          told(
            days > 14 ? { message } : { outcome: 'warning', message, cure: say`Have the certificate renewed soon.` },
          ),
        )
      })
      socket.once('error', (error) => {
        socket.destroy()
        reject(failed(error))
      })
      socket.once('timeout', () => {
        socket.destroy()
        reject(failed(timeout(host, port)))
      })
    })
  })
}

const nameOf = (of: { CN?: string | string[]; O?: string | string[] } | undefined): string =>
  [of?.CN ?? of?.O ?? 'unknown'].flat().join(', ')

function timeout(host: string, port: number): Error {
  return Object.assign(new Error(`${host}:${port} did not answer within ${TIMEOUT_MS / 1_000} s`), {
    code: 'ETIMEDOUT',
  })
}
