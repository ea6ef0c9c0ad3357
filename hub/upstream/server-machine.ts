import type { Clock } from '../clock.ts'
import type { Reason, ServerState } from '../contract/index.ts'
import type { Redactor } from '../observe/redactor.ts'
import type { ServerLog } from '../observe/server-log.ts'
import { told, wordsFrom } from '../say.ts'
import { initialMachine, transition, type Machine, type ServerEvent } from './state-machine.ts'
import type { Upstream } from './upstream.ts'

export interface ServerMachineOptions {
  enabled: boolean
  clock: Clock
  /** Randomness of the backoff, 0 to 1. */
  random: () => number
  log: ServerLog
  /** Reasons quote what servers say, and that may hold a secret. */
  redactor: Redactor
  /** How often a start that failed for this reason is tried. */
  maxAttempts: (why: Reason | null) => number
  onState: () => void
  /** What the new state needs is begun. */
  onEntered: (before: ServerState) => void
}

/** The state that a server is in: what happens to it, who hears of that, and who waits for it. */
export interface ServerMachine {
  readonly current: Machine
  /** How long it has been in its state: the time that passed, whoever sets the clock of the machine. */
  readonly msInState: number
  readonly isUp: boolean
  /** No call needs it now; the next one starts it. */
  readonly isAsleep: boolean
  readonly history: ReturnType<Upstream['history']>
  dispatch: (event: ServerEvent) => void
  /** For good: nothing starts it again. */
  end: () => void
  /** Resolves once `done` says so, at the latest after `ms`. */
  until: (done: () => boolean, ms?: number) => Promise<void>
}

const MAX_HISTORY = 50

export const isUp = (state: ServerState): boolean => state === 'running' || state === 'degraded'

export function createServerMachine(options: ServerMachineOptions): ServerMachine {
  const { clock, log } = options
  let machine = initialMachine(options.enabled, clock.now())
  let enteredAt = clock.steady()
  let ended = false
  const history: ReturnType<Upstream['history']> = []
  const waiters = new Set<() => void>()

  return {
    get current() {
      return machine
    },
    get msInState() {
      return clock.steady() - enteredAt
    },
    get isUp() {
      return isUp(machine.state)
    },
    get isAsleep() {
      return !ended && (machine.state === 'idle' || (machine.state === 'stopping' && machine.then === 'idle'))
    },
    history,
    dispatch: (cause) => {
      const event = options.redactor.value(cause)
      if (ended && (event.type === 'start' || event.type === 'restart')) return
      const before = machine
      const maxAttempts = options.maxAttempts('reason' in event ? event.reason : null)
      machine = transition(before, event, { now: clock.now(), random: options.random(), maxAttempts })
      const { state, reason } = machine
      if (state !== before.state) enteredAt = clock.steady()
      if (state === before.state && reason === before.reason) return
      history.push(told({ state, at: clock.now(), reason: reason && wordsFrom(reason, 'message') }))
      if (history.length > MAX_HISTORY) history.shift()
      if (reason === null) log.add('hub', 'info', `State: ${state}`)
      else {
        const text = reason.detail === undefined ? reason.message : `${reason.message}\n${reason.detail}`
        log.add('hub', state === 'degraded' ? 'warn' : 'error', text)
      }
      options.onState()
      if (state !== before.state) options.onEntered(before.state)
      for (const wake of [...waiters]) wake()
    },
    end: () => {
      ended = true
    },
    until: (done, ms = Infinity) => {
      if (done()) return Promise.resolve()
      return new Promise((resolve) => {
        const end = (): void => {
          cancelDeadline()
          waiters.delete(check)
          resolve()
        }
        const check = (): void => {
          if (done()) end()
        }
        const cancelDeadline = ms === Infinity ? () => undefined : clock.after(ms, end)
        waiters.add(check)
      })
    },
  }
}
