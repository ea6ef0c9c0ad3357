import {
  isEnabled,
  isRemote,
  serverPrefix,
  transportOf,
  type Era,
  type Reason,
  type ServerState,
  type Usage,
} from '../contract/index.ts'
import { systemClock } from '../clock.ts'
import { ELICITATION_COMPLETE } from '../gateway/call.ts'
import { McpError, rpc } from '../gateway/json-rpc.ts'
import { say, told } from '../say.ts'
import { createCalls } from './calls.ts'
import { emptyCatalog, listKinds, shared, type Catalog } from './catalog.ts'
import { UpstreamFailure } from './channel.ts'
import { createClientInstances } from './client-instances.ts'
import type { ServerHello } from './handshake.ts'
import type { Upstream, UpstreamEvents, UpstreamOptions } from './upstream.ts'
import { createInstance, type Instance } from './instance.ts'
import type { LaneClients, OpenedLane } from './lanes.ts'
import { attemptsFor, idleStopOf, limitsOf } from './limits.ts'
import { listenForTasks } from './open-tasks.ts'
import { rootsOf } from './roots.ts'
import { createSubscriptions } from './subscriptions.ts'
import { createServerMachine, isUp as isStateUp } from './server-machine.ts'
import { watchServer, type ServerWatch } from './server-watch.ts'
import { describeTarget, statusOf, unavailableError } from './server-status.ts'

const MAX_LANES = 8
const PROBE_TIMEOUT_MS = 5_000

export function createUpstream(options: UpstreamOptions, events: UpstreamEvents): Upstream {
  const { name, log, clock = systemClock } = options
  let config = options.config
  const limits = limitsOf(config, options.defaults)
  const machine = createServerMachine({
    enabled: isEnabled(config),
    clock,
    random: options.random ?? Math.random,
    log,
    redactor: options.redactor,
    maxAttempts: (why) => attemptsFor(config, limits, why),
    onState: () => events.onState(),
    onEntered: entered,
  })
  const { dispatch, until } = machine
  const isUp = (): boolean => machine.isUp
  let primary: Instance | null = null
  /** What the server offered last: it stays listed while the server is down, and its calls say why they fail. */
  let lastCatalog: Catalog = options.offer?.catalog ?? emptyCatalog
  /** What a connection of this run read last. */
  let lastRead: Catalog = emptyCatalog
  let lastHello: ServerHello | null = options.offer?.hello ?? null
  let era: Era | null = null
  let tasks: ReadonlySet<string> = new Set()
  let usage: Usage | null = null
  /** Each start has a number, so that what an earlier one still reports is not taken for this one's. */
  let run = 0
  /** Settles once the processes and connections of earlier runs are gone. */
  let closing: Promise<unknown> = Promise.resolve()
  /** Connections whose sign-in has ended, with calls that are under way. */
  const draining = new Set<Instance>()
  let watch: ServerWatch | null = null
  /** Timers of the present state. */
  const timers = new Set<() => void>()
  const clients = createClientInstances(() => ({
    server: name,
    open: openForClient,
    // Until now its client was shown what the plain connection offers.
    onReady: () => events.onCatalog(listKinds),
    onGone: () => calls.settled(),
    // On Streamable HTTP each call has a stream of its own, which tells whose question it is.
    exclusive: primary?.connection.isShared ?? true,
    maxLanes: MAX_LANES,
    maxInstances: limits.maxInstances,
    waitMs: limits.startTimeoutMs,
  }))
  const calls = createCalls({
    name,
    clock,
    clients,
    get config() {
      return config
    },
    get limits() {
      return limits
    },
    get machine() {
      return machine.current
    },
    get msInState() {
      return machine.msInState
    },
    get instance() {
      return isUp() ? primary : null
    },
    instances: () => (isUp() ? instances() : []),
    isModern: () => lastHello?.era === 'modern',
    start,
    tried,
    settled,
  })
  const subscriptions = createSubscriptions({ connectionOf: calls.connectionOf, later })

  /** What a state needs is begun when it is entered, whatever led to it. */
  function entered(before: ServerState): void {
    const { state } = machine.current
    if (isStateUp(before) && isUp()) return
    for (const cancel of timers) cancel()
    timers.clear()
    watch?.dispose()
    watch = null
    if (state === 'starting') void open()
    else if (isUp()) {
      if (primary !== null)
        watch = watchServer({
          machine,
          instance: primary,
          clients,
          clock,
          limits,
          idleStop: idleStopOf(config),
          wishes: () => subscriptions.size + tasks.size,
          later,
        })
    } else {
      run++
      release(machine.current.reason?.code === 'unresponsive')
      if (state === 'backoff')
        later((machine.current.nextTryAt ?? clock.now()) - clock.now(), () => dispatch({ type: 'delay-over' }))
      if (state === 'stopping') void closing.then(() => dispatch({ type: 'stopped' }))
    }
    if (!isUp()) calls.flush()
  }

  function later(ms: number, then: () => void): void {
    const cancel = clock.after(ms, () => {
      timers.delete(cancel)
      then()
    })
    timers.add(cancel)
  }

  function release(atOnce: boolean): void {
    const ending = [...(primary === null ? [] : [primary]), ...clients.leave()]
    primary = null
    usage = null
    if (machine.current.state === 'needs-auth') {
      // Who was let in before is still served: only what is asked from now on needs the sign-in.
      for (const instance of ending) draining.add(instance)
      closeDrained()
      return
    }
    close([...ending, ...draining], atOnce)
  }

  function close(instances: readonly Instance[], atOnce: boolean): void {
    draining.clear()
    closing = Promise.all([closing, ...instances.map((instance) => instance.close(atOnce))])
  }

  function closeDrained(): void {
    for (const instance of draining) {
      if (instance.busy) continue
      draining.delete(instance)
      void instance.close()
    }
  }

  async function open(): Promise<void> {
    const mine = ++run
    // Two processes of one server would fight for its port or its files.
    await closing
    if (mine !== run) return
    lastRead = emptyCatalog
    try {
      primary = newInstance('', (reason) => {
        if (mine === run) dispatch({ type: 'lost', reason })
      })
      const instance = primary
      await instance.start()
      if (mine !== run) return
      const { hello } = instance.connection
      era = hello.era
      lastHello = hello
      lastCatalog = instance.catalog
      listenForTasks(tasks, instance, clients.all)
      dispatch({ type: 'started' })
      subscriptions.renew()
      events.onCatalog(listKinds)
    } catch (error) {
      if (mine !== run) return
      // The verdict may be stale: the next start probes again, unless it was the probe that silenced the server.
      era = primary?.connection.probeUnanswered === true ? 'legacy' : null
      const failure = error instanceof UpstreamFailure ? error : null
      const reason: Reason =
        failure?.reason ?? told({ code: 'protocol-error', message: String(error), cure: say`Read the server’s log.` })
      dispatch({ type: 'start-failed', reason, permanent: failure?.permanent ?? false })
    }
  }

  function newInstance(profile: string, onLost: (why: Reason) => void, whose: LaneClients | null = null): Instance {
    const wanted = config.hub?.era ?? 'auto'
    const sse = isRemote(config) && config.type !== 'sse' ? { ...config, type: 'sse' as const } : null
    const instance: Instance = createInstance({
      clientInfo: options.clientInfo,
      profile,
      roots: rootsOf(config.hub?.roots),
      // That it was modern is asked again, which costs nothing: a server may have become another one.
      era: wanted === 'auto' && era === 'legacy' ? era : wanted,
      startTimeoutMs: limits.startTimeoutMs,
      callTimeoutMs: limits.callTimeoutMs,
      totalTimeoutMs: limits.totalTimeoutMs,
      probeTimeoutMs: Math.min(PROBE_TIMEOUT_MS, limits.startTimeoutMs / 2),
      // Most that end at their start do so either way: every other attempt is spared the second process.
      startsAgain: machine.current.attempt % 2 === 0,
      maxResponseBytes: options.maxResponseBytes,
      openChannel: (handlers) => options.openChannel(config, handlers),
      openAsSse: sse === null ? null : (handlers) => options.openChannel(sse, handlers),
      // The others need a call that they belong to; roots are often asked for right after the handshake.
      onQuestion: (question) => (question.method === 'roots/list' ? (whose?.rooted?.askAside(question) ?? null) : null),
      onLog: (stream, level, text) => log.add(stream, level, text),
      onCatalog: (kinds) => {
        if (primary !== null && instance === primary) {
          lastCatalog = primary.catalog
          clients.forget()
        }
        events.onCatalog(kinds)
      },
      shared: (read) => (lastRead = shared(read, lastRead)),
      onResourceUpdated: (params) => subscriptions.updated(instance, params),
      onNotification: (method, params) => {
        if (method === 'notifications/message') log.add('mcp', 'info', JSON.stringify(params?.['data'] ?? params))
        // Whose a visit or a task is, its id tells.
        const isNamed = method === ELICITATION_COMPLETE || method.startsWith('notifications/tasks')
        if (!isNamed) whose?.only?.hear(method, params)
        events.onNotification(method, params)
      },
      onLost,
      clock,
      onSettled: () => {
        calls.settled()
        closeDrained()
      },
      onTrouble: () => watch?.check(),
    })
    return instance
  }

  function openForClient(profile: string, onLost: () => void, whose: LaneClients): OpenedLane {
    const mine = run
    const lost = (reason: Reason): void => {
      // One account serves all connections.
      if (reason.code === 'needs-auth') {
        if (mine === run) dispatch({ type: 'lost', reason })
        return
      }
      onLost()
      void instance.close()
      subscriptions.lost(instance)
    }
    const instance = newInstance(profile, lost, whose)
    const ready = instance.start().catch((error: unknown) => {
      const cause = error instanceof Error ? error.message : String(error)
      throw new McpError(rpc.serverUnavailable, `Server ${name} did not start for this client: ${cause}`)
    })
    return { instance, ready }
  }

  function tried(ms: number): Promise<void> {
    return until(() => machine.current.state !== 'backoff', ms)
  }

  function settled(ms: number): Promise<void> {
    return until(
      () =>
        machine.current.state !== 'starting' &&
        !(machine.current.state === 'stopping' && machine.current.then === 'starting'),
      ms,
    )
  }

  const instances = (): Instance[] => [...(primary === null ? [] : [primary]), ...clients.all]

  function start(): void {
    dispatch({ type: 'start' })
  }

  return {
    name,
    prefix: serverPrefix(name),
    get config() {
      return config
    },
    log,
    get catalog() {
      return lastCatalog
    },
    get catalogs() {
      return [lastCatalog, ...(primary?.profiles.all ?? []), ...clients.all.map((instance) => instance.catalog)]
    },
    get hello() {
      return lastHello
    },
    get isAsleep() {
      return machine.isAsleep
    },
    get instance() {
      return isUp() ? primary : null
    },
    get instances() {
      return instances()
    },
    get startingFor() {
      return machine.current.state === 'starting' && machine.current.attempt === 0 ? machine.msInState : null
    },
    status: () => ({
      ...statusOf({
        name,
        config,
        machine: machine.current,
        catalog: lastCatalog,
        usage,
        instances: instances(),
        primary,
        isUp: isUp(),
      }),
      target: options.redactor.text(describeTarget(config)),
    }),
    history: () => [...machine.history],
    start,
    stop: async () => {
      machine.end()
      dispatch({ type: 'stop' })
      await until(() => machine.current.state !== 'stopping')
      await closing
      await options.dispose?.()
    },
    restart: async () => {
      dispatch({ type: 'restart' })
      await until(() => machine.current.state !== 'stopping')
    },
    reconfigure: async (next) => {
      const [wasOn, isOn] = [isEnabled(config), isEnabled(next)]
      close([...draining], false)
      config = next
      Object.assign(limits, limitsOf(config, options.defaults))
      lastCatalog = emptyCatalog
      lastHello = null
      era = null
      if (!isOn) dispatch({ type: 'disable' })
      else {
        if (!wasOn) dispatch({ type: 'enable' })
        dispatch({ type: 'restart' })
      }
      await until(() => machine.current.state !== 'stopping')
    },
    defaultsChanged: () => {
      const interval = limits.healthCheckIntervalMs
      Object.assign(limits, limitsOf(config, options.defaults))
      // One that was never to be asked has no timer that would notice.
      if (limits.healthCheckIntervalMs !== interval) watch?.check()
    },
    wake: () => {
      if (transportOf(config) === 'stdio') return
      const passes = machine.current.reason !== null && attemptsFor(config, limits, machine.current.reason) === Infinity
      if (machine.current.state === 'backoff' || (machine.current.state === 'failed' && passes))
        dispatch({ type: 'restart' })
      else watch?.check()
    },
    measured: (next) => {
      usage = next
    },
    overLimit: (reason, restart) => {
      if (reason !== null && restart) dispatch({ type: 'lost', reason })
      else if (isUp()) watch?.impaired('limit', reason)
    },
    settled,
    unavailable: () => (isUp() || machine.isAsleep ? null : unavailableError(name, machine.current)),
    call: calls.call,
    instanceFor: calls.instanceFor,
    rootsChanged: calls.rootsChanged,
    wantLogs: calls.wantLogs,
    catalogFor: calls.catalogFor,
    offersTo: calls.offersTo,
    freshen: calls.freshen,
    subscribe: subscriptions.add,
    unsubscribe: subscriptions.remove,
    setTasks: (taskIds) => {
      tasks = taskIds
      if (isUp() && primary !== null) listenForTasks(taskIds, primary, clients.all)
    },
  }
}
