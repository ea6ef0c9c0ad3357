import { mkdir } from 'node:fs/promises'
import type { Express } from 'express'
import { trustOf, type Trust } from './auth/client-address.ts'
import { openExecConsents } from './auth/exec-consents.ts'
import { createBackupSource } from './backup/backup-source.ts'
import { openPins } from './catalog/pins.ts'
import type { ClientSessions } from './cluster/cluster.ts'
import { createClusterSource } from './cluster/cluster-source.ts'
import { openAccess } from './composition/access.ts'
import { openConfiguration } from './composition/configuration.ts'
import { createLife } from './composition/life.ts'
import { createObservation } from './composition/observation.ts'
import { createServers } from './composition/servers.ts'
import { createHubState } from './composition/state.ts'
import { keptText } from './config/kept-text.ts'
import { createPushSource } from './config/push/push-source.ts'
import { defaultOf, fixedDefault } from './config/settings.ts'
import { limitDefaults, type Endpoint } from './contract/index.ts'
import { loopbackOrigin, portRefused } from './endpoint.ts'
import { createFrontDoor } from './front-door.ts'
import { createGateway } from './gateway/gateway.ts'
import { identityAct, pushAct } from './history/acts.ts'
import type { Hub, HubOptions } from './hub.ts'
import { createLiveSettings } from './live-settings.ts'
import { rememberLog } from './observe/recent-log.ts'
import { say } from './say.ts'
import { createSecretKeeper } from './secrets/keeper.ts'
import { createSecretLifter } from './secrets/lifter.ts'
import { createProcessJournal, journalFile } from './upstream/process/journal.ts'
import { systemProcessTable } from './upstream/process/process-table.ts'
import { createReaper } from './upstream/process/process-tree.ts'
import { startWatchdog } from './upstream/process/watchdog.ts'

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
  const configuration = await openConfiguration(options)
  const { documents, config, versions, where, references } = configuration
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
    dataDir: options.dataDir,
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
  const { vault, redactor, traces } = options
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
  const publicUrl = (): string | null => config.system.server?.publicUrl?.replace(/\/+$/, '') ?? null
  const baseUrl = (): string | null => publicUrl() ?? loopbackOrigin(endpoint)

  const observation = createObservation({
    options,
    config,
    pins,
    backups,
    baseUrl,
    allowPrivateAddresses,
    parts: () => ({ supervisor, gateway, access }),
  })
  const { events, history, webhooks, onExchange } = observation
  let trusted = trustOf(serverConfig.trustProxy)
  const trust: Trust = (address, hop) => trusted(address, hop)
  const cluster = createClusterSource({
    redisUrl: options.redisUrl,
    // The hubs of one machine share their accounts' folder: a sign-in at one must count at the others.
    dir: options.sharedAccounts?.dir ?? options.dataDir,
    log: options.log,
  })
  const access = await openAccess({
    options,
    config,
    documents,
    cluster,
    history,
    webhooks,
    baseUrl,
    announceSetup: (code) => hub.onSetupCode?.(code),
  })
  const { identity, rates } = access
  const mcpAuth = authConfig.mcp ?? 'token'

  const servers = createServers({
    options,
    config,
    references,
    limits,
    consents,
    pins,
    events,
    webhooks,
    processes: { table, journal, reaper },
    allowPrivateAddresses,
    baseUrl,
    gateway: () => gateway,
    onOverview: () => hub.onOverview?.(state.overview()),
  })
  const { supervisor, accounts, searchPath } = servers

  const openClientSessions = async (): Promise<ClientSessions | null> => (await cluster.open()).clientSessions
  const sessionRecords =
    options.redisUrl === null ? null : (await import('./gateway/session-records.ts')).recordsIn(openClientSessions)
  const gateway = createGateway({
    hubInfo: { name: 'mcp-hub', version: options.version },
    limits,
    instance: options.instance ?? null,
    stateKeys: access.signingKeys,
    upstreams: () => supervisor.upstreams,
    profiles: () => config.profiles.profiles,
    admission: pins,
    toolSearch: identity.keyToolSearch,
    onExchange,
    traces,
    foreignSession: ({ id }, target) =>
      history.audit(identityAct({ action: 'mcp.session-foreign', by: { id, name: id }, target, ok: false })),
    taskOwners: async () => (await cluster.open()).notes('task-owners'),
    sessionRecords,
    onBatch: (principal, more) => void rates.take('mcp', principal, '', more),
    warn: (text, data) => options.log('warn', text, data),
  })

  identity.keyToolSearch.onChange = () => gateway.listsChanged([])

  const keeper = createSecretKeeper({
    vault,
    sources: references,
    redactor,
    servers: () => config.servers.mcpServers,
    system: () => config.systemAsWritten,
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
    hub.onOverview?.(state.overview())
  }

  function pinsChanged(server: string): void {
    gateway.listsChanged([])
    events.emit({ type: 'catalog.changed', server })
  }

  const state = createHubState({
    options,
    startedAt,
    endpoint: () => endpoint,
    mcpAuth,
    config,
    identity,
    live: () => live,
    gateway: () => gateway,
    supervisor,
    accounts,
  })

  function changed(): void {
    events.emit({ type: 'hub.changed', hub: state.status() })
    hub.onOverview?.(state.overview())
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
    issuer: access.issuer,
    resources: access.resources,
    mcpAuth,
    rates,
    gateway,
    accounts,
    app: () =>
      (app ??= import('./api/load-app.ts').then(({ loadApp }) =>
        loadApp({
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
          metrics: observation.metrics,
          webhooks,
          reportFault: observation.reportFault,
          events,
          log: remembered,
          onExchange,
          maxBodyBytes: () => limits.maxRequestBytes,
          baseUrl,
          status: state.status,
          apply,
          profilesChanged,
          pinsChanged,
          hold: (response, caller) => door.hold(response, caller),
          moveEndpoint: async (port) => {
            const before = { port: endpoint.port, movedTo }
            const tried = await hub.onMoveEndpoint?.(port ?? before.port)
            if (port === undefined) return
            if (tried !== undefined && tried.state !== 'listening') throw portRefused(tried)
            movedTo = port
            try {
              await config.saveSystem(['server', 'port'], () => port, { by: 'MCP Hub' })
            } catch (error) {
              // Else it would be back where it was at the next start, though its clients had followed.
              movedTo = before.movedTo
              await hub.onMoveEndpoint?.(before.port)
              throw error
            }
          },
        }),
      )),
    onAppFailure: (error) => {
      app = null
      options.log('error', 'The API could not be loaded', { error: String(error) })
    },
    // A hub that cannot keep what it is told is taken out of the balance; only a database elsewhere can be away.
    unready: () => (!door.open ? say`not serving` : options.databaseUrl === null ? null : history.failure),
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
      if (touches('limits.') || touches('monitoring.')) servers.settingsChanged()
    },
  })
  config.onSystem = () => {
    knowSecrets()
    live.changed()
    changed()
  }

  const hub: Hub = {
    requestListener: door.listener,
    ...createLife({
      options,
      configuration,
      access,
      servers,
      consents,
      pins,
      pushes,
      backups,
      gateway,
      door,
      events,
      history,
      webhooks,
      cluster,
      watchdog,
      journal,
      apply,
      profilesChanged,
      changed,
    }),
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
    overview: state.overview,
    setEndpoint: (next) => {
      endpoint = next
      changed()
    },
    onMoveEndpoint: null,
    onOverview: null,
    onSetupCode: null,
    reportFault: observation.reportFault,
    abandon: journal.killAll,
  }

  return hub
}
