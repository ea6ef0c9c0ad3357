import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, writeFile, mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bootstrapCaller } from './auth/caller.ts'
import { takeEnvironment } from './config/environment.ts'
import { readServerSettings } from './config/server-settings.ts'
import type { Traces } from './gateway/trace-context.ts'
import { createHub } from './create-hub.ts'
import type { Hub } from './hub.ts'
import { createHttpServer, holderOf, listenOn } from './endpoint.ts'
import { createHubLog } from './observe/log.ts'
import { logSettings } from './observe/log-settings.ts'
import { createRedactor } from './observe/redactor.ts'
import {
  BrokenFile,
  endOnFaults,
  EXIT_NO_PERMISSION,
  EXIT_PORT_IN_USE,
  EXIT_SOFTWARE,
  EXIT_TEMPORARY,
} from './faults.ts'
import { HubError } from './hub-error.ts'
import { openServerVault } from './secrets/server-vault.ts'
import { ownSearchPath } from './upstream/process/search-path.ts'
import { version } from './version.ts'

/** Server mode: the hub under node, configured by environment (DESIGN, "the headless contract"). */

const DRAIN_MS = 30_000
/** Answers with `Connection: close` for this long before the listener closes, so that a proxy lets go of its connections. */
const ANNOUNCE_MS = process.env['NODE_ENV'] === 'production' ? 3_000 : 200

/** How long after the start pino takes over the log. */
const HAND_OVER_MS = 5_000

/** What nothing of this process writes anywhere. */
const redactor = createRedactor()

async function main(): Promise<void> {
  const environment = takeEnvironment(process.env)
  if (environment.faults.length > 0) endOnFaults(environment.faults)
  const { settings: env, faults } = readServerSettings(environment.values)
  if (faults.length > 0) endOnFaults(faults)
  redactor.know('environment', environment.secrets)
  const hubLog = createHubLog({ settings: logSettings(env), redactor, onProblem: (text) => sayOnStderr(text) })
  const { log } = hubLog
  const vault = await openServerVault({
    file: {
      path: env.MCP_HUB_SECRETS_FILE ?? join(env.DATA_DIR, 'secrets.json'),
      key: env.MCP_HUB_SECRETS_KEY ?? null,
      own: env.MCP_HUB_SECRETS_FILE === undefined,
    },
    env: (name) => process.env[name],
    onBroken: ({ faults }) => {
      for (const fault of faults) log('error', 'Secrets file fault', { ...fault })
    },
  }).catch((error: unknown) => endOnBroken(error))
  const dist = dirname(dirname(fileURLToPath(import.meta.url)))
  const hub = await createHub({
    mode: 'server',
    version,
    configDir: env.CONFIG_DIR,
    dataDir: env.DATA_DIR,
    secretsFile: env.MCP_HUB_SECRETS_FILE ?? join(env.DATA_DIR, 'secrets.json'),
    databaseUrl: env.DATABASE_URL ?? null,
    traces: await openTraces(env),
    // A published hub has it in `web`, where nginx serves it.
    webDir: ['renderer', 'web'].map((name) => join(dist, name)).find((folder) => existsSync(folder)) ?? null,
    distDir: dist,
    tokens: env.MCP_HUB_TOKEN === undefined ? [] : [{ value: env.MCP_HUB_TOKEN, caller: bootstrapCaller }],
    jwtSecret: env.JWT_SECRET === undefined ? null : new TextEncoder().encode(env.JWT_SECRET),
    keptJwtSecret: () => keptSecret(env.DATA_DIR),
    systemEnv: (name) => environment.values[name],
    jwtExpiresIn: env.JWT_EXPIRES_IN,
    jwtRefreshExpiresIn: env.JWT_REFRESH_EXPIRES_IN,
    redisUrl: env.REDIS_URL ?? null,
    adminPassword: env.MCP_HUB_ADMIN_PASSWORD,
    vault,
    env: (name) => process.env[name],
    readSearchPath: () => Promise.resolve(ownSearchPath()),
    log,
    applyLogging: (logging) => hubLog.apply(logSettings(env, logging)),
    isDebug: () => hubLog.level === 'debug',
    // Where LOG_FILE goes is the operator's; the newest entries are in memory.
    logDir: null,
    redactor,
    publicUrl: env.PUBLIC_URL,
    ...(env.ACCOUNTS_DIR === undefined
      ? {}
      : { sharedAccounts: { dir: env.ACCOUNTS_DIR, key: env.MCP_HUB_SECRETS_KEY ?? null } }),
  }).catch((error: unknown): Hub => endOnBroken(error))
  if (hub.faults.length > 0) endOnFaults(hub.faults)
  process.on('exit', () => {
    hub.abandon()
    hubLog.end()
  })

  const host = env.HOST ?? hub.host ?? '127.0.0.1'
  if (hub.mcpAuth === 'none' && !['127.0.0.1', '::1', 'localhost'].includes(host)) {
    endOnFaults([
      {
        file: join(env.CONFIG_DIR, 'system.json'),
        path: 'auth.mcp',
        line: null,
        column: null,
        message: `"none" is for loopback only, but the hub listens on ${host}`,
        cure: 'Set auth.mcp to "token".',
      },
    ])
  }
  const listener = hub.requestListener('all')
  let announcing = false
  const server = createHttpServer(hub.connectionLimits, (request, response) => {
    if (announcing) {
      response.setHeader('connection', 'close')
      if (request.url === '/health/ready') {
        response.writeHead(503, { 'content-type': 'application/json' }).end('{"status":"draining"}')
        return
      }
    }
    listener(request, response)
  })
  const wanted = env.PORT ?? hub.endpointPort ?? 3_000
  const port = await listenOn(server, wanted, host).catch((error: unknown) => endOnRefusedPort(error, wanted))
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}`
  hub.setEndpoint({ state: 'listening', url: `${url}/mcp`, port, takenBy: null, message: null })
  process.stdout.write(`MCP Hub listening on ${url}\n`)
  if (hub.mcpAuth === 'none') log('warn', 'auth.mcp is "none": the MCP endpoints ask for no token')
  const announced = new Set<string>()
  hub.onSetupCode = (code) => {
    if (announced.has(code)) return
    announced.add(code)
    process.stdout.write(`First run: create the administrator at ${url}/setup?code=${code} (within 15 minutes)\n`)
  }
  const setupCode = await hub.setupCode()
  if (setupCode !== null) hub.onSetupCode(setupCode)
  await hub.start()
  process.send?.('ready')
  setTimeout(() => void hubLog.handOver().catch((error: unknown) => sayOnStderr(String(error))), HAND_OVER_MS).unref()
  // logrotate's way to say that it put the file aside.
  process.on('SIGUSR2', hubLog.reopen)

  let ending = false
  async function end(signal: string): Promise<void> {
    if (ending) return
    ending = true
    log('info', 'Draining', { signal })
    // Work that arrives while proxies and balancers still learn of it is done: a refusal would be a lost request.
    announcing = true
    await new Promise((resolve) => setTimeout(resolve, ANNOUNCE_MS))
    server.close()
    await hub.drain(DRAIN_MS)
    server.closeAllConnections()
    await hub.stop()
    await hubLog.flush()
    process.exit(0)
  }
  process.on('SIGTERM', (signal) => void end(signal))
  process.on('SIGINT', (signal) => void end(signal))
}

async function endOnRefusedPort(error: unknown, port: number): Promise<never> {
  const { code = '', message } = error as NodeJS.ErrnoException
  const holder = code === 'EADDRINUSE' ? await holderOf(port) : null
  const fault = {
    file: null,
    path: 'environment PORT',
    line: null,
    column: null,
    message: code === 'EADDRINUSE' ? `Port ${port} is in use${holder === null ? '' : ` by ${holder}`}` : message,
    cure: 'Set PORT to another port, or end the program that holds it; PORT=0 takes a free one.',
  }
  const exits: Record<string, number> = { EADDRINUSE: EXIT_PORT_IN_USE, EACCES: EXIT_NO_PERMISSION }
  endOnFaults([fault], exits[code])
}

function endOnBroken(error: unknown): never {
  if (error instanceof BrokenFile) endOnFaults(error.faults)
  if (error instanceof HubError && error.code === 'HUB_STORE_UNAVAILABLE')
    endOnFaults(
      [
        {
          file: null,
          path: 'environment DATABASE_URL',
          line: null,
          column: null,
          message: error.message,
          cure: 'Start PostgreSQL, or correct the address, and start the hub again',
        },
      ],
      EXIT_TEMPORARY,
    )
  throw error
}

/** Loaded only where traces are wanted: most hubs never pay for the SDK. */
async function openTraces(env: {
  OTEL_EXPORTER_OTLP_ENDPOINT?: string | undefined
  OTEL_SERVICE_NAME: string
}): Promise<Traces | null> {
  if (env.OTEL_EXPORTER_OTLP_ENDPOINT === undefined) return null
  const { createTraces } = await import('./observe/traces.ts')
  return createTraces({ version, serviceName: env.OTEL_SERVICE_NAME })
}

/** A signing key of our own, kept so that sign-ins outlast a restart. */
async function keptSecret(dataDir: string): Promise<Uint8Array> {
  const file = join(dataDir, 'jwt-secret')
  const found = await readFile(file).catch(() => null)
  if (found !== null && found.length >= 32) return found
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  // Of several hubs that start at once, the first one's counts.
  await writeFile(file, randomBytes(48), { mode: 0o600, flag: 'wx' }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  })
  return readFile(file)
}

function sayOnStderr(text: string): void {
  process.stderr.write(redactor.text(`${text}\n`))
}

// Whoever reads what the hub prints may go away, or have a full disk: that ends no hub.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
for (const event of ['unhandledRejection', 'uncaughtException'])
  process.on(event, (error: unknown) => {
    process.stderr.write(redactor.text(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`))
    process.exit(EXIT_SOFTWARE)
  })
await main()
