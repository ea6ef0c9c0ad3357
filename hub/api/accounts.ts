import { randomBytes } from 'node:crypto'
import type { Request } from 'express'
import { readCookie } from '../auth/cookies.ts'
import { bearerOf } from '../auth/tokens.ts'
import { signInSchema } from '../contract/index.ts'
import { HubError } from '../hub-error.ts'
import { say, wordsFrom } from '../say.ts'
import { UpstreamFailure } from '../upstream/channel.ts'
import { SIGN_IN_COOKIE } from '../upstream/oauth/callback.ts'
import { CALLBACK_PATH } from '../upstream/oauth/client.ts'
import { IssuerChanged, SignInFailure, messageOf } from '../upstream/oauth/failures.ts'
import type { AccountService } from '../upstream/oauth/service.ts'
import { bodyOf, nameParam, type On } from './routes.ts'

/** `/api/accounts`: the hub's accounts at remote servers. */
export function accountRoutes(on: On, options: { accounts: AccountService; baseUrl: () => string | null }): void {
  const { accounts } = options

  on('GET /api/accounts', async (_request, response) => {
    response.json((await accounts.open()).list())
  })

  on('POST /api/accounts/:name/sign-in', async (request, response) => {
    const { acceptIssuer } = bodyOf(request, signInSchema)
    const browser = isFromBrowser(request, options.baseUrl()) ? randomBytes(32).toString('base64url') : null
    const started = await (await accounts.open()).signIn(nameParam(request), { acceptIssuer, browser }).catch(refuse)
    if (browser !== null) {
      response.cookie(SIGN_IN_COOKIE, browser, {
        httpOnly: true,
        // The answer comes by a link from another site.
        sameSite: 'lax',
        secure: request.secure,
        path: CALLBACK_PATH,
        expires: new Date(started.expiresAt),
      })
    }
    // The address is opened as it is; a client's id in it may be known as a secret.
    response.locals['verbatim'] = true
    response.json(started)
  })

  on('POST /api/accounts/:name/sign-out', async (request, response) => {
    response.json(await (await accounts.open()).signOut(nameParam(request)))
  })
}

/** A page of this very hub: the browser that it runs in is the one that will bring the answer. */
function isFromBrowser(request: Request, baseUrl: string | null): boolean {
  const sameHost = baseUrl !== null && new URL(baseUrl).host === request.get('host')
  return bearerOf(request) === null && readCookie(request, 'session', request.secure) !== null && sameHost
}

function refuse(error: unknown): never {
  if (error instanceof IssuerChanged)
    throw new HubError('HUB_ISSUER_CHANGED', wordsFrom(error, 'message'), {
      cure: wordsFrom(error, 'cure'),
      faults: [issuerFault(error)],
    })
  if (error instanceof SignInFailure)
    throw new HubError('HUB_SIGN_IN_FAILED', wordsFrom(error, 'message'), {
      cure: wordsFrom(error, 'cure'),
    })
  if (error instanceof UpstreamFailure)
    throw new HubError('HUB_SIGN_IN_FAILED', wordsFrom(error.reason, 'message'), {
      cure: wordsFrom(error.reason, 'cure'),
    })
  throw new HubError('HUB_SIGN_IN_FAILED', say`The sign-in cannot begin: ${messageOf(error)}`, {
    cure: say`Check that the server can be reached, and hub.oauth, hub.proxy and hub.tls of it.`,
  })
}

/** Names the new authorization server where a program finds it. */
function issuerFault(error: IssuerChanged): {
  file: null
  path: string
  line: null
  column: null
  message: string
  cure: string
} {
  return { file: null, path: 'acceptIssuer', line: null, column: null, message: error.issuer, cure: error.cure }
}
