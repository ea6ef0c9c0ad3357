import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Express } from 'express'
import { limitDefaults, type Endpoint, type HubStatus, type Overview } from './contract/index.ts'
import { trustOf, type Trust } from './auth/client-address.ts'
import { openExecConsents } from './auth/exec-consents.ts'
import { openIdentity } from './auth/identity.ts'
import { signingKeys } from './auth/signing-keys.ts'
import { createProtectedResources } from './auth/protected-resource.ts'
import { createRateLimits } from './auth/rate-limits.ts'
import { loopbackOrigin } from './endpoint.ts'
import { createClusterSource } from './cluster/cluster-source.ts'
import { loadApp } from './api/load-app.ts'
import { openPins } from './catalog/pins.ts'
import { createBackupSource } from './backup/backup-source.ts'
import type { Sources } from './config/interpolate.ts'
import type { ReferenceSources } from './config/references.ts'
import { keptText } from './config/kept-text.ts'
import { openDocuments } from './config/open-documents.ts'
import { defaultOf, fixedDefault, type Where } from './config/settings.ts'
import { createPushSource } from './config/push/push-source.ts'
import { openConfigStore } from './config/store.ts'
import { createConfigVersions } from './config/versions.ts'
import { createFrontDoor } from './front-door.ts'
import type { OnExchange } from './gateway/exchange.ts'
import { createGateway } from './gateway/gateway.ts'
import { configChangedAct, identityAct, pushAct } from './history/acts.ts'
import { createHistory } from './history/create-history.ts'
import type { Hub, HubOptions } from './hub.ts'
import { createLiveSettings } from './live-settings.ts'
import { createEvents } from './observe/events.ts'
import { createFaultReports } from './observe/fault-reports.ts'
import { rememberLog } from './observe/recent-log.ts'
import { logRequests } from './observe/request-lines.ts'
import { createMetrics } from './observe/metrics.ts'
import { createServerLogs } from './observe/server-log.ts'
import { createWebhooks } from './observe/webhooks.ts'
import { unsaid } from './say.ts'
import { createSecretKeeper } from './secrets/keeper.ts'
import { createSecretLifter } from './secrets/lifter.ts'
import { readFileBelow, readSecretFile, secretFolders } from './secrets/environment.ts'
import { isOwnName } from './secrets/names.ts'
import { configuredDefaults } from './upstream/limits.ts'
import { createOffers } from './upstream/offers.ts'
import { createProcessJournal, journalFile } from './upstream/process/journal.ts'
import { systemProcessTable } from './upstream/process/process-table.ts'
import { createReaper } from './upstream/process/process-tree.ts'
import { startWatchdog } from './upstream/process/watchdog.ts'
import { createSearchPathSource } from './upstream/process/search-path.ts'
import { createAccountService } from './upstream/oauth/service.ts'
import { createSupervisor } from './upstream/supervisor.ts'

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
  const journal = await createProcessJournal(journalFile(options.dataDir), table, reaper)
  await journal.reap()
  // On a server whoever started the hub starts it again.
  const watchdog = options.mode === 'desktop' ? startWatchdog(journal.ownMarks) : null
  const sources: Sources = {
    env: options.systemEnv ?? options.env,
    secret: (name) => (isOwnName(name) ? undefined : options.vault.get(name)),
    explain: options.vault.explain,
    file: readSecretFile,
  }
  const documents = await openDocuments({ ...options, sources })
  const config = await openConfigStore(documents, sources, options.overrides)
  options.applyLogging?.(config.system.logging)
  const versions =
    documents.versions ??
    createConfigVersions(join(options.dataDir, 'versions'), (error) =>
      options.log('error', 'A version of the configuration cannot be kept', { error: String(error) }),
    )
  config.onVersion = (texts, by, reason) => void versions.record(texts, by, reason)
  const where: Where = {
    mode: options.mode,
    production: options.mode === 'server' && options.env('NODE_ENV') === 'production',
  }
  const allowPrivateAddresses = (): boolean =>
    config.system.server?.allowPrivateAddresses ?? defaultOf('server.allowPrivateAddresses', where)
  const consents = await openExecConsents({
    text: keptText(documents, 'exec-consents'),
    needed: () => config.system.server?.execConsent ?? defaultOf('server.execConsent', where),
    present: config.faults.length > 0 ? null : config.servers.mcpServers,
    // What waits for a yes is looked at again.
    onChange: () => {
      for (const upstream of supervisor.upstreams.values())
        if (upstream.status().reason?.code === 'consent-needed' && consents.agreed(upstream.config))
          void upstream.restart()
    },
    onError: (error) => options.log('error', 'The agreed programs cannot be read', { error: String(error) }),
  })
  const backups = createBackupSource({
    configDir: options.configDir,
    dataDir: options.dataDir,
    secretsFile: options.secretsFile ?? null,
    accountsDir: options.sharedAccounts?.dir,
    version: options.version,
    documents,
    system: () => config.system,
    log: options.log,
  })
  const pushes = createPushSource({
    text: keptText(documents, 'pushes'),
    shared: documents.shared,
    config,
    consents,
    servers: () => [...supervisor.upstreams.values()].map((upstream) => upstream.status()),
    unready: () => door.unready(),
    applied: async () => {
      await apply()
      profilesChanged()
    },
    watchMs: () => config.system.server?.pushWatchMs ?? fixedDefault('server.pushWatchMs'),
    told: (push) => {
      history.audit(pushAct(push))
      events.emit({ type: 'config.pushed', push })
    },
    log: options.log,
  })
  const pins = await openPins({
    text: keptText(documents, 'pins'),
    place: documents.placeOf('pins'),
    onChange: () => {
      for (const server of supervisor.upstreams.keys()) pinsChanged(server)
    },
    policy: () => config.system.pinning ?? {},
    onError: (error) => options.log('error', 'The approved tool definitions cannot be saved', { error: String(error) }),
  })
  const startedAt = Date.now()
  const { vault, redactor } = options
  const events = createEvents(redactor)
  const { auth: authConfig = {}, server: serverConfig = {} } = config.system
  function knowSecrets(): void {
    const { jwtSecret, jwtSecretPrevious } = config.system.auth ?? {}
    redactor.know(
      'system',
      [jwtSecret, jwtSecretPrevious, config.system.monitoring?.sentryDsn].filter((value) => value !== undefined),
    )
  }
  knowSecrets()
  /** One object, which a change of the settings changes. */
  const limits = { ...limitDefaults, ...config.system.limits }
  /** Where the endpoint was moved to by hand. */
  let movedTo: number | undefined
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
    onBatch: (requests) => {
      metrics.count(requests)
      if (options.isDebug?.() === true) logRequests(options.log, requests)
      options.worked?.(requests.length)
    },
  })
  let trusted = trustOf(serverConfig.trustProxy)
  const trust: Trust = (address, hop) => trusted(address, hop)
  const cluster = createClusterSource({
    redisUrl: options.redisUrl,
    // The hubs of one machine share their accounts' folder: a sign-in at one must count at the others.
    dir: options.sharedAccounts?.dir ?? options.dataDir,
    log: options.log,
  })
  if (options.redisUrl !== null && authConfig.jwtSecret === undefined)
    options.log('warn', 'JWT_SECRET is not set: who signs in here is not signed in at the hubs that share REDIS_URL')
  let lockouts = 0
  const keys = await signingKeys(options, authConfig)
  const identity = await openIdentity({
    mode: options.mode,
    documents,
    dataDir: options.dataDir,
    tokens: options.tokens,
    signingKeys: keys,
    auth: () => config.system.auth ?? {},
    adminPassword: options.adminPassword,
    openCluster: cluster.open,
    announceSetup: (code) => hub.onSetupCode?.(code),
    audit: (act) => {
      history.audit(identityAct(act))
      if (act.action !== 'auth.locked') return
      lockouts++
      webhooks.lockout(act.target, act.address)
    },
  })
  const webhooks = createWebhooks({
    version: options.version,
    env: options.env,
    configDir: options.configDir,
    allowPrivateAddresses,
    hubUrl: () => baseUrl(),
    pinState: pins.state,
    redactor,
    log: options.log,
  })
  webhooks.apply(config.system.monitoring?.webhooks)
  const reportFault = createFaultReports({
    dsn: () => config.system.monitoring?.sentryDsn,
    release: options.version,
    part: 'hub',
    redactor,
    env: process.env,
  })
  const mcpAuth = authConfig.mcp ?? 'token'
  const rates = createRateLimits({
    mode: options.mode,
    settings: () => config.system.rateLimit,
    limiter: cluster.limiter,
  })

  const serverLogs = createServerLogs({ folder: join(options.dataDir, 'logs', 'servers'), redactor })
  const searchPath = createSearchPathSource(options.readSearchPath)
  /** What a server offers, and its sessions, belong to who is signed in. */
  function restartAs(server: string): void {
    const upstream = supervisor.upstreams.get(server)
    if (upstream !== undefined && upstream.status().state !== 'disabled') void upstream.restart()
  }

  const publicUrl = (): string | null => config.system.server?.publicUrl?.replace(/\/+$/, '') ?? null
  const baseUrl = (): string | null => publicUrl() ?? loopbackOrigin(endpoint)
  const issuer =
    authConfig.oauth === undefined
      ? null
      : (await import('./auth/external-issuer.ts')).createExternalIssuer(authConfig.oauth)
  const resources = createProtectedResources({ issuer, audience: authConfig.oauth?.audience ?? [], baseUrl })
  const accounts = createAccountService({
    dir: options.sharedAccounts?.dir ?? join(options.dataDir, 'accounts'),
    key: options.sharedAccounts === undefined ? vault : options.sharedAccounts.key,
    know: (secrets) => redactor.know('accounts', secrets),
    baseUrl,
    placeOf: (server) => supervisor.placeOf(server),
    servers: () => [...supervisor.upstreams.keys()],
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

  const serverDefaults = configuredDefaults(config.system)
  const supervisor = createSupervisor({
    clientInfo: { name: 'mcp-hub', version: options.version },
    defaults: serverDefaults,
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
    agreed: consents.agreed,
    allowPrivateAddresses,
    authorization: accounts.authorization,
    createLog: (server) => serverLogs.open(server, (lines) => events.emit({ type: 'server.log', server, lines })),
    onState: (upstream) => {
      const status = upstream.status()
      if (status.state === 'running') options.worked?.(0)
      options.log(status.reason === null ? 'info' : 'warn', 'Server state', {
        server: status.name,
        state: status.state,
        ...(status.reason === null ? {} : { reason: status.reason.message }),
      })
      events.emit({ type: 'server.changed', server: status })
      webhooks.serverState(status)
      hub.onOverview?.(overview())
    },
    onCatalog: (upstream, kinds) => {
      for (const { lists } of upstream.catalogs) {
        pins.observe(upstream.name, lists.tools)
        webhooks.toolsSeen(upstream.name, lists.tools)
      }
      gateway.catalogChanged(upstream, kinds)
      events.emit({ type: 'catalog.changed', server: upstream.name })
      events.emit({ type: 'server.changed', server: upstream.status() })
    },
    onNotification: (upstream, method, params) => gateway.notified(upstream, method, params),
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
    settings: () => {
      const { enabled = fixedDefault('monitoring.enabled'), metricsInterval = null } = config.system.monitoring ?? {}
      return { enabled, intervalMs: metricsInterval }
    },
    version: options.version,
    servers: () => [...supervisor.upstreams.values()].map((upstream) => upstream.status()),
    sessions: () => gateway.sessions,
    listens: () => gateway.listens,
    eventReaders: () => events.readers,
    dropped: () => history.dropped,
    lockouts: () => lockouts,
    newestBackup: backups.newest,
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
    instance: options.instance ?? null,
    stateKeys: keys,
    upstreams: () => supervisor.upstreams,
    profiles: () => config.profiles.profiles,
    admission: pins,
    toolSearch: identity.keyToolSearch,
    onExchange,
    traces,
    foreignSession: ({ id }, target) =>
      history.audit(identityAct({ action: 'mcp.session-foreign', by: { id, name: id }, target, ok: false })),
    taskOwners: async () => (await cluster.open()).notes('task-owners'),
    onBatch: (principal, more) => void rates.take('mcp', principal, '', more),
    warn: (text, data) => options.log('warn', text, data),
  })

  identity.keyToolSearch.onChange = () => gateway.listsChanged([])

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
      restartNeeded: live.restartNeeded,
      sessions: gateway.sessions,
      rssBytes: process.memoryUsage.rss(),
    }
  }

  function overview(): Overview {
    const servers = [...supervisor.upstreams.values()].map((upstream) => {
      const { name, state, reason } = upstream.status()
      return { name, state, reason }
    })
    return {
      endpoint,
      configFaults: config.faults.length + identity.faults.length,
      servers,
      signIns: accounts.needing(),
    }
  }

  function changed(): void {
    events.emit({ type: 'hub.changed', hub: status() })
    hub.onOverview?.(overview())
  }

  let app: Promise<Express> | null = null
  const door = createFrontDoor({
    guard: () => {
      const { allowedHosts = [], cors } = config.system.server ?? {}
      const base = publicUrl()
      return {
        allowedHosts: [...allowedHosts, ...(base === null ? [] : [new URL(base).host])],
        allowedOrigins: cors?.origin ?? [],
        credentials: cors?.credentials ?? fixedDefault('server.cors.credentials'),
      }
    },
    trust,
    identity,
    issuer,
    resources,
    mcpAuth,
    rates,
    gateway,
    accounts,
    app: () =>
      (app ??= loadApp({
        options,
        where,
        trust,
        identity,
        identify: (request) => door.identify(request),
        rates,
        config,
        versions,
        openPushes: pushes.open,
        references,
        backups,
        supervisor,
        searchPath,
        accounts,
        consents,
        pins,
        savedCases: { text: keptText(documents, 'saved-cases'), place: documents.placeOf('saved-cases') },
        keeper,
        lifter,
        history,
        metrics,
        webhooks,
        reportFault,
        events,
        log: remembered,
        onExchange,
        maxBodyBytes: () => limits.maxRequestBytes,
        baseUrl,
        status,
        apply,
        profilesChanged,
        pinsChanged,
        hold: (response, caller) => door.hold(response, caller),
        moveEndpoint: async (port) => {
          movedTo = port ?? movedTo
          if (port !== undefined) await config.saveSystem(['server', 'port'], port, { by: 'MCP Hub' })
          await hub.onMoveEndpoint?.(port ?? endpoint.port)
        },
      })),
    onAppFailure: (error) => {
      app = null
      options.log('error', 'The API could not be loaded', { error: String(error) })
    },
    // A hub that cannot keep what it is told is taken out of the balance; only a database elsewhere can be away.
    unready: () => (!door.open ? 'not serving' : options.databaseUrl === null ? null : history.failure),
  })

  const live = createLiveSettings({
    system: () => config.system,
    where,
    log: options.log,
    isThere: (name, value) => name === 'server.port' && value === movedTo,
    takeOver: (names) => {
      const touches = (prefix: string): boolean => [...names].some((name) => name.startsWith(prefix))
      if (touches('logging.')) options.applyLogging?.(config.system.logging)
      if (touches('monitoring.webhooks')) webhooks.apply(config.system.monitoring?.webhooks)
      if (touches('rateLimit.')) rates.update()
      if (touches('server.')) {
        trusted = trustOf(config.system.server?.trustProxy)
        door.guardChanged()
      }
      if (touches('limits.')) Object.assign(limits, limitDefaults, config.system.limits)
      if (touches('limits.') || touches('monitoring.')) {
        Object.assign(serverDefaults, configuredDefaults(config.system))
        for (const upstream of supervisor.upstreams.values()) upstream.defaultsChanged()
      }
    },
  })
  config.onSystem = () => {
    knowSecrets()
    live.changed()
    changed()
  }

  const hub: Hub = {
    requestListener: door.listener,
    start: async () => {
      identity.onFaults = () => {
        for (const fault of identity.faults) options.log('error', 'Configuration fault', unsaid(fault))
        changed()
      }
      identity.watch()
      pins.watch()
      consents.watch()
      config.watch((names) => {
        webhooks.configFaults(config.faults)
        for (const fault of config.faults) options.log('error', 'Configuration fault', unsaid(fault))
        // Another hub has told of its change itself.
        if (!documents.shared) history.audit(configChangedAct(config.faults.length))
        changed()
        void apply()
        if (names.has('profiles')) profilesChanged()
      })
      door.open = true
      if (config.faults.length === 0) void versions.record(config.texts, null, null)
      backups.start()
      void serverLogs.prune(Object.keys(config.servers.mcpServers))
      await apply()
      await pushes.resume()
      webhooks.started(options.version)
    },
    get ready() {
      return door.open
    },
    get faults() {
      return config.faults
    },
    mcpAuth,
    endpointPort: serverConfig.port ?? defaultOf('server.port', where),
    connectionLimits: { ...limits, isProxy: (address) => trust(address, 0) },
    host: serverConfig.host ?? fixedDefault('server.host'),
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
      webhooks.draining()
      const deadline = Date.now() + ms
      // Streams have no end of their own: clients reconnect to the next hub.
      events.close()
      for (;;) {
        gateway.release()
        if (door.running === 0 || Date.now() >= deadline) break
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      door.open = false
    },
    stop: async () => {
      door.open = false
      await pushes.dispose()
      await config.dispose()
      await backups.dispose()
      gateway.close()
      events.close()
      accounts.close()
      door.dispose()
      await supervisor.stop()
      watchdog?.dispose()
      await serverLogs.flush()
      await pins.flush()
      await consents.dispose()
      await webhooks.dispose()
      await identity.dispose()
      await documents.dispose()
      await cluster.dispose()
      await history.dispose()
      await traces?.dispose()
      await vault.dispose()
    },
    reportFault,
    abandon: journal.killAll,
  }

  return hub
}
