import type { Request, Response } from 'express'
import { RateLimiterMemory } from 'rate-limiter-flexible'
import { loginSchema, setupSchema, type Me, type Session } from '../contract/index.ts'
import type { Users } from '../auth/users.ts'
import type { Caller } from '../auth/caller.ts'
import { SESSION_COOKIE } from '../auth/tokens.ts'
import { HubError } from '../hub-error.ts'
import { bodyOf, type On } from './routes.ts'

/** Tries of one address in a minute, successful ones included. */
const LOGIN_TRIES = 10

/** `/api/auth`: the only routes that are open to all. `users` is null on the desktop, where the app is signed in already. */
export function authRoutes(
  on: On,
  options: {
    users: Users | null
    mode: 'desktop' | 'server'
    identify: (request: Request) => Promise<Caller | null>
  },
): void {
  const { users } = options
  const limiter = new RateLimiterMemory({ points: LOGIN_TRIES, duration: 60 })

  async function limit(request: Request): Promise<void> {
    await limiter.consume(request.ip ?? '').catch(() => {
      throw new HubError('HUB_RATE_LIMITED', 'Too many tries from this address', { cure: 'Wait a minute.' })
    })
  }

  async function signIn(request: Request, response: Response, username: string, password: string): Promise<void> {
    if (users === null) throw new HubError('HUB_NOT_FOUND', 'The desktop app has no login')
    const { name, role, token, expiresIn } = await users.login(username, password)
    response.cookie(SESSION_COOKIE, token, {
      httpOnly: true,
      sameSite: 'strict',
      secure: request.secure,
      path: '/',
      maxAge: expiresIn * 1_000,
    })
    const session: Session = { user: { name, role }, expiresIn, accessToken: token }
    response.json(session)
  }

  on('GET /api/auth/me', async (request, response) => {
    const caller = await options.identify(request)
    const me: Me = {
      user: caller === null ? null : { name: caller.name, role: caller.role },
      setupNeeded: users?.empty === true && users.setupCode !== null,
      mode: options.mode,
    }
    response.json(me)
  })

  on('POST /api/auth/login', async (request, response) => {
    await limit(request)
    const { username, password } = bodyOf(request, loginSchema)
    await signIn(request, response, username, password)
  })

  on('POST /api/auth/setup', async (request, response) => {
    await limit(request)
    const { code, username, password } = bodyOf(request, setupSchema)
    await users?.setup(code, username, password)
    await signIn(request, response, username, password)
  })

  on('POST /api/auth/logout', (_request, response) => {
    response.clearCookie(SESSION_COOKIE, { httpOnly: true, sameSite: 'strict', path: '/' })
    response.status(204).end()
  })
}
