import { isDeepStrictEqual } from 'node:util'
import { isEnabled, isRemote, type ServerConfig } from '../contract/index.ts'
import { systemClock } from '../clock.ts'
import type { ListKind } from './catalog.ts'
import type { Params } from '../gateway/json-rpc.ts'
import type { ServerLog } from '../observe/server-log.ts'
import type { Redactor } from '../observe/redactor.ts'
import type { Authorization } from './authorization.ts'
import { UpstreamFailure, type Channel, type ChannelHandlers } from './channel.ts'
import type { ServerLimits } from './limits.ts'
import type { AccountPlace } from './oauth/place.ts'
import { mergeEnvironment, minimalEnvironment } from './process/environment.ts'
import type { ProcessJournal } from './process/journal.ts'
import { MARK_VARIABLE, type ProcessReaper } from './process/process-tree.ts'
import type { SearchPathSource } from './process/search-path.ts'
import { redactFailures } from './redacted-channel.ts'
import { createRemote, resolvedOf, type Remote } from './remote.ts'
import { createStdioChannel } from './stdio-channel.ts'
import type { ProcessTable } from './process/process-table.ts'
import { createUsageMonitor } from './process/usage.ts'
import type { Offers } from './offers.ts'
import { createSystemWatch } from './system-watch.ts'
import { createUpstream } from './create-upstream.ts'
import type { Upstream } from './upstream.ts'
import type { Doctor } from './doctor/doctor.ts'
import type { StdioCommand } from './process/prepare-command.ts'
import { watchChannel, type ChannelWatch } from './watched-channel.ts'
import type { ReferenceSources } from '../config/references.ts'
import { say, told } from '../say.ts'

export interface SupervisorOptions {
  clientInfo: { name: string; version: string }
  defaults: ServerLimits
  references: ReferenceSources
  offers: Offers
  /** Failures quote what servers and libraries say, and that may hold a secret. */
  redactor: Redactor
  /** Folder that the paths of certificates start from. */
  configDir: string
  table: ProcessTable
  journal: ProcessJournal
  reaper: ProcessReaper
  /** PATH for stdio servers: the login shell's on a desktop. */
  searchPath: SearchPathSource
  maxStdioLineBytes: number
  maxResponseBytes: number
  /** Whether somebody agreed that the program of an entry is run. */
  agreed: (config: ServerConfig) => boolean
  /** Whether servers may be in private networks although their entry does not say so. */
  allowPrivateAddresses: () => boolean
  /** The hub's account at a remote server. */
  authorization: (server: string, place: AccountPlace) => Authorization
  /** With no name: of a trial, kept in memory only. */
  createLog: (server: string) => ServerLog
  onState: (upstream: Upstream) => void
  onCatalog: (upstream: Upstream, kinds: readonly ListKind[]) => void
  /** Any other notification that belongs to no call. */
  onNotification: (upstream: Upstream, method: string, params: Params | undefined) => void
  /** Somebody looks at what the servers consume. */
  isUsageWatched: () => boolean
  onUsage: () => void
  /** Servers were added, removed, disabled or given another entry. */
  onServers: (change: { removed: string[]; disabled: string[] }) => void
}

/** Keeps the set of running servers equal to the configuration, touching only what changed. */
export interface Supervisor {
  readonly upstreams: ReadonlyMap<string, Upstream>
  apply: (servers: Record<string, ServerConfig>) => Promise<void>
  /** A server that is not part of the configuration, for a trial; the caller stops it. */
  createTrial: (name: string, config: ServerConfig, watch?: ChannelWatch) => Upstream
  /** Loaded with the first patient. */
  doctor: () => Promise<Doctor>
  /** The remote server of this name as its sign-in needs it; null when it is none, or brings its own Authorization. */
  placeOf: (name: string) => AccountPlace | null
  /** Somebody began to look at what the servers consume. */
  usageWatched: () => void
  stop: () => Promise<void>
}

export function createSupervisor(options: SupervisorOptions): Supervisor {
  let upstreams = new Map<string, Upstream>()
  const remotes = new WeakMap<Upstream, Remote>()
  const usage = createUsageMonitor({
    table: options.table,
    clock: systemClock,
    servers: () =>
      [...upstreams.values()].map((upstream) => ({
        name: upstream.name,
        config: upstream.config,
        get pids() {
          return upstream.instances.flatMap(({ connection }) => connection.pid ?? [])
        },
        measured: upstream.measured,
        overLimit: upstream.overLimit,
      })),
    isWatched: options.isUsageWatched,
    onSample: options.onUsage,
  })

  const systemWatch = createSystemWatch({
    clock: systemClock,
    onChange: () => {
      for (const upstream of upstreams.values()) upstream.wake()
    },
  })

  /** With every reference resolved; throws UpstreamFailure when one has no value. */
  function commandOf(name: string, config: ServerConfig): () => Promise<StdioCommand> {
    const { command, args, env, cwd } = resolvedOf(name, config, options.references)
    return async () => ({ command: command ?? '', args, env: await environmentFor(env), cwd })
  }

  /** Whoever starts a trial was asked before; of what is saved, the doctor asks. */
  function refuseUnagreed(name: string, config: ServerConfig): void {
    if (options.agreed(config)) return
    throw new UpstreamFailure(
      told({
        code: 'consent-needed',
        message: say`The program of ${name} was changed outside MCP Hub, and nobody has agreed to run it`,
        cure: say`Look at the command on the server’s page, and agree to it there if it is what you want.`,
      }),
      true,
    )
  }

  function openStdio(name: string, config: ServerConfig, handlers: ChannelHandlers, trial: boolean): Channel {
    if (!trial) refuseUnagreed(name, config)
    return createStdioChannel(handlers, {
      command: commandOf(name, config),
      maxLineBytes: options.maxStdioLineBytes,
      mark: { variable: MARK_VARIABLE, value: options.journal.nextMark() },
      onSpawn: options.journal.add,
      onExit: options.journal.remove,
      end: (pid, mark, graceMs) => options.reaper.end(pid, mark, graceMs, options.journal.startTimeOf(pid)),
    })
  }

  async function environmentFor(own: Record<string, string>): Promise<Record<string, string>> {
    const { platform, env } = process
    const { value } = await options.searchPath.current()
    return mergeEnvironment(minimalEnvironment(env, value, platform), own, platform)
  }

  function create(name: string, config: ServerConfig, silent: boolean, watch: ChannelWatch | null = null): Upstream {
    const remote = createRemote({ ...options, name })
    const isCurrent = (): boolean => !silent && upstreams.get(name) === upstream
    const upstream: Upstream = createUpstream(
      {
        name,
        config,
        clientInfo: options.clientInfo,
        defaults: options.defaults,
        openChannel: (current, handlers) =>
          redactFailures(options.redactor, handlers, (quiet) =>
            watchChannel(watch, quiet, (seen) =>
              isRemote(current) ? remote.openChannel(current, seen) : openStdio(name, current, seen, silent),
            ),
          ),
        maxResponseBytes: options.maxResponseBytes,
        redactor: options.redactor,
        dispose: remote.close,
        log: options.createLog(silent ? '' : name),
        offer: silent || config.hub?.start !== 'on-demand' ? null : options.offers.load(name, config),
      },
      {
        onState: () => {
          if (!isCurrent()) return
          options.onState(upstream)
          usage.update()
        },
        onCatalog: (kinds) => {
          if (!isCurrent()) return
          options.onCatalog(upstream, kinds)
          const { config: current, hello, catalog } = upstream
          if (current.hub?.start !== 'on-demand' || hello === null) return
          options.offers.save(name, current, { hello, catalog }).catch((error: unknown) => {
            // Without it the server is started once more, to learn what it offers.
            upstream.log.add('hub', 'warn', `What the server offers could not be kept on disk: ${String(error)}`)
          })
        },
        onNotification: (method, params) => options.onNotification(upstream, method, params),
      },
    )
    remotes.set(upstream, remote)
    return upstream
  }

  const createTrial: Supervisor['createTrial'] = (name, config, watch) => create(name, config, true, watch ?? null)

  return {
    get upstreams() {
      return upstreams
    },
    apply: async (servers) => {
      const before = upstreams
      const changes: (() => Promise<void> | void)[] = []
      const disabled: string[] = []
      upstreams = new Map(
        Object.entries(servers).map(([name, config]) => {
          const known = before.get(name)
          if (known === undefined) {
            const added = create(name, config, false)
            // A server that starts on demand is started once, to learn what it offers.
            const starts = isEnabled(config) && (config.hub?.start !== 'on-demand' || added.hello === null)
            changes.push(() => (starts ? added.start() : options.onState(added)))
            return [name, added]
          }
          if (!isDeepStrictEqual(known.config, config)) {
            if (isEnabled(known.config) && !isEnabled(config)) disabled.push(name)
            changes.push(() => known.reconfigure(config))
          }
          return [name, known]
        }),
      )
      const removed = [...before.values()].filter(({ name }) => !upstreams.has(name))
      const applied = changes.map((change) => change())
      options.onServers({ removed: removed.map(({ name }) => name), disabled })
      await Promise.all([...applied, ...removed.map((upstream) => upstream.stop())])
      // The servers are gone: a file that cannot be deleted is no reason to say otherwise.
      await Promise.allSettled(removed.flatMap(({ name, log }) => [log.remove(), options.offers.remove(name)]))
    },
    placeOf: (name) => {
      const upstream = upstreams.get(name)
      if (upstream === undefined || !isRemote(upstream.config)) return null
      return remotes.get(upstream)?.place(upstream.config) ?? null
    },
    createTrial,
    doctor: async () => {
      const [{ createDoctor }, { remotePatient }] = await Promise.all([
        import('./doctor/doctor.ts'),
        import('./doctor/remote-patient.ts'),
      ])
      return createDoctor({
        local: (name, config) => ({
          command: () => Promise.resolve().then(() => commandOf(name, config)()),
          searchPath: options.searchPath.current,
        }),
        remote: (name, config) =>
          remotePatient(() => resolvedOf(name, config, options.references), options.references.env, options),
        createTrial,
        saved: (name) => upstreams.get(name)?.config,
        refuseUnagreed,
        redact: options.redactor.value,
      })
    },
    usageWatched: usage.update,
    stop: async () => {
      usage.dispose()
      systemWatch.dispose()
      await Promise.all([...upstreams.values()].map((upstream) => upstream.stop()))
    },
  }
}
