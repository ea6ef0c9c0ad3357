import { Reply, rpc, toRpcError } from '../gateway/json-rpc.ts'
import type { Call, CancelCall } from '../gateway/call.ts'
import type { Clock } from '../clock.ts'

interface Waiting {
  call: Call
  launch: () => CancelCall
  since: number
  /** Set once it is under way. */
  cancel: CancelCall | null
  done: boolean
}

export interface CallQueueOptions {
  server: string
  clock: Clock
  limits: () => { maxConcurrentCalls: number; maxQueuedCalls: number; callTimeoutMs: number }
  /** Calls that the server works on; those that wait for a person keep nobody from it. */
  working: () => number
}

/** Calls beyond what a server is given at once wait here in order, bounded in number and time. */
export interface CallQueue {
  /** Launches the call now or when there is room. */
  admit: (call: Call, launch: () => CancelCall) => CancelCall
  /** A call ended: there may be room. */
  settled: () => void
  /** The server went away: every call that waits is launched, which decides anew. */
  flush: () => void
}

const SWEEP_MS = 1_000

export function createCallQueue(options: CallQueueOptions): CallQueue {
  let waiting: Waiting[] = []
  let stopSweep: (() => void) | null = null

  function refuse(call: Call, message: string): void {
    call.finish(Reply.error({ code: rpc.limitExceeded, message }))
  }

  /** One that cannot be launched ends with the cause, e.g. nested too deep to be written: it may hold a place elsewhere. */
  function start(call: Call, launch: () => CancelCall): CancelCall {
    try {
      return launch()
    } catch (error) {
      call.finish(Reply.error(toRpcError(error)))
      return () => undefined
    }
  }

  function startWaiting(entry: Waiting): void {
    entry.done = true
    entry.cancel = start(entry.call, entry.launch)
  }

  function sweep(): void {
    const { callTimeoutMs, maxConcurrentCalls } = options.limits()
    const late = waiting.filter((entry) => options.clock.steady() - entry.since > callTimeoutMs)
    waiting = waiting.filter((entry) => !late.includes(entry))
    for (const entry of late) {
      entry.done = true
      refuse(
        entry.call,
        `Server ${options.server} was busy with ${maxConcurrentCalls} other calls (hub.maxConcurrentCalls) for ${Math.round(callTimeoutMs / 1_000)} s`,
      )
    }
    stopSweep = waiting.length === 0 ? null : options.clock.after(SWEEP_MS, sweep)
  }

  return {
    admit: (call, launch) => {
      const { maxConcurrentCalls, maxQueuedCalls } = options.limits()
      if (waiting.length === 0 && options.working() < maxConcurrentCalls) return start(call, launch)
      if (waiting.length >= maxQueuedCalls) {
        refuse(
          call,
          `Server ${options.server} has ${maxConcurrentCalls} calls in flight and ${waiting.length} waiting (hub.maxConcurrentCalls, hub.maxQueuedCalls; limits.maxCallsPerServer, limits.maxQueuedCallsPerServer)`,
        )
        return () => undefined
      }
      const entry: Waiting = { call, launch, since: options.clock.steady(), cancel: null, done: false }
      waiting.push(entry)
      call.moments?.waits()
      stopSweep ??= options.clock.after(SWEEP_MS, sweep)
      return (why) => {
        if (entry.cancel !== null) entry.cancel(why)
        else if (!entry.done) {
          entry.done = true
          waiting = waiting.filter((other) => other !== entry)
        }
      }
    },
    settled: () => {
      while (waiting.length > 0 && options.working() < options.limits().maxConcurrentCalls) {
        const entry = waiting.shift()
        if (entry !== undefined) startWaiting(entry)
      }
    },
    flush: () => {
      const flushed = waiting
      waiting = []
      for (const entry of flushed) startWaiting(entry)
    },
  }
}
