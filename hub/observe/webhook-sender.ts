import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Webhook, WebhookDelivery, WebhookEvent } from '../contract/index.ts'
import { WEBHOOK_TEST } from '../contract/webhook-events.ts'
import { failureReason } from '../upstream/http-failures.ts'
import { UpstreamFailure } from '../upstream/channel.ts'
import { createServerNetwork, type ServerNetwork } from '../upstream/network/network.ts'
import { say, told, wordsFrom, type Said } from '../say.ts'
import type { Log } from './log.ts'
import type { Redactor } from './redactor.ts'
import { httpsOnly } from './webhook-reach.ts'
import { signedHeaders } from './webhook-signature.ts'

export interface WebhookSenderOptions {
  /** As they are now. */
  hooks: () => Readonly<Record<string, Webhook>>
  /** Where a webhook does not say itself whether it may be in a private network. */
  allowPrivateAddresses: () => boolean
  /** Where this hub is reached, by which several are told apart. */
  hubUrl: () => string | null
  version: string
  env: (name: string) => string | undefined
  configDir: string
  redactor: Redactor
  log: Log
  retryMs?: readonly number[]
}

/** Brings messages to their receivers, again and again until they are taken. Bounded, and never in anybody's way. */
export interface WebhookSender {
  tell: (event: WebhookEvent, data: Record<string, unknown>, at: number) => void
  test: (id: string) => Promise<WebhookDelivery>
  /** The configuration has changed. */
  apply: () => void
  deliveries: (id: string) => WebhookDelivery[]
  stopped: (id: string) => Said | null
  dispose: () => Promise<void>
}

/** As the specification suggests: some minutes at first, hours in the end. */
const RETRY_MS = [5_000, 30_000, 120_000, 600_000, 1_800_000, 3_600_000, 7_200_000]
const TIMEOUT_MS = 15_000
/** Messages to one receiver that are not delivered yet; the oldest give way. */
const MAX_WAITING = 200
/** Deliveries of one receiver that are remembered. */
const MAX_KEPT = 50
const LAST_WORDS_MS = 3_000
/** The receiver wants nothing any more. */
const GONE = 410

interface Message {
  delivery: WebhookDelivery
  body: string
  /** One attempt only. */
  once: boolean
  timer: NodeJS.Timeout | null
}

interface Receiver {
  hook: Webhook
  /** By which a change is noticed. */
  text: string
  network: ServerNetwork
  ready: Message[]
  messages: Message[]
  sending: Promise<void> | null
  stopped: Said | null
  /** Its webhook is removed: what is under way has nowhere to go any more. */
  dropped: boolean
}

type Attempt = { status: number | null; problem: Said | string | null; final: boolean; retryAfterMs: number | null }

export function createWebhookSender(options: WebhookSenderOptions): WebhookSender {
  const { log, redactor, retryMs = RETRY_MS } = options
  const receivers = new Map<string, Receiver>()
  let closed = false

  function apply(): void {
    const hooks = options.hooks()
    for (const [id, receiver] of receivers) if (!Object.hasOwn(hooks, id)) drop(id, receiver)
    for (const [id, hook] of Object.entries(hooks)) {
      const text = JSON.stringify(hook)
      const known = receivers.get(id)
      if (known?.text === text) continue
      if (known !== undefined) {
        // What waits goes where the webhook is now.
        Object.assign(known, { hook, text, stopped: null })
        continue
      }
      const network = createServerNetwork({ env: options.env, configDir: options.configDir })
      receivers.set(id, { hook, text, network, ready: [], messages: [], sending: null, stopped: null, dropped: false })
    }
  }

  function drop(id: string, receiver: Receiver): void {
    for (const message of receiver.messages) clearTimeout(message.timer ?? undefined)
    receiver.ready = []
    receiver.dropped = true
    receivers.delete(id)
    void receiver.network.close()
  }

  function enqueue(id: string, receiver: Receiver, event: string, data: object, at: number, once = false): Message {
    const body = redactor.json({
      type: event,
      timestamp: new Date(at).toISOString(),
      data: { ...data, hub: { url: options.hubUrl(), version: options.version } },
    })
    const delivery: WebhookDelivery = {
      id: `msg_${randomUUID()}`,
      event,
      at,
      state: 'waiting',
      attempts: 0,
      status: null,
      message: null,
      durationMs: null,
      nextAttemptAt: null,
    }
    const message: Message = { delivery, body, once, timer: null }
    const waiting = receiver.messages.filter((one) => one.delivery.state === 'waiting')
    const [oldest] = waiting
    if (waiting.length >= MAX_WAITING && oldest !== undefined)
      giveUp(id, receiver, oldest, say`More than ${MAX_WAITING} messages waited for this receiver`)
    receiver.messages.push(message)
    prune(receiver)
    receiver.ready.push(message)
    pump(id, receiver)
    return message
  }

  function prune(receiver: Receiver): void {
    let over = receiver.messages.length - MAX_KEPT
    receiver.messages = receiver.messages.filter(({ delivery }) => delivery.state === 'waiting' || over-- <= 0)
  }

  /** One at a time: a receiver that comes back is not met by everything at once. */
  function pump(id: string, receiver: Receiver): void {
    receiver.sending ??= (async () => {
      for (let message = receiver.ready.shift(); message !== undefined; message = receiver.ready.shift()) {
        if (message.delivery.state !== 'waiting') continue
        const refusal = receiver.hook.enabled === false ? say`The webhook is switched off` : receiver.stopped
        if (refusal === null || message.once) await attempt(id, receiver, message)
        else giveUp(id, receiver, message, refusal)
      }
    })().finally(() => {
      receiver.sending = null
      if (receiver.ready.length > 0) pump(id, receiver)
    })
  }

  async function attempt(id: string, receiver: Receiver, message: Message): Promise<void> {
    const { delivery } = message
    const startedAt = performance.now()
    delivery.nextAttemptAt = null
    const { status, problem, final, retryAfterMs } = await send(receiver, message)
    if (receiver.dropped) return
    delivery.attempts++
    delivery.status = status
    note(delivery, problem)
    delivery.durationMs = Math.round(performance.now() - startedAt)
    if (problem === null) delivery.state = 'delivered'
    else if (final || message.once || delivery.attempts > retryMs.length || closed) {
      if (status === GONE) receiver.stopped = say`The receiver answered 410: it wants no messages any more`
      giveUp(id, receiver, message, problem)
    } else {
      const pause = Math.max(retryAfterMs ?? 0, (retryMs[delivery.attempts - 1] ?? 0) * (0.8 + 0.4 * Math.random()))
      delivery.nextAttemptAt = Date.now() + Math.round(pause)
      message.timer = setTimeout(() => {
        receiver.ready.push(message)
        pump(id, receiver)
      }, pause).unref()
    }
    prune(receiver)
  }

  /** Why the newest attempt failed; null when it did not. */
  function note(delivery: WebhookDelivery, problem: Said | string | null): void {
    delete delivery.said
    Object.assign(delivery, redactor.value(told({ message: problem })))
  }

  function giveUp(id: string, receiver: Receiver, { delivery, timer }: Message, problem: Said | string): void {
    clearTimeout(timer ?? undefined)
    delivery.state = 'failed'
    note(delivery, problem)
    delivery.nextAttemptAt = null
    const { event, attempts, message: why } = delivery
    const host = URL.canParse(receiver.hook.url) ? new URL(receiver.hook.url).host : ''
    log('warn', 'A webhook was not delivered', { webhook: id, host, event, attempts, why })
  }

  async function send({ hook, network }: Receiver, { delivery, body }: Message): Promise<Attempt> {
    const failed = (problem: Said | string, final: boolean): Attempt => ({
      status: null,
      problem,
      final,
      retryAfterMs: null,
    })
    const url = new URL(hook.url)
    const isPrivate = hook.allowPrivateAddresses ?? options.allowPrivateAddresses()
    if (url.protocol !== 'https:' && !isPrivate) return failed(httpsOnly(), true)
    const target = {
      url: hook.url,
      proxy: undefined,
      tls: undefined,
      allowPrivateAddresses: isPrivate,
      internetOnly: !isPrivate,
    }
    try {
      const dispatcher = await network.dispatcher(target)
      const { default: request } = await import('undici/lib/api/api-request.js')
      const {
        statusCode,
        headers,
        body: answer,
      } = await request.call(dispatcher, {
        origin: url.origin,
        path: url.pathname + url.search,
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'user-agent': `mcp-hub/${options.version}`,
          ...signedHeaders(hook.secret, delivery.id, Date.now(), body),
        },
        body,
        signal: AbortSignal.timeout(TIMEOUT_MS),
      })
      await answer.dump({ limit: 65_536 }).catch(() => undefined)
      const seconds = Number(headers['retry-after'])
      return {
        status: statusCode,
        // A redirect is not followed: what was signed for one place is not for another.
        problem: statusCode >= 200 && statusCode < 300 ? null : say`The receiver answered ${statusCode}`,
        final: statusCode === GONE,
        retryAfterMs: Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 3_600) * 1_000 : null,
      }
    } catch (error) {
      if (error instanceof Error && error.name === 'TimeoutError')
        return failed(say`No answer within ${TIMEOUT_MS / 1_000} s`, false)
      const reason = error instanceof UpstreamFailure ? error.reason : failureReason(error, hook.url)
      const why = wordsFrom(reason, 'message')
      if (reason.code !== 'blocked-address') return failed(why, false)
      return failed(say`${why}; allowPrivateAddresses of the webhook permits it`, true)
    }
  }

  apply()
  return {
    tell: (event, data, at) => {
      if (closed) return
      for (const [id, receiver] of receivers) {
        const { enabled, events } = receiver.hook
        if (enabled !== false && receiver.stopped === null && (events ?? [event]).includes(event))
          enqueue(id, receiver, event, data, at)
      }
    },
    test: async (id) => {
      const receiver = receivers.get(id)
      if (receiver === undefined) throw new Error(`There is no webhook ${id}`)
      const { delivery } = enqueue(id, receiver, WEBHOOK_TEST, {}, Date.now(), true)
      while (receiver.sending !== null && delivery.state === 'waiting') await receiver.sending
      // Asked by a person: it wants messages again.
      if (delivery.state !== 'waiting' && delivery.message === null) receiver.stopped = null
      return { ...delivery }
    },
    apply,
    deliveries: (id) => (receivers.get(id)?.messages ?? []).map(({ delivery }) => ({ ...delivery })).toReversed(),
    stopped: (id) => receivers.get(id)?.stopped ?? null,
    dispose: async () => {
      closed = true
      const sending = [...receivers.values()].map((receiver) => receiver.sending ?? Promise.resolve())
      const patience = new AbortController()
      await Promise.race([
        Promise.all(sending),
        delay(LAST_WORDS_MS, undefined, { signal: patience.signal, ref: false }).catch(() => undefined),
      ])
      patience.abort()
      let left = 0
      for (const [id, receiver] of receivers) {
        left += receiver.messages.filter(({ delivery }) => delivery.state === 'waiting').length
        drop(id, receiver)
      }
      if (left > 0) log('warn', 'Webhooks were not delivered before the end', { count: left })
    },
  }
}
