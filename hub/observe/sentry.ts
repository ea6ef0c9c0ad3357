import { homedir } from 'node:os'
import { basename } from 'node:path'
import { Scope, createStackParser, createTransport, type ErrorEvent } from '@sentry/core'
import { ServerRuntimeClient, nodeStackLineParser } from '@sentry/core/server'
import { EnvHttpProxyAgent, request } from 'undici'
import { splitSecrets } from '../config/secret-patterns.ts'
import type { FaultReportOptions, ReportFault } from './fault-reports.ts'
import { createRedactor, type Redactor } from './redactor.ts'

const FLUSH_MS = 2_000
const MAX_TEXT = 2_000
/** Shorter values of the environment are ordinary words. */
const MIN_VALUE = 8

/**
 * The SDK's core without anything that collects by itself: what leaves is what `scrubbed` lets through. `@sentry/node` would bring
 * tracing, tools for bundlers and with them a program that is not free software. Goes through the proxy of the environment.
 */
export function openSentry(
  dsn: string,
  { release, part, redactor, env }: Omit<FaultReportOptions, 'dsn'>,
): ReportFault {
  const dispatcher = new EnvHttpProxyAgent()
  const client = new ServerRuntimeClient({
    dsn,
    platform: 'node',
    release: `mcp-hub@${release}`,
    environment: env['NODE_ENV'] ?? 'development',
    // Its name is the machine's.
    serverName: '',
    transport: (options) =>
      createTransport(options, async ({ body }) => {
        const answer = await request(options.url, { method: 'POST', body, headers: options.headers ?? {}, dispatcher })
        await answer.body.dump()
        const told = (name: string): string | null => [answer.headers[name]].flat()[0] ?? null
        return {
          statusCode: answer.statusCode,
          headers: { 'retry-after': told('retry-after'), 'x-sentry-rate-limits': told('x-sentry-rate-limits') },
        }
      }),
    stackParser: createStackParser(nodeStackLineParser()),
    integrations: [],
    sendClientReports: false,
    tracesSampleRate: 0,
    beforeSend: (event) => scrubbed(event, redactor, env),
  })
  client.init()
  const scope = new Scope()
  scope.setClient(client)
  return async (error, requestId) => {
    const own = scope.clone()
    own.setTag('part', part)
    if (typeof requestId === 'string') own.setTag('request_id', requestId)
    own.captureException(error instanceof Error ? error : new Error(String(error)))
    await client.flush(FLUSH_MS)
  }
}

/**
 * Nothing of an event but what its fault was and where in our code: no request, header, body, breadcrumb, variable, module or
 * name of the machine, and in what is left no secret, no value of the environment and no path of a home.
 */
export function scrubbed(event: ErrorEvent, redactor: Redactor, env: NodeJS.ProcessEnv): ErrorEvent {
  const { event_id, timestamp, platform, level, release, environment, tags, exception } = event
  const values = Object.values(env).filter((value): value is string => value !== undefined && value.length >= MIN_VALUE)
  const ofEnvironment = createRedactor(values)
  const clean = (text: string): string =>
    ofEnvironment.text(withoutLookalikes(redactor.text(text)).replaceAll(homedir(), '~')).slice(0, MAX_TEXT)
  return {
    type: undefined,
    ...(event_id === undefined ? {} : { event_id }),
    ...(timestamp === undefined ? {} : { timestamp }),
    ...(platform === undefined ? {} : { platform }),
    level: level ?? 'error',
    ...(release === undefined ? {} : { release }),
    ...(environment === undefined ? {} : { environment }),
    ...(tags === undefined ? {} : { tags }),
    contexts: { runtime: { name: 'node', version: process.version }, os: { name: process.platform } },
    exception: {
      values: (exception?.values ?? []).map(({ type, value, stacktrace }) => ({
        ...(type === undefined ? {} : { type: clean(type) }),
        value: clean(value ?? ''),
        stacktrace: {
          frames: (stacktrace?.frames ?? []).map((frame) => ({
            filename: placeOf(frame.filename ?? ''),
            ...(frame.function === undefined ? {} : { function: clean(frame.function) }),
            ...(frame.lineno === undefined ? {} : { lineno: frame.lineno }),
            ...(frame.colno === undefined ? {} : { colno: frame.colno }),
            in_app: frame.in_app ?? false,
          })),
        },
      })),
    },
  }
}

/** Which of our files it is, without where it was installed. */
function placeOf(filename: string): string {
  const path = filename.replaceAll('\\', '/')
  return (
    /(?:dist|hub|main|node_modules|node:)\/?.*$/.exec(path.replace(/^.*\/(?=(?:dist|node_modules)\/)/, ''))?.[0] ??
    basename(path)
  )
}

/** What looks like a secret is taken for one, though nobody told that it is. */
function withoutLookalikes(text: string): string {
  return text
    .split(/(\s+)/)
    .map((word) =>
      splitSecrets('', word)
        .map((part) => (part.secret ? '[redacted]' : part.text))
        .join(''),
    )
    .join('')
}
