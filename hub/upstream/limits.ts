import { fixedDefault } from '../config/settings.ts'
import { isRemote, limitDefaults, type Reason, type ServerConfig, type SystemFile } from '../contract/index.ts'

/** What bounds one server, its entry's `hub` options over the hub's own defaults. */
export interface ServerLimits {
  startTimeoutMs: number
  callTimeoutMs: number
  totalTimeoutMs: number
  maxConcurrentCalls: number
  maxQueuedCalls: number
  maxStartAttempts: number
  /** 0 for no probes. */
  healthCheckIntervalMs: number
  healthCheckTimeoutMs: number
  healthCheckMisses: number
  /** A connection of one client's own is closed after that long without a call. */
  instanceIdleMs: number
  /** Connections that single clients may have for themselves. */
  maxInstances: number
}

export const defaultLimits: ServerLimits = {
  startTimeoutMs: 30_000,
  callTimeoutMs: 5 * 60_000,
  totalTimeoutMs: 60 * 60_000,
  maxConcurrentCalls: 1_000,
  maxQueuedCalls: 1_000,
  maxStartAttempts: 8,
  healthCheckIntervalMs: fixedDefault('monitoring.healthCheckInterval'),
  healthCheckTimeoutMs: 10_000,
  healthCheckMisses: 2,
  instanceIdleMs: 5 * 60_000,
  maxInstances: 64,
}

/** What system.json says for all servers. */
export function configuredDefaults({ limits = limitDefaults, monitoring }: SystemFile): ServerLimits {
  return {
    ...defaultLimits,
    maxConcurrentCalls: limits.maxCallsPerServer,
    maxQueuedCalls: limits.maxQueuedCallsPerServer,
    maxInstances: limits.maxInstancesPerServer,
    healthCheckIntervalMs: monitoring?.healthCheckInterval ?? defaultLimits.healthCheckIntervalMs,
  }
}

const ON_DEMAND_IDLE_MS = 5 * 60_000

export function limitsOf(config: ServerConfig, defaults: ServerLimits): ServerLimits {
  const hub: Partial<Record<keyof ServerLimits, number | undefined>> = config.hub ?? {}
  const limits = { ...defaults }
  for (const key of Object.keys(defaults) as (keyof ServerLimits)[]) limits[key] = hub[key] ?? defaults[key]
  return limits
}

/** How long a server may be without work before it is stopped; null for never. */
export function idleStopOf(config: ServerConfig): number | null {
  return config.hub?.idleStopMs ?? (config.hub?.start === 'on-demand' ? ON_DEMAND_IDLE_MS : null)
}

/**
 * Failures in a row after which a server is given up. What the network does passes by itself, be it a night's sleep later:
 * a remote server is tried on, at most every minute, unless its entry says how often.
 */
export function attemptsFor(config: ServerConfig, limits: ServerLimits, reason: Reason | null): number {
  const passes = isRemote(config) && config.hub?.maxStartAttempts === undefined && reason !== null && isPassing(reason)
  return passes ? Infinity : limits.maxStartAttempts
}

const PASSING: ReadonlySet<Reason['code']> = new Set([
  'connection-refused',
  'host-not-found',
  'start-timeout',
  'unresponsive',
  'sign-in-unavailable',
])

function isPassing({ code, message }: Reason): boolean {
  if (code === 'http-status') return /\b(429|5\d\d)\b/.test(message)
  if (code === 'proxy') return !message.includes('407')
  return PASSING.has(code)
}
