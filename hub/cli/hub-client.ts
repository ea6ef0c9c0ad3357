import { once } from 'node:events'
import { request, type IncomingMessage, type RequestOptions } from 'node:http'
import { isIP } from 'node:net'
import { text } from 'node:stream/consumers'
import { connect, type TLSSocket } from 'node:tls'
import { problemSchema, type Problem } from '../contract/index.ts'
import { CommandError, exitCodes, UsageError, type Io } from './command.ts'

/** A hub elsewhere, and the key that opens it. */
export interface RemoteHub {
  base: URL
  key: string
  /** SHA-256 of the certificate that the hub must show; without one, one that this computer trusts. */
  fingerprint: string | null
}

export interface HubAnswer {
  status: number
  body: unknown
}

/** Asks a hub. What cannot be asked is a CommandError; a refusal of the hub is an answer. */
export async function askHub(
  hub: RemoteHub,
  route: string,
  io: Pick<Io, 'signal'>,
  { body, headers = {} }: { body?: unknown; headers?: Record<string, string> } = {},
): Promise<HubAnswer> {
  const [method = 'GET', path = '/'] = route.split(' ')
  const payload = body === undefined ? undefined : JSON.stringify(body)
  // The key is sent to nobody but the hub: first who answers is known.
  const socket = hub.base.protocol === 'https:' ? await secureSocket(hub, io) : null
  const options: RequestOptions = {
    host: hub.base.hostname.replace(/^\[|\]$/g, ''),
    port: hub.base.port,
    method,
    path: hub.base.pathname.replace(/\/$/, '') + path,
    headers: {
      host: hub.base.host,
      authorization: `Bearer ${hub.key}`,
      ...(payload === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
      ...headers,
    },
    signal: io.signal,
    // An agent would make a connection of its own.
    ...(socket === null ? { agent: false } : { createConnection: () => socket }),
  }
  const sent = request(options)
  sent.end(payload)
  const [response] = (await once(sent, 'response').catch((error: unknown) => unreachable(hub, error))) as [
    IncomingMessage,
  ]
  const answer = await text(response).catch((error: unknown) => unreachable(hub, error))
  socket?.destroy()
  return { status: response.statusCode ?? 0, body: parsed(answer) }
}

/** The problem that a hub answered, whatever stands between it and here. */
export function problemOf({ status, body }: HubAnswer): Pick<Problem, 'detail'> & Partial<Problem> {
  const found = problemSchema.safeParse(body)
  return found.success ? found.data : { detail: `The hub answered ${status}`, status }
}

/** Where a key may be sent: over TLS, or to this computer. */
export function hubUrl(value: string): URL {
  const url = URL.parse(value)
  if (url === null || !/^https?:$/.test(url.protocol)) throw new UsageError('--hub: an https: URL is needed.')
  if (url.protocol === 'http:' && !/^(?:localhost|127\.[\d.]+|\[::1\])$/.test(url.hostname))
    throw new UsageError('--hub: over http: the key could be read on its way; an https: URL is needed.')
  return url
}

async function secureSocket({ base, fingerprint }: RemoteHub, { signal }: Pick<Io, 'signal'>): Promise<TLSSocket> {
  const socket = await open(base, fingerprint === null, signal).catch(async (error: unknown) => {
    if (!(error instanceof Error) || !/CERT|SIGNATURE|ISSUER/.test((error as NodeJS.ErrnoException).code ?? ''))
      return unreachable({ base }, error)
    const shown = await open(base, false, signal)
    const { fingerprint256 } = shown.getPeerCertificate()
    shown.destroy()
    throw new CommandError(
      `${base.host} shows a certificate that this computer does not trust (${error.message}). Nothing was sent.\nIts SHA-256 fingerprint is ${fingerprint256}`,
      'Compare it on the server: openssl x509 -noout -fingerprint -sha256 -in …/tls/fullchain.pem. If it is the same, give it with --fingerprint.',
      exitCodes.unavailable,
    )
  })
  const { fingerprint256 } = socket.getPeerCertificate()
  if (fingerprint === null || plain(fingerprint) === plain(fingerprint256)) return socket
  socket.destroy()
  throw new CommandError(
    `${base.host} shows another certificate than the one that was agreed to. Nothing was sent.\nIts SHA-256 fingerprint is ${fingerprint256}`,
    'If the certificate was renewed, compare it on the server and give it with --fingerprint; else somebody stands in between.',
    exitCodes.unavailable,
  )
}

const plain = (fingerprint: string): string => fingerprint.replaceAll(':', '').toLowerCase()

async function open(base: URL, rejectUnauthorized: boolean, signal: AbortSignal): Promise<TLSSocket> {
  const host = base.hostname.replace(/^\[|\]$/g, '')
  const socket = connect({
    host,
    port: base.port === '' ? 443 : Number(base.port),
    ...(isIP(host) === 0 ? { servername: host } : {}),
    rejectUnauthorized,
  })
  await once(socket, 'secureConnect', { signal })
  return socket
}

function unreachable({ base }: Pick<RemoteHub, 'base'>, error: unknown): never {
  const why = error instanceof Error ? error.message || String((error as NodeJS.ErrnoException).code) : String(error)
  throw new CommandError(
    `${base.origin} cannot be reached: ${why}`,
    'Start the hub, or correct --hub.',
    exitCodes.unavailable,
  )
}

function parsed(answer: string): unknown {
  try {
    return JSON.parse(answer) as unknown
  } catch {
    return null
  }
}
