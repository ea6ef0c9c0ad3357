import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import type { Express } from 'express'
import type { Caller } from '../auth/caller.ts'
import type { Trust } from '../auth/client-address.ts'
import type { ExecConsents } from '../auth/exec-consents.ts'
import type { Identity } from '../auth/identity.ts'
import type { RateLimits } from '../auth/rate-limits.ts'
import type { Pins } from '../catalog/pins.ts'
import type { BackupSource } from '../backup/backup-source.ts'
import { defaultOf, type Where } from '../config/settings.ts'
import type { KeptText } from '../config/kept-text.ts'
import type { ConfigStore } from '../config/store.ts'
import type { Pushes } from '../config/push/pushes.ts'
import type { Sources } from '../config/interpolate.ts'
import type { ConfigVersions } from '../config/versions.ts'
import type { HubStatus } from '../contract/index.ts'
import type { OnExchange } from '../gateway/exchange.ts'
import type { Recorder } from '../history/recorder.ts'
import type { HubOptions } from '../hub.ts'
import type { Events } from '../observe/events.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { ReportFault } from '../observe/fault-reports.ts'
import type { RememberedLog } from '../observe/recent-log.ts'
import type { Webhooks } from '../observe/webhooks.ts'
import type { SecretKeeper } from '../secrets/keeper.ts'
import type { SecretLifter } from '../secrets/lifter.ts'
import type { AccountService } from '../upstream/oauth/service.ts'
import type { SearchPathSource } from '../upstream/process/search-path.ts'
import type { Supervisor } from '../upstream/supervisor.ts'

/** What of the hub the API works on. */
export interface AppParts {
  options: HubOptions
  where: Where
  trust: Trust
  identity: Identity
  identify: (request: IncomingMessage) => Promise<Caller | null>
  rates: RateLimits
  config: ConfigStore
  versions: ConfigVersions
  openPushes: () => Promise<Pushes>
  /** The values of references in servers.json. */
  references: Sources
  backups: BackupSource
  supervisor: Supervisor
  searchPath: SearchPathSource
  accounts: AccountService
  consents: ExecConsents
  pins: Pins
  /** Where saved cases are kept. */
  savedCases: { text: KeptText; place: string }
  keeper: SecretKeeper
  lifter: SecretLifter
  history: Recorder
  metrics: Metrics
  events: Events
  log: RememberedLog
  webhooks: Webhooks
  reportFault: ReportFault
  onExchange: OnExchange
  maxBodyBytes: () => number
  /** Where browsers reach the hub; null while nobody can tell. */
  baseUrl: () => string | null
  status: () => HubStatus
  /** Brings servers.json into force. */
  apply: () => Promise<void>
  profilesChanged: () => void
  pinsChanged: (server: string) => void
  /** An answer that may last: it is ended when its caller's credential is. */
  hold: (response: ServerResponse, caller: Caller) => void
  moveEndpoint: (port: number | undefined) => Promise<void>
}

/** The API, loaded with the first request for it: who only serves MCP clients carries neither it nor the publisher. */
export async function loadApp(parts: AppParts): Promise<Express> {
  const { options, config, supervisor, pins, events, history, status, identity, identify, onExchange } = parts
  const { redactor } = options
  const [
    { createApp },
    { createSavedCases },
    { createPublisher },
    { createPushService },
    { createExecCheck, createProgramsConsent },
  ] = await Promise.all([
    import('./app.ts'),
    import('../cases/saved-cases.ts'),
    import('../publish/index.ts'),
    import('../publish/push/index.ts'),
    import('./exec-check.ts'),
  ])
  const publisher = createPublisher({
    loadServers: () => config.servers,
    loadSystem: () => config.systemAsWritten,
    loadProfiles: () => config.profiles.profiles,
    distDir: options.distDir,
    version: options.version,
  })
  const checkExec = createExecCheck(
    () => config.system.server?.allowRuntimeStdio ?? defaultOf('server.allowRuntimeStdio', parts.where),
  )
  const programs = createProgramsConsent(config, checkExec, parts.consents, async () => {
    await parts.apply()
    parts.profilesChanged()
  })
  const cases = createSavedCases(parts.savedCases)
  return createApp({
    auth: { identity, mode: options.mode, trust: parts.trust, identify },
    doctor: { supervisor, searchPath: parts.searchPath, redactor, checkExec },
    servers: {
      config,
      supervisor,
      lifter: parts.lifter,
      redactor,
      apply: parts.apply,
      checkExec,
      consents: parts.consents,
      profilesChanged: parts.profilesChanged,
      renamed: async (from, to) => {
        // The server has its new name by now, whatever does not go with it.
        const stays = (what: string) => (error: unknown) =>
          parts.log.log('warn', `${what} of a server that was renamed is still under its old name`, {
            from,
            to,
            error: error instanceof Error ? error.message : String(error),
          })
        pins.move(from, to)
        const accounts = parts.accounts.open()
        await accounts.then((all) => all.rename(from, to)).catch(stays('The sign-in'))
        await cases.moveServer(from, to).catch(stays('What people saved'))
      },
    },
    accounts: { accounts: parts.accounts, baseUrl: parts.baseUrl },
    catalog: { supervisor, pins, onExchange },
    cases: { cases, supervisor, redactor },
    config: { config, versions: parts.versions, programs },
    adminConfig: {
      config,
      versions: parts.versions,
      programs,
      openPushes: parts.openPushes,
      references: parts.references,
      redactor,
      keys: identity.keys,
    },
    backups: { ...parts.backups, config, programs },
    profiles: { config, supervisor, pins, changed: parts.profilesChanged },
    pins: { supervisor, pins, changed: parts.pinsChanged },
    hub: { status, events, moveEndpoint: parts.moveEndpoint, hold: parts.hold },
    secrets: { vault: options.vault, keeper: parts.keeper },
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
      secrets: parts.keeper.entries,
      log: parts.log.entries,
      redactor,
    },
    history: { history, metrics: parts.metrics },
    settings: { config, overrides: options.overrides ?? {}, where: parts.where },
    webhooks: {
      webhooks: parts.webhooks,
      config,
      versions: parts.versions,
      vault: options.vault,
      shared: options.databaseUrl !== null,
      allowPrivateAddresses: () =>
        config.system.server?.allowPrivateAddresses ?? defaultOf('server.allowPrivateAddresses', parts.where),
    },
    publisher,
    push: {
      push: createPushService({ folder: join(options.dataDir, 'publish'), publisher, version: options.version }),
      config,
      programs,
      redactor,
    },
    identify,
    rates: parts.rates,
    maxBodyBytes: parts.maxBodyBytes,
    webDir: options.webDir,
    log: parts.log.log,
    reportFault: parts.reportFault,
    redactor,
  })
}
