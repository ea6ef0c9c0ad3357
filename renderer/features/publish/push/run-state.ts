import type {
  PublishRecord,
  PushRequest,
  RollbackRequest,
  RunEvent,
  RunOperation,
  RunProblem,
  RunQuestion,
  RunResult,
  RunStep,
} from '../../../../hub/contract/index.ts'
import { fromProblem, type ApiError } from '../../../lib/problem.ts'

const MAX_LINES = 2_000

export interface StepView {
  readonly step: string
  readonly state: RunStep['state']
  readonly message: string
  readonly said: RunStep['said']
  readonly startedAt: number
  /** Null while it is being taken. */
  readonly endedAt: number | null
}

/** A run as it is told, event by event. */
export interface RunView {
  readonly target: string
  readonly operation: RunOperation
  /** What it was begun with, and is begun with again. */
  readonly body: PushRequest | RollbackRequest
  /** Null until the hub has named it; only then can its questions be answered. */
  readonly id: string | null
  readonly steps: readonly StepView[]
  readonly log: readonly string[]
  /** Bytes of the archive. */
  readonly progress: { readonly done: number; readonly total: number } | null
  readonly questions: readonly RunQuestion[]
  /** It was asked to end; what that comes to is in the result. */
  readonly cancelling: boolean
  readonly result: RunResult | null
  /** Why nothing more is heard of it. */
  readonly error: unknown
  readonly ended: boolean
}

export const beginRun = (target: string, operation: RunOperation, body: RunView['body'] = {}): RunView => ({
  target,
  operation,
  body,
  id: null,
  steps: [],
  log: [],
  progress: null,
  questions: [],
  cancelling: false,
  result: null,
  error: null,
  ended: false,
})

export function applyEvent(run: RunView, event: RunEvent): RunView {
  switch (event.type) {
    case 'started':
      return { ...run, id: event.run }
    case 'step':
      return { ...run, steps: withStep(run.steps, event) }
    case 'progress':
      return { ...run, progress: { done: event.done, total: event.total } }
    case 'log':
      return { ...run, log: [...run.log, event.text].slice(-MAX_LINES) }
    case 'question':
      return { ...run, questions: [...run.questions, event] }
    case 'result':
      return { ...run, result: event, questions: [], ended: true }
  }
}

/** Each step once, in the order in which they began. A step that is taken again is the same step, under way again. */
function withStep(steps: readonly StepView[], { step, state, message, said, at }: RunStep): StepView[] {
  const before = steps.find((other) => other.step === step)
  const startedAt = state === 'start' ? at : (before?.startedAt ?? at)
  const view: StepView = { step, state, message, said, startedAt, endedAt: state === 'start' ? null : at }
  return before === undefined ? [...steps, view] : steps.map((other) => (other === before ? view : other))
}

/** The steps of a record of the history, which holds each event. */
export const stepsOf = (events: readonly RunStep[]): readonly StepView[] =>
  events.reduce<readonly StepView[]>((steps, event) => withStep(steps, event), [])

/** What the last publish left in use, as far as is known here; of records without it, what follows from how they ended. */
export function releaseInUse(last: PublishRecord | null): string {
  if (last === null) return ''
  if (last.inUse !== undefined) return last.inUse ?? ''
  return last.outcome === 'done' ? last.release : (last.before ?? '')
}

/** So that one way of showing errors does for those that a run tells as well. */
export const errorOf = ({ code, detail, cure, said }: RunProblem, operation: string): ApiError =>
  fromProblem({ code, detail, cure: cure ?? undefined, said }, operation)

/** A run as text, to be kept or sent to a colleague. */
export function runText(run: Pick<RunView, 'target' | 'operation' | 'steps' | 'log' | 'result'>): string {
  const steps = run.steps.map(({ step, state, message, startedAt, endedAt }) => {
    const ms = endedAt === null ? '' : `${endedAt - startedAt} ms`
    return `${new Date(startedAt).toISOString()}  ${state.padEnd(7)} ${step.padEnd(12)} ${ms.padStart(9)}  ${message}`
  })
  const { result } = run
  const end =
    result === null
      ? []
      : [
          '',
          `${result.outcome}: ${result.message}`,
          ...(result.problem === null
            ? []
            : [
                `${result.problem.code}: ${result.problem.detail}`,
                ...(result.problem.cure ? [`→ ${result.problem.cure}`] : []),
              ]),
        ]
  return [`${run.operation} ${run.target}`, '', ...steps, '', ...run.log, ...end, ''].join('\n')
}
