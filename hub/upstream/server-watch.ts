import type { Clock } from '../clock.ts'
import type { Reason } from '../contract/index.ts'
import type { ClientInstances } from './client-instances.ts'
import { createHealthProbe, type HealthProbe } from './health.ts'
import type { Instance } from './instance.ts'
import type { ServerLimits } from './limits.ts'
import type { ServerMachine } from './server-machine.ts'

export interface ServerWatchOptions {
  machine: Pick<ServerMachine, 'current' | 'dispatch'>
  /** The plain connection. */
  instance: Instance
  clients: Pick<ClientInstances, 'all' | 'reap'>
  clock: Clock
  limits: ServerLimits
  /** So long it may be without use before it is stopped; null for ever. */
  idleStop: number | null
  /** Wishes of clients that the server alone can meet, by telling them something. */
  wishes: () => number
  /** A timer that ends with the present state. */
  later: (ms: number, then: () => void) => void
}

/** Looks after a server that runs: forgets old failures, probes it, closes what idles. */
export interface ServerWatch extends HealthProbe {
  /** It runs, but not as it should; null when it does again. */
  impaired: (kind: 'probe' | 'limit', reason: Reason | null) => void
}

const HEALTHY_MS = 60_000

export function watchServer(options: ServerWatchOptions): ServerWatch {
  const { machine, instance, clients, clock, limits, idleStop, later } = options
  const impairments = new Map<'probe' | 'limit', Reason>()

  function impaired(kind: 'probe' | 'limit', reason: Reason | null): void {
    if (reason === null) impairments.delete(kind)
    else impairments.set(kind, reason)
    const [worst] = impairments.values()
    machine.dispatch(worst === undefined ? { type: 'recovered' } : { type: 'impaired', reason: worst })
  }

  function onHealthy(): void {
    if (machine.current.state === 'degraded') later(HEALTHY_MS, onHealthy)
    else machine.dispatch({ type: 'healthy' })
  }
  later(HEALTHY_MS, onHealthy)

  const health = createHealthProbe({
    connection: instance.connection,
    clock,
    limits,
    onImpaired: (reason) => impaired('probe', reason),
    onRecovered: () => impaired('probe', null),
    onDead: (reason) => machine.dispatch({ type: 'lost', reason }),
  })

  const tick = Math.max(250, Math.min(30_000, limits.instanceIdleMs / 2, (idleStop ?? Infinity) / 2))
  function look(): void {
    void clients.reap(clock.steady() - limits.instanceIdleMs)
    const stale = clock.steady() - Math.min(limits.instanceIdleMs, idleStop ?? Infinity)
    for (const { openTasks, lastUsed } of [instance, ...clients.all])
      if (openTasks.size > 0 && lastUsed < stale) void openTasks.check()
    const used = Math.max(instance.lastUsed, ...clients.all.map(({ lastUsed }) => lastUsed))
    const isIdle = !instance.busy && options.wishes() + instance.openTasks.size === 0 && clients.all.length === 0
    if (idleStop !== null && isIdle && clock.steady() - used > idleStop) machine.dispatch({ type: 'stop' })
    else later(tick, look)
  }
  later(tick, look)

  return { ...health, impaired }
}
