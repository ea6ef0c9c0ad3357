import type { IncomingMessage, ServerResponse } from 'node:http'
import { rpc } from '../gateway/json-rpc.ts'
import { refuseMcp } from '../http-answers.ts'
import { anonymousCaller, may, type Caller } from './caller.ts'
import type { ProtectedResources } from './protected-resource.ts'
import { rateRefusal, type Rate, type RateLimits } from './rate-limits.ts'
import { bearerOf } from './tokens.ts'

export interface McpDoorOptions {
  /** `auth.mcp` is `"none"`: whoever comes without a token gets in, too. */
  open: boolean
  rates: RateLimits
  addressOf: (request: IncomingMessage) => string
  resources: Pick<ProtectedResources, 'challenge'>
  /** At once: fixed tokens, keys, and what was checked a moment ago. */
  quick: (token: string, address: string, path: string) => Caller | null
  identify: (request: IncomingMessage, path: string) => Promise<Caller | null>
  /** With `overLimit` only answers are taken; it refuses everything else. */
  serve: (
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    caller: Caller,
    overLimit: (() => void) | null,
  ) => void
}

/** The door of the MCP endpoints, the same for every transport and era: who it is, whether they may, how often. */
export function createMcpDoor(
  options: McpDoorOptions,
): (request: IncomingMessage, response: ServerResponse, path: string) => void {
  const { rates, addressOf, resources, serve } = options

  function refuseCaller(response: ServerResponse, path: string, token: string | null, caller: Caller | null): void {
    const [status, why, message] =
      caller !== null
        ? ([403, 'insufficient_scope', `${caller.name} may not connect (mcp:connect)`] as const)
        : token === null
          ? ([401, null, 'A bearer token is required'] as const)
          : ([401, 'invalid_token', 'The bearer token is not valid'] as const)
    refuseMcp(response, status, rpc.invalidRequest, message, { 'www-authenticate': resources.challenge(path, why) })
  }

  /** `caller` is null for who may not in: their tries are counted, too. */
  function count(
    request: IncomingMessage,
    response: ServerResponse,
    caller: Caller | null,
    address: string,
    then: (overLimit: (() => void) | null) => void,
  ): void {
    const settle = (rate: Rate): void => {
      for (const name in rate.headers) response.setHeader(name, rate.headers[name] ?? '')
      if (rate.passed) {
        then(null)
        return
      }
      const refuse = (): void => {
        request.resume()
        const { message, cure } = rateRefusal('mcp', rate)
        refuseMcp(response, 429, rpc.limitExceeded, `${message.text}. ${cure.text}`)
      }
      if (caller !== null && request.method === 'POST') then(refuse)
      else refuse()
    }
    const rate = rates.take('mcp', caller, address)
    if (rate === null) then(null)
    else if (rate instanceof Promise) void rate.then(settle)
    else settle(rate)
  }

  return (request, response, path) => {
    const token = bearerOf(request)
    const address = addressOf(request)
    const known = token === null ? null : options.quick(token, address, path)
    const admit = (caller: Caller): void =>
      count(request, response, caller, address, (overLimit) => serve(request, response, path, caller, overLimit))
    if (known !== null && may(known, 'mcp:connect')) admit(known)
    else if (options.open) admit(anonymousCaller)
    else {
      options.identify(request, path).then(
        (caller) => {
          if (caller !== null && may(caller, 'mcp:connect')) admit(caller)
          else count(request, response, null, address, () => refuseCaller(response, path, token, caller))
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
