import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { HubError } from '../hub-error.ts'
import { say } from '../say.ts'
import type { PasswordAnswer, PasswordJob, PasswordResult, Strength } from './password-worker.ts'

/** bcrypt reads no further: the rest of a longer password would not count. */
export const MAX_PASSWORD_BYTES = 72
/** So much work may wait: with it and its own check a sign-in takes less than three seconds, where nothing else takes the processor. */
const MAX_WAIT_MS = 2_500
/** What one of the 2^rounds steps of bcrypt takes, until it is known of this machine. */
const FIRST_STEP_MS = 0.07
/** A look at the strength of a password, in such steps. */
const STRENGTH_STEPS = 256
const IDLE_MS = 30_000

/** bcrypt on threads of its own, so that no sign-in holds up the hub. */
export interface Passwords {
  hash: (password: string) => Promise<string>
  /** `hash` null for an unknown name: it takes the same time. `rounds` is the most that any hash has. */
  verify: (password: string, hash: string | null, rounds: number) => Promise<boolean>
  strength: (password: string, context: string[]) => Promise<Strength>
  /** How often one was refused because too much work waited. */
  readonly refused: number
  dispose: () => Promise<void>
}

/** Refused, not cut: two passwords that differ only beyond would be the same. */
export function checkPasswordLength(password: string): void {
  const bytes = Buffer.byteLength(password)
  if (bytes > MAX_PASSWORD_BYTES) {
    throw new HubError('HUB_BAD_REQUEST', say`The password has ${bytes} bytes; at most ${MAX_PASSWORD_BYTES} count`, {
      cure: say`Choose a shorter one; a letter beyond ASCII takes two to four bytes.`,
    })
  }
}

/** Rounds of a bcrypt hash. */
export function roundsOf(hash: string): number {
  return Number(hash.slice(4, 6))
}

interface Task {
  job: PasswordJob
  steps: number
  resolve: (result: unknown) => void
  reject: (error: Error) => void
}
interface Thread {
  worker: Worker
  task: Task | null
  idle: NodeJS.Timeout | null
}

export function createPasswords(
  /** Of new hashes. */
  rounds: () => number,
  {
    threads = Math.max(1, Math.min(4, availableParallelism() - 1)),
    maxWaitMs = MAX_WAIT_MS,
  }: { threads?: number; maxWaitMs?: number } = {},
): Passwords {
  const pool = new Set<Thread>()
  const waiting: Task[] = []
  let stepMs = FIRST_STEP_MS
  let refused = 0

  /** How long the work takes that is there before anything new, as far as it is known. */
  function waitMs(): number {
    const tasks = [...waiting, ...[...pool].flatMap(({ task }) => task ?? [])]
    return (tasks.reduce((sum, { steps }) => sum + steps, 0) * stepMs) / threads
  }

  function start(): Thread {
    const thread: Thread = { worker: new Worker(workerFile()), task: null, idle: null }
    pool.add(thread)
    thread.worker.on('message', (answer: PasswordAnswer) => {
      const task = thread.task
      if (task !== null && task.steps > STRENGTH_STEPS) stepMs += (answer.cpuMs / task.steps - stepMs) / 4
      rest(thread)
      if ('result' in answer) task?.resolve(answer.result)
      else task?.reject(new Error(answer.error))
    })
    thread.worker.on('error', (error) => {
      pool.delete(thread)
      thread.task?.reject(error instanceof Error ? error : new Error(String(error)))
      next()
    })
    return thread
  }

  function rest(thread: Thread): void {
    thread.task = null
    // A thread that waits keeps no process alive.
    thread.worker.unref()
    thread.idle = setTimeout(() => {
      pool.delete(thread)
      void thread.worker.terminate()
    }, IDLE_MS).unref()
    next()
  }

  function next(): void {
    if (waiting.length === 0) return
    const free = [...pool].find(({ task }) => task === null) ?? (pool.size < threads ? start() : null)
    if (free === null) return
    free.task = waiting.shift() ?? null
    if (free.idle !== null) clearTimeout(free.idle)
    free.worker.ref()
    free.worker.postMessage(free.task?.job)
  }

  function run<T extends PasswordJob['type']>(job: PasswordJob & { type: T }): Promise<PasswordResult[T]> {
    const expected = waitMs()
    if (expected > maxWaitMs) {
      refused++
      throw new HubError('HUB_BUSY', say`Too many passwords are being checked`, {
        cure: say`Try again in a few seconds.`,
        retryAfterMs: expected,
      })
    }
    return new Promise<unknown>((resolve, reject) => {
      waiting.push({ job, steps: stepsOf(job), resolve, reject })
      next()
    }) as Promise<PasswordResult[T]>
  }

  return {
    hash: async (password) => {
      checkPasswordLength(password)
      return run({ type: 'hash', password, rounds: rounds() })
    },
    verify: async (password, hash, most) => {
      checkPasswordLength(password)
      return run({ type: 'verify', password, hash, rounds: Math.max(rounds(), most) })
    },
    strength: async (password, context) => run({ type: 'strength', password, context }),
    get refused() {
      return refused
    },
    dispose: async () => {
      for (const task of [...waiting.splice(0), ...[...pool].map((thread) => thread.task)])
        task?.reject(new HubError('HUB_SHUTTING_DOWN', say`The hub is shutting down`))
      await Promise.all([...pool].map(({ worker }) => worker.terminate()))
      pool.clear()
    },
  }
}

const stepsOf = (job: PasswordJob): number => (job.type === 'strength' ? STRENGTH_STEPS : 2 ** job.rounds)

/** Beside the source; in the build an entry of its own, wherever this code was bundled into. */
function workerFile(): URL {
  const places = ['./password-worker.ts', './auth/password-worker.js', '../auth/password-worker.js']
  const found = places.map((place) => new URL(place, import.meta.url)).find((file) => existsSync(file))
  if (found === undefined) throw new Error(`The password worker is missing beside ${import.meta.url}`)
  return found
}
