import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Caller } from './auth/caller.ts'
import { clientAddress, isSecure, type Trust } from './auth/client-address.ts'
import { readCookie } from './auth/cookies.ts'
import type { ExternalIssuer } from './auth/external-issuer.ts'
import { createCors, type Cors } from './auth/cors.ts'
import { createGuard, type GuardOptions } from './auth/guard.ts'
import type { Identity } from './auth/identity.ts'
import { createMcpDoor } from './auth/mcp-door.ts'
import type { ProtectedResources } from './auth/protected-resource.ts'
import { createOpenAnswers } from './auth/open-answers.ts'
import type { RateLimits } from './auth/rate-limits.ts'
import { bearerOf } from './auth/tokens.ts'
import { errorCodes } from './contract/index.ts'
import type { Gateway } from './gateway/gateway.ts'
import { rpc } from './gateway/json-rpc.ts'
import { handOver, identifyRequest, refuseMcp, refusePlain, sendJson } from './http-answers.ts'
import type { Words } from './say.ts'
import type { AccountService } from './upstream/oauth/service.ts'

/** What a listener serves: everything, or only the MCP endpoints. */
export type Surface = 'all' | 'mcp'

export interface FrontDoorOptions {
  /** As they are in force; whether pages of `allowedOrigins` may send cookies. */
  guard: () => GuardOptions & { credentials: boolean }
  trust: Trust
  identity: Identity
  /** Whose tokens are taken besides the hub's own. */
  issuer: ExternalIssuer | null
  resources: ProtectedResources
  mcpAuth: 'token' | 'none'
  rates: RateLimits
  gateway: Gateway
  accounts: AccountService
  /** The API and the page. Rejects when they cannot be loaded. */
  app: () => Promise<RequestListener>
  /** Why the hub should get no work; null when it should. */
  unready: () => Words | null
  onAppFailure: (error: unknown) => void
}

export interface FrontDoor {
  listener: (surface: Surface) => RequestListener
  /** Who makes a request; null for nobody whom the hub knows. */
  identify: (request: IncomingMessage) => Promise<Caller | null>
  /** Whether MCP requests are taken. */
  open: boolean
  /** Why the hub should get no work, as `/health/ready` says it; null when it should. */
  unready: () => Words | null
  /** Requests whose answer is not over. */
  readonly running: number
  /** An answer that may last: it is ended when its caller's credential is. */
  hold: (response: ServerResponse, caller: Caller) => void
  /** What `guard` answers is another. */
  guardChanged: () => void
  dispose: () => void
}

const corsOf = ({ allowedOrigins: origins, credentials }: ReturnType<FrontDoorOptions['guard']>): Cors =>
  createCors({ origins, credentials })

/** Where every HTTP request comes in: it is guarded, its caller found, and it goes to the gateway, the accounts or the API. */
export function createFrontDoor(options: FrontDoorOptions): FrontDoor {
  const { identity, trust, gateway, issuer, resources } = options
  let guard = createGuard(options.guard())
  let cors = corsOf(options.guard())
  const answers = createOpenAnswers({
    isCurrent: identity.isCurrent,
    onRevoked: (principals) => principals.forEach(gateway.revoke),
  })
  let toApi = 0
  identity.onRevocation = () => void answers.look()

  /** `path` says what a token of the issuer must be meant for. */
  async function identify(request: IncomingMessage, path = '/api'): Promise<Caller | null> {
    const token = bearerOf(request) ?? readCookie(request, 'session', isSecure(request, trust))
    if (token === null) return null
    const found = await identity.identify(token, clientAddress(request, trust))
    return found ?? issuer?.verify(token, resources.audiences(path)) ?? null
  }

  function serve(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    caller: Caller,
    overLimit: (() => void) | null,
  ): void {
    // Nobody is there to hear the answer.
    if (response.destroyed) return
    answers.add(response, caller)
    if (gateway.handle(request, response, path, caller, overLimit)) return
    refuseMcp(response, 404, rpc.invalidRequest, 'MCP endpoints are /mcp, and /mcp/<name> for a server or profile')
  }

  const admit = createMcpDoor({
    open: options.mcpAuth === 'none',
    rates: options.rates,
    addressOf: (request) => clientAddress(request, trust),
    resources,
    quick: (token, address, path) =>
      identity.quick(token, address) ?? issuer?.quick(token, resources.audiences(path)) ?? null,
    identify,
    serve,
  })

  function onMcp(request: IncomingMessage, response: ServerResponse, path: string): void {
    if (door.open) admit(request, response, path)
    else refuseMcp(response, 503, rpc.shuttingDown, 'The hub is shutting down', { 'retry-after': '1' })
  }

  function serveApp(request: IncomingMessage, response: ServerResponse): void {
    toApi++
    response.once('close', () => toApi--)
    options.app().then(
      (serve) => {
        handOver(response)
        serve(request, response)
      },
      (error: unknown) => {
        options.onAppFailure(error)
        refusePlain(response, 'HUB_INTERNAL', 'The API could not be loaded; the log of the hub says why')
      },
    )
  }

  function health(path: string, response: ServerResponse): boolean {
    if (path === '/health' || path === '/health/live') sendJson(response, 200, '{"status":"ok"}')
    else if (path === '/health/ready') sendReadiness(response)
    else return false
    return true
  }

  function sendReadiness(response: ServerResponse): void {
    const reason = options.unready()
    if (reason === null) sendJson(response, 200, '{"status":"ready"}')
    else sendJson(response, 503, JSON.stringify({ status: 'not ready', reason: String(reason) }))
  }

  const door: FrontDoor = {
    listener: (surface) => (request, response) => {
      const url = request.url ?? '/'
      const query = url.indexOf('?')
      const path = query === -1 ? url : url.slice(0, query)
      if (path.startsWith('/health') && health(path, response)) return
      identifyRequest(request, response)
      const refusal = guard(request)
      const isMcp =
        path === '/mcp' ||
        path.startsWith('/mcp/') ||
        path === '/sse' ||
        path.startsWith('/sse/') ||
        path === '/messages'
      // Any page may read what the metadata say, from wherever it is.
      if (refusal?.code !== 'HUB_HOST_REFUSED' && resources.serve(request, response, path)) return
      if (refusal !== null) {
        if (isMcp) refuseMcp(response, errorCodes[refusal.code], rpc.invalidRequest, refusal.message)
        else refusePlain(response, refusal.code, refusal.message)
      } else if (cors(request, response, isMcp)) return
      else if (isMcp) onMcp(request, response, path)
      // On both listeners: in the app, browsers know only the one of the MCP endpoint.
      else if (options.accounts.serve(request, response, path)) return
      // RFC 9112, section 3.2: what stands behind a # is the client's own.
      else if (url.includes('#')) refusePlain(response, 'HUB_BAD_REQUEST', 'The address of a request has no #')
      else if (surface === 'mcp') refusePlain(response, 'HUB_NOT_FOUND', 'This address serves MCP endpoints only')
      else serveApp(request, response)
    },
    identify,
    unready: options.unready,
    open: false,
    get running() {
      return answers.size + toApi
    },
    hold: answers.add,
    guardChanged: () => {
      guard = createGuard(options.guard())
      cors = corsOf(options.guard())
    },
    dispose: answers.dispose,
  }
  return door
}
