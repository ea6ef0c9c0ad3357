import {
  doctorSteps,
  type DoctorStepId,
  type DoctorStepResult,
  type Reason,
  type Wordings,
} from '../../contract/index.ts'
import { saidOf, say, told } from '../../say.ts'
import { UpstreamFailure } from '../channel.ts'

export interface Finding {
  outcome?: 'ok' | 'warning' | 'skipped'
  message: string
  cure?: string
  detail?: string
  said?: Wordings
}

/** A step that failed: nothing after it can be tried. */
export class StepFailure extends Error {
  readonly reason: Reason
  constructor(reason: Reason) {
    super(reason.message)
    this.reason = reason
  }
}

/** The steps of one examination, with their times. */
export interface StepList {
  /** Takes a step and answers what it found. Rejects with StepFailure when it fails, after which no other may be taken. */
  take: <F extends Finding>(id: DoctorStepId, step: () => Promise<F> | F) => Promise<F>
  /** Adds a step that was taken elsewhere. */
  add: (id: DoctorStepId, durationMs: number, finding: Finding) => void
  fail: (id: DoctorStepId, durationMs: number, reason: Reason) => void
  /** In their order, with those of `expected` that were not reached. */
  results: (expected: readonly DoctorStepId[]) => DoctorStepResult[]
  readonly failed: DoctorStepId | null
}

/** `onStep` hears of each step as it ends; of one that is taken back by a later look, again. */
export function createStepList(onStep: (step: DoctorStepResult) => void = () => undefined): StepList {
  const taken = new Map<DoctorStepId, DoctorStepResult>()
  let failed: DoctorStepId | null = null

  function add(id: DoctorStepId, durationMs: number, finding: Finding): void {
    const { outcome = 'ok', message, cure = null, detail = null } = finding
    keep({ id, outcome, durationMs: Math.round(durationMs), message, cure, detail, ...saidOf(finding) })
  }

  function keep(step: DoctorStepResult): void {
    taken.set(step.id, step)
    onStep(step)
  }

  function fail(id: DoctorStepId, durationMs: number, reason: Reason): void {
    const { message, cure, detail } = reason
    failed = id
    keep({
      id,
      outcome: 'failed',
      durationMs: Math.round(durationMs),
      message,
      cure,
      detail: detail ?? null,
      ...saidOf(reason),
    })
  }

  return {
    add,
    fail,
    take: async (id, step) => {
      const startedAt = performance.now()
      try {
        const finding = await step()
        add(id, performance.now() - startedAt, finding)
        return finding
      } catch (error) {
        const reason = error instanceof StepFailure || error instanceof UpstreamFailure ? error.reason : null
        if (reason === null) throw error
        fail(id, performance.now() - startedAt, reason)
        throw new StepFailure(reason)
      }
    },
    results: (expected) =>
      doctorSteps
        .filter((id) => taken.has(id) || expected.includes(id))
        .map(
          (id) =>
            taken.get(id) ??
            told({
              id,
              outcome: 'skipped',
              durationMs: 0,
              message: say`Not reached`,
              cure: null,
              detail: null,
            }),
        ),
    get failed() {
      return failed
    },
  }
}
