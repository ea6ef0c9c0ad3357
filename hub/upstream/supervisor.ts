import { isDeepStrictEqual } from 'node:util'
import { isEnabled, isRemote, type ServerConfig } from '../contract/index.ts'
import type { ListKind } from './catalog.ts'
import type { Params } from '../gateway/json-rpc.ts'
import type { LogRing } from '../observe/log-ring.ts'
import type { Redactor } from '../observe/redactor.ts'
import { UpstreamFailure, type Channel, type ChannelHandlers } from './channel.ts'
import { createHttpChannel } from './http-channel.ts'
import { redactFailures } from './redacted-channel.ts'
import { mergeEnvironment, minimalEnvironment } from './process/environment.ts'
import type { ProcessJournal } from './process/journal.ts'
import { MARK_VARIABLE, type ProcessReaper } from './process/process-tree.ts'
import type { SearchPathSource } from './process/search-path.ts'
import { createSseChannel } from './sse-channel.ts'
import { createStdioChannel } from './stdio-channel.ts'
import type { ServerLimits } from './limits.ts'
import { createUpstream, type Upstream } from './upstream.ts'
import { resolveReferences, type ReferenceSources } from '../config/references.ts'

export interface SupervisorOptions {
  clientInfo: { name: string; version: string }
  defaults: ServerLimits
  references: ReferenceSources
  /** Failures quote what servers and libraries say, and that may hold a secret. */
  redactor: Redactor
  journal: ProcessJournal
  reaper: ProcessReaper
  /** PATH for stdio servers: the login shell's on a desktop. */
  searchPath: SearchPathSource
  maxStdioLineBytes: number
  maxResponseBytes: number
  createLog: (server: string) => LogRing
  onState: (upstream: Upstream) => void
  onCatalog: (upstream: Upstream, kinds: readonly ListKind[]) => void
  onResourceUpdated: (upstream: Upstream, params: Params) => void
  /** Servers were added, removed, disabled or given another entry. */
  onServers: (change: { removed: string[]; disabled: string[] }) => void
}

/** Keeps the set of running servers equal to the configuration, touching only what changed. */
export interface Supervisor {
  readonly upstreams: ReadonlyMap<string, Upstream>
  apply: (servers: Record<string, ServerConfig>) => Promise<void>
  /** A server that is not part of the configuration, for a trial; the caller stops it. */
  createTrial: (name: string, config: ServerConfig) => Upstream
  stop: () => Promise<void>
}

export function createSupervisor(options: SupervisorOptions): Supervisor {
  let upstreams = new Map<string, Upstream>()

  function openChannel(name: string, config: ServerConfig, handlers: ChannelHandlers): Channel {
    const { resolved, faults } = resolveReferences(config, options.references)
    const [first] = faults
    if (first !== undefined) {
      throw new UpstreamFailure(
        { code: 'unresolved-reference', message: `${first.path} of ${name}: ${first.message}`, cure: first.cure },
        true,
      )
    }
    if (resolved.url !== null && isRemote(config)) {
      const target = { url: resolved.url, headers: resolved.headers }
      const limits = { maxResponseBytes: options.maxResponseBytes, connectTimeoutMs: 10_000 }
      return config.type === 'sse'
        ? createSseChannel(target, handlers, limits)
        : createHttpChannel(target, handlers, limits)
    }
    return createStdioChannel(handlers, {
      command: async () => ({
        command: resolved.command ?? '',
        args: resolved.args,
        env: await environmentFor(resolved.env),
        cwd: resolved.cwd,
      }),
      maxLineBytes: options.maxStdioLineBytes,
      mark: { variable: MARK_VARIABLE, value: options.journal.nextMark() },
      onSpawn: options.journal.add,
      onExit: options.journal.remove,
      end: options.reaper.end,
    })
  }

  async function environmentFor(own: Record<string, string>): Promise<Record<string, string>> {
    const { platform, env } = process
    const { value } = await options.searchPath.current()
    return mergeEnvironment(minimalEnvironment(env, value, platform), own, platform)
  }

  function create(name: string, config: ServerConfig, silent: boolean): Upstream {
    const isCurrent = (): boolean => !silent && upstreams.get(name) === upstream
    const upstream: Upstream = createUpstream(
      {
        name,
        config,
        clientInfo: options.clientInfo,
        defaults: options.defaults,
        openChannel: (current, handlers) =>
          redactFailures(options.redactor, handlers, (quiet) => openChannel(name, current, quiet)),
        redactor: options.redactor,
        log: options.createLog(silent ? '' : name),
      },
      {
        onState: () => {
          if (isCurrent()) options.onState(upstream)
        },
        onCatalog: (kinds) => {
          if (isCurrent()) options.onCatalog(upstream, kinds)
        },
        onResourceUpdated: (params) => options.onResourceUpdated(upstream, params),
        onNotification: () => undefined,
      },
    )
    return upstream
  }

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
            changes.push(() => (isEnabled(config) ? added.start() : options.onState(added)))
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
    },
    createTrial: (name, config) => create(name, config, true),
    stop: async () => {
      await Promise.all([...upstreams.values()].map((upstream) => upstream.stop()))
    },
  }
}
