import type { Reason } from '../contract/index.ts'
import type { JsonRpcId, JsonRpcMessage, Reply, RpcError } from '../gateway/json-rpc.ts'

/** What a request needs besides its text; only HTTP channels look at it. */
export interface RequestHints {
  method: string
  /** Value for `Mcp-Name`, when the method has one. */
  name: string | undefined
  paramHeaders: Record<string, string> | undefined
  /** W3C trace context, when the call has one. */
  traceHeaders?: Record<string, string> | undefined
}

export interface ChannelHandlers {
  /** `heardAt` is when its first byte came, where that was before it was whole: by `performance.now()`. */
  onReply: (hop: number, reply: Reply, heardAt?: number) => void
  /** This request failed, and it alone. `undelivered` means that the server never saw it. */
  onFailure: (hop: number, error: RpcError, undelivered: boolean, reason: Reason | null, status?: number) => void
  /** A notification or a request of the server. `hop` names the exchange on whose stream it came, when the transport tells. */
  onMessage: (message: JsonRpcMessage, hop: number | null) => void
  /** The server forgot the session: what `hop` asked was not done. */
  onSessionLost: (hop: number | null) => void
  /** Messages that belong to no request may have been missed. */
  onGap: () => void
  /** A message was too large to be read; `hop` is the request that it answers, where that can be told. */
  onOversize: (hop: number | null, setting: string, bytes: number) => void
  /** The connection is over. */
  onClose: (reason: Reason) => void
  /** Nothing new is served before a person signs in; what is under way may finish. */
  onSignedOut: (reason: Reason) => void
  onLog: (stream: 'stderr' | 'hub', level: 'error' | 'warn' | 'info' | 'debug', text: string) => void
}

/** One transport connection to one server. It moves messages; it knows no method. */
export interface Channel {
  readonly pid: number | null
  /** Streams that are open now; a pipe has none. */
  readonly openStreams: number
  /** All exchanges come on one stream, which does not tell what a question of the server belongs to. */
  readonly isShared: boolean
  /** Opens the transport; rejects with UpstreamFailure. */
  open: () => Promise<void>
  send: (hop: number, text: string, hints: RequestHints) => void
  notify: (text: string, method: string) => void
  /** Answers a request of the server. */
  answer: (id: JsonRpcId, text: string) => void
  /** Ends an exchange early. True when closing it is by itself the cancellation (modern HTTP). */
  abort: (hop: number) => boolean
  /** Set once the handshake is done: what each HTTP request must carry, and whether to listen for unasked messages. */
  established: (version: string, modern: boolean) => void
  /** Forgets the session, so that `initialize` can run again. */
  resetSession: () => void
  /** `atOnce`: without time to end by itself. */
  close: (atOnce: boolean) => Promise<void>
}

/** A failed start or a lost connection, with its cause and cure. */
export class UpstreamFailure extends Error {
  readonly reason: Reason
  /** True when trying again cannot help until a person changes something. */
  readonly permanent: boolean
  constructor(reason: Reason, permanent = false) {
    super(reason.message)
    this.reason = reason
    this.permanent = permanent
  }
}
