import { computed, onScopeDispose, shallowRef, type ComputedRef, type ShallowRef } from 'vue'
import type { AnswerQuestion, CallEvent, CallResult } from '../../../hub/contract/index.ts'
import { api } from '../../lib/api.ts'
import { useClock } from '../../lib/clock.ts'

type Of<K extends CallEvent['type']> = Extract<CallEvent, { type: K }>
export type Progress = Of<'progress'>
export type Question = Of<'question'>

export type CallState =
  | { readonly kind: 'idle' }
  | {
      readonly kind: 'running'
      readonly startedAt: number
      readonly progress: Progress | null
      /** What the server waits for. */
      readonly questions: readonly Question[]
    }
  | { readonly kind: 'canceled'; readonly afterMs: number }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'done'; readonly answer: CallResult }

/** Sends a request to a server by way of the hub; what comes before the result goes to `onEvent`. */
export type StartCall = (signal: AbortSignal, onEvent: (event: CallEvent) => void) => Promise<CallResult>

export interface Call {
  readonly state: ShallowRef<CallState>
  readonly elapsed: ComputedRef<number>
  run: (start: StartCall) => Promise<void>
  answer: (question: string, body: AnswerQuestion) => Promise<void>
  cancel: () => void
}

/** Calls a server by hand, one call at a time. Ends with the component, so that no call outlives its page. */
export function useCall(): Call {
  const state = shallowRef<CallState>({ kind: 'idle' })
  const now = useClock(100)
  let current: { id: string; abort: AbortController } | null = null

  function change(to: (running: Extract<CallState, { kind: 'running' }>) => CallState): void {
    if (state.value.kind === 'running') state.value = to(state.value)
  }

  function take(event: CallEvent): void {
    switch (event.type) {
      case 'started':
        if (current !== null) current.id = event.call
        break
      case 'progress':
        change((running) => ({ ...running, progress: event }))
        break
      case 'question':
        change((running) => ({ ...running, questions: [...running.questions, event] }))
        break
      case 'withdrawn':
        drop(event.question)
        break
      case 'result':
        break
    }
  }
  const drop = (question: string): void =>
    change((running) => ({ ...running, questions: running.questions.filter((it) => it.question !== question) }))

  function cancel(): void {
    if (current === null) return
    current.abort.abort()
    current = null
    change(({ startedAt }) => ({ kind: 'canceled', afterMs: Date.now() - startedAt }))
  }
  onScopeDispose(cancel)

  return {
    state,
    elapsed: computed(() =>
      state.value.kind === 'running' ? Math.max(0, now.value.getTime() - state.value.startedAt) : 0,
    ),
    async run(start) {
      cancel()
      const mine = { id: '', abort: new AbortController() }
      current = mine
      state.value = { kind: 'running', startedAt: Date.now(), progress: null, questions: [] }
      try {
        const answer = await start(mine.abort.signal, (event) => {
          if (current === mine) take(event)
        })
        if (current === mine) state.value = { kind: 'done', answer }
      } catch (error) {
        if (current === mine) state.value = { kind: 'failed', error }
      } finally {
        if (current === mine) current = null
      }
    },
    async answer(question, body) {
      if (current === null) return
      await api.answerQuestion(current.id, question, body)
      drop(question)
    },
    cancel,
  }
}
