import type { Outcome } from '../contract/index.ts'
import { isObject, rpc, type Body, type Params, type Reply, type RpcError } from './json-rpc.ts'
import { nameOf } from '../upstream/envelope.ts'

/** Hears of each request of a client once it has ended. What it keeps of `params` and `reply` it copies at once. */
export type OnExchange = (exchange: Exchange, params: Params | undefined, reply: Reply | null) => void

const MAX_CLIENT_LENGTH = 100

/** So many of the units in which moments are counted make a millisecond. */
export const MOMENTS_PER_MS = 100

/** One request of a client, from its arrival to its end: what history, metrics and traces are made of. */
export class Exchange {
  readonly at = Date.now()
  readonly startedAt = performance.now()
  readonly principal: string
  readonly endpoint: string
  readonly client: string | null
  readonly method: string
  readonly bytesIn: number
  server: string | null = null
  /** The tool, prompt or resource, as the server knows it. */
  name: string | null = null
  /**
   * When it began to wait, went to the server, had the first byte from there, its first question to the client, its first
   * notification and its answer: in hundredths of a millisecond after its arrival, -1 for never. As small integers they cost no
   * memory of their own; after six hours there is no right one.
   */
  waitedAt = -1
  sentAt = -1
  heardAt = -1
  askedAt = -1
  notifiedAt = -1
  repliedAt = -1
  /** How long it waited for its client, in the same unit. */
  clientTime = 0
  #asksSince = -1
  notifications = 0
  durationMs = 0
  bytesOut = 0
  outcome: Outcome = 'ok'
  errorCode: number | null = null
  errorMessage: string | null = null
  /** `X-Request-Id` of the HTTP request that brought it; those of a batch share one. */
  readonly requestId: string | null
  /** W3C trace id, where the caller or the hub traces. */
  traceId: string | null = null

  constructor(
    principal: string,
    endpoint: string,
    client: string | null,
    method: string,
    bytesIn: number,
    requestId: string | null,
  ) {
    this.requestId = requestId
    this.principal = principal
    this.endpoint = endpoint
    this.client = client
    this.method = method
    this.bytesIn = bytesIn
  }

  /** It goes to a server, with names as that server knows them. */
  routed(server: string, params: Params | undefined): void {
    this.server = server
    this.name = nameOf(this.method, params) ?? null
  }

  waits(): void {
    if (this.waitedAt === -1) this.waitedAt = this.#since(performance.now())
  }

  /** Of a call in several rounds the first counts. */
  sent(now: number): void {
    if (this.sentAt === -1) this.sentAt = this.#since(now)
  }

  /** Of an answer in several rounds the first counts. */
  heard(at: number): void {
    if (this.heardAt === -1) this.heardAt = this.#since(at)
  }

  asks(): void {
    this.#asksSince = this.#since(performance.now())
    if (this.askedAt === -1) this.askedAt = this.#asksSince
  }

  told(): void {
    if (this.#asksSince === -1) return
    this.clientTime += this.#since(performance.now()) - this.#asksSince
    this.#asksSince = -1
  }

  /** A notification within it goes to the client. */
  notified(): void {
    if (this.notifications++ === 0) this.notifiedAt = this.#since(performance.now())
  }

  /** What answers it is here, and goes to the client next. */
  replied(): void {
    this.repliedAt = this.#since(performance.now())
  }

  #since(now: number): number {
    return ((now - this.startedAt) * MOMENTS_PER_MS) | 0
  }

  /** The server's answer, of which `bytesOut` bytes went to the client. */
  answered(reply: Reply, bytesOut: number): void {
    if (reply.isError) this.failed(reply.message.error, bytesOut)
    else {
      this.#end(bytesOut)
      if (this.method === 'tools/call' && reply.isToolError) this.outcome = 'tool-error'
    }
  }

  /** The hub's own answer. */
  succeeded(bytesOut: number): void {
    this.#end(bytesOut)
  }

  failed(error: RpcError | undefined, bytesOut: number): void {
    this.#end(bytesOut)
    this.outcome = error?.code === rpc.timeout ? 'timeout' : 'error'
    this.errorCode = error?.code ?? null
    this.errorMessage = error?.message ?? null
  }

  cancelled(): void {
    this.#end(0)
    this.outcome = 'cancelled'
  }

  #end(bytesOut: number): void {
    // Who is asked may be gone, or the server not wait for the answer.
    this.told()
    this.durationMs = performance.now() - this.startedAt
    this.bytesOut = bytesOut
  }
}

/** A client as a person knows it, from the `clientInfo` that it declares: `claude-code 1.0.3`. */
export function clientLabel(clientInfo: unknown): string | null {
  if (!isObject(clientInfo) || typeof clientInfo['name'] !== 'string') return null
  const version = clientInfo['version']
  const label = typeof version === 'string' && version !== '' ? `${clientInfo['name']} ${version}` : clientInfo['name']
  return label.slice(0, MAX_CLIENT_LENGTH)
}

export function sizeOf(body: Body): number {
  if (typeof body === 'string') return body.length
  let size = 0
  for (const piece of body) size += piece.length
  return size
}
