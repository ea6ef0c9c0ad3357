import { isDeepStrictEqual } from 'node:util'
import { isRemote, type ServerConfig } from '../contract/index.ts'
import type { ListKind } from './catalog.ts'
import type { Params } from '../gateway/json-rpc.ts'
import type { LogRing } from '../observe/log-ring.ts'
import type { Redactor } from '../observe/redactor.ts'
import { UpstreamFailure, type Channel, type ChannelHandlers } from './channel.ts'
import { createHttpChannel } from './http-channel.ts'
import type { ProcessJournal } from './process-group.ts'
import { redactFailures } from './redacted-channel.ts'
import { minimalEnvironment } from './runtimes.ts'
import { createSseChannel } from './sse-channel.ts'
import { createStdioChannel } from './stdio-channel.ts'
import { createUpstream, type Upstream, type UpstreamDefaults } from './upstream.ts'
import { resolveReferences, type ReferenceSources } from '../config/references.ts'

export interface SupervisorOptions {
  defaults: UpstreamDefaults
  references: ReferenceSources
  /** Failures quote what servers and libraries say, and that may hold a secret. */
  redactor: Redactor
  journal: ProcessJournal
  /** PATH for stdio servers: the login shell's on a desktop. */
  path: () => string
  maxStdioLineBytes: number
  maxResponseBytes: number
  createLog: (server: string) => LogRing
  onState: (upstream: Upstream) => void
  onCatalog: (upstream: Upstream, kinds: readonly ListKind[]) => void
  onResourceUpdated: (upstream: Upstream, params: Params) => void
  /** Servers were added, removed or replaced. */
  onServers: (removed: string[]) => void
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
    const env = { ...minimalEnvironment(options.path()), ...resolved.env }
    return createStdioChannel(
      { command: resolved.command ?? '', args: resolved.args, env, cwd: resolved.cwd },
      handlers,
      {
        maxLineBytes: options.maxStdioLineBytes,
        onSpawn: (pid) => options.journal.add(pid),
        onExit: (pid) => options.journal.remove(pid),
      },
    )
  }

  function create(name: string, config: ServerConfig, silent: boolean): Upstream {
    const upstream: Upstream = createUpstream(
      {
        name,
        config,
        defaults: options.defaults,
        openChannel: (handlers) =>
          redactFailures(options.redactor, handlers, (quiet) => openChannel(name, config, quiet)),
        redactor: options.redactor,
        log: options.createLog(silent ? '' : name),
      },
      {
        onState: () => {
          if (!silent) options.onState(upstream)
        },
        onCatalog: (kinds) => {
          if (!silent) options.onCatalog(upstream, kinds)
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
      const next = new Map<string, Upstream>()
      const fresh: Upstream[] = []
      for (const [name, config] of Object.entries(servers)) {
        const known = upstreams.get(name)
        if (known !== undefined && isDeepStrictEqual(known.config, config)) next.set(name, known)
        else {
          const upstream = create(name, config, false)
          next.set(name, upstream)
          fresh.push(upstream)
        }
      }
      const ended = [...upstreams.values()].filter((upstream) => next.get(upstream.name) !== upstream)
      const removed = ended.filter((upstream) => !next.has(upstream.name)).map((upstream) => upstream.name)
      upstreams = next
      options.onServers(removed)
      for (const upstream of fresh) {
        if (upstream.status().state === 'disabled') options.onState(upstream)
        else upstream.start()
      }
      await Promise.all(ended.map((upstream) => upstream.stop()))
    },
    createTrial: (name, config) => create(name, config, true),
    stop: async () => {
      await Promise.all([...upstreams.values()].map((upstream) => upstream.stop()))
    },
  }
}
