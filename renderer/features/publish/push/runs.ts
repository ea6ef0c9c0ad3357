import { useQueryClient } from '@tanstack/vue-query'
import { defineStore } from 'pinia'
import { computed, shallowReactive, watch } from 'vue'
import { runEventSchema, type RunAnswer, type RunEvent, type RunOperation } from '../../../../hub/contract/index.ts'
import { perform, requestLines } from '../../../lib/client.ts'
import { ApiError } from '../../../lib/problem.ts'
import { keys } from '../../../lib/queries.ts'
import { targetKeys } from '../target/targets-api.ts'
import { applyEvent, beginRun, type RunView } from './run-state.ts'

/** Runs by target. They belong to no page: whoever looks at something else meanwhile does not cancel a push. */
export const useRuns = defineStore('publish-runs', () => {
  const client = useQueryClient()
  const runs = shallowReactive(new Map<string, RunView>())
  const aborts = new Map<string, AbortController>()

  const isRunning = (target: string): boolean => runs.get(target)?.ended === false

  async function start(target: string, operation: RunOperation, body: RunView['body'] = {}): Promise<void> {
    if (isRunning(target)) return
    const abort = new AbortController()
    aborts.set(target, abort)
    runs.set(target, beginRun(target, operation, body))
    /** From what is shown now: an answer may have changed it since the last event. */
    const change = (next: (run: RunView) => RunView): void => {
      const run = runs.get(target)
      if (run !== undefined) runs.set(target, next(run))
    }
    const onEvent = (event: RunEvent): void => change((run) => applyEvent(run, event))
    const input = { params: { name: target }, signal: abort.signal }
    try {
      await (operation === 'push' || operation === 'rollback'
        ? requestLines(`POST /api/publish/targets/:name/${operation}`, runEventSchema, { ...input, body }, onEvent)
        : requestLines(`POST /api/publish/targets/:name/${operation}`, runEventSchema, input, onEvent))
      if (!runs.get(target)?.ended)
        throw new ApiError({
          kind: 'unexpected',
          request: `POST ${operation}`,
          message: 'The answer ended before its result',
        })
    } catch (error) {
      change((run) => ({ ...run, questions: [], ended: true, error }))
    } finally {
      aborts.delete(target)
    }
    await client.invalidateQueries({ queryKey: targetKeys.all })
    if (operation === 'pull')
      for (const queryKey of [keys.servers, keys.profiles, keys.versions]) await client.invalidateQueries({ queryKey })
  }

  /** A question that was answered is gone; one that could not be answered stays, and throws why. */
  async function answer(target: string, question: string, body: RunAnswer): Promise<void> {
    const asked = runs.get(target)
    if (asked === undefined || asked.id === null) return
    await perform('POST /api/publish/runs/:run/questions/:question', { params: { run: asked.id, question }, body })
    const now = runs.get(target)
    if (now?.id === asked.id)
      runs.set(target, { ...now, questions: now.questions.filter((other) => other.question !== question) })
  }

  /** Has a run end. The hub goes on to tell what is in use then; only a run that it has not named yet is left at once. */
  async function cancel(target: string): Promise<void> {
    const asked = runs.get(target)
    if (asked === undefined || asked.ended || asked.cancelling) return
    if (asked.id === null) {
      aborts.get(target)?.abort()
      return
    }
    runs.set(target, { ...asked, cancelling: true })
    try {
      await perform('DELETE /api/publish/runs/:run', { params: { run: asked.id } })
    } catch (error) {
      // It is over already, and its result on the way.
      if (error instanceof ApiError && error.status === 404) return
      const now = runs.get(target)
      if (now?.id === asked.id) runs.set(target, { ...now, cancelling: false })
      throw error
    }
  }

  const losable = computed(() => [...runs.values()].some((run) => !run.ended))
  // The hub ends a run when nobody listens any more.
  const ask = (event: BeforeUnloadEvent): void => event.preventDefault()
  watch(losable, (on) =>
    on ? window.addEventListener('beforeunload', ask) : window.removeEventListener('beforeunload', ask),
  )

  return {
    runs,
    isRunning,
    start,
    answer,
    cancel,
    forget(target: string): void {
      if (!isRunning(target)) runs.delete(target)
    },
  }
})
