import {
  isRemote,
  isEnabled,
  serverPrefix,
  transportOf,
  type Era,
  type Reason,
  type ServerConfig,
  type ServerState,
  type ServerStatus,
} from '../contract/index.ts'
import { capabilityProfile, type Call, type CancelCall, type ClientCapabilities } from '../gateway/call.ts'
import { McpError, Reply, rpc, type Params } from '../gateway/json-rpc.ts'
import { emptyCatalog, type Catalog, type ListKind } from './catalog.ts'
import { UpstreamFailure, type Channel, type ChannelHandlers } from './channel.ts'
import { createInstance, type Instance } from './instance.ts'
import { createLanes, type Lanes } from './lanes.ts'
import type { LogRing } from '../observe/log-ring.ts'
import type { Redactor } from '../observe/redactor.ts'

export interface UpstreamDefaults {
  clientInfo: { name: string; version: string }
  startTimeoutMs: number
  callTimeoutMs: number
  totalTimeoutMs: number
  maxConcurrentCalls: number
  maxStartAttempts: number
}

export interface UpstreamOptions {
  name: string
  config: ServerConfig
  defaults: UpstreamDefaults
  /** Opens the transport of this entry; rejects with UpstreamFailure when a reference cannot be resolved. */
  openChannel: (handlers: ChannelHandlers) => Channel
  log: LogRing
  redactor: Redactor
  /** Randomness of the backoff, 0 to 1. */
  random?: () => number
}

export interface UpstreamEvents {
  onState: () => void
  onCatalog: (kinds: readonly ListKind[]) => void
  onResourceUpdated: (params: Params) => void
  onNotification: (method: string, params: Params | undefined) => void
}

/** One server of the configuration: its state machine (docs/server-states.md), its connections, what it offers. */
export interface Upstream {
  readonly name: string
  readonly prefix: string
  readonly config: ServerConfig
  readonly log: LogRing
  readonly catalog: Catalog
  readonly instance: Instance | null
  status: () => ServerStatus
  history: () => { state: ServerState; at: number; reason: string | null }[]
  start: () => void
  stop: () => Promise<void>
  restart: () => Promise<void>
  /** Resolves once the server runs or is known not to, at the latest after `ms`. */
  settled: (ms: number) => Promise<void>
  /** Why calls cannot be served, as an error for the caller; null when they can. */
  unavailable: () => McpError | null
  call: (call: Call) => CancelCall
  /** The connection of a client's capability profile; the lists of a legacy server differ by it. */
  instanceFor: (principal: string, capabilities: ClientCapabilities) => Promise<Instance>
  setSubscriptions: (uris: ReadonlySet<string>) => void
}

const BACKOFF_MS = [250, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000]
const HEALTHY_MS = 60_000
const IDLE_INSTANCE_MS = 5 * 60_000
const MAX_HISTORY = 50
const MAX_LANES = 8
const PROBE_TIMEOUT_MS = 5_000

export function createUpstream(options: UpstreamOptions, events: UpstreamEvents): Upstream {
  const { name, config, defaults, log } = options
  const hub = config.hub ?? {}
  const limits = {
    startTimeoutMs: hub.startTimeoutMs ?? defaults.startTimeoutMs,
    callTimeoutMs: hub.callTimeoutMs ?? defaults.callTimeoutMs,
    totalTimeoutMs: hub.totalTimeoutMs ?? defaults.totalTimeoutMs,
    maxConcurrentCalls: hub.maxConcurrentCalls ?? defaults.maxConcurrentCalls,
    maxStartAttempts: hub.maxStartAttempts ?? defaults.maxStartAttempts,
  }
  let state: ServerState = isEnabled(config) ? 'idle' : 'disabled'
  let since = Date.now()
  let reason: Reason | null = null
  let attempt = 0
  let nextTryAt: number | null = null
  let restarts = 0
  let timer: NodeJS.Timeout | null = null
  let healthyTimer: NodeJS.Timeout | null = null
  let primary: Instance | null = null
  /** What the server offered last: it stays listed while the server is down, and its calls say why they fail. */
  let lastCatalog: Catalog = emptyCatalog
  let era: Era | null = null
  let subscriptions: ReadonlySet<string> = new Set()
  /** Each start has a number, so that what an earlier one still reports is not taken for this one's. */
  let run = 0
  const profiles = new Map<string, Lanes>()
  const history: { state: ServerState; at: number; reason: string | null }[] = []
  const waiters = new Set<() => void>()

  const reaper = setInterval(() => {
    for (const [key, lanes] of profiles) {
      void lanes.reap(Date.now() - IDLE_INSTANCE_MS).then((left) => {
        if (!left) profiles.delete(key)
      })
    }
  }, 30_000).unref()

  function enter(next: ServerState, cause: Reason | null = null): void {
    const why = options.redactor.value(cause)
    state = next
    since = Date.now()
    reason = why
    history.push({ state: next, at: since, reason: why?.message ?? null })
    if (history.length > MAX_HISTORY) history.shift()
    if (why !== null) log.add('hub', 'error', why.detail === undefined ? why.message : `${why.message}\n${why.detail}`)
    else log.add('hub', 'info', `State: ${next}`)
    if (next !== 'starting' && next !== 'stopping') {
      for (const wake of waiters) wake()
      waiters.clear()
    }
    events.onState()
  }

  function newInstance(profile: string, onLost: (why: Reason) => void): Instance {
    const isPrimary = profile === ''
    return createInstance({
      clientInfo: defaults.clientInfo,
      profile,
      era: hub.era === undefined || hub.era === 'auto' ? (era ?? 'auto') : hub.era,
      startTimeoutMs: limits.startTimeoutMs,
      callTimeoutMs: limits.callTimeoutMs,
      totalTimeoutMs: limits.totalTimeoutMs,
      probeTimeoutMs: Math.min(PROBE_TIMEOUT_MS, limits.startTimeoutMs / 2),
      openChannel: options.openChannel,
      onLog: (stream, level, text) => log.add(stream, level, text),
      onCatalog: (kinds) => {
        if (isPrimary && primary !== null) lastCatalog = primary.catalog
        events.onCatalog(kinds)
      },
      onResourceUpdated: events.onResourceUpdated,
      onNotification: (method, params) => {
        if (method === 'notifications/message') log.add('mcp', 'info', JSON.stringify(params?.['data'] ?? params))
        events.onNotification(method, params)
      },
      onLost,
    })
  }

  function start(): void {
    if (state === 'starting' || state === 'running') return
    clearTimers()
    const mine = ++run
    nextTryAt = null
    enter('starting')
    let instance: Instance
    try {
      instance = newInstance('', (why) => {
        if (mine === run) onLost(why)
      })
    } catch (error) {
      // A value that is missing shows before anything is started; it must not end more than this server.
      failed(error)
      return
    }
    primary = instance
    instance.start().then(
      () => {
        if (mine !== run) {
          void instance.close()
          return
        }
        era = instance.connection.hello.era
        lastCatalog = instance.catalog
        instance.setSubscriptions(subscriptions)
        enter('running')
        healthyTimer = setTimeout(() => (attempt = 0), HEALTHY_MS).unref()
        events.onCatalog(['tools', 'prompts', 'resources', 'resourceTemplates'])
      },
      (error: unknown) => {
        void instance.close()
        if (mine === run) failed(error)
      },
    )
  }

  function failed(error: unknown): void {
    primary = null
    // The verdict may be stale: the next start probes again.
    era = null
    const failure = error instanceof UpstreamFailure ? error : null
    retry(
      failure?.reason ?? { code: 'protocol-error', message: String(error), cure: 'Read the server’s log.' },
      failure?.permanent ?? false,
    )
  }

  function onLost(why: Reason): void {
    if (state !== 'running' && state !== 'degraded') return
    if (healthyTimer !== null) clearTimeout(healthyTimer)
    void primary?.close()
    primary = null
    restarts++
    void closeProfiles()
    retry(why, false)
  }

  function retry(why: Reason, permanent: boolean): void {
    run++
    if (why.code === 'needs-auth') {
      enter('needs-auth', why)
      return
    }
    attempt++
    if (permanent || attempt >= limits.maxStartAttempts) {
      enter('failed', why)
      return
    }
    // The first restart after a healthy time is at once: most crashes are one-off.
    const base =
      attempt === 1 && restarts > 0 && why.code === 'exited'
        ? 20
        : (BACKOFF_MS[Math.min(attempt - 1, BACKOFF_MS.length - 1)] ?? 60_000)
    const delay = base * (0.8 + 0.4 * (options.random ?? Math.random)())
    nextTryAt = Date.now() + delay
    enter('backoff', why)
    timer = setTimeout(start, delay)
  }

  function clearTimers(): void {
    if (timer !== null) clearTimeout(timer)
    if (healthyTimer !== null) clearTimeout(healthyTimer)
    timer = null
    healthyTimer = null
  }

  function closeProfiles(): Promise<unknown> {
    const open = [...profiles.values()]
    profiles.clear()
    return Promise.all(open.map((lanes) => lanes.close()))
  }

  async function end(last: ServerState): Promise<void> {
    clearTimers()
    run++
    const running = primary
    primary = null
    nextTryAt = null
    if (running !== null) {
      enter('stopping')
      await Promise.all([running.close(), closeProfiles()])
    }
    attempt = 0
    enter(last)
  }

  function unavailable(): McpError | null {
    if (state === 'running' || state === 'degraded') return null
    const cause = reason === null ? `it is ${state}` : `${reason.message}. ${reason.cure}`
    return new McpError(rpc.serverUnavailable, `Server ${name} is not available: ${cause}`, {
      server: name,
      state,
      ...(reason === null ? {} : { reason }),
    })
  }

  function available(): Instance {
    const refusal = unavailable()
    if (primary === null || refusal !== null)
      throw refusal ?? new McpError(rpc.serverUnavailable, `Server ${name} is not available`)
    return primary
  }

  /** The connections that declare what this client can be asked; null when the plain one serves it. */
  function lanesFor(principal: string, capabilities: ClientCapabilities): Lanes | null {
    const profile = capabilityProfile(capabilities)
    if (profile === '' || available().connection.hello.era === 'modern') return null
    const key = `${profile} ${principal}`
    const known = profiles.get(key)
    if (known !== undefined) return known
    const lanes = createLanes({
      open: (onLost) => openFor(profile, onLost),
      // On Streamable HTTP each call has a stream of its own, which tells whose question it is.
      exclusive: transportOf(config) !== 'http',
      max: MAX_LANES,
      waitMs: limits.startTimeoutMs,
    })
    profiles.set(key, lanes)
    return lanes
  }

  async function openFor(profile: string, onLost: () => void): Promise<Instance> {
    const instance = newInstance(profile, onLost)
    try {
      await instance.start()
      return instance
    } catch (error) {
      await instance.close()
      const cause = error instanceof Error ? error.message : String(error)
      throw new McpError(rpc.serverUnavailable, `Server ${name} did not start for this client: ${cause}`)
    }
  }

  async function instanceFor(principal: string, capabilities: ClientCapabilities): Promise<Instance> {
    const plain = available()
    return (await lanesFor(principal, capabilities)?.any()) ?? plain
  }

  function launch(instance: Instance, call: Call): CancelCall {
    if (instance.connection.inFlight >= limits.maxConcurrentCalls) {
      call.finish(
        Reply.error({
          code: rpc.limitExceeded,
          message: `Server ${name} already has ${limits.maxConcurrentCalls} calls in flight (hub.maxConcurrentCalls)`,
        }),
      )
      return () => undefined
    }
    return instance.call(call)
  }

  function call(request: Call): CancelCall {
    if (
      primary !== null &&
      state === 'running' &&
      (primary.connection.hello.era === 'modern' || capabilityProfile(request.capabilities) === '')
    ) {
      return launch(primary, request)
    }
    let cancelled: string | null = null
    let cancel: CancelCall | null = null
    const begin = async (): Promise<void> => {
      if (state === 'starting' || state === 'idle' || state === 'backoff') {
        if (state !== 'starting') start()
        await settled(limits.startTimeoutMs)
      }
      const plain = available()
      const taken = await lanesFor(request.principal, request.capabilities)?.take(request.owner)
      if (cancelled !== null) taken?.release()
      else if (taken === undefined) cancel = launch(plain, request)
      else {
        const finish = (reply: Reply): void => {
          taken.release()
          request.finish(reply)
        }
        const stop = launch(taken.instance, { ...request, finish })
        cancel = (why) => {
          taken.release()
          stop(why)
        }
      }
    }
    begin().catch((error: unknown) => {
      const failure = error instanceof McpError ? error.toRpc() : { code: rpc.internalError, message: String(error) }
      if (cancelled === null) request.finish(Reply.error(failure))
    })
    return (why) => {
      cancelled = why
      cancel?.(why)
    }
  }

  function settled(ms: number): Promise<void> {
    if (state !== 'starting') return Promise.resolve()
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(deadline)
        waiters.delete(done)
        resolve()
      }
      const deadline = setTimeout(done, ms).unref()
      waiters.add(done)
    })
  }

  const prefix = serverPrefix(name)
  return {
    name,
    prefix,
    config,
    log,
    get catalog() {
      return lastCatalog
    },
    get instance() {
      return state === 'running' ? primary : null
    },
    status: () => {
      const hello = state === 'running' && primary !== null ? primary.connection.hello : null
      const info = hello?.serverInfo ?? null
      const { tools, prompts, resources, resourceTemplates } = lastCatalog.lists
      return {
        name,
        prefix,
        state,
        since,
        reason,
        attempt,
        nextTryAt,
        restarts,
        transport: transportOf(config),
        target: options.redactor.text(describeTarget(config)),
        pid: primary?.connection.pid ?? null,
        era: hello?.era ?? null,
        protocolVersion: hello?.version ?? null,
        serverInfo:
          info === null
            ? null
            : {
                name: typeof info['name'] === 'string' ? info['name'] : name,
                version: typeof info['version'] === 'string' ? info['version'] : '',
                ...(typeof info['title'] === 'string' ? { title: info['title'] } : {}),
              },
        instructions: hello?.instructions ?? null,
        counts: {
          tools: tools.length,
          prompts: prompts.length,
          resources: resources.length,
          resourceTemplates: resourceTemplates.length,
        },
        endpointPath: `/mcp/${encodeURIComponent(name)}`,
      }
    },
    history: () => [...history],
    start,
    stop: async () => {
      clearInterval(reaper)
      await end(isEnabled(config) ? 'idle' : 'disabled')
    },
    restart: async () => {
      await end('idle')
      start()
    },
    settled,
    unavailable,
    call,
    instanceFor,
    setSubscriptions: (uris) => {
      subscriptions = uris
      if (state === 'running') primary?.setSubscriptions(uris)
    },
  }
}

/** The command line or URL as a person checks it; credentials of a URL and values of options that look secret are left out. */
export function describeTarget(config: ServerConfig): string {
  if (isRemote(config)) {
    try {
      const url = new URL(config.url)
      url.username = ''
      url.password = ''
      for (const key of [...url.searchParams.keys()])
        if (/key|token|secret|password/i.test(key)) url.searchParams.set(key, '…')
      return url.href
    } catch {
      return config.url
    }
  }
  return [config.command, ...(config.args ?? [])]
    .map((part) => (/^[\w@%+=:,./${}-]+$/.test(part) ? part : `'${part.replaceAll("'", `'\\''`)}'`))
    .join(' ')
}
