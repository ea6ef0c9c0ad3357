import { join } from 'node:path'
import type { ExecConsents } from '../auth/exec-consents.ts'
import { instructionsItem } from '../catalog/definition.ts'
import type { Pins } from '../catalog/pins.ts'
import type { ReferenceSources } from '../config/references.ts'
import type { ConfigStore } from '../config/store.ts'
import type { Limits } from '../contract/index.ts'
import type { Gateway } from '../gateway/gateway.ts'
import type { HubOptions } from '../hub.ts'
import type { Events } from '../observe/events.ts'
import { createServerLogs, type ServerLogs } from '../observe/server-log.ts'
import type { Webhooks } from '../observe/webhooks.ts'
import { configuredDefaults } from '../upstream/limits.ts'
import { createOffers } from '../upstream/offers.ts'
import { createAccountService, type AccountService } from '../upstream/oauth/service.ts'
import type { ProcessJournal } from '../upstream/process/journal.ts'
import type { ProcessTable } from '../upstream/process/process-table.ts'
import type { ProcessReaper } from '../upstream/process/process-tree.ts'
import { createSearchPathSource, type SearchPathSource } from '../upstream/process/search-path.ts'
import { createSupervisor, type Supervisor } from '../upstream/supervisor.ts'

/**
 * Who removes a server and brings it back finds what was approved and put in quarantine as it was, also after a hub that ended
 * within this time.
 */
const FORGET_PINS_MS = 86_400_000

export interface ServersOptions {
  options: HubOptions
  config: ConfigStore
  references: ReferenceSources
  limits: Limits
  consents: ExecConsents
  pins: Pins
  events: Events
  webhooks: Webhooks
  processes: { table: ProcessTable; journal: ProcessJournal; reaper: ProcessReaper }
  allowPrivateAddresses: () => boolean
  baseUrl: () => string | null
  /** There is one by the time that a server says something. */
  gateway: () => Gateway
  /** The states of servers, or of their accounts, are others. */
  onOverview: () => void
}

/** The servers, what they run with and keep, and who hears of them. */
export interface Servers {
  supervisor: Supervisor
  accounts: AccountService
  serverLogs: ServerLogs
  searchPath: SearchPathSource
  /** The settings that hold for all of them are others. */
  settingsChanged: () => void
}

export function createServers(parts: ServersOptions): Servers {
  const { options, config, limits, consents, pins, events, webhooks, gateway, onOverview } = parts
  const { redactor } = options
  const serverLogs = createServerLogs({ folder: join(options.dataDir, 'logs', 'servers'), redactor })
  const searchPath = createSearchPathSource(options.readSearchPath)

  /** What a server offers, and its sessions, belong to who is signed in. */
  function restartAs(server: string): void {
    const upstream = supervisor.upstreams.get(server)
    if (upstream !== undefined && upstream.status().state !== 'disabled') void upstream.restart()
  }

  const accounts = createAccountService({
    dir: options.sharedAccounts?.dir ?? join(options.dataDir, 'accounts'),
    key: options.sharedAccounts === undefined ? options.vault : options.sharedAccounts.key,
    know: (secrets) => redactor.know('accounts', secrets),
    baseUrl: parts.baseUrl,
    placeOf: (server) => supervisor.placeOf(server),
    servers: () => [...supervisor.upstreams.keys()],
    onChange: (account) => {
      events.emit({ type: 'account.changed', account })
      onOverview()
    },
    onSignedIn: (server, widened) => {
      if (!widened) restartAs(server)
    },
    onSignedOut: (server) => restartAs(server),
    log: options.log,
  })

  /** What will forget the pins of each server that was removed. */
  const leaving = new Map<string, NodeJS.Timeout>()
  const defaults = configuredDefaults(config.system)
  const supervisor = createSupervisor({
    clientInfo: { name: 'mcp-hub', version: options.version },
    defaults,
    references: parts.references,
    redactor,
    configDir: options.configDir,
    offers: createOffers(join(options.dataDir, 'offers')),
    ...parts.processes,
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
    allowPrivateAddresses: parts.allowPrivateAddresses,
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
      onOverview()
    },
    onCatalog: (upstream, kinds) => {
      const { hello } = upstream
      const seen = upstream.catalogs.map(({ lists }) => lists.tools)
      if (hello !== null) seen.push([instructionsItem(hello.instructions)])
      for (const items of seen) {
        pins.observe(upstream.name, items)
        webhooks.toolsSeen(upstream.name, items)
      }
      gateway().catalogChanged(upstream, kinds)
      events.emit({ type: 'catalog.changed', server: upstream.name })
      events.emit({ type: 'server.changed', server: upstream.status() })
    },
    onNotification: (upstream, method, params) => gateway().notified(upstream, method, params),
    onServers: ({ removed, disabled }) => {
      if (removed.length + disabled.length > 0) gateway().listsChanged([...removed, ...disabled])
      for (const name of removed) {
        clearTimeout(leaving.get(name))
        const forget = (): void => {
          leaving.delete(name)
          if (!supervisor.upstreams.has(name)) pins.forget(name)
        }
        leaving.set(name, setTimeout(forget, FORGET_PINS_MS).unref())
        events.emit({ type: 'server.removed', name })
      }
      onOverview()
    },
  })
  events.onUsageWatched = supervisor.usageWatched

  return {
    supervisor,
    accounts,
    serverLogs,
    searchPath,
    settingsChanged: () => {
      Object.assign(defaults, configuredDefaults(config.system))
      for (const upstream of supervisor.upstreams.values()) upstream.defaultsChanged()
    },
  }
}
