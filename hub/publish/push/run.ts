import { randomBytes } from 'node:crypto'
import type {
  ConfigChoice,
  RunAnswer,
  RunEvent,
  RunOperation,
  RunProblem,
  RunQuestion,
  RunStep,
} from '../../contract/push.ts'
import { HubError } from '../../hub-error.ts'
import { say, told, wordsFrom, type Words } from '../../say.ts'
import { createRedactor } from '../../observe/redactor.ts'

type Without<T, K extends string> = T extends unknown ? Omit<T, K> : never
/** A question before it has a name. */
export type Asked = Without<RunQuestion, 'type' | 'question'>
type Of<Kind extends Asked['kind']> = Extract<Asked, { kind: Kind }>

/** Answers what a run asks, or throws: a person at a page, at a terminal, or options of a command line. */
export type Answerer = (question: Asked, signal: AbortSignal) => Promise<RunAnswer>

/** Asks one kind of question each, and takes no other answer. */
export interface Asker {
  /** Throws `Cancelled` for a no. */
  confirm: (question: Of<'host-key' | 'confirm-push' | 'confirm-rollback' | 'confirm-pull'>) => Promise<void>
  secret: (question: Of<'passphrase' | 'sudo-password'>) => Promise<string>
  choose: (question: Of<'config-changed'>) => Promise<ConfigChoice>
}

/** Somebody said no, or ended the run. */
export class Cancelled extends Error {}

/** One operation on one target, from its beginning to its end: what it tells, asks and keeps. */
export interface Run {
  readonly id: string
  readonly operation: RunOperation
  readonly by: string
  readonly startedAt: number
  readonly signal: AbortSignal
  readonly ask: Asker
  readonly steps: RunStep[]
  readonly lines: string[]
  step: (step: string, state: RunStep['state'], message: Words) => void
  log: (text: string) => void
  progress: (done: number, total: number) => void
  /** Without the secrets that it was given. */
  clean: <T>(value: T) => T
  throwIfCancelled: () => void
}

const MAX_LINES = 2_000
const MAX_LINE = 4_000

export function createRun(options: {
  operation: RunOperation
  by: string
  answer: Answerer
  tell: (event: RunEvent) => void
  signal: AbortSignal
}): Run {
  const id = randomBytes(12).toString('base64url')
  const { signal } = options
  const given: string[] = []
  const redactor = createRedactor()
  const tell = (event: RunEvent): void => options.tell(redactor.value(event))

  async function put(question: Asked): Promise<RunAnswer> {
    throwIfCancelled()
    const answer = await options.answer(question, signal)
    throwIfCancelled()
    return answer
  }

  function throwIfCancelled(): void {
    if (signal.aborted) throw new Cancelled('The run was cancelled')
  }

  const wrong = (question: Asked): HubError =>
    new HubError('HUB_BAD_REQUEST', say`This is no answer to a question of the kind ${question.kind}`)

  const run: Run = {
    id,
    operation: options.operation,
    by: options.by,
    startedAt: Date.now(),
    signal,
    steps: [],
    lines: [],
    ask: {
      confirm: async (question) => {
        const answer = await put(question)
        if (!('yes' in answer)) throw wrong(question)
        if (!answer.yes) throw new Cancelled('It was not confirmed')
      },
      secret: async (question) => {
        const answer = await put(question)
        if (!('secret' in answer)) throw wrong(question)
        given.push(answer.secret)
        redactor.know('run', given)
        return answer.secret
      },
      choose: async (question) => {
        const answer = await put(question)
        if ('yes' in answer && !answer.yes) throw new Cancelled('It was not confirmed')
        if (!('choice' in answer)) throw wrong(question)
        return answer.choice
      },
    },
    step: (step, state, message) => {
      const taken: RunStep = redactor.value(told({ step, state, message, at: Date.now() }))
      run.steps.push(taken)
      tell({ type: 'step', ...taken })
    },
    log: (text) => {
      const line = redactor.head(text, MAX_LINE)
      run.lines.push(line)
      if (run.lines.length > MAX_LINES) run.lines.shift()
      tell({ type: 'log', text: line })
    },
    progress: (done, total) => tell({ type: 'progress', step: 'upload', done, total }),
    clean: redactor.value,
    throwIfCancelled,
  }
  options.tell({ type: 'started', run: id, operation: run.operation })
  return run
}

/** What went wrong, as the answer of a run tells it. */
export function problemOf(error: unknown): RunProblem {
  if (error instanceof HubError)
    return told({ code: error.code, detail: wordsFrom(error, 'message'), cure: wordsFrom(error, 'cure') ?? null })
  return { code: 'HUB_INTERNAL', detail: error instanceof Error ? error.message : String(error), cure: null }
}
