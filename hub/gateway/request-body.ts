import type { IncomingMessage, ServerResponse } from 'node:http'
import { memoize } from '../memo.ts'
import { rpc, type JsonRpcId } from './json-rpc.ts'

/** How long a client may go on sending what was refused. */
const LINGER_MS = 2_000

const isJson = memoize((contentType) => /^application\/json\s*(?:;|$)/i.test(contentType))

/** A JSON-RPC error with a status; without an id for what could not be read as a message. */
export function refuse(
  response: ServerResponse,
  status: number,
  code: number,
  message: string,
  id: JsonRpcId | null = null,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (response.headersSent || response.destroyed) return
  const body = JSON.stringify({ jsonrpc: '2.0', id, error: { code, message } })
  response
    .writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...headers })
    .end(body)
}

/** Reads the body of a POST. What is no JSON, or larger than `maxBytes`, is refused, and `then` is not called. */
export function readBody(
  request: IncomingMessage,
  response: ServerResponse,
  maxBytes: number,
  then: (body: Buffer) => void,
): void {
  if (!isJson(request.headers['content-type'] ?? '')) {
    refuse(response, 415, rpc.invalidRequest, 'Content-Type must be application/json')
    request.resume()
    return
  }
  const encoding = request.headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity') {
    response.setHeader('accept-encoding', 'identity')
    refuse(response, 415, rpc.invalidRequest, `Content-Encoding ${encoding} is not supported: send the body as it is`)
    request.resume()
    return
  }
  const chunks: Buffer[] = []
  let size = 0
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) {
    refuseLarge(request, response, maxBytes)
    return
  }
  request.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size > maxBytes) refuseLarge(request, response, maxBytes)
    else chunks.push(chunk)
  })
  request.on('end', () => {
    if (size <= maxBytes) then(chunks.length === 1 ? (chunks[0] ?? Buffer.alloc(0)) : Buffer.concat(chunks, size))
  })
}

function refuseLarge(request: IncomingMessage, response: ServerResponse, maxBytes: number): void {
  if (response.headersSent || response.destroyed) return
  const message = `The body is larger than ${maxBytes} bytes (limits.maxRequestBytes)`
  const body = JSON.stringify({ jsonrpc: '2.0', id: null, error: { code: rpc.invalidRequest, message } })
  const head = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), connection: 'close' }
  response.writeHead(413, head).write(body)
  // A connection that is closed while the client sends takes the answer back from it: the rest is read for a while.
  const timer = setTimeout(() => response.end(), LINGER_MS).unref()
  const hangUp = (): void => {
    clearTimeout(timer)
    response.end()
  }
  request.removeAllListeners('data').once('end', hangUp).resume()
}
