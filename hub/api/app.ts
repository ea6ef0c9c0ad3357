import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import express, {
  type ErrorRequestHandler,
  type Express,
  type NextFunction,
  type Request,
  type Response,
} from 'express'
import { NONCE_PLACEHOLDER, contentSecurityPolicy } from '../contract/csp.ts'
import type { Problem } from '../contract/index.ts'
import { isPagePath } from '../contract/page-path.ts'
import type { Caller } from '../auth/caller.ts'
import type { RateLimits } from '../auth/rate-limits.ts'
import { HubError } from '../hub-error.ts'
import { requestIdOf } from '../http-answers.ts'
import type { ReportFault } from '../observe/fault-reports.ts'
import type { Log } from '../observe/log.ts'
import type { Redactor } from '../observe/redactor.ts'
import { say, told, wordsFrom } from '../say.ts'
import { accountRoutes } from './accounts.ts'
import { adminConfigRoutes } from './admin-config.ts'
import { appRoutes } from './apps.ts'
import { authRoutes } from './auth.ts'
import { auditActs } from './audit-acts.ts'
import { backupRoutes } from './backups.ts'
import { configRoutes } from './config.ts'
import { callRoutes } from './calls.ts'
import { caseRoutes } from './cases.ts'
import { catalogRoutes } from './tools.ts'
import { diagnosticsRoutes } from './diagnostics.ts'
import { historyRoutes } from './history.ts'
import { hubRoutes } from './hub.ts'
import { keyRoutes } from './keys.ts'
import { pinRoutes } from './pins.ts'
import { profileRoutes } from './profiles.ts'
import { publishRoutes } from './publish.ts'
import { pushRoutes } from './push.ts'
import { createRoutes, knownCaller } from './routes.ts'
import { secretRoutes } from './secrets.ts'
import { doctorRoutes } from './doctor.ts'
import { serverRoutes } from './servers.ts'
import { unusedRoutes } from './unused.ts'
import { userRoutes } from './users.ts'
import { settingRoutes, type SettingRoutes } from './settings.ts'
import { webhookRoutes } from './webhooks.ts'

export interface AppOptions {
  auth: Parameters<typeof authRoutes>[1]
  servers: Parameters<typeof serverRoutes>[1]
  doctor: Parameters<typeof doctorRoutes>[1]
  accounts: Parameters<typeof accountRoutes>[1]
  catalog: Parameters<typeof catalogRoutes>[1] & Parameters<typeof callRoutes>[1]
  cases: Parameters<typeof caseRoutes>[1]
  config: Parameters<typeof configRoutes>[1]
  adminConfig: Parameters<typeof adminConfigRoutes>[1]
  backups: Parameters<typeof backupRoutes>[1]
  profiles: Parameters<typeof profileRoutes>[1]
  pins: Parameters<typeof pinRoutes>[1]
  hub: Parameters<typeof hubRoutes>[1]
  history: Parameters<typeof historyRoutes>[1]
  publisher: Parameters<typeof publishRoutes>[1]
  push: Parameters<typeof pushRoutes>[1]
  secrets: Parameters<typeof secretRoutes>[1]
  diagnostics: Parameters<typeof diagnosticsRoutes>[1]
  settings: SettingRoutes
  webhooks: Parameters<typeof webhookRoutes>[1]
  identify: (request: Request) => Promise<Caller | null>
  rates: RateLimits
  maxBodyBytes: () => number
  /** Folder of the built web UI; null where something else serves it. */
  webDir: string | null
  log: Log
  reportFault: ReportFault
  redactor: Redactor
}

/** REST below `/api`, and the web UI. Host and Origin were checked before a request comes here. */
export function createApp(options: AppOptions): Express {
  const app = express()
  app.disable('x-powered-by')
  app.set('trust proxy', options.auth.trust)
  app.set('query parser', 'simple')

  app.use('/api', logAnswers(options.log), auditActs(options.history.history.audit, options.redactor))
  app.use('/api', (request, response, next) => {
    redactAnswers(response, options.redactor)
    response.set({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      // No answer is a page, and none is shown in one's frame.
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    })
    const hasBody = Number(request.get('content-length') ?? 0) > 0 || request.get('transfer-encoding') !== undefined
    // A form can be posted from any page; JSON cannot.
    if (hasBody && !request.is('application/json'))
      throw new HubError('HUB_UNSUPPORTED_MEDIA_TYPE', say`The body must be application/json`)
    next()
  })
  const { on, refuseRest } = createRoutes(app, { ...options, trust: options.auth.trust })
  authRoutes(on, options.auth)
  userRoutes(on, options.auth.identity)
  keyRoutes(on, options.auth.identity.keys)
  unusedRoutes(on, { identity: options.auth.identity, history: options.history.history })
  hubRoutes(on, options.hub)
  serverRoutes(on, options.servers)
  doctorRoutes(on, options.doctor)
  accountRoutes(on, options.accounts)
  catalogRoutes(on, options.catalog)
  callRoutes(on, options.catalog)
  appRoutes(on)
  caseRoutes(on, options.cases)
  configRoutes(on, options.config)
  adminConfigRoutes(on, options.adminConfig)
  backupRoutes(on, options.backups)
  profileRoutes(on, options.profiles)
  pinRoutes(on, options.pins)
  historyRoutes(on, options.history)
  publishRoutes(on, options.publisher)
  pushRoutes(on, options.push)
  secretRoutes(on, options.secrets)
  diagnosticsRoutes(on, options.diagnostics)
  settingRoutes(on, options.settings)
  webhookRoutes(on, options.webhooks)
  refuseRest()
  if (options.webDir !== null) serveWeb(app, options.webDir)
  app.use((request) => {
    throw new HubError('HUB_NOT_FOUND', say`There is nothing at ${request.path}`)
  })
  app.use(problemHandler(options.log, options.reportFault))
  return app
}

/** The single page: hashed assets for good, everything else the index with a fresh nonce. */
function serveWeb(app: Express, webDir: string): void {
  app.use('/assets', express.static(join(webDir, 'assets'), { immutable: true, maxAge: '1y', index: false }))
  app.use(
    express.static(webDir, {
      index: false,
      redirect: false,
      setHeaders: (response) => response.setHeader('x-content-type-options', 'nosniff'),
    }),
  )
  app.get('/{*path}', async (request: Request, response: Response, next) => {
    if (!isPagePath(request.path)) {
      next()
      return
    }
    const html = await readFile(join(webDir, 'index.html'), 'utf8').catch(() => null)
    if (html === null)
      throw new HubError('HUB_NOT_FOUND', say`The web UI is not built`, { cure: say`Run npm run build.` })
    const nonce = randomBytes(16).toString('base64')
    response.set({
      'content-security-policy': contentSecurityPolicy(nonce),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
    })
    response.type('html').send(html.replaceAll(NONCE_PLACEHOLDER, nonce))
  })
}

/**
 * No answer carries a secret of the vault, whatever part of the hub it quotes. A route that gives back what its caller wrote
 * calls `verbatim` first.
 */
function redactAnswers(response: Response, redactor: Redactor): void {
  const { json } = response
  response.json = (body: unknown) =>
    json.call(response, response.locals['verbatim'] === true ? body : redactor.value(body))
}

/** A line for each request to the API, once it is answered. */
function logAnswers(log: Log) {
  return (request: Request, response: Response, next: NextFunction): void => {
    const startedAt = performance.now()
    // Express writes other paths into the request on its way.
    const { method } = request
    const path = request.baseUrl + request.path
    response.once('close', () =>
      log('debug', 'API request', {
        requestId: requestIdOf(response),
        principal: knownCaller(request)?.id ?? null,
        method,
        path,
        status: response.statusCode,
        durationMs: Math.round((performance.now() - startedAt) * 100) / 100,
      }),
    )
    next()
  }
}

/** Every failure as problem+json (RFC 9457) with a stable code. */
function problemHandler(log: Log, reportFault: ReportFault): ErrorRequestHandler {
  return (error: unknown, request, response, next) => {
    if (response.headersSent) {
      next(error)
      return
    }
    const known = error instanceof HubError ? error : fromExpress(error)
    if (known.code === 'HUB_INTERNAL') {
      void reportFault(error, requestIdOf(response))
      log('error', `${request.method} ${request.path} failed`, {
        requestId: requestIdOf(response),
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      })
    }
    sendProblem(response, known)
  }
}

export function sendProblem(response: Response, error: HubError): void {
  const problem: Problem = told({
    type: `https://mcphub.dev/errors/${error.code}`,
    title: error.code,
    status: error.status,
    code: error.code,
    detail: wordsFrom(error, 'message'),
    ...(error.cure === undefined ? {} : { cure: wordsFrom(error, 'cure') ?? error.cure }),
    ...(error.faults === undefined ? {} : { faults: error.faults }),
    requestId: requestIdOf(response) ?? undefined,
  })
  if (error.retryAfterMs !== undefined) response.set('retry-after', String(Math.ceil(error.retryAfterMs / 1_000)))
  response.status(error.status).type('application/problem+json').json(problem)
}

function fromExpress(error: unknown): HubError {
  const { type, status, message } = (typeof error === 'object' && error !== null ? error : {}) as {
    type?: string
    status?: number
    message?: string
  }
  if (type === 'entity.parse.failed')
    return new HubError('HUB_BAD_REQUEST', say`The body is not valid JSON: ${message ?? ''}`)
  if (type === 'entity.too.large')
    return new HubError('HUB_BODY_TOO_LARGE', say`The body is larger than the hub takes (limits.maxRequestBytes)`)
  if (status !== undefined && status >= 400 && status < 500)
    return new HubError('HUB_BAD_REQUEST', message ?? say`Bad request`)
  return new HubError('HUB_INTERNAL', say`The hub failed; its log has the details`, {
    cure: say`Try again; if it stays, report it with the log.`,
  })
}
