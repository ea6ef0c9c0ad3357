import type { IncomingMessage, ServerResponse } from 'node:http'
import { rpc } from '../gateway/json-rpc.ts'
import { refuseMcp } from '../http-answers.ts'
import { anonymousCaller, may, type Caller } from './caller.ts'
import { rateRefusal, type Rate, type RateLimits } from './rate-limits.ts'
import { bearerOf } from './tokens.ts'

export interface McpDoorOptions {
  /** `auth.mcp` is `"none"`: whoever comes without a token gets in, too. */
  open: boolean
  rates: RateLimits
  addressOf: (request: IncomingMessage) => string
  /** At once: fixed tokens and keys. */
  quick: (token: string, address: string) => Caller | null
  identify: (request: IncomingMessage) => Promise<Caller | null>
  serve: (request: IncomingMessage, response: ServerResponse, path: string, caller: Caller) => void
}

/** The door of the MCP endpoints, the same for every transport and era: who it is, whether they may, how often. */
export function createMcpDoor(
  options: McpDoorOptions,
): (request: IncomingMessage, response: ServerResponse, path: string) => void {
  const { rates, addressOf, serve } = options

  function refuseCaller(response: ServerResponse, token: string | null): void {
    refuseMcp(
      response,
      401,
      rpc.invalidRequest,
      token === null ? 'A bearer token is required' : 'The bearer token is not valid',
      { 'www-authenticate': 'Bearer' },
    )
  }

  /** `caller` is null for who may not in: their tries are counted, too. */
  function count(
    request: IncomingMessage,
    response: ServerResponse,
    caller: Caller | null,
    address: string,
    then: () => void,
  ): void {
    const settle = (rate: Rate): void => {
      for (const name in rate.headers) response.setHeader(name, rate.headers[name] ?? '')
      if (rate.passed) {
        then()
        return
      }
      request.resume()
      const { message, cure } = rateRefusal('mcp', rate)
      refuseMcp(response, 429, rpc.limitExceeded, `${message}. ${cure}`)
    }
    const rate = rates.take('mcp', caller, address)
    if (rate === null) then()
    else if (rate instanceof Promise) void rate.then(settle)
    else settle(rate)
  }

  return (request, response, path) => {
    const token = bearerOf(request)
    const address = addressOf(request)
    const known = token === null ? null : options.quick(token, address)
    const admit = (caller: Caller): void =>
      count(request, response, caller, address, () => serve(request, response, path, caller))
    if (known !== null && may(known, 'mcp:connect')) admit(known)
    else if (options.open) admit(anonymousCaller)
    else {
      options.identify(request).then(
        (caller) => {
          if (caller !== null && may(caller, 'mcp:connect')) admit(caller)
          else count(request, response, null, address, () => refuseCaller(response, token))
        },
        // What is needed to tell who it is cannot be reached.
        (error: unknown) =>
          refuseMcp(response, 503, rpc.serverUnavailable, error instanceof Error ? error.message : String(error), {
            'retry-after': '1',
          }),
      )
    }
  }
}
