import type { Call, CancelCall, Question } from '../gateway/call.ts'
import { pagesRequired } from '../gateway/era-bridge.ts'
import { McpError, Reply, isObject, rpc, toRpcError, type Params } from '../gateway/json-rpc.ts'

/** A server that asks again and again would keep a legacy client in a loop that it cannot see. */
const MAX_ROUNDS = 10

/**
 * Carries a legacy client's call to a modern server: each `input_required` answer is put to the client on the call's own
 * stream, and the call repeated with just that round's answers and the exact `requestState` (2026-07-28, multi round-trip).
 */
export function driveInputRounds(
  call: Call,
  connection: {
    launch: (round: Call, params: Params | undefined) => number
    cancel: (hop: number, reason: string) => void
  },
): CancelCall {
  const over = new AbortController()
  let hop = 0
  let cancelled = false
  let rounds = 0

  function start(extra: Params): void {
    const round: Call = {
      ...call,
      finish: (reply) => {
        if (!cancelled) void onReply(reply)
      },
    }
    hop = connection.launch(round, rounds === 0 ? call.params : { ...call.params, ...extra })
  }

  /** Between rounds the server waits for nothing: there is nobody to hear of the client's progress. */
  const questionOf = (method: string, params: unknown): Question => ({
    method,
    params: isObject(params) ? params : undefined,
    signal: over.signal,
    onProgress: () => undefined,
  })

  async function onReply(reply: Reply): Promise<void> {
    if (reply.isError) {
      call.finish(reply)
      return
    }
    const result = reply.message.result
    if (!isObject(result) || result['resultType'] !== 'input_required') {
      call.finish(reply)
      return
    }
    if (++rounds > MAX_ROUNDS) {
      call.finish(
        Reply.error({ code: rpc.limitExceeded, message: `The server asked for input more than ${MAX_ROUNDS} times` }),
      )
      return
    }
    const requests = isObject(result['inputRequests']) ? result['inputRequests'] : {}
    if (Object.keys(requests).length > 0) call.moments?.asks()
    try {
      const answers = await Promise.all(
        Object.entries(requests).map(async ([key, request]) => {
          if (!isObject(request) || typeof request['method'] !== 'string')
            throw new McpError(rpc.internalError, 'The server sent an input request without a method')
          return [key, await call.ask(questionOf(request['method'], request['params']))] as const
        }),
      )
      if (cancelled) return
      call.moments?.told()
      start({
        ...(answers.length > 0 ? { inputResponses: Object.fromEntries(answers) } : {}),
        ...('requestState' in result ? { requestState: result['requestState'] } : {}),
      })
    } catch (error) {
      // The other questions of the round are withdrawn while the call's stream can still say so.
      over.abort()
      const hasNoStream = error instanceof McpError && error.code === rpc.noOwner
      call.finish(Reply.error((hasNoStream ? pagesRequired(requests) : null) ?? toRpcError(error)))
    }
  }

  start({})
  return (reason) => {
    if (cancelled) return
    cancelled = true
    over.abort()
    connection.cancel(hop, reason)
  }
}
