import { isDeepStrictEqual } from 'node:util'
import type { ExecConsents } from '../auth/exec-consents.ts'
import type { BackupSource } from '../backup/backup-source.ts'
import type { Pins } from '../catalog/pins.ts'
import type { ClusterSource } from '../cluster/cluster-source.ts'
import type { PushSource } from '../config/push/push-source.ts'
import type { FrontDoor } from '../front-door.ts'
import type { Gateway } from '../gateway/gateway.ts'
import { configChangedAct } from '../history/acts.ts'
import type { Recorder } from '../history/recorder.ts'
import type { Hub, HubOptions } from '../hub.ts'
import type { Events } from '../observe/events.ts'
import type { Webhooks } from '../observe/webhooks.ts'
import { unsaid } from '../say.ts'
import type { ProcessJournal } from '../upstream/process/journal.ts'
import type { Access } from './access.ts'
import type { Configuration } from './configuration.ts'
import type { Servers } from './servers.ts'

export interface LifeOptions {
  options: HubOptions
  configuration: Configuration
  access: Access
  servers: Servers
  consents: ExecConsents
  pins: Pins
  pushes: PushSource
  backups: BackupSource
  gateway: Gateway
  door: FrontDoor
  events: Events
  history: Recorder
  webhooks: Webhooks
  cluster: ClusterSource
  watchdog: { dispose: () => void } | null
  journal: ProcessJournal
  /** Brings servers.json into force. */
  apply: () => Promise<void>
  profilesChanged: () => void
  /** How the hub is has changed. */
  changed: () => void
}

/** How a hub begins and ends. */
export function createLife(parts: LifeOptions): Pick<Hub, 'start' | 'drain' | 'stop'> {
  const { options, access, consents, pins, pushes, backups, gateway, door, events, history, webhooks } = parts
  const { documents, config, versions } = parts.configuration
  const { supervisor, accounts, serverLogs } = parts.servers
  const { identity } = access

  function tellFaults(): void {
    webhooks.configFaults(config.faults)
    for (const fault of config.faults) options.log('error', 'Configuration fault', unsaid(fault))
  }

  return {
    start: async () => {
      identity.onFaults = () => {
        for (const fault of identity.faults) options.log('error', 'Configuration fault', unsaid(fault))
        parts.changed()
      }
      identity.watch()
      pins.watch()
      consents.watch()
      config.watch((names) => {
        tellFaults()
        // Another hub has told of its change itself.
        if (!documents.shared) history.audit(configChangedAct(config.faults.length))
        parts.changed()
        void parts.apply()
        if (names.has('profiles')) parts.profilesChanged()
      })
      // References of system.json got their values when it was read.
      options.vault.onChange(() => {
        const before = config.faults
        void config.reload().then(() => {
          if (!isDeepStrictEqual(before, config.faults)) tellFaults()
          parts.changed()
        })
      })
      door.open = true
      if (config.faults.length === 0) void versions.record(config.texts, null, null)
      backups.start()
      void serverLogs.prune(Object.keys(config.servers.mcpServers))
      await parts.apply()
      await pushes.resume()
      webhooks.started(options.version)
    },
    drain: async (ms) => {
      webhooks.draining()
      const deadline = performance.now() + ms
      // Streams have no end of their own: clients reconnect to the next hub.
      events.close()
      for (;;) {
        gateway.release()
        if (door.running === 0 || performance.now() >= deadline) break
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      door.open = false
    },
    stop: async () => {
      door.open = false
      await pushes.dispose()
      await config.dispose()
      gateway.close()
      events.close()
      accounts.close()
      door.dispose()
      await supervisor.stop()
      await parts.journal.end()
      parts.watchdog?.dispose()
      await serverLogs.flush()
      await pins.flush()
      await consents.dispose()
      await webhooks.dispose()
      await identity.dispose()
      await history.dispose()
      // It waits for one that is being made, which may take longer than whoever ends the hub has patience: by now all is written.
      await backups.dispose()
      await documents.dispose()
      await parts.cluster.dispose()
      await options.traces?.dispose()
      await options.vault.dispose()
    },
  }
}
