import type { ServerResponse } from 'node:http'
import { errorCodes, type ErrorCode } from './contract/index.ts'

/** Answers of the hub where no framework is in between: before a request comes to the gateway or to Express. */

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
    JSON.stringify({ type: `https://mcphub.dev/errors/${code}`, title: code, status, code, detail: message }),
    { 'content-type': 'application/problem+json' },
  )
}
