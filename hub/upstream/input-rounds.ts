import type { Call, CancelCall, Question } from '../gateway/call.ts'
import { pagesRequired } from '../gateway/era-bridge.ts'
import { McpError, Reply, isObject, rpc, toRpcError, type Params } from '../gateway/json-rpc.ts'

/** A server that asks again and again would keep a legacy client in a loop that it cannot see. */
const MAX_ROUNDS = 10

/**
 * Carries a legacy client's call to a modern server: each `input_required` answer is put to the client on the call's own
 * stream, and the call repeated with just that round's answers and the exact `requestState` (2026-07-28, multi round-trip).
 * `begin` is asked for each round: between them the server keeps nothing, so that it may end and start meanwhile.
 */
export function driveInputRounds(
  call: Call,
  server: {
    begin: (round: Call) => CancelCall
    /** Asked when an answer is there. */
    isModern: () => boolean
  },
): CancelCall {
  /** Withdraws what the client is asked. */
  let over: AbortController | null = null
  let cancelled = false
  let rounds = 0
  let stop: CancelCall

  function start(params: Params | undefined): void {
    stop = server.begin({
      ...call,
      params,
      finish: (reply) => {
        if (cancelled) return
        const wanted = wantedBy(reply)
        if (wanted === null) call.finish(reply)
        else void ask(wanted)
      },
    })
  }

  function wantedBy(reply: Reply): Params | null {
    if (reply.isError || !server.isModern()) return null
    const { result } = reply.message
    return isObject(result) && result['resultType'] === 'input_required' ? result : null
  }

  /** Between rounds the server waits for nothing: there is nobody to hear of the client's progress. */
  const questionOf = (method: string, params: unknown, signal: AbortSignal): Question => ({
    method,
    params: isObject(params) ? params : undefined,
    signal,
    onProgress: () => undefined,
  })

  async function ask(wanted: Params): Promise<void> {
    if (++rounds > MAX_ROUNDS) {
      call.finish(
        Reply.error({ code: rpc.limitExceeded, message: `The server asked for input more than ${MAX_ROUNDS} times` }),
      )
      return
    }
    const asking = (over = new AbortController())
    const requests = isObject(wanted['inputRequests']) ? wanted['inputRequests'] : {}
    if (Object.keys(requests).length > 0) call.moments?.asks()
    try {
      const answers = await Promise.all(
        Object.entries(requests).map(async ([key, request]) => {
          if (!isObject(request) || typeof request['method'] !== 'string')
            throw new McpError(rpc.internalError, 'The server sent an input request without a method')
          return [key, await call.ask(questionOf(request['method'], request['params'], asking.signal))] as const
        }),
      )
      if (cancelled) return
      call.moments?.told()
      start({
        ...call.params,
        ...(answers.length > 0 ? { inputResponses: Object.fromEntries(answers) } : {}),
        ...('requestState' in wanted ? { requestState: wanted['requestState'] } : {}),
      })
    } catch (error) {
      // The other questions of the round are withdrawn while the call's stream can still say so.
      asking.abort()
      const hasNoStream = error instanceof McpError && error.code === rpc.noOwner
      call.finish(Reply.error((hasNoStream ? pagesRequired(requests) : null) ?? toRpcError(error)))
    }
  }

  start(call.params)
  return (reason) => {
    if (cancelled) return
    cancelled = true
    over?.abort()
    stop(reason)
  }
}
