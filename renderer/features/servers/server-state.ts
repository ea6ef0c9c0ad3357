import {
  Ban,
  CircleCheck,
  CircleDashed,
  CircleStop,
  Hourglass,
  KeyRound,
  LoaderCircle,
  OctagonX,
  TriangleAlert,
} from '@lucide/vue'
import type { Component } from 'vue'
import { serverStates, type Reason, type ServerState, type ServerStatus } from '../../../hub/contract/index.ts'

/** A shape for each state; its word stands beside it, so that colour is never the only sign. */
export const stateLooks: Readonly<Record<ServerState, { icon: Component; tone: string; spins?: boolean }>> = {
  failed: { icon: OctagonX, tone: 'text-bad' },
  'needs-auth': { icon: KeyRound, tone: 'text-bad' },
  backoff: { icon: Hourglass, tone: 'text-warn' },
  degraded: { icon: TriangleAlert, tone: 'text-warn' },
  starting: { icon: LoaderCircle, tone: 'text-accent-text', spins: true },
  stopping: { icon: CircleStop, tone: 'text-muted' },
  running: { icon: CircleCheck, tone: 'text-ok' },
  idle: { icon: CircleDashed, tone: 'text-muted' },
  disabled: { icon: Ban, tone: 'text-faint' },
}

/** Worst first: the order of `stateLooks`. */
export const stateOrder = Object.keys(stateLooks) as ServerState[]

const broken: ReadonlySet<ServerState> = new Set(['failed', 'needs-auth', 'backoff', 'degraded'])
export const isBroken = ({ state }: Pick<ServerStatus, 'state'>): boolean => broken.has(state)

export const isOn = ({ state }: Pick<ServerStatus, 'state'>): boolean => state !== 'disabled'

/** What a person most likely has to do: mend the entry, or just try again. */
export function likelyFix(reason: Reason | null): 'settings' | 'restart' {
  switch (reason?.code) {
    case 'command-not-found':
    case 'spawn-failed':
    case 'unresolved-reference':
    case 'host-not-found':
    case 'tls':
    case 'http-status':
    case 'needs-auth':
      return 'settings'
    default:
      return 'restart'
  }
}

export interface ServerFilter {
  readonly text: string
  readonly state: ServerState | null
  readonly transport: ServerStatus['transport'] | null
}

export function filterServers(servers: readonly ServerStatus[], filter: ServerFilter): ServerStatus[] {
  const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean)
  return servers
    .filter(({ name, target, state, transport }) => {
      if (filter.state !== null && state !== filter.state) return false
      if (filter.transport !== null && transport !== filter.transport) return false
      const haystack = `${name} ${target}`.toLowerCase()
      return words.every((word) => haystack.includes(word))
    })
    .toSorted((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name))
}

/** Broken ones come first; among the rest the name decides, so that rows keep still while servers start and stop. */
function rank(server: ServerStatus): number {
  return isBroken(server) ? stateOrder.indexOf(server.state) : stateOrder.length
}

export function countByState(servers: readonly ServerStatus[]): { state: ServerState; count: number }[] {
  return stateOrder
    .map((state) => ({ state, count: servers.filter((server) => server.state === state).length }))
    .filter(({ count }) => count > 0)
}

export const isServerState = (value: unknown): value is ServerState => serverStates.includes(value as ServerState)
