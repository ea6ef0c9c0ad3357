import {
  CONTROL_PROTOCOL,
  fromHubSchema,
  type Fault,
  type FromHub,
  type Hello,
  type Overview,
  type ToHub,
} from '../../hub/contract/index.ts'
import type { ExitReason, HubProcessState } from '../../preload/contract.ts'
import type { Redactor } from '../../hub/observe/redactor.ts'

/** A running hub process, as the supervisor needs it; Electron's utility process behind it in the app. */
export interface HubProcess {
  readonly pid: number | undefined
  /** Sends the handshake with a port of its own, on which everything else travels. */
  hello: (message: Hello) => void
  send: (message: ToHub) => void
  kill: () => void
  onMessage: (listener: (message: unknown) => void) => void
  onLine: (listener: (line: string) => void) => void
  /** `reason` is more than `exited` where the system tells it, e.g. `oom`. */
  onExit: (listener: (code: number | null, reason: ExitReason) => void) => void
}

export interface SupervisorOptions {
  fork: () => HubProcess
  /** The handshake of one start; the boot token is new each time. */
  hello: () => Omit<Hello, 'type' | 'protocol'>
  onState: (state: HubProcessState) => void
  onOverview: (overview: Overview) => void
  onFaults: (faults: readonly Fault[]) => void
  /** Keeps a secret that the hub was given, or forgets it when the value is null. */
  keepSecret: (name: string, value: string | null) => Promise<void>
  onLine: (line: string) => void
  /** Ends what a hub left behind that could not end it itself; for when no other hub follows that would do it at its start. */
  reap: () => Promise<void>
  /** What the hub writes when it ends in a bad way is not its log, and has not been through its redactor. */
  redactor: Redactor
  random?: () => number
  now?: () => number
}

export interface HubSupervisor {
  readonly state: HubProcessState
  readonly overview: Overview | null
  /** Port and boot token of the API, while the hub runs. */
  readonly api: { port: number; token: string } | null
  /** The same once a hub that is starting has started, or has not. */
  started: () => Promise<{ port: number; token: string } | null>
  readonly pid: number | undefined
  start: () => void
  /** Ends the hub if there is one and starts it anew; also the way out of `failed`. */
  restart: () => void
  /** Ends the hub with everything that it started; resolves once it is gone. */
  stop: () => Promise<void>
}

const READY_MS = 15_000
const PING_MS = 10_000
const MISSED_PINGS = 3
const STOP_MS = 8_000
const HEALTHY_MS = 60_000
const CRASH_WINDOW_MS = 120_000
const MAX_CRASHES = 5
const DELAYS_MS = [250, 500, 1_000, 2_000, 5_000]
const KEPT_LINES = 200
const REPORTED_LINES = 20
/** EX_CONFIG: no restart can cure it. */
const EXIT_CONFIG = 78

/** Delay before start number `crashes` + 1 after a crash, with jitter of a fifth either way. */
export function backoffDelay(crashes: number, random: number): number {
  const base = DELAYS_MS[Math.min(Math.max(crashes, 1), DELAYS_MS.length) - 1] ?? 5_000
  return Math.round(base * (0.8 + 0.4 * random))
}

/** Starts the hub, watches that it lives, and starts it again: five crashes in two minutes and it waits for a person. */
export function createHubSupervisor(options: SupervisorOptions): HubSupervisor {
  const now = options.now ?? Date.now
  const random = options.random ?? Math.random
  let child: HubProcess | null = null
  let state: HubProcessState = { state: 'stopped', crashes: 0, nextStartAt: null, lastExit: null }
  let overview: Overview | null = null
  let api: { port: number; token: string } | null = null
  let crashes: number[] = []
  let lines: string[] = []
  /** Why it is being ended, until it is. */
  let endedFor: ExitReason | null = null
  let wanted = false
  let restarting = false
  let timers: NodeJS.Timeout[] = []
  let onGone: (() => void)[] = []
  const onStarted: (() => void)[] = []

  function set(change: Partial<HubProcessState>): void {
    state = { ...state, ...change }
    options.onState(state)
    if (state.state !== 'starting') for (const waiting of onStarted.splice(0)) waiting()
  }

  function clearTimers(): void {
    for (const timer of timers) clearTimeout(timer)
    timers = []
  }

  function start(): void {
    if (child !== null) return
    wanted = true
    clearTimers()
    lines = []
    const process = options.fork()
    child = process
    const hello = options.hello()
    let answeredPing = 0
    let sentPing = 0
    set({ state: 'starting', nextStartAt: null })
    process.onLine((raw) => {
      const line = options.redactor.text(raw)
      lines.push(line)
      if (lines.length > KEPT_LINES) lines.shift()
      options.onLine(line)
    })
    process.onExit((code, reason) => {
      if (child === process) onExit(code, reason)
    })
    process.onMessage((data) => {
      const parsed = fromHubSchema.safeParse(data)
      if (child !== process || !parsed.success) return
      onMessage(parsed.data)
    })
    process.hello({ type: 'hello', protocol: CONTROL_PROTOCOL, ...hello })
    timers.push(
      setTimeout(() => {
        if (state.state === 'starting') end(process, 'not-ready')
      }, READY_MS),
    )

    function onMessage(message: FromHub): void {
      if (message.type === 'ready') {
        api = { port: message.apiPort, token: hello.bootToken }
        set({ state: 'running' })
        watch()
      } else if (message.type === 'pong') answeredPing = message.n
      else if (message.type === 'overview') {
        overview = message.overview
        options.onOverview(overview)
      } else if (message.type === 'secret.keep') {
        const { n, name, value } = message
        options.keepSecret(name, value).then(
          () => process.send({ type: 'secret.kept', n, problem: null }),
          (error: unknown) =>
            process.send({ type: 'secret.kept', n, problem: error instanceof Error ? error.message : String(error) }),
        )
      } else options.onFaults(message.faults)
    }

    // A hub in a busy loop does not exit; only its silence tells.
    function watch(): void {
      const ping = setInterval(() => {
        if (sentPing - answeredPing >= MISSED_PINGS) end(process, 'silent')
        else process.send({ type: 'ping', n: ++sentPing })
      }, PING_MS)
      timers.push(
        ping,
        setTimeout(() => {
          crashes = []
          set({ crashes: 0 })
        }, HEALTHY_MS),
      )
    }
  }

  function end(process: HubProcess, why: ExitReason): void {
    endedFor = why
    process.kill()
  }

  function onExit(code: number | null, how: ExitReason): void {
    const reason = endedFor ?? how
    endedFor = null
    child = null
    api = null
    overview = null
    clearTimers()
    if (!wanted) {
      set({ state: 'stopped', nextStartAt: null })
      const waiting = onGone
      onGone = []
      // One that had to be killed has ended none of its servers.
      void options.reap().finally(() => {
        for (const gone of waiting) gone()
      })
      return
    }
    if (restarting) {
      restarting = false
      start()
      return
    }
    const at = now()
    crashes = [...crashes.filter((time) => at - time < CRASH_WINDOW_MS), at]
    const lastExit = { code, reason, lines: lines.slice(-REPORTED_LINES) }
    if (code === EXIT_CONFIG || crashes.length >= MAX_CRASHES) {
      set({ state: 'failed', crashes: crashes.length, nextStartAt: null, lastExit })
      void options.reap()
      return
    }
    const delay = backoffDelay(crashes.length, random())
    set({ state: 'backoff', crashes: crashes.length, nextStartAt: at + delay, lastExit })
    timers.push(setTimeout(start, delay))
  }

  function stop(): Promise<void> {
    wanted = false
    clearTimers()
    const process = child
    if (process === null) {
      set({ state: 'stopped', nextStartAt: null })
      return options.reap()
    }
    return new Promise((resolve) => {
      timers.push(setTimeout(() => process.kill(), STOP_MS))
      onGone.push(resolve)
      process.send({ type: 'shutdown' })
    })
  }

  return {
    get state() {
      return state
    },
    get overview() {
      return overview
    },
    get api() {
      return api
    },
    async started() {
      if (state.state === 'starting') await new Promise<void>((resolve) => onStarted.push(resolve))
      return api
    },
    get pid() {
      return child?.pid
    },
    start,
    restart: () => {
      crashes = []
      if (child === null) {
        start()
        return
      }
      restarting = true
      wanted = true
      const process = child
      process.send({ type: 'shutdown' })
      timers.push(setTimeout(() => process.kill(), STOP_MS))
    },
    stop,
  }
}
