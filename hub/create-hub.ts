import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { join } from 'node:path'
import type { Express, Request } from 'express'
import { limitsSchema, type Endpoint, type Fault, type HubStatus, type Overview } from './contract/index.ts'
import { createGuard } from './auth/guard.ts'
import type { Caller } from './auth/caller.ts'
import { clientAddress, isSecure, trustOf } from './auth/client-address.ts'
import { readCookie } from './auth/cookies.ts'
import { openIdentity } from './auth/identity.ts'
import { createMcpDoor } from './auth/mcp-door.ts'
import { createRateLimits } from './auth/rate-limits.ts'
import { bearerOf, type StaticToken } from './auth/tokens.ts'
import type { Cluster } from './cluster/cluster.ts'
import { memoryLimiter } from './cluster/memory-limiter.ts'
import { openPins } from './catalog/pins.ts'
import type { ReferenceSources } from './config/references.ts'
import { openConfigStore } from './config/store.ts'
import { errorCodes } from './contract/errors.ts'
import { refuseMcp, refusePlain, sendJson } from './http-answers.ts'
import type { OnExchange } from './gateway/exchange.ts'
import type { Traces } from './gateway/trace-context.ts'
import { createGateway } from './gateway/gateway.ts'
import { rpc } from './gateway/json-rpc.ts'
import { configChangedAct, identityAct } from './history/acts.ts'
import { createHistory } from './history/create-history.ts'
import { createEvents } from './observe/events.ts'
import type { Log } from './observe/log.ts'
import { rememberLog } from './observe/recent-log.ts'
import { createMetrics } from './observe/metrics.ts'
import { createServerLogs } from './observe/server-log.ts'
import type { Redactor } from './observe/redactor.ts'
import { createSecretKeeper } from './secrets/keeper.ts'
import { createSecretLifter } from './secrets/lifter.ts'
import { readFileBelow, readSecretFile, secretFolders } from './secrets/environment.ts'
import { isOwnName } from './secrets/names.ts'
import type { SecretVault } from './secrets/vault.ts'
import { defaultLimits } from './upstream/limits.ts'
import { createOffers } from './upstream/offers.ts'
import { createProcessJournal } from './upstream/process/journal.ts'
import { systemProcessTable } from './upstream/process/process-table.ts'
import { createReaper } from './upstream/process/process-tree.ts'
import { createSearchPathSource, type SearchPath } from './upstream/process/search-path.ts'
import { createAccountService } from './upstream/oauth/service.ts'
import { createSupervisor } from './upstream/supervisor.ts'

export interface HubOptions {
  mode: 'desktop' | 'server'
  version: string
  configDir: string
  dataDir: string
  /** PostgreSQL for what is kept, shared with other hubs; null for SQLite in `dataDir`. */
  databaseUrl: string | null
  /** Null where no traces are made. */
  traces: Traces | null
  /** Folder of the built web UI, served at `/`; null when the app serves it. */
  webDir: string | null
  /** Folder with the built hub and web UI, which a bundle carries. */
  distDir: string
  /** Fixed bearer tokens: the app's own, that of the clients on this computer, MCP_HUB_TOKEN. */
  tokens: StaticToken[]
  /** Signs access tokens; without it tokens end with the process. */
  jwtSecret: Uint8Array | null
  jwtExpiresIn: string | undefined
  jwtRefreshExpiresIn: string | undefined
  adminPassword: string | undefined
  /** Where several hubs meet; null for one machine. */
  redisUrl: string | null
  /** Values of `${secret:NAME}`. */
  vault: SecretVault
  /** The environment as system.json sees it, with the hub's own secrets; the same as `env` when absent. */
  systemEnv?: (name: string) => string | undefined
  /** The signing key to use when neither the environment nor system.json has one. */
  keptJwtSecret?: () => Promise<Uint8Array>
  env: (name: string) => string | undefined
  /** Reads the PATH for stdio servers; asked when the first one starts. */
  readSearchPath: () => Promise<SearchPath>
  log: Log
  /** Folder of the app's own logs, for diagnostics; null where there are none. */
  logDir: string | null
  /** The log's own, so that it learns what the configuration and the vault hold. */
  redactor: Redactor
  /** Where browsers reach this hub, when the environment tells; else `server.publicUrl`, else its own address on loopback. */
  publicUrl: string | undefined
  /** Accounts at remote servers that several hubs share, and the key that all of them have; else they are in DATA_DIR. */
  sharedAccounts?: { dir: string; key: string | null }
}

/** What a listener serves: everything, or only the MCP endpoints. */
export type Surface = 'all' | 'mcp'

export interface Hub {
  requestListener: (surface: Surface) => RequestListener
  /** Starts the servers and watches the configuration. */
  start: () => Promise<void>
  /** Whether it takes new work; false from the moment that it drains. */
  readonly ready: boolean
  readonly faults: Fault[]
  readonly mcpAuth: 'token' | 'none'
  readonly endpointPort: number | undefined
  /** What one request's headers may have (limits.maxHeaderBytes); for whoever makes the HTTP server. */
  readonly maxHeaderBytes: number
  readonly host: string | undefined
  /** One-time code for the first administrator; null when none is needed. Announced by `onSetupCode`, too. */
  setupCode: () => Promise<string | null>
  overview: () => Overview
  setEndpoint: (endpoint: Endpoint) => void
  /** Takes effect for `POST /api/hub/endpoint`: listens anew on the port. */
  onMoveEndpoint: ((port: number) => Promise<void>) | null
  onOverview: ((overview: Overview) => void) | null
  /** A new code replaced the one that ran out. */
  onSetupCode: ((code: string) => void) | null
  /** Refuses new requests and lets running ones finish, at most `ms`. */
  drain: (ms: number) => Promise<void>
  stop: () => Promise<void>
  /** When the process ends without `stop`: kills the servers at once. */
  abandon: () => void
}

/**
 * Builds the hub; it does not listen. Faults of the files in CONFIG_DIR are in `faults`: an entry decides whether they are
 * fatal at the start. Throws BrokenFile when users.json is broken.
 */
export async function createHub(given: HubOptions): Promise<Hub> {
  const remembered = rememberLog(given.log)
  const options = { ...given, log: remembered.log }
  await mkdir(options.configDir, { recursive: true, mode: 0o700 })
  await mkdir(options.dataDir, { recursive: true, mode: 0o700 })
  // Before it listens: from the first connection on it must be ready, or a reload under load would lose calls.
  const table = systemProcessTable()
  const reaper = createReaper(table)
  const journal = await createProcessJournal(join(options.dataDir, 'processes.json'), table, reaper)
  await journal.reap()
  const config = await openConfigStore(options.configDir, {
    env: options.systemEnv ?? options.env,
    secret: (name) => (isOwnName(name) ? undefined : options.vault.get(name)),
    explain: options.vault.explain,
    file: readSecretFile,
  })
  const pins = await openPins({
    file: join(options.dataDir, 'pins.json'),
    policy: () => config.system.pinning ?? {},
    onError: (error) => options.log('error', 'The approved tool definitions cannot be saved', { error: String(error) }),
  })
  const startedAt = Date.now()
  const { vault, redactor } = options
  const events = createEvents(redactor)
  const { auth: authConfig = {}, server: serverConfig = {} } = config.system
  redactor.know(
    'system',
    [authConfig.jwtSecret, authConfig.jwtSecretPrevious].filter((value) => value !== undefined),
  )
  const limits = limitsSchema.parse(config.system.limits ?? {})
  // One limit for all that is sent to the hub.
  const { maxRequestBytes } = limits
  let ready = false
  let running = 0
  let endpoint: Endpoint = { state: 'starting', url: '', port: 0, takenBy: null, message: null }

  const references: ReferenceSources = {
    env: options.env,
    secret: (name) => (isOwnName(name) ? undefined : vault.get(name)),
    explain: vault.explain,
    file:
      options.mode === 'desktop' ? readSecretFile : readFileBelow([options.configDir, ...secretFolders(options.env)]),
  }
  const history = createHistory({
    mode: options.mode,
    dataDir: options.dataDir,
    databaseUrl: options.databaseUrl,
    system: () => config.system,
    redactor,
    events,
    log: options.log,
    onBatch: (requests) => metrics.count(requests),
  })
  const trust = trustOf(serverConfig.trustProxy)
  let cluster: Promise<Cluster> | null = null
  async function connectCluster(): Promise<Cluster> {
    if (options.redisUrl === null) {
      // The hubs of one machine share their accounts' folder: a sign-in at one must count at the others.
      const dir = options.sharedAccounts?.dir ?? options.dataDir
      await mkdir(dir, { recursive: true, mode: 0o700 })
      return (await import('./cluster/local.ts')).openLocalCluster(join(dir, 'identity.db'))
    }
    const { openRedisCluster } = await import('./cluster/redis.ts')
    return openRedisCluster({
      url: options.redisUrl,
      onState: (state, message) => options.log(state === 'up' ? 'info' : 'error', 'Redis', { state, message }),
    })
  }
  const openCluster = (): Promise<Cluster> => (cluster ??= connectCluster())
  const identity = await openIdentity({
    mode: options.mode,
    configDir: options.configDir,
    dataDir: options.dataDir,
    tokens: options.tokens,
    signingKeys: [
      options.jwtSecret ??
        (authConfig.jwtSecret === undefined ? null : new TextEncoder().encode(authConfig.jwtSecret)) ??
        (await options.keptJwtSecret?.()) ??
        randomBytes(32),
      ...(authConfig.jwtSecretPrevious === undefined ? [] : [new TextEncoder().encode(authConfig.jwtSecretPrevious)]),
    ],
    auth: authConfig,
    jwtExpiresIn: options.jwtExpiresIn,
    jwtRefreshExpiresIn: options.jwtRefreshExpiresIn,
    adminPassword: options.adminPassword,
    openCluster,
    announceSetup: (code) => hub.onSetupCode?.(code),
    audit: (act) => history.audit(identityAct(act)),
  })
  const mcpAuth = authConfig.mcp ?? 'token'
  const rates = createRateLimits({
    mode: options.mode,
    settings: config.system.rateLimit,
    limiter: (policy) => {
      // One machine counts without its store, so that nobody who only serves clients with keys opens it.
      if (options.redisUrl === null) return memoryLimiter(policy)
      const shared = openCluster().then((opened) => opened.limiter(policy))
      return { take: async (key, points) => (await shared).take(key, points) }
    },
  })

  async function identify(request: IncomingMessage): Promise<Caller | null> {
    const token = bearerOf(request) ?? readCookie(request, 'session', isSecure(request, trust))
    return token === null ? null : identity.identify(token, clientAddress(request, trust))
  }

  const serverLogs = createServerLogs({ folder: join(options.dataDir, 'logs', 'servers'), redactor })
  const searchPath = createSearchPathSource(options.readSearchPath)
  /** What a server offers, and its sessions, belong to who is signed in. */
  function restartAs(server: string): void {
    const upstream = supervisor.upstreams.get(server)
    if (upstream !== undefined && upstream.status().state !== 'disabled') void upstream.restart()
  }

  const publicUrl = (options.publicUrl ?? serverConfig.publicUrl)?.replace(/\/+$/, '') ?? null
  const baseUrl = (): string | null => publicUrl ?? loopbackOrigin(endpoint)
  const accounts = createAccountService({
    dir: options.sharedAccounts?.dir ?? join(options.dataDir, 'accounts'),
    key: options.sharedAccounts === undefined ? vault : options.sharedAccounts.key,
    know: (secrets) => redactor.know('accounts', secrets),
    baseUrl,
    placeOf: (server) => supervisor.placeOf(server),
    onChange: (account) => {
      events.emit({ type: 'account.changed', account })
      hub.onOverview?.(overview())
    },
    onSignedIn: (server, widened) => {
      if (!widened) restartAs(server)
    },
    onSignedOut: (server) => restartAs(server),
    log: options.log,
  })

  const supervisor = createSupervisor({
    clientInfo: { name: 'mcp-hub', version: options.version },
    defaults: {
      ...defaultLimits,
      maxConcurrentCalls: limits.maxCallsPerServer,
      maxQueuedCalls: limits.maxQueuedCallsPerServer,
      maxInstances: limits.maxInstancesPerServer,
      healthCheckIntervalMs: config.system.monitoring?.healthCheckInterval ?? defaultLimits.healthCheckIntervalMs,
    },
    references,
    redactor,
    configDir: options.configDir,
    offers: createOffers(join(options.dataDir, 'offers')),
    table,
    journal,
    reaper,
    isUsageWatched: () => events.isUsageWatched,
    onUsage: () => {
      const servers = [...supervisor.upstreams.values()].map((upstream) => {
        const { name, usage, connections, openStreams } = upstream.status()
        return { name, usage, connections, openStreams }
      })
      events.emit({ type: 'server.usage', servers })
    },
    searchPath,
    maxStdioLineBytes: limits.maxStdioLineBytes,
    maxResponseBytes: limits.maxResponseBytes,
    authorization: accounts.authorization,
    createLog: (server) => serverLogs.open(server, (lines) => events.emit({ type: 'server.log', server, lines })),
    onState: (upstream) => {
      const status = upstream.status()
      options.log(status.reason === null ? 'info' : 'warn', 'Server state', {
        server: status.name,
        state: status.state,
        ...(status.reason === null ? {} : { reason: status.reason.message }),
      })
      events.emit({ type: 'server.changed', server: status })
      hub.onOverview?.(overview())
    },
    onCatalog: (upstream, kinds) => {
      pins.observe(upstream.name, upstream.catalog.lists.tools)
      gateway.catalogChanged(upstream, kinds)
      events.emit({ type: 'catalog.changed', server: upstream.name })
      events.emit({ type: 'server.changed', server: upstream.status() })
    },
    onResourceUpdated: (upstream, params) => gateway.resourceUpdated(upstream, params),
    onServers: ({ removed, disabled }) => {
      if (removed.length + disabled.length > 0) gateway.listsChanged([...removed, ...disabled])
      for (const name of removed) {
        pins.forget(name)
        events.emit({ type: 'server.removed', name })
      }
      hub.onOverview?.(overview())
    },
  })

  events.onUsageWatched = supervisor.usageWatched

  const metrics = createMetrics({
    version: options.version,
    servers: () => [...supervisor.upstreams.values()].map((upstream) => upstream.status()),
    sessions: () => gateway.sessions,
    listens: () => gateway.listens,
    eventReaders: () => events.readers,
    dropped: () => history.dropped,
  })
  const { traces } = options
  const onExchange: OnExchange =
    traces === null
      ? history.record
      : (exchange, params, reply) => {
          history.record(exchange, params, reply)
          traces.end(exchange)
        }
  const gateway = createGateway({
    hubInfo: { name: 'mcp-hub', version: options.version },
    limits,
    upstreams: () => supervisor.upstreams,
    profiles: () => config.profiles.profiles,
    admission: pins,
    onExchange,
    traces,
    onBatch: (principal, more) => void rates.take('mcp', principal, '', more),
    warn: (text, data) => options.log('warn', text, data),
  })

  const keeper = createSecretKeeper({
    vault,
    sources: references,
    redactor,
    servers: () => config.servers.mcpServers,
    supervisor,
  })

  const lifter = createSecretLifter({ vault, servers: () => config.servers.mcpServers })

  const apply = (): Promise<void> => {
    keeper.refresh()
    return supervisor.apply(config.servers.mcpServers)
  }

  function profilesChanged(): void {
    gateway.listsChanged([])
    events.emit({ type: 'profiles.changed' })
  }

  function pinsChanged(server: string): void {
    gateway.listsChanged([])
    events.emit({ type: 'catalog.changed', server })
  }

  function status(): HubStatus {
    return {
      version: options.version,
      mode: options.mode,
      pid: process.pid,
      startedAt,
      nodeVersion: process.version,
      endpoint,
      mcpAuth,
      configDir: options.configDir,
      configFaults: [...config.faults, ...identity.faults],
      sessions: gateway.sessions,
      rssBytes: process.memoryUsage.rss(),
    }
  }

  function overview(): Overview {
    const servers = [...supervisor.upstreams.values()].map((upstream) => {
      const { name, state, reason } = upstream.status()
      return { name, state, reason }
    })
    return { endpoint, configFaults: config.faults.length, servers, signIns: accounts.needing() }
  }

  function changed(): void {
    events.emit({ type: 'hub.changed', hub: status() })
    hub.onOverview?.(overview())
  }

  /** Loaded with the first request for it: who only serves MCP clients carries neither the API nor the publisher. */
  async function loadApp(): Promise<Express> {
    const [{ createApp }, { createPublisher }] = await Promise.all([
      import('./api/app.ts'),
      import('./publish/index.ts'),
    ])
    return createApp({
      auth: { identity, mode: options.mode, trust, identify: (request: Request) => identify(request) },
      doctor: { supervisor, searchPath, redactor },
      servers: {
        config,
        supervisor,
        lifter,
        redactor,
        apply,
        allowRuntimeStdio: () =>
          config.system.server?.allowRuntimeStdio ??
          (options.mode === 'desktop' || options.env('NODE_ENV') !== 'production'),
        renamed: async (from, to) => (await accounts.open()).rename(from, to),
      },
      accounts: { accounts, baseUrl },
      catalog: { supervisor, events, pins, onExchange },
      profiles: { config, supervisor, pins, changed: profilesChanged },
      pins: { supervisor, pins, changed: pinsChanged },
      hub: {
        status,
        events,
        moveEndpoint: async (port) => {
          if (port !== undefined) await config.saveSystem(['server', 'port'], port)
          await hub.onMoveEndpoint?.(port ?? endpoint.port)
        },
      },
      secrets: { vault, keeper },
      diagnostics: {
        dataDir: options.dataDir,
        logDir: options.logDir,
        status,
        servers: () => config.servers,
        system: () => config.systemAsWritten,
        states: () =>
          [...supervisor.upstreams.values()].map((upstream) => ({
            name: upstream.name,
            state: { ...upstream.status(), history: upstream.history() },
            log: upstream.log.lines(),
          })),
        secrets: keeper.entries,
        log: remembered.entries,
        redactor,
      },
      history: { history, metrics },
      publisher: createPublisher({
        loadServers: () => config.servers,
        loadSystem: () => config.systemAsWritten,
        distDir: options.distDir,
        version: options.version,
      }),
      identify,
      rates,
      maxBodyBytes: maxRequestBytes,
      webDir: options.webDir,
      log: options.log,
      redactor,
    })
  }
  let app: Promise<Express> | null = null

  function serveApp(request: IncomingMessage, response: ServerResponse): void {
    app ??= loadApp()
    app.then(
      (serve) => void serve(request, response),
      (error: unknown) => {
        app = null
        options.log('error', 'The API could not be loaded', { error: String(error) })
        refusePlain(response, 'HUB_INTERNAL', 'The API could not be loaded; the log of the hub says why')
      },
    )
  }

  const guard = createGuard({
    allowedHosts: [...(serverConfig.allowedHosts ?? []), ...(publicUrl === null ? [] : [new URL(publicUrl).host])],
    allowedOrigins: serverConfig.cors?.origin ?? [],
  })

  const door = createMcpDoor({
    open: mcpAuth === 'none',
    rates,
    addressOf: (request) => clientAddress(request, trust),
    quick: identity.quick,
    identify,
    serve,
  })

  function onMcp(request: IncomingMessage, response: ServerResponse, path: string): void {
    if (ready) door(request, response, path)
    else refuseMcp(response, 503, rpc.shuttingDown, 'The hub is shutting down', { 'retry-after': '1' })
  }

  const ended = (): void => {
    running--
  }

  function serve(request: IncomingMessage, response: ServerResponse, path: string, caller: Caller): void {
    running++
    response.on('close', ended)
    gateway.handle(request, response, path, caller)
  }

  const hub: Hub = {
    requestListener: (surface) => (request, response) => {
      const url = request.url ?? '/'
      const query = url.indexOf('?')
      const path = query === -1 ? url : url.slice(0, query)
      if (path.startsWith('/health') && health(path, response)) return
      const refusal = guard(request)
      const isMcp =
        path === '/mcp' ||
        path.startsWith('/mcp/') ||
        path === '/sse' ||
        path.startsWith('/sse/') ||
        path === '/messages'
      if (refusal !== null) {
        if (isMcp) refuseMcp(response, errorCodes[refusal.code], rpc.invalidRequest, refusal.message)
        else refusePlain(response, refusal.code, refusal.message)
      } else if (isMcp) onMcp(request, response, path)
      // On both listeners: in the app, browsers know only the one of the MCP endpoint.
      else if (accounts.serve(request, response, path)) return
      else if (surface === 'mcp') refusePlain(response, 'HUB_NOT_FOUND', 'This address serves MCP endpoints only')
      else serveApp(request, response)
    },
    start: async () => {
      identity.watch()
      config.watch(() => {
        for (const fault of config.faults) options.log('error', 'Configuration fault', { ...fault })
        history.audit(configChangedAct(config.faults.length))
        changed()
        void apply()
        profilesChanged()
      })
      ready = true
      void serverLogs.prune(Object.keys(config.servers.mcpServers))
      await apply()
    },
    get ready() {
      return ready
    },
    get faults() {
      return config.faults
    },
    mcpAuth,
    endpointPort: serverConfig.port,
    maxHeaderBytes: limits.maxHeaderBytes,
    host: serverConfig.host,
    setupCode: () => identity.setupCode(),
    overview,
    setEndpoint: (next) => {
      endpoint = next
      changed()
    },
    onMoveEndpoint: null,
    onOverview: null,
    onSetupCode: null,
    drain: async (ms) => {
      ready = false
      const deadline = Date.now() + ms
      // Streams have no end of their own: clients reconnect to the next hub.
      gateway.close()
      events.close()
      while (running > 0 && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 50))
    },
    stop: async () => {
      ready = false
      await config.dispose()
      gateway.close()
      events.close()
      accounts.close()
      await supervisor.stop()
      await serverLogs.flush()
      await pins.flush()
      await identity.dispose()
      await (await cluster)?.dispose()
      await history.dispose()
      await traces?.dispose()
      await vault.dispose()
    },
    abandon: journal.killAll,
  }

  function health(path: string, response: ServerResponse): boolean {
    if (path === '/health' || path === '/health/live') sendJson(response, 200, '{"status":"ok"}')
    else if (path === '/health/ready') sendReadiness(response)
    else return false
    return true
  }

  /** A hub that cannot keep what it is told is taken out of the balance; only a database elsewhere can be away. */
  function sendReadiness(response: ServerResponse): void {
    const reason = !ready ? 'not serving' : options.databaseUrl === null ? null : history.failure
    if (reason === null) sendJson(response, 200, '{"status":"ready"}')
    else sendJson(response, 503, JSON.stringify({ status: 'not ready', reason }))
  }

  return hub
}

/** Where a browser on this computer reaches the hub; null when it listens elsewhere, or not at all. */
function loopbackOrigin({ state, url }: Endpoint): string | null {
  if (state !== 'listening') return null
  const { origin, hostname } = new URL(url)
  return ['127.0.0.1', 'localhost', '[::1]'].includes(hostname) ? origin : null
}
