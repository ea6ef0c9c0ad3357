import type { Dispatcher } from 'undici'
import { isLoopbackHost, kindOf, literalAddress, type AddressKind } from './addresses.ts'

export type Fetch = (url: string | URL, init?: RequestInit) => Promise<Response>

const TIMEOUT_MS = 15_000
const MAX_BYTES = 1_048_576

/** A request that was not made, or came to nothing. A TypeError, as `fetch` throws: the SDK takes others for "not there". */
export class FetchFailure extends TypeError {}

export interface GuardedFetchOptions {
  /** The server whose sign-in it is for. */
  serverUrl: string
  /** For the server's own origin. */
  own: Dispatcher
  /** For all others. */
  dispatcher: Dispatcher
  allowed: ReadonlySet<AddressKind>
}

/**
 * `fetch` for addresses that a server names itself (PROTOCOL §6.1, SSRF): https only, except on loopback and at the server's
 * own origin; no way into networks where the server is not; bounded in time and size; redirects are the caller's.
 */
export function createGuardedFetch({ serverUrl, own, dispatcher, allowed }: GuardedFetchOptions): Fetch {
  const { origin } = new URL(serverUrl)
  return async (address, init = {}) => {
    const url = new URL(address)
    const refusal = url.origin === origin ? null : refusalOf(url, allowed)
    if (refusal !== null) throw new FetchFailure(`${url.href} is not asked: ${refusal}`)
    try {
      const { default: request } = await import('undici/lib/api/api-request.js')
      const { statusCode, headers, body } = await request.call(url.origin === origin ? own : dispatcher, {
        origin: url.origin,
        path: url.pathname + url.search,
        method: init.method ?? 'GET',
        headers: Object.fromEntries(new Headers(init.headers)),
        ...(init.body === undefined || init.body === null
          ? {}
          : { body: String(init.body as string | URLSearchParams) }),
        signal: AbortSignal.any([AbortSignal.timeout(TIMEOUT_MS), ...(init.signal ? [init.signal] : [])]),
      })
      const chunks: Buffer[] = []
      let size = 0
      for await (const chunk of body as AsyncIterable<Buffer>) {
        size += chunk.length
        if (size > MAX_BYTES) throw new Error(`the answer is larger than ${MAX_BYTES} bytes`)
        chunks.push(chunk)
      }
      const bodiless = statusCode === 204 || statusCode === 304
      return new Response(bodiless ? null : Buffer.concat(chunks), { status: statusCode, headers: headersOf(headers) })
    } catch (error) {
      throw new FetchFailure(`${url.origin} cannot be asked: ${wordsOf(error)}`, { cause: error })
    }
  }
}

/** Why an address is not asked; null when it may be. Names are checked where they are resolved. */
function refusalOf(url: URL, allowed: ReadonlySet<AddressKind>): string | null {
  const loopback = isLoopbackHost(url.hostname)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && loopback)) return 'only https: is safe there'
  if (url.username !== '' || url.password !== '') return 'it carries credentials'
  const literal = literalAddress(url.hostname)
  if (literal === null ? loopback && !allowed.has('loopback') : !allowed.has(kindOf(literal)))
    return 'it is a private address, and the server is elsewhere'
  return null
}

function headersOf(headers: Record<string, string | string[] | undefined>): Headers {
  const result = new Headers()
  for (const [name, value] of Object.entries(headers))
    for (const part of Array.isArray(value) ? value : [value ?? '']) result.append(name, part)
  return result
}

function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if ((error as NodeJS.ErrnoException).code === 'EBLOCKED')
    return `${error.message}, a private address, and the server is elsewhere`
  return error.name === 'TimeoutError' ? `no answer within ${TIMEOUT_MS / 1_000} s` : error.message
}
