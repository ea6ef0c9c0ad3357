import type { Reason } from '../contract/index.ts'
import type { Clock } from '../clock.ts'
import { McpError, rpc } from '../gateway/json-rpc.ts'
import { say, told } from '../say.ts'
import type { Connection } from './connection.ts'
import type { ServerLimits } from './limits.ts'

export interface HealthOptions {
  connection: Pick<Connection, 'hello' | 'received' | 'busy' | 'lastFailure' | 'request'>
  clock: Clock
  limits: ServerLimits
  onImpaired: (reason: Reason) => void
  onRecovered: () => void
  /** More probes were missed than allowed. */
  onDead: (reason: Reason) => void
}

/** Asks a server regularly whether it is there, unless something came from it anyway. */
export interface HealthProbe {
  /** There is a doubt: asks now. */
  check: () => void
  dispose: () => void
}

/** After a missed probe the next one does not wait for the whole interval. */
const AGAIN_MS = 1_000

export function createHealthProbe(options: HealthOptions): HealthProbe {
  const { connection, clock, limits } = options
  /** They may change while it runs. */
  const interval = (): number => limits.healthCheckIntervalMs
  let cancelTimer: () => void = () => undefined
  let seen = connection.received
  let heardAt = clock.steady()
  let misses = 0
  let asking = false
  let disposed = false
  const isOver = (): boolean => disposed

  function schedule(ms: number): void {
    cancelTimer()
    if (!disposed && interval() > 0) cancelTimer = clock.after(ms, onTimer)
  }

  function onTimer(): void {
    if (misses === 0 && heardSomething()) schedule(interval())
    else void ask()
  }

  /** Something that came since the last look is as good as an answer. */
  function heardSomething(): boolean {
    const heard = connection.received !== seen
    seen = connection.received
    if (heard) heardAt = clock.steady()
    return heard
  }

  async function ask(): Promise<void> {
    if (asking || isOver()) return
    asking = true
    const method = connection.hello.era === 'modern' ? 'server/discover' : 'ping'
    const failure = await connection.request(method, undefined, limits.healthCheckTimeoutMs).then(
      () => null,
      (error: unknown) => missOf(error),
    )
    asking = false
    if (isOver()) return
    if (failure === null || heardSomething()) {
      heardAt = clock.steady()
      if (misses > 0) options.onRecovered()
      misses = 0
      schedule(interval())
    } else onMiss(failure)
  }

  function onMiss(reason: Reason): void {
    misses++
    if (reason.code === 'needs-auth' || (misses > limits.healthCheckMisses && !isBusy())) {
      options.onDead(reason)
      return
    }
    options.onImpaired(reason)
    schedule(Math.min(AGAIN_MS, interval()))
  }

  /** A server that works on a call may be deaf to probes: it is given the time that a call may take. */
  function isBusy(): boolean {
    return connection.busy && clock.steady() - heardAt < limits.callTimeoutMs
  }

  /** Why an answer to a probe is none; an error that the server itself sent shows that it lives. */
  function missOf(error: unknown): Reason | null {
    if (!(error instanceof McpError)) return null
    if (error.code === rpc.timeout) return unresponsive(Math.round((clock.steady() - heardAt) / 1_000))
    if (error.code !== rpc.serverUnavailable) return null
    const reason = connection.lastFailure
    // Asked too often is not gone.
    if (reason?.code === 'http-status' && reason.message.includes('429')) return null
    return (
      reason ??
      told({ code: 'unresponsive', message: error.message, cure: say`Read its log; restart it if it stays so.` })
    )
  }

  schedule(interval())
  return {
    check: () => {
      if (interval() > 0) void ask()
    },
    dispose: () => {
      disposed = true
      cancelTimer()
    },
  }
}

function unresponsive(seconds: number): Reason {
  return told({
    code: 'unresponsive',
    message: say`The server has not answered for ${seconds} s`,
    cure: say`Read its log; it hangs, or its machine is overloaded.`,
  })
}
