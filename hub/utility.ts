import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { appCaller, desktopClient } from './auth/caller.ts'
import { helloSchema, toHubSchema, type FromHub, type Hello } from './contract/index.ts'
import { createHub } from './create-hub.ts'
import { createEndpointListener, createHttpServer, listenOn } from './endpoint.ts'
import { describeFault, EXIT_CONFIG } from './faults.ts'
import { createIdleMemory } from './idle-memory.ts'
import type { ReportFault } from './observe/fault-reports.ts'
import { createHubLog } from './observe/log.ts'
import { logSettings } from './observe/log-settings.ts'
import { createRedactor } from './observe/redactor.ts'
import { createControlVault } from './secrets/control-vault.ts'
import { brokenFiles, refusedFolder } from './start-faults.ts'
import { loginShellPath } from './upstream/process/search-path.ts'

/** Desktop mode: the hub as a utility process of the app. Uses nothing of Electron but `process.parentPort`. */

interface ControlPort {
  postMessage: (message: FromHub) => void
  on: ((event: 'message', listener: (message: { data: unknown }) => void) => void) &
    ((event: 'close', listener: () => void) => void)
  start: () => void
}
interface ParentPort {
  once: (event: 'message', listener: (message: { data: unknown; ports: ControlPort[] }) => void) => void
}

const DRAIN_MS = 2_000
/** Known once the hub is there. */
let reportFault: ReportFault = () => Promise.resolve()
/** What nothing of this process writes anywhere. */
const redactor = createRedactor()

// Electron only warns of it; a hub in an unknown state must end and be started anew.
let failed = false
for (const event of ['unhandledRejection', 'uncaughtException'])
  process.on(event, (error: unknown) => {
    process.stderr.write(redactor.text(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`))
    if (failed) process.exit(1)
    failed = true
    void reportFault(error).finally(() => process.exit(1))
  })

const { parentPort } = process as unknown as { parentPort: ParentPort }
parentPort.once('message', ({ data, ports }) => {
  const hello = helloSchema.parse(data)
  const [port] = ports
  if (port === undefined) throw new Error('The handshake carried no port')
  void run(hello, port)
})

/** Ends what no restart can cure: told to the app, and as the last lines that it keeps. Another error is thrown on. */
function refuseStart(error: unknown, control: ControlPort): Promise<never> {
  const folder = refusedFolder(error)
  const faults =
    brokenFiles(error) ??
    // Its own cure names settings of server mode.
    (folder === null ? null : [{ ...folder.fault, cure: 'Check the folder and its permissions.' }])
  if (faults === null) throw error
  control.postMessage({ type: 'fatal', faults: [...faults] })
  for (const fault of faults) process.stderr.write(redactor.text(`${describeFault(fault)}\n`))
  // A message that was posted right before the end may be lost.
  setTimeout(() => process.exit(EXIT_CONFIG), 100)
  return new Promise(() => undefined)
}

async function run(hello: Hello, control: ControlPort): Promise<void> {
  redactor.know('tokens', [hello.bootToken, hello.clientToken])
  const hubLog = createHubLog({
    settings: logSettings(),
    redactor,
    viaStream: true,
    onProblem: (text) => process.stderr.write(redactor.text(`${text}\n`)),
  })
  const { vault, onKept } = createControlVault({
    ...hello.vault,
    secrets: hello.secrets,
    send: (message) => control.postMessage(message),
  })
  const hub = await createHub({
    mode: 'desktop',
    version: hello.appVersion,
    configDir: hello.paths.configDir,
    dataDir: hello.paths.dataDir,
    databaseUrl: null,
    traces: null,
    webDir: null,
    distDir: dirname(dirname(fileURLToPath(import.meta.url))),
    tokens: [
      { value: hello.bootToken, caller: appCaller },
      { value: hello.clientToken, caller: desktopClient },
    ],
    redisUrl: null,
    adminPassword: undefined,
    vault,
    env: (name) => process.env[name],
    readSearchPath: () => loginShellPath(),
    log: hubLog.log,
    // The app stores what this process prints, and rotates it.
    applyLogging: (logging) => hubLog.apply({ ...logSettings(logging), file: null }),
    isDebug: () => hubLog.level === 'debug',
    worked: createIdleMemory().worked,
    logDir: hello.paths.logDir,
    redactor,
  }).catch((error: unknown) => refuseStart(error, control))

  reportFault = hub.reportFault
  process.on('exit', hub.abandon)
  const api = createHttpServer(hub.connectionLimits, hub.requestListener('all'))
  const apiPort = await listenOn(api, 0, '127.0.0.1')
  const endpoint = createEndpointListener({
    host: '127.0.0.1',
    limits: hub.connectionLimits,
    listener: hub.requestListener('mcp'),
    onChange: () => hub.setEndpoint(endpoint.endpoint),
    onAlone: ({ level, message }) => hubLog.log(level, message),
  })
  hub.onOverview = (overview) => control.postMessage({ type: 'overview', overview })
  hub.onMoveEndpoint = (port) => endpoint.listen(port)

  let ending = false
  async function end(): Promise<void> {
    if (ending) return
    ending = true
    api.close()
    endpoint.stopListening()
    await hub.drain(DRAIN_MS)
    api.closeAllConnections()
    await endpoint.close()
    await hub.stop()
    process.exit(0)
  }
  control.on('message', ({ data }) => {
    const message = toHubSchema.parse(data)
    if (message.type === 'ping') control.postMessage({ type: 'pong', n: message.n })
    else if (message.type === 'secret.kept') onKept(message.n, message.problem)
    else void end()
  })
  // The app is gone: without this the hub would keep its ports and servers.
  control.on('close', () => void end())
  process.on('SIGTERM', () => void end())
  process.on('SIGINT', () => void end())
  control.start()
  await endpoint.listen(hub.endpointPort)
  control.postMessage({ type: 'ready', apiPort })
  await hub.start()
}
