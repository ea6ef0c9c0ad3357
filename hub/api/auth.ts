import type { Request, Response } from 'express'
import {
  changePasswordSchema,
  loginSchema,
  refreshSchema,
  setupSchema,
  type Me,
  type Session,
} from '../contract/index.ts'
import type { Caller } from '../auth/caller.ts'
import { clientAddress, isSecure, type Trust } from '../auth/client-address.ts'
import { cookieHeader, readCookie } from '../auth/cookies.ts'
import type { People, Identity } from '../auth/identity.ts'
import type { Origin, SignedIn } from '../auth/sign-in.ts'
import { HubError } from '../hub-error.ts'
import { say } from '../say.ts'
import { bodyOf, callerOf, type On } from './routes.ts'

const DEVICE_SECONDS = 400 * 86_400

/** `/api/auth`: the doors. On the desktop there are none: the app is signed in already. */
export function authRoutes(
  on: On,
  options: {
    identity: Identity
    mode: 'desktop' | 'server'
    trust: Trust
    identify: (request: Request) => Promise<Caller | null>
  },
): void {
  const { identity, trust } = options

  function people(): Promise<People> {
    const found = identity.people()
    if (found === null) throw new HubError('HUB_NOT_FOUND', say`The desktop app has no sign-in`)
    return found
  }

  function originOf(request: Request): Origin {
    return {
      address: clientAddress(request, trust),
      userAgent: request.get('user-agent') ?? '',
      device: readCookie(request, 'device', isSecure(request, trust)),
    }
  }

  /** A browser says where its page is from; its tokens stay out of reach of the page's scripts. */
  const isBrowser = (request: Request): boolean =>
    request.get('origin') !== undefined || request.get('sec-fetch-site') !== undefined

  function answer(request: Request, response: Response, signedIn: SignedIn, device?: string): void {
    const secure = isSecure(request, trust)
    const { user, mustChangePassword, expiresIn, accessToken, refreshToken } = signedIn
    response.append('set-cookie', cookieHeader('session', accessToken, expiresIn, secure))
    response.append('set-cookie', cookieHeader('refresh', refreshToken, signedIn.refreshExpiresIn, secure))
    if (device !== undefined) response.append('set-cookie', cookieHeader('device', device, DEVICE_SECONDS, secure))
    const session: Session = {
      user: { name: user.name, role: user.role },
      expiresIn,
      mustChangePassword,
      ...(isBrowser(request) ? {} : { accessToken, refreshToken }),
    }
    response.json(session)
  }

  on('GET /api/auth/me', async (request, response) => {
    const caller = await options.identify(request)
    const me: Me = {
      user: caller === null ? null : { name: caller.name, role: caller.role },
      permissions: caller === null ? [] : [...caller.permissions],
      mustChangePassword: caller?.mustChangePassword ?? false,
      renewable: caller === null && readCookie(request, 'refresh', isSecure(request, trust)) !== null,
      setupNeeded: identity.setupNeeded,
      mode: options.mode,
    }
    response.json(me)
  })

  on('POST /api/auth/login', async (request, response) => {
    const { username, password } = bodyOf(request, loginSchema)
    const { signIn } = await people()
    const { device, ...signedIn } = await signIn.login(username, password, originOf(request))
    answer(request, response, signedIn, device)
  })

  on('POST /api/auth/setup', async (request, response) => {
    const { code, username, password } = bodyOf(request, setupSchema)
    const { users, signIn } = await people()
    await users.setup(code, username, password)
    const { device, ...signedIn } = await signIn.login(username, password, originOf(request))
    answer(request, response, signedIn, device)
  })

  on('POST /api/auth/refresh', async (request, response) => {
    const { signIn } = await people()
    const token =
      bodyOf(request, refreshSchema).refreshToken ?? readCookie(request, 'refresh', isSecure(request, trust))
    if (token === null)
      throw new HubError('HUB_UNAUTHENTICATED', say`There is no session to go on with`, { cure: say`Sign in.` })
    answer(request, response, await signIn.refresh(token, originOf(request)))
  })

  on('POST /api/auth/logout', async (request, response) => {
    const secure = isSecure(request, trust)
    const { refreshToken } = bodyOf(request, refreshSchema)
    for (const cookie of ['session', 'refresh'] as const)
      response.append('set-cookie', cookieHeader(cookie, '', 0, secure))
    // The cookies go in any case; that the session itself could not be ended must be told.
    const { signIn } = await people()
    await signIn.logout(await options.identify(request), refreshToken ?? readCookie(request, 'refresh', secure))
    response.status(204).end()
  })

  on('POST /api/auth/password', async (request, response) => {
    const { current, next } = bodyOf(request, changePasswordSchema)
    const { signIn } = await people()
    answer(request, response, await signIn.changePassword(callerOf(request), current, next, originOf(request)))
  })
}
