import type { NextFunction, Request, Response } from 'express'
import { splitSecrets } from '../config/secret-patterns.ts'
import type { AuditAct } from '../history/audit-chain.ts'
import { requestIdOf } from '../http-answers.ts'
import type { Redactor } from '../observe/redactor.ts'
import { changeArguments } from '../secrets/lift.ts'
import type { RouteKey } from '../contract/operations/table.ts'
import { knownCaller } from './routes.ts'

/** Routes that change nothing, though they are no GET. Calls are in the history. */
const noActs: ReadonlySet<string> = new Set<RouteKey>([
  'POST /api/tools/call',
  'POST /api/prompts/get',
  'POST /api/resources/read',
  'POST /api/completions',
  'POST /api/servers/parse',
  'POST /api/servers/secrets',
  'POST /api/profiles/preview',
  'POST /api/publish/preview',
  'POST /api/publish/targets/:name/plan',
  'POST /api/publish/targets/:name/verify',
])
const OF_IDENTITY = /^\/api\/(?:auth|users|keys|sessions|admin\/deploy-keys|config\/users)\b/
const MAX_DETAILS = 4_000
/** Of an act whose client went away before it had the answer, as nginx has it: it may have been done. */
const CLIENT_GONE = 499
const REDACTED = '[redacted]'
/** Of a saved case its name is told, and not what it holds. */
const SECRET_KEY = /^(?:arguments|expected)$|pass|secret|token|code|credential|authorization|cookie|key|value/i
/** Their names say what was changed; their values may be secrets that look like nothing. */
const SECRET_MAPS = new Set(['env', 'headers'])

/** Tells of each administrative act once it is answered, or nobody waits any more, whether it was done, refused or failed. */
export function auditActs(audit: (act: AuditAct) => void, redactor: Redactor) {
  return (request: Request, response: Response, next: NextFunction): void => {
    if (request.method === 'GET' || request.method === 'HEAD' || request.method === 'OPTIONS') {
      next()
      return
    }
    // Not `finish`, which never comes where the client went away.
    response.once('close', () => {
      const act = actOf(request, response, redactor)
      if (act !== null) audit(act)
    })
    next()
  }
}

function actOf(request: Request, response: Response, redactor: Redactor): AuditAct | null {
  const route = request.route as { path?: unknown } | undefined
  if (typeof route?.path !== 'string') return null
  const action = `${request.method} ${route.path}`
  if (noActs.has(action)) return null
  // A dry run changes nothing.
  if (request.query['dryRun'] === '1') return null
  const status = response.writableFinished ? response.statusCode : CLIENT_GONE
  const caller = knownCaller(request)
  // Strangers are not worth an entry each, or they could flood the log.
  if (caller === null || status === 429) return null
  // Users, keys and sign-ins tell of what they do themselves; who was not let in, they never hear of.
  if (OF_IDENTITY.test(route.path) && status !== 403) return null
  const body: unknown = request.body
  return {
    at: Date.now(),
    actor: caller.id,
    actorName: caller.name,
    role: caller.role,
    address: request.ip ?? null,
    action,
    target: redactor.head(targetOf(request, route.path, body), 300) || null,
    outcome: status < 400 ? 'done' : status === 401 || status === 403 ? 'refused' : 'failed',
    status,
    details: body === undefined ? null : redactor.head(details(body), MAX_DETAILS),
    requestId: requestIdOf(response),
  }
}

/** What it was done to: named by the path, or else by the body. Express has forgotten the parameters when a request failed. */
function targetOf(request: Request, pattern: string, body: unknown): string {
  const parts = `${request.baseUrl}${request.path}`.split('/')
  const named = pattern.split('/').flatMap((part, index) => (part.startsWith(':') ? (parts[index] ?? '') : []))
  if (named.length > 0) return named.map(decoded).join('/')
  const fields = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {}
  const found = [fields['name'], fields['username'], fields['server']].find((value) => typeof value === 'string')
  return typeof found === 'string' ? found : ''
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

/** The body as JSON, without anything that is or might be a secret. */
export function details(body: unknown): string {
  return JSON.stringify(body, (key, value: unknown) => {
    if (SECRET_MAPS.has(key) && typeof value === 'object' && value !== null)
      return Object.fromEntries(Object.keys(value).map((name) => [name, REDACTED]))
    // What an argument is, the one before it tells.
    if (key === 'args' && Array.isArray(value))
      return value.every((argument) => typeof argument === 'string')
        ? changeArguments(value, (option, _path, text) => withoutSecrets(option, text))
        : REDACTED
    return typeof value === 'string' ? withoutSecrets(key, value) : value
  })
}

function withoutSecrets(key: string, value: string): string {
  if (SECRET_KEY.test(key)) return REDACTED
  return splitSecrets(key, value)
    .map(({ text, secret }) => (secret ? REDACTED : text))
    .join('')
}
