import { randomBytes } from 'node:crypto'
import type { Request, Response } from 'express'
import { runAnswerSchema, type RunAnswer, type RunEvent, type RunQuestion } from '../contract/index.ts'
import { HubError } from '../hub-error.ts'
import type { Redactor } from '../observe/redactor.ts'
import type { Asked, PushService } from '../publish/push/index.ts'
import type { Answerer, Asked as Question } from '../publish/push/run.ts'
import { say } from '../say.ts'
import { linesInto } from './lines.ts'
import { bodyOf, callerOf, type On } from './routes.ts'

/** A run that is under way, and what it waits for. */
interface Running {
  readonly caller: string
  readonly controller: AbortController
  readonly questions: Map<string, (answer: RunAnswer) => void>
}

export type StartRun = (
  request: Request,
  response: Response,
  asked: Omit<Asked, 'by' | 'answer' | 'tell' | 'signal'>,
) => Promise<void>

/** Runs over HTTP: events by lines, and the routes by which they are answered and cancelled. */
export function createPushRuns(on: On, push: PushService, redactor: Redactor): StartRun {
  const running = new Map<string, Running>()

  function runOf(request: Request): Running {
    const run = running.get(String(request.params['run']))
    if (run?.caller !== callerOf(request).id)
      throw new HubError('HUB_NOT_FOUND', say`There is no such run`, {
        cure: say`It is over, or somebody else began it.`,
      })
    return run
  }

  on('POST /api/publish/runs/:run/questions/:question', (request, response) => {
    const answer = bodyOf(request, runAnswerSchema)
    const { questions } = runOf(request)
    const question = String(request.params['question'])
    const resolve = questions.get(question)
    if (resolve === undefined) throw new HubError('HUB_NOT_FOUND', say`The run waits for no such answer`)
    questions.delete(question)
    resolve(answer)
    response.status(204).end()
  })

  on('DELETE /api/publish/runs/:run', (request, response) => {
    runOf(request).controller.abort()
    response.status(204).end()
  })

  return async (request, response, asked) => {
    const caller = callerOf(request)
    const controller = new AbortController()
    const questions: Running['questions'] = new Map()
    const mine: string[] = []
    const write = linesInto(response)
    const tell = (event: RunEvent): void => {
      if (event.type === 'started') {
        mine.push(event.run)
        running.set(event.run, { caller: caller.id, controller, questions })
      }
      write(redactor.value(event))
    }
    response.once('close', () => {
      if (!response.writableFinished) controller.abort()
    })
    try {
      const answer: Answerer = (question, signal) => put(question, questions, tell, signal)
      tell(await push.run({ ...asked, by: caller.name, signal: controller.signal, tell, answer }))
    } finally {
      for (const run of mine) running.delete(run)
      response.end()
    }
  }
}

/** Puts a question to the caller, until it is answered or the run is cancelled. */
function put(
  question: Question,
  questions: Running['questions'],
  tell: (event: RunEvent) => void,
  signal: AbortSignal,
): Promise<RunAnswer> {
  return new Promise((resolve, reject) => {
    const id = randomBytes(6).toString('base64url')
    questions.set(id, resolve)
    signal.addEventListener(
      'abort',
      () => {
        questions.delete(id)
        reject(new Error('The run was cancelled'))
      },
      { once: true },
    )
    tell({ type: 'question', question: id, ...question } satisfies RunQuestion)
  })
}
