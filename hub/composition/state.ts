import type { Identity } from '../auth/identity.ts'
import type { ConfigStore } from '../config/store.ts'
import type { Endpoint, HubStatus, Overview } from '../contract/index.ts'
import type { Gateway } from '../gateway/gateway.ts'
import type { HubOptions } from '../hub.ts'
import type { LiveSettings } from '../live-settings.ts'
import type { AccountService } from '../upstream/oauth/service.ts'
import type { Supervisor } from '../upstream/supervisor.ts'

export interface HubStateOptions {
  options: HubOptions
  startedAt: number
  endpoint: () => Endpoint
  mcpAuth: 'token' | 'none'
  config: ConfigStore
  identity: Identity
  live: () => LiveSettings
  gateway: () => Gateway
  supervisor: Supervisor
  accounts: AccountService
}

/** How the hub is, for whoever asks: the API whole, the app in short. */
export interface HubState {
  status: () => HubStatus
  overview: () => Overview
}

export function createHubState(parts: HubStateOptions): HubState {
  const { options, config, identity } = parts
  return {
    status: () => ({
      version: options.version,
      mode: options.mode,
      pid: process.pid,
      startedAt: parts.startedAt,
      nodeVersion: process.version,
      endpoint: parts.endpoint(),
      mcpAuth: parts.mcpAuth,
      configDir: options.configDir,
      configFaults: [...config.faults, ...identity.faults],
      restartNeeded: parts.live().restartNeeded,
      sessions: parts.gateway().sessions,
      rssBytes: process.memoryUsage.rss(),
    }),
    overview: () => ({
      endpoint: parts.endpoint(),
      configFaults: config.faults.length + identity.faults.length,
      servers: [...parts.supervisor.upstreams.values()].map((upstream) => {
        const { name, state, reason } = upstream.status()
        return { name, state, reason }
      }),
      signIns: parts.accounts.needing(),
      profiles: Object.keys(config.profiles.profiles).map((name) => ({
        name,
        endpointPath: `/mcp/${encodeURIComponent(name)}`,
      })),
    }),
  }
}
