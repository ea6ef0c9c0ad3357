import { computed, onScopeDispose, shallowRef, type ComputedRef, type ShallowRef } from 'vue'
import type { DryRunResult } from '../../../hub/contract/index.ts'
import { api } from '../../lib/api.ts'
import { useClock } from '../../lib/clock.ts'

export type DryRunState =
  | { readonly kind: 'idle' }
  | { readonly kind: 'running'; readonly startedAt: number }
  | { readonly kind: 'canceled' }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'done'; readonly result: DryRunResult }

export interface DryRun {
  readonly state: ShallowRef<DryRunState>
  readonly elapsed: ComputedRef<number>
  run: (name: string | null, config: unknown) => Promise<void>
  cancel: () => void
  reset: () => void
}

/** Connects once without saving anything. Ends with the component, so that no trial outlives its dialog. */
export function useDryRun(): DryRun {
  const state = shallowRef<DryRunState>({ kind: 'idle' })
  const now = useClock(100)
  let abort: AbortController | null = null

  function cancel(): void {
    abort?.abort()
    abort = null
    if (state.value.kind === 'running') state.value = { kind: 'canceled' }
  }
  onScopeDispose(cancel)

  return {
    state,
    elapsed: computed(() =>
      state.value.kind === 'running' ? Math.max(0, now.value.getTime() - state.value.startedAt) : 0,
    ),
    async run(name, config) {
      cancel()
      const mine = new AbortController()
      abort = mine
      state.value = { kind: 'running', startedAt: Date.now() }
      try {
        const result = await api.dryRun({ ...(name === null ? {} : { name }), config }, mine.signal)
        if (abort === mine) state.value = { kind: 'done', result }
      } catch (error) {
        if (abort === mine) state.value = { kind: 'failed', error }
      }
    },
    cancel,
    reset() {
      cancel()
      state.value = { kind: 'idle' }
    },
  }
}
