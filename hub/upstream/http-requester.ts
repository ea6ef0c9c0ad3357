import type { Dispatcher } from 'undici'
import type { Reason } from '../contract/index.ts'
import { say, told } from '../say.ts'
import type { Authorization } from './authorization.ts'
import { UpstreamFailure } from './channel.ts'
import { IdTable } from './id-table.ts'

export interface HttpTarget {
  url: string
  /** Headers of the entry, with their references resolved. */
  headers: Record<string, string>
  /** Its connections; undici is loaded with the first server that needs it. */
  connect: () => Promise<Dispatcher>
  /** Null where the entry brings an `Authorization` of its own. */
  authorization: Authorization | null
}

export interface HttpRequest {
  method: 'GET' | 'POST' | 'DELETE'
  headers: Record<string, string>
  body?: string
  /** Path below the server's origin, where it is not the path of its URL. */
  path?: string
}

export interface ResponseHandler extends Dispatcher.DispatchHandler {
  /** The server will not serve this request: a sign-in, a scope or another address is asked for. Nothing is called after it. */
  onRefused: (reason: Reason, status: number) => void
}

/** Sends a server's requests with its credentials, and keeps them with it: no redirect takes them to another origin. */
export interface HttpRequester {
  /** Before anything is sent. Rejects with UpstreamFailure when proxy or TLS cannot be set up. */
  open: () => Promise<void>
  send: (request: HttpRequest, handler: ResponseHandler) => void
  /** Ends what is in flight; the connections belong to the server's network. */
  close: () => void
}

const MAX_REDIRECTS = 5
const MAX_REFUSAL_BYTES = 65_536
const REDIRECTS = new Set([301, 302, 303, 307, 308])

interface Attempt {
  path: string
  redirects: number
  retried: boolean
}

export function createHttpRequester({ url, headers, connect, authorization }: HttpTarget): HttpRequester {
  const { origin, pathname, search } = new URL(url)
  const inFlight = new IdTable<Dispatcher.DispatchController>()
  let lastId = 0
  /** Where the server's own redirects led; found once, used from then on. */
  let mainPath = pathname + search
  let dispatcher: Dispatcher | null = null
  let closed = false

  function send(request: HttpRequest, handler: ResponseHandler): void {
    attempt(request, handler, { path: request.path ?? mainPath, redirects: 0, retried: false })
  }

  function attempt(request: HttpRequest, handler: ResponseHandler, at: Attempt): void {
    const value = authorization === null ? null : authorization.header()
    if (!(value instanceof Promise)) {
      dispatch(request, handler, at, value)
      return
    }
    value.then(
      (ready) => dispatch(request, handler, at, ready),
      (error: unknown) => handler.onRefused(reasonOf(error), 401),
    )
  }

  function dispatch(request: HttpRequest, handler: ResponseHandler, at: Attempt, value: string | null): void {
    if (closed) return
    const id = ++lastId
    let held: { status: number; location: string; challenge: string } | null = null
    let heldBytes = 0
    const over = (): void => {
      inFlight.delete(id)
      if (held !== null && !closed) settle(request, handler, at, value, held)
    }
    const sent = { ...headers, ...request.headers }
    if (value !== null) sent['authorization'] = value
    dispatcher?.dispatch(
      { origin, path: at.path, method: request.method, headers: sent, body: request.body ?? null },
      {
        onRequestStart: (controller, context) => {
          // It waited for its connection meanwhile.
          if (closed) {
            controller.abort(new Error('closed'))
            return
          }
          inFlight.add(id, controller)
          handler.onRequestStart?.(controller, context)
        },
        onResponseStart: (controller, status, responseHeaders, text) => {
          const challenge = textOf(responseHeaders['www-authenticate'])
          const location = textOf(responseHeaders['location'])
          if (isRedirect(status, location) || (authorization !== null && isChallenge(status, challenge)))
            held = { status, location, challenge }
          else handler.onResponseStart?.(controller, status, responseHeaders, text)
        },
        onResponseData: (controller, chunk) => {
          if (held === null) handler.onResponseData?.(controller, chunk)
          else if ((heldBytes += chunk.length) > MAX_REFUSAL_BYTES) controller.abort(new Error('too much'))
        },
        onResponseEnd: (controller, trailers) => {
          over()
          if (held === null) handler.onResponseEnd?.(controller, trailers)
        },
        onResponseError: (controller, error) => {
          over()
          if (held === null) handler.onResponseError?.(controller, error)
        },
      },
    )
  }

  function settle(
    request: HttpRequest,
    handler: ResponseHandler,
    at: Attempt,
    sent: string | null,
    held: { status: number; location: string; challenge: string },
  ): void {
    const { status } = held
    if (isRedirect(status, held.location)) {
      const path = redirectPath(origin, at, request.method, held)
      if (path === null) {
        handler.onRefused(redirectReason(origin, at, status, held.location), status)
        return
      }
      if (request.path === undefined) mainPath = path
      attempt(request, handler, { ...at, path, redirects: at.redirects + 1 })
      return
    }
    void authorization
      ?.challenged({ status, wwwAuthenticate: held.challenge, sent, retried: at.retried })
      .catch(reasonOf)
      .then((reason) => {
        if (reason === null) attempt(request, handler, { ...at, retried: true })
        else handler.onRefused(reason, status)
      })
  }

  return {
    open: async () => {
      dispatcher = await connect()
    },
    send,
    close: () => {
      closed = true
      for (const controller of inFlight.values()) controller.abort(new Error('closed'))
    },
  }
}

function isRedirect(status: number, location: string): boolean {
  return location !== '' && REDIRECTS.has(status)
}

function isChallenge(status: number, challenge: string): boolean {
  return status === 401 || (status === 403 && /\berror="?insufficient_scope\b/.test(challenge))
}

/** The path to go on with; null when following would leave the origin, change the method, or not end. */
function redirectPath(
  origin: string,
  at: Attempt,
  method: string,
  { status, location }: { status: number; location: string },
): string | null {
  if (at.redirects >= MAX_REDIRECTS || !URL.canParse(location, origin + at.path)) return null
  const target = new URL(location, origin + at.path)
  const keepsMethod = method === 'GET' || status === 307 || status === 308
  return target.origin === origin && keepsMethod ? target.pathname + target.search : null
}

function redirectReason(origin: string, { path, redirects }: Attempt, status: number, location: string): Reason {
  const target = URL.canParse(location, origin + path) ? new URL(location, origin + path) : null
  const where = target === null ? say`an address that is none` : target.origin + target.pathname
  const why =
    target?.origin === origin
      ? redirects >= MAX_REDIRECTS
        ? say`there is no end to it`
        : say`the request would change its method`
      : say`that is another origin, which must not see what is meant for this one`
  return told({
    code: 'redirected',
    message: say`${new URL(origin).host} redirects to ${where} (${status}), and the hub does not follow: ${why}`,
    cure: say`If that is the server you mean, write ${where} as its URL.`,
  })
}

function reasonOf(error: unknown): Reason {
  if (error instanceof UpstreamFailure) return error.reason
  return told({
    code: 'sign-in-unavailable',
    message: error instanceof Error ? error.message : String(error),
    cure: say`Try again.`,
  })
}

function textOf(value: string | string[] | undefined): string {
  return Array.isArray(value) ? value.join(', ') : (value ?? '')
}
