import type { AuditEntry } from '../contract/index.ts'
import { MOMENTS_PER_MS, type Exchange, type OnExchange } from '../gateway/exchange.ts'
import type { Log } from '../observe/log.ts'
import type { Redactor } from '../observe/redactor.ts'
import { say, type Words } from '../say.ts'
import type { AuditAct } from './audit-chain.ts'
import { clean } from './clean-text.ts'
import { capturePayloads, type PayloadOptions } from './payloads.ts'
import type { HistoryLimits, HistoryStore } from './store.ts'
import type { NewRequest, TrafficRow } from './tables.ts'
import { createTrafficCounter } from './traffic.ts'

export interface RecorderOptions {
  /** Opens the store; called when there is first something to write or to read, and again after a failure. */
  open: () => Promise<HistoryStore>
  limits: () => HistoryLimits
  payloads: () => PayloadOptions
  /** Hears of the requests in batches, whether or not the store takes them. */
  onBatch: (requests: readonly NewRequest[]) => void
  onAppended: (count: number, dropped: number) => void
  log: Log
  /** Asks the store this often whether it is there; only a store elsewhere can be away. */
  pingEveryMs?: number
  /** Requests, and acts, that wait for a store that is away. */
  capacity?: number
}

/** Brings requests and acts into the store, off the path of the calls, and holds them while it is away. */
export interface Recorder {
  record: OnExchange
  audit: (act: AuditAct) => void
  /** For reading. Rejects when the store cannot be reached. */
  store: () => Promise<HistoryStore>
  /** Requests that were lost since the start, because the store was away for too long. */
  readonly dropped: number
  /** Why the store does not take what it is given; null when it does. */
  readonly failure: Words | null
  /** Resolves once everything told so far is written, or `ms` have passed. */
  flush: (ms: number) => Promise<void>
  dispose: () => Promise<void>
}

const FLUSH_MS = 250
/** The first calls come while servers are being started, which opening the store would take a core from. */
const OPEN_MS = 1_000
/** Small, so that handing it over holds up no call for long. */
const BATCH = 250
const CAPACITY = 10_000
const ACTS_AT_ONCE = 100
const RETRY_MS = [250, 500, 1_000, 2_000]
const MAINTAIN_MS = 10 * 60_000
const NOTICE_MS = 1_000
const PING_TIMEOUT_MS = 2_500
/** Longest texts that come from outside. */
const MAX_NAME = 300
const MAX_MESSAGE = 1_000

interface Batch {
  requests: NewRequest[]
  traffic: TrafficRow[]
}

export function createRecorder(options: RecorderOptions): Recorder {
  const capacity = options.capacity ?? CAPACITY
  const traffic = createTrafficCounter()
  const fresh = new Array<Exchange | null>(BATCH).fill(null)
  const captured = new Map<Exchange, { request: string | null; response: string | null }>()
  let count = 0
  let timer: NodeJS.Timeout | null = null
  let batches: Batch[] = []
  let held = 0
  let acts: AuditAct[] = []
  /** Those of them that are on their way to the store. */
  let sent: readonly AuditAct[] = []
  let dropped = 0
  let failure: Words | null = null
  let store: Promise<HistoryStore> | null = null
  let pumping: Promise<void> | null = null
  let wake: (() => void) | null = null
  let closing = false
  let maintainedAt = 0
  let sinceMaintained = 0
  let unnoticed = 0
  let noticeTimer: NodeJS.Timeout | null = null

  function openStore(): Promise<HistoryStore> {
    if (store !== null) return store
    const opening = options.open()
    store = opening
    opening.catch(() => {
      if (store === opening) store = null
    })
    return opening
  }

  function record(...[exchange, params, reply]: Parameters<OnExchange>): void {
    const payloads = options.payloads()
    if (payloads.mode !== 'off') captured.set(exchange, capturePayloads(params, reply, payloads))
    fresh[count++] = exchange
    if (count === BATCH) drain()
    else timer ??= setTimeout(drain, store === null ? OPEN_MS : FLUSH_MS).unref()
  }

  /** From the calls' side to the writer's: from here on nothing costs a call anything. */
  function drain(): void {
    if (timer !== null) clearTimeout(timer)
    timer = null
    if (count === 0) return
    const requests: NewRequest[] = []
    const { redactor } = options.payloads()
    for (let at = 0; at < count; at++) {
      const exchange = fresh[at]
      if (exchange) requests.push(tidy(exchange, redactor))
      fresh[at] = null
    }
    count = 0
    captured.clear()
    options.onBatch(requests)
    batches.push({ requests, traffic: traffic.count(requests) })
    held += requests.length
    // The first may be on its way to the store just now.
    while (held > capacity && batches.length > 2) {
      const [lost] = batches.splice(1, 1)
      held -= lost?.requests.length ?? 0
      dropped += lost?.requests.length ?? 0
    }
    pump()
  }

  function tidy(exchange: Exchange, redactor: Redactor): NewRequest {
    const payload = captured.size === 0 ? undefined : captured.get(exchange)
    return {
      at: exchange.at,
      durationMs: exchange.durationMs,
      principal: clean(exchange.principal),
      client: clean(exchange.client, MAX_NAME),
      endpoint: exchange.endpoint,
      server: exchange.server,
      method: clean(exchange.method, MAX_NAME),
      name: clean(exchange.name, MAX_NAME),
      bytesIn: exchange.bytesIn,
      bytesOut: exchange.bytesOut,
      outcome: exchange.outcome,
      errorCode: codeOf(exchange.errorCode),
      errorMessage: exchange.errorMessage === null ? null : clean(redactor.head(exchange.errorMessage, MAX_MESSAGE)),
      traceId: exchange.traceId,
      requestId: exchange.requestId,
      waitedMs: momentOf(exchange.waitedAt),
      sentMs: momentOf(exchange.sentAt),
      notifiedMs: momentOf(exchange.notifiedAt),
      repliedMs: momentOf(exchange.repliedAt),
      notifications: exchange.notifications,
      firstByteMs: momentOf(exchange.heardAt),
      askedMs: momentOf(exchange.askedAt),
      clientMs: exchange.askedAt < 0 ? null : momentOf(exchange.clientTime),
      request: clean(payload?.request ?? null),
      response: clean(payload?.response ?? null),
    }
  }

  function audit(act: AuditAct): void {
    acts.push(act)
    if (acts.length > capacity) {
      const at = acts.findIndex((waiting) => !sent.includes(waiting))
      const [lost] = acts.splice(at, 1)
      options.log('error', 'An act could not be kept in the audit log', { act: lost })
    }
    pump()
  }

  function pump(): void {
    pumping ??= write().finally(() => {
      pumping = null
    })
  }

  async function write(): Promise<void> {
    for (let tries = 0; batches.length > 0 || acts.length > 0;) {
      try {
        const target = await openStore()
        await writeActs(target)
        await writeBatch(target)
        tries = 0
        if (failure !== null) options.log('info', 'History is written again', { held })
        failure = null
        await maintain(target)
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error)
        if (failure === null) options.log('error', 'History cannot be written; it is held', { error: message })
        failure = message
        if (closing) return
        await pause(RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)] ?? 0)
      }
    }
  }

  async function writeActs(target: HistoryStore): Promise<void> {
    const given = acts.slice(0, ACTS_AT_ONCE)
    if (given.length === 0) return
    sent = given
    try {
      await append(target, given)
    } catch (error) {
      if (!isRefusedData(error)) throw error
      // One of them: the others are kept, and trying it again would hold up everything behind it for good.
      for (const act of given) await append(target, [act]).catch((refusal: unknown) => leaveOut(act, refusal))
    } finally {
      sent = []
    }
  }

  async function append(target: HistoryStore, given: readonly AuditAct[]): Promise<void> {
    const written = await target.appendAudit(given)
    acts = acts.filter((act) => !given.includes(act))
    for (const entry of written) logAct(entry)
  }

  function leaveOut(act: AuditAct, error: unknown): void {
    if (!isRefusedData(error)) throw error
    acts = acts.filter((other) => other !== act)
    options.log('error', 'The database refuses an act, which is left out of the audit log', {
      act,
      error: error.message,
    })
  }

  /** The log is the second place that has each hash: who changes the database must change the log too. */
  function logAct({ seq, action, target, actor, outcome, requestId, hash }: AuditEntry): void {
    options.log('info', 'Audit', { seq, action, target, actor, outcome, requestId, hash })
  }

  async function writeBatch(target: HistoryStore): Promise<void> {
    const [batch] = batches
    if (batch === undefined) return
    try {
      await target.appendRequests(batch.requests, batch.traffic)
    } catch (error) {
      if (!isRefusedData(error)) throw error
      // Trying it again would hold up everything behind it for good.
      dropped += batch.requests.length
      options.log('error', 'The database refuses requests, which are left out of the history', {
        count: batch.requests.length,
        error: error.message,
      })
    }
    batches = batches.slice(1)
    held -= batch.requests.length
    sinceMaintained += batch.requests.length
    unnoticed += batch.requests.length
    noticeTimer ??= setTimeout(notice, NOTICE_MS).unref()
  }

  function notice(): void {
    noticeTimer = null
    options.onAppended(unnoticed, dropped)
    unnoticed = 0
  }

  async function maintain(target: HistoryStore): Promise<void> {
    const limits = options.limits()
    const due = sinceMaintained > limits.maxRows / 20 || Date.now() - maintainedAt > MAINTAIN_MS
    if (!due) return
    maintainedAt = Date.now()
    sinceMaintained = 0
    await target.maintain(limits, Date.now()).catch((error: unknown) => {
      options.log('warn', 'History could not be brought within its limits', { error: String(error) })
    })
  }

  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = setTimeout(resolve, ms).unref()
      wake = () => {
        clearTimeout(done)
        resolve()
      }
    })
  }

  async function ping(): Promise<void> {
    // One that hangs answers nothing, not even that: the query itself is given up much later.
    const late = setTimeout(() => {
      failure ??= say`the database did not answer for ${PING_TIMEOUT_MS / 1_000} s`
    }, PING_TIMEOUT_MS)
    late.unref()
    try {
      await (await openStore()).ping()
      // While something is held, the writer says how it goes.
      if (pumping === null) failure = null
    } catch (error) {
      failure ??= error instanceof Error ? error.message : String(error)
    } finally {
      clearTimeout(late)
    }
  }

  let pinging = false
  const pinger =
    options.pingEveryMs === undefined
      ? null
      : setInterval(() => {
          if (pinging) return
          pinging = true
          void ping().finally(() => (pinging = false))
        }, options.pingEveryMs).unref()

  async function flush(ms: number): Promise<void> {
    drain()
    let deadline: NodeJS.Timeout | undefined
    await Promise.race([pumping, new Promise((resolve) => (deadline = setTimeout(resolve, ms)))])
    clearTimeout(deadline)
  }

  /** Who opens the store by reading finds what waited for it to be opened. */
  async function readable(): Promise<HistoryStore> {
    if (store !== null) return store
    const opened = await openStore()
    await flush(FLUSH_MS)
    return opened
  }

  return {
    record,
    audit,
    store: readable,
    get dropped() {
      return dropped
    },
    get failure() {
      return failure
    },
    flush,
    dispose: async () => {
      if (pinger !== null) clearInterval(pinger)
      closing = true
      wake?.()
      await flush(5_000)
      if (noticeTimer !== null) clearTimeout(noticeTimer)
      for (const act of acts) options.log('error', 'An act could not be kept in the audit log', { act })
      if (held > 0) options.log('error', 'Requests could not be kept in the history', { count: held })
      await (await store?.catch(() => null))?.close()
    },
  }
}

const momentOf = (moment: number): number | null => (moment < 0 ? null : moment / MOMENTS_PER_MS)

/** A server may answer any number; one that the database has no room for would take its whole batch out of the history. */
const codeOf = (code: number | null): number | null => (code !== null && (code | 0) === code ? code : null)

/** SQLSTATE classes 22 and 23: the data is at fault, not the connection. */
function isRefusedData(error: unknown): error is Error {
  return error instanceof Error && /^2[23]/.test((error as { code?: string }).code ?? '')
}
