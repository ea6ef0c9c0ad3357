import type { Call, Question } from '../gateway/call.ts'
import type { IdTable } from './id-table.ts'
import type { Root } from './roots.ts'
import { rpc, toRpcError, type JsonRpcId, type Params, type RpcError } from '../gateway/json-rpc.ts'

/** A call in flight, as far as the server may ask its client something. */
export interface Asked {
  readonly call: Call
  /** Questions of the server that wait for this call's client. */
  asked: number
}

export interface QuestionsOptions<Entry extends Asked> {
  inFlight: Pick<IdTable<Entry>, 'get' | 'values'>
  answer: (id: JsonRpcId, body: { result: unknown } | { error: RpcError }) => void
  notify: (method: string, params: Params) => void
  /** Roots of the configuration, for clients that have none of their own. */
  roots: readonly Root[]
  /** Whether the clients of this connection have roots of their own. */
  clientsHaveRoots: boolean
  /** A question that no call can have asked; null when there is nobody to put it to either. */
  unowned: (question: Question) => Promise<unknown> | null
  /** A call waits for its client now, and the server does not work on it. */
  onWaiting: () => void
  /** The client of a call has answered: its time runs again. */
  onAnswered: (entry: Entry) => void
}

/** What a server asks of its clients: whose it is, and that it ends with its call. */
export interface Questions<Entry extends Asked> {
  /** Calls that wait for their client. */
  readonly waiting: number
  /** `hop` names the call on whose stream it came, where the transport tells. */
  ask: (id: JsonRpcId, method: string, params: Params | undefined, hop: number | null) => void
  /** The server takes a question back. */
  withdraw: (id: JsonRpcId) => void
  /** The call is over, and with it what was asked for it. */
  endOf: (entry: Entry) => void
  /** The server's session is over: what was asked in it is withdrawn, and its ids may come again. */
  forget: () => void
}

/** Of one call, or of none: more is a server in a loop, and each costs a timer and a place at the client. */
const MAX_OPEN = 100

export function createQuestions<Entry extends Asked>(options: QuestionsOptions<Entry>): Questions<Entry> {
  let waiting = 0
  const open = new Map<JsonRpcId, { owner: Entry | null; controller: AbortController }>()

  /** The call that a question belongs to: its stream tells on HTTP; on a pipe the newest that does not wait already. */
  function ownerOf(method: string, hop: number | null): Entry | string {
    if (hop !== null) return options.inFlight.get(hop) ?? 'the call that it belongs to has ended'
    const candidates = options.inFlight.values().filter((entry) => entry.call.owner !== 'hub')
    const newest = candidates.findLast((entry) => entry.asked === 0) ?? candidates.at(-1)
    if (newest === undefined) return `no call is in flight that ${method} could belong to`
    if (candidates.some((entry) => entry.call.owner !== newest.call.owner))
      return `${method} could belong to calls of different clients`
    return newest
  }

  const openOf = (entry: Entry | null): number =>
    open.size < MAX_OPEN
      ? 0
      : open
          .values()
          .filter(({ owner }) => owner === entry)
          .toArray().length

  function ask(id: JsonRpcId, method: string, params: Params | undefined, hop: number | null): void {
    if (method === 'ping') {
      options.answer(id, { result: {} })
      return
    }
    if (method === 'roots/list' && options.roots.length > 0 && !options.clientsHaveRoots) {
      options.answer(id, { result: { roots: options.roots } })
      return
    }
    if (open.has(id)) {
      const message = `The request ${JSON.stringify(id)} waits for its answer already`
      options.answer(id, { error: { code: rpc.invalidRequest, message } })
      return
    }
    const controller = new AbortController()
    const { signal } = controller
    const question: Question = {
      method,
      params,
      signal,
      onProgress: (progress) => {
        if (!signal.aborted) options.notify('notifications/progress', progress)
      },
    }
    // A server seldom asks for roots in the course of a call: the answer must not be lost because one ends.
    const isAside = hop === null && method === 'roots/list' && openOf(null) < MAX_OPEN
    const aside = isAside ? options.unowned(question) : null
    const owner = aside === null ? ownerOf(method, hop) : 'it is no call’s'
    const entry = typeof owner === 'string' ? null : owner
    if (aside === null && openOf(entry) >= MAX_OPEN) {
      const message = `${MAX_OPEN} questions of this call wait for its client already`
      options.answer(id, { error: { code: rpc.limitExceeded, message } })
      return
    }
    const asked = aside ?? (entry === null ? options.unowned(question) : entry.call.ask(question))
    if (asked === null) {
      // Often asked right after the handshake, when there is no call yet. None: the client's own are told once it can be
      // asked, and a server may take over two answers in the wrong order.
      if (method === 'roots/list') options.answer(id, { result: { roots: [] } })
      else
        options.answer(id, {
          error: {
            code: rpc.noOwner,
            message: `The hub cannot tell whom to ask: ${typeof owner === 'string' ? owner : method}`,
          },
        })
      return
    }
    open.set(id, { owner: entry, controller })
    if (entry !== null && entry.asked++ === 0) {
      waiting++
      entry.call.moments?.asks()
      options.onWaiting()
    }
    void asked
      .then(
        (result) => ({ result }),
        (error: unknown) => ({ error: toRpcError(error) }),
      )
      .then((body) => {
        if (open.get(id)?.controller === controller) open.delete(id)
        if (entry !== null) {
          if (--entry.asked === 0) {
            waiting--
            entry.call.moments?.told()
          }
          options.onAnswered(entry)
        }
        // What was taken back has no answer.
        if (!signal.aborted) options.answer(id, body)
      })
  }

  return {
    get waiting() {
      return waiting
    },
    ask,
    withdraw: (id) => open.get(id)?.controller.abort(),
    endOf: (entry) => {
      for (const { owner, controller } of [...open.values()]) if (owner === entry) controller.abort()
    },
    forget: () => {
      const forgotten = [...open.values()]
      open.clear()
      for (const { controller } of forgotten) controller.abort()
    },
  }
}
