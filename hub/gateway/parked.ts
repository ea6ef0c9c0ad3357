import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Question } from './call.ts'
import { McpError, isObject, rpc, type Params } from './json-rpc.ts'
import { modernQuestion } from './modern-result.ts'

/** Questions that come within this time are put to the client together. */
const COLLECT_MS = 10

/** The answer to a `requestState` that is forged, of somebody else, or of a call that is gone. */
export const staleState = new McpError(
  rpc.invalidParams,
  'requestState is not valid (any more): start the request over without it',
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
  readonly principal: string
  readonly method: string
  readonly name: string
  readonly questions: Map<string, OpenQuestion>
  counter: number
  /** Each round has a handle of its own, good once. */
  round: number
  collecting: NodeJS.Timeout | null
  expiresAt: number
  expire: () => void
  /** Puts the questions that are open now to the client; set while an exchange is there to carry them. */
  present: (() => void) | null
}

/** Calls parked between the rounds of a multi round-trip request (2026-07-28, "Input required"), with signed handles. */
export interface ParkingLot {
  park: (options: { principal: string; method: string; name: string; expire: () => void }) => ParkedCall
  ask: (parked: ParkedCall, question: Question) => Promise<unknown>
  inputRequired: (parked: ParkedCall) => Params
  /** The parked call of a retry; throws McpError when the handle is forged, foreign, or of a call that is gone. */
  find: (state: unknown, principal: string, method: string, name: string) => ParkedCall
  /** Gives the client's answers to the server; false while questions stay open. */
  answer: (parked: ParkedCall, responses: unknown) => boolean
  end: (parked: ParkedCall) => void
  readonly size: number
  dispose: () => void
}

export function createParkingLot(options: { ttlMs: number; max: number }): ParkingLot {
  const key = randomBytes(32)
  const calls = new Map<string, ParkedCall>()

  const sweeper = setInterval(() => {
    const now = Date.now()
    for (const parked of calls.values()) {
      if (parked.expiresAt > now) continue
      end(parked)
      parked.expire()
    }
  }, 1_000).unref()

  const sign = (parked: { id: string; principal: string; method: string; name: string }, round: number): string =>
    createHmac('sha256', key)
      .update(JSON.stringify([parked.id, round, parked.principal, parked.method, parked.name]))
      .digest('base64url')

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
    park: (wanted) => {
      if (calls.size >= options.max)
        throw new McpError(rpc.limitExceeded, `More than ${options.max} calls wait for input (limits.maxParkedCalls)`)
      const parked: ParkedCall = {
        ...wanted,
        id: randomBytes(16).toString('base64url'),
        questions: new Map(),
        counter: 0,
        round: 0,
        collecting: null,
        expiresAt: Date.now() + options.ttlMs,
        present: null,
      }
      calls.set(parked.id, parked)
      return parked
    },
    ask: (parked, { method, params, signal }) =>
      new Promise((resolve, reject) => {
        const id = `${method.split('/')[0] ?? 'input'}-${++parked.counter}`
        parked.questions.set(id, { method, params, resolve, reject })
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
      requestState: `${parked.id}.${++parked.round}.${sign(parked, parked.round)}`,
    }),
    find: (state, principal, method, name) => {
      const [id = '', round = '', signature = ''] = typeof state === 'string' ? state.split('.') : []
      const expected = Buffer.from(sign({ id, principal, method, name }, Number(round)))
      const given = Buffer.from(signature)
      const parked = given.length === expected.length && timingSafeEqual(given, expected) ? calls.get(id) : undefined
      if (parked?.round !== Number(round)) throw staleState
      return parked
    },
    answer: (parked, responses) => {
      parked.expiresAt = Date.now() + options.ttlMs
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
