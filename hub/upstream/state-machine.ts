import type { Reason, ServerState } from '../contract/index.ts'

/** What can happen to a server. docs/server-states.md has the picture; a test keeps it and this table in step. */
export type ServerEvent =
  | { type: 'enable' | 'disable' | 'start' | 'restart' | 'stop' }
  /** Handshake done and lists read. */
  | { type: 'started' }
  /** `permanent`: trying again cannot help until a person changes something. */
  | { type: 'start-failed'; reason: Reason; permanent: boolean }
  /** The process ended, the connection broke, or the server was given up as unresponsive. */
  | { type: 'lost'; reason: Reason }
  /** It works, but something is wrong: a probe was missed, a limit is exceeded. */
  | { type: 'impaired'; reason: Reason }
  | { type: 'recovered' }
  /** It has run long enough for earlier failures to be forgotten. */
  | { type: 'healthy' }
  | { type: 'delay-over' }
  /** Everything that it ran is gone. */
  | { type: 'stopped' }

export type ServerEventType = ServerEvent['type']

export interface Machine {
  readonly state: ServerState
  readonly since: number
  readonly reason: Reason | null
  /** Failed starts, or losses before it had run long enough, in a row. */
  readonly attempt: number
  readonly nextTryAt: number | null
  /** How often it was lost after it had run. */
  readonly restarts: number
  /** Where `stopping` leads. */
  readonly then: 'idle' | 'disabled' | 'starting'
}

export interface Circumstances {
  readonly now: number
  /** 0 to 1, for the jitter. */
  readonly random: number
  /** Attempts in a row after which the state is `failed`. */
  readonly maxAttempts: number
}

/** A state, or what decides between several. Events that a state does not list leave it as it is. */
type Target = ServerState | 'then' | ((machine: Machine, event: ServerEvent, around: Circumstances) => ServerState)

const afterFailure: Target = (machine, event, { maxAttempts }) => {
  if (event.type !== 'start-failed' && event.type !== 'lost') return machine.state
  if (event.reason.code === 'needs-auth') return 'needs-auth'
  const permanent = event.type === 'start-failed' && event.permanent
  return permanent || machine.attempt + 1 >= maxAttempts ? 'failed' : 'backoff'
}
const waiting = { start: 'starting', restart: 'starting', stop: 'idle', disable: 'disabled' } as const
const connected = { stop: 'stopping', restart: 'stopping', disable: 'stopping' } as const

const table: Record<ServerState, Partial<Record<ServerEventType, Target>>> = {
  disabled: { enable: 'idle' },
  idle: { start: 'starting', restart: 'starting', disable: 'disabled' },
  starting: { ...connected, started: 'running', 'start-failed': afterFailure },
  running: { ...connected, lost: afterFailure, impaired: 'degraded', healthy: 'running' },
  degraded: { ...connected, lost: afterFailure, impaired: 'degraded', recovered: 'running' },
  'needs-auth': waiting,
  backoff: { ...waiting, 'delay-over': 'starting' },
  failed: waiting,
  stopping: {
    enable: 'stopping',
    start: 'stopping',
    restart: 'stopping',
    stop: 'stopping',
    disable: 'stopping',
    stopped: 'then',
  },
}

const leadsTo: Partial<Record<ServerEventType, Machine['then']>> = {
  start: 'starting',
  restart: 'starting',
  stop: 'idle',
  enable: 'idle',
  disable: 'disabled',
}

export function initialMachine(enabled: boolean, now: number): Machine {
  return {
    state: enabled ? 'idle' : 'disabled',
    since: now,
    reason: null,
    attempt: 0,
    nextTryAt: null,
    restarts: 0,
    then: 'idle',
  }
}

/** The machine after an event; the very same one when the event means nothing in its state. */
export function transition(machine: Machine, event: ServerEvent, around: Circumstances): Machine {
  const target = table[machine.state][event.type]
  if (target === undefined) return machine
  const named = typeof target === 'function' ? target(machine, event, around) : target
  const state = named === 'then' ? machine.then : named
  return {
    state,
    since: state === machine.state ? machine.since : around.now,
    reason: 'reason' in event ? event.reason : state === machine.state ? machine.reason : null,
    restarts: machine.restarts + (event.type === 'lost' ? 1 : 0),
    then: leadsTo[event.type] ?? machine.then,
    ...counts(machine, event, state, around),
  }
}

function counts(
  machine: Machine,
  event: ServerEvent,
  state: ServerState,
  { now, random }: Circumstances,
): Pick<Machine, 'attempt' | 'nextTryAt'> {
  if (event.type === 'start-failed' || event.type === 'lost') {
    const attempt = machine.attempt + 1
    if (state !== 'backoff') return { attempt, nextTryAt: null }
    const atOnce = event.type === 'lost' && attempt === 1 && event.reason.code === 'exited'
    const isProcess = event.type === 'start-failed' && event.reason.code === 'exited'
    const delay = backoffDelay(attempt, random, isProcess ? ENDED_AT_START : LOST)
    return { attempt, nextTryAt: now + (atOnce ? AT_ONCE_MS : delay) }
  }
  // A person's word, and a long healthy run, let the count start anew.
  const anew = event.type === 'healthy' || event.type === 'restart' || event.type === 'enable' || state === 'idle'
  return { attempt: anew ? 0 : machine.attempt, nextTryAt: null }
}

/** Most crashes after a healthy time are one-off: the first restart does not wait. */
const AT_ONCE_MS = 20
interface Backoff {
  firstMs: number
  /** What each delay is to the one before it. */
  growth: number
}
const LOST: Backoff = { firstMs: 250, growth: 2 }
/** A process that ends while it starts has cost all others the time of a start, and what ended it rarely passes at once. */
const ENDED_AT_START: Backoff = { firstMs: 1_000, growth: 4 }
const LONGEST_DELAY_MS = 60_000

/** Milliseconds to wait after that many failures in a row: growing to a minute, a fifth either way. */
export function backoffDelay(attempt: number, random: number, { firstMs, growth } = LOST): number {
  const base = Math.min(firstMs * growth ** (Math.max(attempt, 1) - 1), LONGEST_DELAY_MS)
  return Math.round(base * (0.8 + 0.4 * random))
}
