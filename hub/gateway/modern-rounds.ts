import type { Question } from './call.ts'
import type { HttpRequest } from './context.ts'
import { META, type JsonRpcId, type Params } from './json-rpc.ts'
import type { Outlet } from './outlet.ts'
import { staleState, type ParkedCall, type ParkingLot } from './parked.ts'
import type { CallIdentity } from './request-state.ts'
import { nameOf } from '../upstream/envelope.ts'
import type { Route, View } from './view.ts'

/** What carries the answer of a call: another response in each round. */
export interface Carrier {
  readonly view: View
  outlet: Outlet
  id: JsonRpcId
  /** Under which the client hears of progress. */
  progressToken: unknown
  parked: ParkedCall | null
}

/** The rounds of calls that wait at legacy servers for what their modern clients answer. */
export interface Rounds {
  /** Puts a server's question to the client of a call, in the answer to its present request. Rejects with McpError. */
  ask: (carrier: Carrier, whose: CallIdentity, question: Question, expire: () => void) => Promise<unknown>
  /** A retry with answers: the parked call goes on, and this exchange carries what comes of it. Throws McpError. */
  resume: (http: HttpRequest, whose: CallIdentity, id: JsonRpcId, params: Params, outlet: Outlet) => void
  /** Closing the response is the cancellation, unless the call waits for the client's next round. */
  watchClose: (http: HttpRequest, carrier: Carrier, cancel: (why: string) => void) => void
}

/**
 * What a retry must have in common with the call that it goes on with. It is routed as that was, so that the server and its own
 * name say more than what the client calls it: `call_tool` stands for many.
 */
export function identityOf(http: HttpRequest, method: string, { upstream, params }: Route): CallIdentity {
  return {
    principal: http.principal.id,
    endpoint: http.view.path,
    method,
    server: upstream.name,
    name: nameOf(method, params) ?? '',
  }
}

export function createRounds(parking: ParkingLot): Rounds {
  const carriers = new WeakMap<ParkedCall, Carrier>()

  function present(parked: ParkedCall, carrier: Carrier): void {
    if (carrier.outlet.ended || parked.questions.size === 0) return
    const result = { ...parking.inputRequired(parked), _meta: { [META.serverInfo]: carrier.view.serverInfo } }
    carrier.outlet.finish([Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: carrier.id, result }))])
  }

  function watchClose(http: HttpRequest, carrier: Carrier, cancel: (why: string) => void): void {
    const { outlet } = carrier
    http.response.on('close', () => {
      if (http.response.writableFinished || carrier.outlet !== outlet || outlet.ended) return
      if (carrier.parked !== null) parking.end(carrier.parked)
      cancel('the client closed the response')
    })
  }

  return {
    watchClose,
    ask: (carrier, whose, question, expire) => {
      try {
        carrier.parked ??= parking.park(whose, expire)
      } catch (error) {
        return Promise.reject(error instanceof Error ? error : new Error(String(error)))
      }
      const { parked } = carrier
      carriers.set(parked, carrier)
      parked.present ??= () => present(parked, carrier)
      return parking.ask(parked, question)
    },
    resume: (http, whose, id, params, outlet) => {
      const parked = parking.find(params['requestState'], whose)
      const carrier = carriers.get(parked)
      if (carrier === undefined) throw staleState
      carrier.outlet = outlet
      carrier.id = id
      carrier.progressToken = (params['_meta'] as Params)['progressToken']
      watchClose(http, carrier, () => parked.expire())
      if (!parking.answer(parked, params['inputResponses'])) present(parked, carrier)
    },
  }
}
