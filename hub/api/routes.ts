import express, { type Express, type NextFunction, type Request, type Response } from 'express'
import type { z } from 'zod'
import { may, type Caller } from '../auth/caller.ts'
import { clientAddress, type Trust } from '../auth/client-address.ts'
import { rateRefusal, type RateLimits } from '../auth/rate-limits.ts'
import type { Change } from '../config/store.ts'
import type { Operation } from '../contract/operations/operation.ts'
import { operations, type AnsweredBy, type RouteKey } from '../contract/operations/table.ts'
import { HubError } from '../hub-error.ts'
import { saidOfIssue, say, told, wordsFrom } from '../say.ts'
import { rateClassOf, routeNeeds, routesFor, scopedRoutes, type Need } from './permissions.ts'

/** What a handler answers is what its operation says. */
export type Handler<R extends RouteKey> = (request: Request, response: Response<AnsweredBy<R>>) => void | Promise<void>
/** Registers the handler of a route of the table, behind what the table asks for. */
export type On = <R extends RouteKey>(route: R, handler: Handler<R>) => void

export interface Routes {
  on: On
  /** Everything else below `/api`; to be called last. */
  refuseRest: () => void
}

const callers = new WeakMap<Request, Caller>()
interface Checked {
  schema: z.ZodType
  value: unknown
}

const bodies = new WeakMap<Request, Checked>()
const queries = new WeakMap<Request, Checked>()

/** In this order for every route: who asks, how often, whether they may, the body, the handler. */
export function createRoutes(
  app: Express,
  options: {
    identify: (request: Request) => Promise<Caller | null>
    rates: RateLimits
    trust: Trust
    maxBodyBytes: () => number
  },
): Routes {
  let parser = { limit: 0, json: express.json() }
  const json: ReturnType<typeof express.json> = (request, response, next) => {
    const limit = options.maxBodyBytes()
    if (parser.limit !== limit) parser = { limit, json: express.json({ limit }) }
    parser.json(request, response, next)
  }

  async function count(
    caller: Caller | null,
    request: Request,
    response: Response,
    route: RouteKey | null,
  ): Promise<void> {
    const rateClass = rateClassOf(route, request.method)
    const rate = await options.rates.take(rateClass, caller, clientAddress(request, options.trust))
    if (rate === null) return
    response.set(rate.headers)
    if (rate.passed) return
    const refusal = rateRefusal(rateClass, rate)
    throw new HubError('HUB_RATE_LIMITED', refusal.message, {
      cure: refusal.cure,
      retryAfterMs: rate.retryAfterMs,
    })
  }

  async function admit(need: Need, request: Request, response: Response, route: RouteKey | null): Promise<void> {
    const caller = need === 'open' ? null : await options.identify(request)
    await count(caller, request, response, route)
    if (need === 'open') return
    if (caller === null) {
      response.set('www-authenticate', 'Bearer')
      throw new HubError('HUB_UNAUTHENTICATED', say`This needs a sign-in or a bearer token`, {
        cure: say`Sign in, or send Authorization: Bearer <token>.`,
      })
    }
    callers.set(request, caller)
    if (caller.purpose !== undefined && !routesFor[caller.purpose].has(route))
      throw new HubError('HUB_FORBIDDEN', say`${caller.name} is a key for another purpose (${caller.purpose})`, {
        cure: say`Use a user or an API key.`,
      })
    if (need === 'signed-in') return
    if (caller.mustChangePassword)
      throw new HubError('HUB_PASSWORD_CHANGE_NEEDED', say`The password must be changed first`, {
        cure: say`POST /api/auth/password, or the page that opens after signing in.`,
      })
    if (!may(caller, need)) {
      throw new HubError('HUB_FORBIDDEN', say`${caller.name} (${caller.role}) lacks the permission ${need}`, {
        cure: say`Ask an administrator to do it, or for a role or key that may.`,
      })
    }
    if (caller.scopes.length > 0 && route !== null && !scopedRoutes.has(route))
      throw new HubError('HUB_FORBIDDEN', say`${caller.name} is narrowed to some servers, and this concerns all`, {
        cure: say`Use a user or a key without a scope.`,
      })
  }

  return {
    on: <R extends RouteKey>(route: R, handler: Handler<R>) => {
      const [method = '', path = ''] = route.split(' ')
      const { body, query }: Operation = operations[route]
      app[method.toLowerCase() as 'get'](
        path,
        async (request: Request, response: Response, next: NextFunction) => {
          await admit(routeNeeds[route], request, response, route)
          next()
        },
        // Not parsed for somebody who may not send it.
        ...(body === undefined ? [] : [json]),
        async (request: Request, response: Response<AnsweredBy<R>>) => {
          if (query !== undefined)
            queries.set(request, { schema: query, value: checked(request.query, query, 'query') })
          if (body !== undefined)
            bodies.set(request, { schema: body, value: checked(request.body ?? {}, body, 'body') })
          await handler(request, response)
        },
      )
    },
    refuseRest: () => {
      app.use('/api', async (request, response) => {
        // Who is not signed in does not learn which routes there are.
        await admit('signed-in', request, response, null)
        const path = request.baseUrl + request.path
        const allowed = methodsOf(path)
        if (allowed.length === 0) throw new HubError('HUB_NOT_FOUND', say`There is no ${request.method} ${path}`)
        response.set('allow', allowed.join(', '))
        throw new HubError('HUB_METHOD_NOT_ALLOWED', say`${path} takes ${allowed.join(', ')}`)
      })
    },
  }
}

function methodsOf(path: string): string[] {
  return Object.keys(routeNeeds)
    .map((route) => route.split(' '))
    .filter(([, pattern = '']) => new RegExp(`^${pattern.replace(/:\w+/g, '[^/]+')}$`).test(path))
    .map(([method = '']) => method)
}

/** The caller of a route that is not open. */
export function callerOf(request: Request): Caller {
  const caller = callers.get(request)
  if (caller === undefined) throw new Error(`${request.path} is open: it has no caller`)
  return caller
}

/** The caller of any route; null when nobody was asked for. */
export function knownCaller(request: Request): Caller | null {
  return callers.get(request) ?? null
}

/** The body, as the operation's schema has it. */
export function bodyOf<S extends z.ZodType>(request: Request, schema: S): z.infer<S> {
  return valueOf(bodies.get(request), schema, `another body for ${request.path}`)
}

/** What stands behind the `?`, as the operation's schema has it. */
export function queryOf<S extends z.ZodType>(request: Request, schema: S): z.infer<S> {
  return valueOf(queries.get(request), schema, `another query for ${request.path}`)
}

function valueOf<S extends z.ZodType>(found: Checked | undefined, schema: S, otherwise: string): z.infer<S> {
  if (found?.schema !== schema) throw new Error(`contract/operations has ${otherwise}`)
  return found.value as z.infer<S>
}

/** What is wrong is told field by field. */
function checked(value: unknown, schema: z.ZodType, what: string): unknown {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const faults = result.error.issues.map((issue) =>
    told({
      file: null,
      path: issue.path.join('.'),
      line: null,
      column: null,
      message: issue.code === 'unrecognized_keys' ? say`Unknown key ${issue.keys.join(', ')}` : saidOfIssue(issue),
      cure: say`Correct the value.`,
    }),
  )
  const [first] = faults
  throw new HubError(
    'HUB_BAD_REQUEST',
    first === undefined
      ? say`The ${what} is not valid`
      : say`${first.path === '' ? what : first.path}: ${wordsFrom(first, 'message')}`,
    { faults },
  )
}

/** The answer holds a configuration that the caller edits: it must come back as it was written. */
export function verbatim<T>(response: Response<T>): Response<T> {
  response.locals['verbatim'] = true
  return response
}

export function nameParam(request: Request): string {
  return String(request.params['name'] ?? '')
}

/** Who makes a change, and of what they believe it to be one. */
export function changeBy(request: Request, rename?: string): Change {
  return { by: callerOf(request).name, ifMatch: request.get('if-match'), rename }
}
