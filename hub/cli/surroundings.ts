import { createServer } from 'node:http'
import path from 'node:path'
import { openIdentityFile } from '../auth/identity-file.ts'
import { openFiles, type DocumentName } from '../config/documents.ts'
import { takeEnvironment } from '../config/environment.ts'
import { givenFolder, givenText, readSettings, systemOverrides, type Given } from '../config/read-settings.ts'
import { defaultOf, fixedDefault } from '../config/settings.ts'
import { openConfigStore, type ConfigStore } from '../config/store.ts'
import { listenOn } from '../endpoint.ts'
import { BrokenFile, EXIT_CONFIG, EXIT_TEMPORARY } from '../faults.ts'
import { HubError } from '../hub-error.ts'
import { openSecondLoopback } from '../second-loopback.ts'
import { missingDatabase, openBeyondLoopback, refusedPort } from '../start-faults.ts'
import { exitCodes, type Io, type Values } from './command.ts'
import type { Step } from './doctor-text.ts'
import { fixedDocuments } from './fixed-documents.ts'
import { failedBy, ok, skipped, warning, type Found } from './found.ts'
import type { Configuration } from './read-configuration.ts'
import { sourcesHere } from './settings-here.ts'
import { examineFolders } from './surrounding-folders.ts'

/** In the order in which a start comes to them. */
export type HubStepId = 'settings' | 'folders' | 'postgresql' | 'redis' | 'configuration' | 'port'

/** What a hub that is started here finds. */
export interface HubReport {
  ok: boolean
  /** The first step that failed. */
  failed: HubStepId | null
  /** That a start ends with, by the first step that failed; for Redis, which a start does not wait for, as for PostgreSQL. */
  exitCode: number
  steps: (Step & { id: HubStepId })[]
}

export interface Surroundings {
  report: HubReport
  /** What its servers are examined with; null while it cannot be read. */
  configuration: Pick<Configuration, 'directory' | 'servers' | 'system'> | null
}

/** Looks at what a start needs, without one. A hub that runs is not disturbed, and nothing is made or changed. */
export async function examineSurroundings(values: Values, io: Io): Promise<Surroundings> {
  const { values: environment, faults: unread } = takeEnvironment({ ...io.env })
  const { given, faults } = readSettings({ options: values, environment })
  const [configDir, dataDir] = [folder(given, 'CONFIG_DIR'), folder(given, 'DATA_DIR')]
  const missing = missingDatabase(given)
  let shared: ReadonlyMap<DocumentName, string> | null = null
  let store: ConfigStore | null = null

  const results: { step: HubReport['steps'][number]; exitCode: number }[] = []
  async function step(id: HubStepId, needs: readonly HubStepId[], look: () => Found | Promise<Found>): Promise<void> {
    const startedAt = performance.now()
    const without = needs.find((name) => outcomeOf(name) === 'failed')
    const found = without === undefined ? await look() : skipped(`not reached, because of ${without}`)
    const { outcome, message, cure = null, detail = null, exitCode = EXIT_CONFIG } = found
    const durationMs = Math.round(performance.now() - startedAt)
    results.push({ step: { id, outcome, durationMs, message, cure, detail }, exitCode })
  }
  const outcomeOf = (id: HubStepId): Step['outcome'] | undefined =>
    results.find(({ step }) => step.id === id)?.step.outcome

  await step('settings', [], () => {
    const all = [...unread, ...faults, ...(missing === null ? [] : [missing.fault])]
    return all.length === 0 ? ok('command line and environment have no fault') : failedBy(all)
  })
  await step('folders', ['settings'], () => examineFolders(configDir, dataDir))
  await step('postgresql', ['settings'], async () => {
    const url = givenText(given, 'DATABASE_URL')
    if (url === undefined) return skipped('DATABASE_URL is not set: the configuration is in files')
    try {
      const { lookIntoPostgres } = await import('../config/postgres-documents.ts')
      shared = await lookIntoPostgres(url)
      return ok(shared === null ? 'answers; a start takes over the files' : 'answers, and has the configuration')
    } catch (error) {
      return refused(error, 'Start PostgreSQL, or correct DATABASE_URL.')
    }
  })
  await step('redis', ['settings'], () => examineRedis(givenText(given, 'REDIS_URL')))
  await step('configuration', ['settings', 'postgresql'], async () => {
    const documents = shared === null ? await openFiles(configDir, dataDir) : fixedDocuments(shared)
    try {
      const { sources, dispose } = await sourcesHere(given, environment)
      store = await openConfigStore(documents, sources, systemOverrides(given)).finally(dispose)
      await store.dispose()
      if (store.faults.length > 0) return failedBy(store.faults)
      await (await openIdentityFile(documents)).dispose()
      const { mcp = 'token' } = store.system.auth ?? {}
      const open = openBeyondLoopback(mcp, hostOf(store), documents.placeOf('system'))
      if (open !== null) return failedBy([open.fault], open.exitCode)
      const count = Object.keys(store.servers.mcpServers).length
      return ok(`${shared === null ? configDir : 'PostgreSQL'}: ${count} servers, no fault`)
    } catch (error) {
      return refused(error, 'Try again.')
    }
  })
  const config = store as ConfigStore | null
  const isRead = outcomeOf('configuration') === 'ok'
  // Without it, the port may be known all the same.
  await step('port', isRead || given.has('server.port') ? ['settings'] : ['settings', 'configuration'], () => {
    const where = { mode: 'server', production: environment['NODE_ENV'] === 'production' } as const
    return examinePort(config?.system.server?.port ?? defaultOf('server.port', where), hostOf(config))
  })
  const failure = results.find(({ step }) => step.outcome === 'failed')
  return {
    report: {
      ok: failure === undefined,
      failed: failure?.step.id ?? null,
      exitCode: failure?.exitCode ?? exitCodes.ok,
      steps: results.map(({ step }) => step),
    },
    configuration:
      config !== null && isRead ? { directory: configDir, servers: config.servers, system: config.system } : null,
  }
}

const folder = (given: Given, name: 'CONFIG_DIR' | 'DATA_DIR'): string => path.resolve(givenFolder(given, name))
const hostOf = (store: ConfigStore | null): string => store?.system.server?.host ?? fixedDefault('server.host')

function refused(error: unknown, cure: string): Found {
  if (error instanceof BrokenFile) return failedBy(error.faults)
  if (!(error instanceof HubError)) throw error
  return { outcome: 'failed', message: error.message, cure, exitCode: EXIT_TEMPORARY }
}

async function examineRedis(url: string | undefined): Promise<Found> {
  if (url === undefined) return skipped('REDIS_URL is not set: this hub counts and revokes alone')
  const { Redis } = await import('ioredis')
  const redis = new Redis(url, {
    lazyConnect: true,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    connectTimeout: 5_000,
    commandTimeout: 5_000,
  })
  let cause = ''
  // Whoever waits for the connection is only told that it is closed.
  redis.on('error', ({ message }: Error) => (cause = message))
  try {
    await redis.connect()
    await redis.ping()
    return ok('answers')
  } catch (error) {
    const message = cause === '' ? (error as Error).message : cause
    return /^(?:NOAUTH|WRONGPASS|ERR invalid password|NOPERM)/.test(message)
      ? { outcome: 'failed', message: `Redis refuses it: ${message}`, cure: 'Correct user and password in REDIS_URL.' }
      : {
          outcome: 'failed',
          message: `Redis does not answer: ${message}. A hub starts without it, and lets nobody sign in`,
          cure: 'Start Redis, or correct REDIS_URL.',
          exitCode: EXIT_TEMPORARY,
        }
  } finally {
    redis.disconnect()
  }
}

async function examinePort(port: number, host: string): Promise<Found> {
  if (port === 0) return skipped('a start takes a free one')
  const server = createServer()
  try {
    await listenOn(server, port, host)
    const others: string[] = []
    if (host === '127.0.0.1') {
      const second = openSecondLoopback(server, port, ({ level, message }) => level === 'warn' && others.push(message))
      await second.opened
      second.close()
    }
    return others.length === 0
      ? ok(`${host}:${port} is free`)
      : warning(others.join(), 'End that program, or set PORT to another port.')
  } catch (error) {
    const { fault, exitCode } = await refusedPort(error, port)
    return (await isHub(port, host))
      ? ok(`${fault.message}: a hub answers there already`)
      : failedBy([{ ...fault, path: '' }], exitCode)
  } finally {
    server.close()
  }
}

/** By what only hubs say. */
async function isHub(port: number, host: string): Promise<boolean> {
  const address = host === '0.0.0.0' || host === '::' ? 'localhost' : host.includes(':') ? `[${host}]` : host
  const answer = await fetch(`http://${address}:${port}/health/ready`, { signal: AbortSignal.timeout(2_000) })
    .then((response) => response.json() as Promise<{ status?: unknown } | null>)
    .catch(() => null)
  return ['ready', 'not ready', 'draining'].includes(String(answer?.status))
}
