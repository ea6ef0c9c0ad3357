import { randomBytes } from 'node:crypto'
import { constants, existsSync } from 'node:fs'
import { access, mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bootstrapCaller } from './auth/caller.ts'
import { exitCodes, helpOf, parseOptions, UsageError, type Values } from './cli/command.ts'
import { settingOptions } from './cli/setting-options.ts'
import { takeEnvironment } from './config/environment.ts'
import { givenFolder, givenText, readSettings, systemOverrides, withOverrides } from './config/read-settings.ts'
import { fixedDefault, type SettingName } from './config/settings.ts'
import type { Traces } from './gateway/trace-context.ts'
import { createHub } from './create-hub.ts'
import type { Hub } from './hub.ts'
import { createDrainableServer } from './drainable-server.ts'
import { createIdleMemory } from './idle-memory.ts'
import type { ReportFault } from './observe/fault-reports.ts'
import { createHubLog } from './observe/log.ts'
import { logSettings } from './observe/log-settings.ts'
import { createRedactor } from './observe/redactor.ts'
import { endOnFaults, EXIT_SOFTWARE, EXIT_TEMPORARY } from './faults.ts'
import { HubError } from './hub-error.ts'
import { openServerVault } from './secrets/server-vault.ts'
import { openServiceManager } from './service-manager.ts'
import {
  brokenFiles,
  missingDatabase,
  openBeyondLoopback,
  refusedFolder,
  refusedPort,
  type StartFault,
} from './start-faults.ts'
import { ownSearchPath } from './upstream/process/search-path.ts'
import { version } from './version.ts'

/** Server mode: the hub under node, configured by command line and environment (docs/settings.md). */

const DRAIN_MS = 30_000
/** Answers with `Connection: close` for this long before the listener closes, so that a proxy lets go of its connections. */
const ANNOUNCE_MS = process.env['NODE_ENV'] === 'production' ? 3_000 : 200
/** By SIGINT ends it who sits before it, or who has started the next hub beside it already: then for no longer than this. */
const SHORT_ANNOUNCE_MS = Math.min(ANNOUNCE_MS, 1_000)

/** How long after the start pino takes over the log. */
const HAND_OVER_MS = 5_000

/** Known once the hub is there. */
let reportFault: ReportFault = () => Promise.resolve()

/** What nothing of this process writes anywhere. */
const redactor = createRedactor()

async function main(): Promise<void> {
  const options = readOptions()
  const manager = openServiceManager(process.env)
  const environment = takeEnvironment(process.env)
  if (environment.faults.length > 0) endOnFaults(environment.faults)
  const { given, faults } = readSettings({ options, environment: environment.values })
  if (faults.length > 0) endOnFaults(faults)
  endOn(missingDatabase(given))
  redactor.know('environment', environment.secrets)
  const text = (name: SettingName): string | undefined => givenText(given, name)
  const configDir = resolve(givenFolder(given, 'CONFIG_DIR'))
  const dataDir = resolve(givenFolder(given, 'DATA_DIR'))
  const secretsFile = text('MCP_HUB_SECRETS_FILE') ?? join(dataDir, 'secrets.json')
  const secretsKey = text('MCP_HUB_SECRETS_KEY') ?? null
  const overrides = systemOverrides(given)
  const hubLog = createHubLog({
    settings: logSettings(withOverrides({}, overrides).logging),
    redactor,
    onProblem: (text) => sayOnStderr(text),
  })
  const { log } = hubLog
  const vault = await openServerVault({
    file: { path: secretsFile, key: secretsKey, own: text('MCP_HUB_SECRETS_FILE') === undefined },
    env: (name) => process.env[name],
    onBroken: ({ faults }) => {
      for (const fault of faults) log('error', 'Secrets file fault', { ...fault })
    },
  }).catch((error: unknown) => endOnBroken(error))
  const dist = dirname(dirname(fileURLToPath(import.meta.url)))
  const token = text('MCP_HUB_TOKEN')
  const accountsDir = text('ACCOUNTS_DIR')
  const hub = await createHub({
    mode: 'server',
    version,
    configDir,
    dataDir,
    secretsFile,
    databaseUrl: text('DATABASE_URL') ?? null,
    traces: await openTraces(text('OTEL_EXPORTER_OTLP_ENDPOINT'), text('OTEL_SERVICE_NAME')),
    // A published hub has it in `web`, where nginx serves it.
    webDir: ['renderer', 'web'].map((name) => join(dist, name)).find((folder) => existsSync(folder)) ?? null,
    distDir: dist,
    tokens: token === undefined ? [] : [{ value: token, caller: bootstrapCaller }],
    overrides,
    keptJwtSecret: () => keptSecret(dataDir),
    systemEnv: (name) => environment.values[name],
    redisUrl: text('REDIS_URL') ?? null,
    instance: text('MCP_HUB_INSTANCE') ?? null,
    adminPassword: text('MCP_HUB_ADMIN_PASSWORD'),
    vault,
    env: (name) => process.env[name],
    readSearchPath: () => Promise.resolve(ownSearchPath()),
    log,
    applyLogging: (logging) => hubLog.apply(logSettings(logging)),
    isDebug: () => hubLog.level === 'debug',
    worked: createIdleMemory().worked,
    // Where LOG_FILE goes is the operator's; the newest entries are in memory.
    logDir: null,
    redactor,
    ...(accountsDir === undefined ? {} : { sharedAccounts: { dir: accountsDir, key: secretsKey } }),
  }).catch((error: unknown): Hub => endOnBroken(error))
  if (hub.faults.length > 0) endOnFaults(hub.faults)
  await access(dataDir, constants.W_OK).catch((error: unknown) => endOnBroken(error))
  reportFault = hub.reportFault
  process.on('exit', () => {
    hub.abandon()
    hubLog.end()
  })

  const { host } = hub
  const endBeyondLoopback = (address: string): void =>
    endOn(openBeyondLoopback(hub.mcpAuth, address, join(configDir, 'system.json')))
  endBeyondLoopback(host)
  const service = createDrainableServer(hub.connectionLimits, hub.requestListener('all'), ({ level, message }) =>
    log(level, message),
  )
  const wanted = hub.endpointPort
  const bound = await service
    .listen(wanted, host)
    .catch(async (error: unknown) => endOn(await refusedPort(error, wanted)))
  // A service manager's socket is where that put it, not where this hub was told to listen.
  endBeyondLoopback(bound.host)
  const url = `http://${bound.host.includes(':') ? `[${bound.host}]` : bound.host}:${bound.port}`
  hub.setEndpoint({ state: 'listening', url: `${url}/mcp`, port: bound.port, takenBy: null, message: null })
  // In the same turn: whoever connects first must be served.
  const started = hub.start()
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
  await started
  process.send?.('ready')
  manager.ready()
  setTimeout(() => void hubLog.handOver().catch((error: unknown) => sayOnStderr(String(error))), HAND_OVER_MS).unref()
  // logrotate's way to say that it put the file aside.
  process.on('SIGUSR2', hubLog.reopen)

  let ending = false
  async function end(signal: string): Promise<void> {
    if (ending) return
    ending = true
    log('info', 'Draining', { signal })
    manager.stopping()
    // PM2 means the same by both signals; it has a channel to what it runs.
    await service.announceEnd(signal === 'SIGINT' && process.channel === undefined ? SHORT_ANNOUNCE_MS : ANNOUNCE_MS)
    await hub.drain(DRAIN_MS)
    service.server.closeAllConnections()
    await hub.stop()
    await hubLog.flush()
    process.exit(0)
  }
  process.on('SIGTERM', (signal) => void end(signal))
  process.on('SIGINT', (signal) => void end(signal))
}

/** The command line; ends where it asks for help or cannot be understood. */
function readOptions(): Values {
  const command = {
    name: 'server',
    program: 'node dist/hub/server.js',
    summary: 'The hub in server mode. What is not set here comes from the environment, then from system.json.',
    options: settingOptions,
  }
  try {
    const values = parseOptions(command, process.argv.slice(2))
    if (values['help'] !== true) return values
    process.stdout.write(helpOf(command))
    process.exit(exitCodes.ok)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exit(exitCodes.usage)
  }
}

/** Ends where there is something to end on. */
function endOn(found: StartFault): never
function endOn(found: StartFault | null): void
function endOn(found: StartFault | null): void {
  if (found !== null) endOnFaults([found.fault], found.exitCode)
}

function endOnBroken(error: unknown): never {
  const broken = brokenFiles(error)
  if (broken !== null) endOnFaults(broken)
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
  endOn(refusedFolder(error))
  throw error
}

/** Loaded only where traces are wanted: most hubs never pay for the SDK. */
async function openTraces(
  endpoint: string | undefined,
  serviceName = fixedDefault('OTEL_SERVICE_NAME'),
): Promise<Traces | null> {
  if (endpoint === undefined) return null
  const { createTraces } = await import('./observe/traces.ts')
  return createTraces({ version, serviceName })
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
let failed = false
for (const event of ['unhandledRejection', 'uncaughtException'])
  process.on(event, (error: unknown) => {
    process.stderr.write(redactor.text(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`))
    if (failed) process.exit(EXIT_SOFTWARE)
    failed = true
    void reportFault(error).finally(() => process.exit(EXIT_SOFTWARE))
  })
await main()
