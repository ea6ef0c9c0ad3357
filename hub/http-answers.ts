import { randomBytes } from 'node:crypto'
import {
  ServerResponse as NodeResponse,
  type IncomingMessage,
  type OutgoingHttpHeader,
  type OutgoingHttpHeaders,
  type ServerResponse,
} from 'node:http'
import { errorCodes, type ErrorCode } from './contract/index.ts'

/** Answers of the hub where no framework is in between: before a request comes to the gateway or to Express. */

const HEADER = 'x-request-id'
const GIVEN = /^[\w.-]{8,64}$/
/** Of this process; a random id for each request would cost each call more. */
const PREFIX = randomBytes(8).toString('hex')
let count = 0

type Head = OutgoingHttpHeaders | OutgoingHttpHeader[]

/**
 * A response whose head carries the id of its request, whoever writes it. Set as a header beforehand it would make Node put
 * every head together from two places, which costs a call more than the rest of its head.
 */
export class HubResponse<Request extends IncomingMessage = IncomingMessage> extends NodeResponse<Request> {
  requestId: string | null = null

  override writeHead(status: number, reason?: string | Head, headers?: Head): this {
    const given = typeof reason === 'string' ? headers : reason
    const { requestId } = this
    const head =
      requestId === null
        ? given
        : Array.isArray(given)
          ? [...given, HEADER, requestId]
          : // Not by the name in HEADER: V8 has no short way for a key that is computed.
            { ...given, 'x-request-id': requestId }
    return typeof reason === 'string' ? super.writeHead(status, reason, head) : super.writeHead(status, head)
  }
}

/**
 * Gives a request its id, the caller's or the proxy's own if it has one. It is in the answer, in the log, the history and the
 * audit log.
 */
export function identifyRequest(request: IncomingMessage, response: ServerResponse): void {
  const given = request.headers[HEADER]
  const id = typeof given === 'string' && GIVEN.test(given) ? given : `${PREFIX}-${(++count).toString(36)}`
  if (response instanceof HubResponse) response.requestId = id
  else response.setHeader(HEADER, id)
}

export function requestIdOf(response: ServerResponse): string | null {
  if (response instanceof HubResponse) return response.requestId
  const id = response.getHeader(HEADER)
  return typeof id === 'string' ? id : null
}

/** Before a framework takes over, which makes the response one of its own kind. */
export function handOver(response: ServerResponse): void {
  const id = requestIdOf(response)
  if (id !== null) response.setHeader(HEADER, id)
}

export type Headers = Readonly<Record<string, string>>

export function sendJson(response: ServerResponse, status: number, body: string, headers: Headers = {}): void {
  response
    .writeHead(status, {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'content-length': Buffer.byteLength(body),
      ...headers,
    })
    .end(body)
}

/** A refusal of an MCP endpoint, which is a JSON-RPC error without an id: the request was not read. */
export function refuseMcp(
  response: ServerResponse,
  status: number,
  code: number,
  message: string,
  headers: Headers = {},
): void {
  sendJson(response, status, JSON.stringify({ jsonrpc: '2.0', id: null, error: { code, message } }), headers)
}

/** A refusal of anything else, as problem+json. */
export function refusePlain(response: ServerResponse, code: ErrorCode, message: string): void {
  const status = errorCodes[code]
  sendJson(
    response,
    status,
    JSON.stringify({
      type: `https://mcphub.dev/errors/${code}`,
      title: code,
      status,
      code,
      detail: message,
      requestId: requestIdOf(response) ?? undefined,
    }),
    { 'content-type': 'application/problem+json' },
  )
}
