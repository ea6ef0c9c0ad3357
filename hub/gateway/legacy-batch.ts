import { requestIdOf } from '../http-answers.ts'
import type { HttpRequest } from './context.ts'
import { isObject, isRequest, type JsonRpcMessage } from './json-rpc.ts'
import type { LegacyRequests } from './legacy-requests.ts'
import type { Outlet } from './outlet.ts'
import type { Session } from './session.ts'

export interface BatchEdge {
  requests: LegacyRequests
  /** A notification, or the client's answer to a question. */
  take: (session: Session, message: JsonRpcMessage) => void
  outletFor: (session: Session, http: HttpRequest) => Outlet
}

/** Several messages in one POST, as 2025-03-26 has them. */
export function answerBatch(session: Session, http: HttpRequest, messages: unknown[], edge: BatchEdge): void {
  const { requests, take, outletFor } = edge
  const single = messages.filter((message) => isObject(message)) as unknown as JsonRpcMessage[]
  const asked = single.filter(isRequest)
  for (const message of single) if (!isRequest(message)) take(session, message)
  if (asked.length === 0) {
    http.response.writeHead(202).end()
    return
  }
  const outlet = outletFor(session, http)
  let left = asked.length
  for (const message of asked) {
    requests.request(session, message, {
      outlet,
      bytesIn: http.body.length,
      requestId: requestIdOf(http.response),
      headers: http.request.headers,
      answer: (body, id) => outlet.finish(body, 200, --left === 0, id),
      abandon: () => {
        if (--left === 0) outlet.end()
      },
    })
  }
}
