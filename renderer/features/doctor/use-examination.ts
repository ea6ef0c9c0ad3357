import { onScopeDispose, shallowRef, type ShallowRef } from 'vue'
import type { DoctorReport, DoctorStepId, DoctorStepResult, ServerConfig } from '../../../hub/contract/index.ts'
import { doctorApi } from './doctor-api.ts'

export type ExaminationState =
  | { readonly kind: 'idle' | 'canceled' }
  | {
      readonly kind: 'running'
      /** Every step that there is to take, in order. */
      readonly expected: readonly DoctorStepId[]
      readonly steps: ReadonlyMap<DoctorStepId, DoctorStepResult>
    }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'done'; readonly report: DoctorReport }

export interface Examination {
  readonly state: ShallowRef<ExaminationState>
  /** With `config` an entry that is not saved, or not yet. */
  run: (name: string, config?: ServerConfig) => Promise<void>
  cancel: () => void
  fail: (error: unknown) => void
}

/** Has the doctor look at a server. Ends with the component, so that nothing that it started outlives its page. */
export function useExamination(): Examination {
  const state = shallowRef<ExaminationState>({ kind: 'idle' })
  let abort: AbortController | null = null

  function end(): void {
    abort?.abort()
    abort = null
  }
  onScopeDispose(end)

  return {
    state,
    async run(name, config) {
      end()
      const mine = new AbortController()
      abort = mine
      let expected: readonly DoctorStepId[] = []
      const steps = new Map<DoctorStepId, DoctorStepResult>()
      state.value = { kind: 'running', expected, steps }
      try {
        const report = await doctorApi.examine(name, config, mine.signal, (progress) => {
          if (abort !== mine) return
          if (progress.type === 'expected') expected = progress.steps
          else if (progress.type === 'step') steps.set(progress.step.id, progress.step)
          state.value = { kind: 'running', expected, steps: new Map(steps) }
        })
        if (abort === mine) state.value = { kind: 'done', report }
      } catch (error) {
        if (abort === mine) state.value = { kind: 'failed', error }
      }
    },
    cancel() {
      end()
      state.value = { kind: 'canceled' }
    },
    fail(error) {
      end()
      state.value = { kind: 'failed', error }
    },
  }
}
