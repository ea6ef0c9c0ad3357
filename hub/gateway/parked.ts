import { randomBytes } from 'node:crypto'
import { steadyNow } from '../clock.ts'
import type { Question } from './call.ts'
import { McpError, isObject, rpc, type Params } from './json-rpc.ts'
import { modernQuestion } from './modern-result.ts'
import type { CallIdentity, StateSeal } from './request-state.ts'

/** Questions that come within this time are put to the client together. */
const COLLECT_MS = 10

/** The answer to a `requestState` that is forged, of somebody else, or of a call that is gone. */
export const staleState = new McpError(
  rpc.invalidParams,
  'requestState is not valid (any more): start the request over without it',
)

/** The call waits, but not here: another hub cannot give the answers to the server's process, which runs there. */
const elsewhere = (owner: string): McpError =>
  new McpError(
    rpc.invalidParams,
    `The call waits for its answers at hub ${owner}, and they came to another: start the request over without requestState`,
    { reason: 'requestState-elsewhere', owner },
  )

interface OpenQuestion {
  method: string
  params: Params | undefined
  resolve: (result: unknown) => void
  reject: (error: McpError) => void
}

/** A call of a modern client that waits at a legacy server until the client comes back with answers. */
export interface ParkedCall {
  readonly id: string
  readonly whose: CallIdentity
  readonly questions: Map<string, OpenQuestion>
  counter: number
  /** Each round has a handle of its own, good once. */
  round: number
  collecting: NodeJS.Timeout | null
  /** By `steadyNow`. */
  expiresAt: number
  expire: () => void
  /** Puts the questions that are open now to the client; set while an exchange is there to carry them. */
  present: (() => void) | null
}

/** Calls parked between the rounds of a multi round-trip request (2026-07-28, "Input required"), with sealed handles. */
export interface ParkingLot {
  park: (whose: CallIdentity, expire: () => void) => ParkedCall
  ask: (parked: ParkedCall, question: Question) => Promise<unknown>
  inputRequired: (parked: ParkedCall) => Params
  /** The parked call of a retry; throws McpError when the handle is forged, foreign, or of a call that is gone. */
  find: (state: unknown, whose: CallIdentity) => ParkedCall
  /** Gives the client's answers to the server; false while questions stay open. */
  answer: (parked: ParkedCall, responses: unknown) => boolean
  end: (parked: ParkedCall) => void
  readonly size: number
  dispose: () => void
}

function isSame(state: CallIdentity, whose: CallIdentity): boolean {
  return (
    state.principal === whose.principal &&
    state.endpoint === whose.endpoint &&
    state.method === whose.method &&
    state.server === whose.server &&
    state.name === whose.name
  )
}

export function createParkingLot(options: {
  ttlMs: number
  max: number
  seal: StateSeal
  /** This hub, by the name that the others know it by. */
  owner: string
}): ParkingLot {
  const { seal, owner } = options
  const calls = new Map<string, ParkedCall>()

  const sweeper = setInterval(() => {
    const now = steadyNow()
    for (const parked of calls.values()) {
      // Without an open question it is the server that is waited for, and the client is there.
      if (parked.expiresAt > now || parked.questions.size === 0) continue
      end(parked)
      parked.expire()
    }
  }, 1_000).unref()

  function end(parked: ParkedCall): void {
    calls.delete(parked.id)
    if (parked.collecting !== null) clearTimeout(parked.collecting)
    for (const question of parked.questions.values())
      question.reject(new McpError(rpc.internalError, 'The client did not answer'))
    parked.questions.clear()
  }

  return {
    get size() {
      return calls.size
    },
    park: (whose, expire) => {
      if (calls.size >= options.max)
        throw new McpError(rpc.limitExceeded, `More than ${options.max} calls wait for input (limits.maxParkedCalls)`)
      const parked: ParkedCall = {
        id: randomBytes(16).toString('base64url'),
        whose,
        questions: new Map(),
        counter: 0,
        round: 0,
        collecting: null,
        expiresAt: steadyNow() + options.ttlMs,
        expire,
        present: null,
      }
      calls.set(parked.id, parked)
      return parked
    },
    ask: (parked, { method, params, signal }) =>
      new Promise((resolve, reject) => {
        const id = `${method.split('/')[0] ?? 'input'}-${++parked.counter}`
        parked.questions.set(id, { method, params, resolve, reject })
        parked.expiresAt = steadyNow() + options.ttlMs
        signal.addEventListener('abort', () => {
          if (parked.questions.delete(id)) reject(new McpError(rpc.internalError, `${method} was withdrawn`))
        })
        parked.collecting ??= setTimeout(() => {
          parked.collecting = null
          parked.present?.()
        }, COLLECT_MS)
      }),
    inputRequired: (parked) => ({
      resultType: 'input_required',
      inputRequests: Object.fromEntries(
        [...parked.questions].map(([id, { method, params }]) => [id, modernQuestion(method, params)]),
      ),
      requestState: seal.seal({
        call: parked.id,
        round: ++parked.round,
        ...parked.whose,
        owner,
        expiresAt: Date.now() + parked.expiresAt - steadyNow(),
      }),
    }),
    find: (text, whose) => {
      const state = seal.open(text)
      if (state === null || !isSame(state, whose)) throw staleState
      // By the clock on the wall, which is what hubs have in common; one's own calls end by the time that has passed.
      if (state.owner !== owner) throw state.expiresAt <= Date.now() ? staleState : elsewhere(state.owner)
      const parked = calls.get(state.call)
      if (parked?.round !== state.round || parked.expiresAt <= steadyNow()) throw staleState
      return parked
    },
    answer: (parked, responses) => {
      parked.expiresAt = steadyNow() + options.ttlMs
      // The handle that brought them is good no more: a second request with it would take the place of the first, unanswered.
      parked.round++
      for (const [id, question] of [...parked.questions]) {
        const response = isObject(responses) && Object.hasOwn(responses, id) ? responses[id] : undefined
        if (response === undefined) continue
        parked.questions.delete(id)
        question.resolve(response)
      }
      return parked.questions.size === 0
    },
    end,
    dispose: () => {
      clearInterval(sweeper)
      for (const parked of calls.values()) end(parked)
    },
  }
}
