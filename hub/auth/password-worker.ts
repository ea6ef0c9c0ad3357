import { parentPort } from 'node:worker_threads'
import bcrypt from 'bcryptjs'

/** One thread of the pool in passwords.ts: bcrypt and the strength of passwords take long, and would stop everything else. */

export type PasswordJob =
  | { type: 'hash'; password: string; rounds: number }
  /** `hash` is null for a name that nobody has. */
  | { type: 'verify'; password: string; hash: string | null; rounds: number }
  | { type: 'strength'; password: string; context: string[] }

export interface Strength {
  /** 0 to 4; 3 withstands an attack on a stolen hash. */
  score: number
  warning: string | null
  suggestions: string[]
}

export interface PasswordResult {
  hash: string
  verify: boolean
  strength: Strength
}

/** `cpuMs`: what it took of a processor, which on a machine that has much to do is less than the time that passed. */
export type PasswordAnswer = ({ result: PasswordResult[PasswordJob['type']] } | { error: string }) & { cpuMs: number }

/** A hash that no password has. */
const nobody = (rounds: number): string =>
  `$2b$${String(rounds).padStart(2, '0')}$wXr4MgfAxBqbfUbMZyJz5uQ6yV1m0o3mX7gk0bq2VnN0a8d4fZyLe`

/** Takes as long for every hash, and for none: a cheaper hash is followed by the work that it lacks. */
function verify(password: string, hash: string | null, rounds: number): boolean {
  if (hash === null) {
    bcrypt.compareSync(password, nobody(rounds))
    return false
  }
  const good = bcrypt.compareSync(password, hash)
  // 2^c + 2^c + 2^(c+1) + … + 2^(n-1) = 2^n
  for (let spent = bcrypt.getRounds(hash); spent < rounds; spent++) bcrypt.compareSync(password, nobody(spent))
  return good
}

let estimator: Promise<(password: string, context: string[]) => Strength> | null = null

async function loadEstimator(): Promise<(password: string, context: string[]) => Strength> {
  const [{ ZxcvbnFactory }, common, english] = await Promise.all([
    import('@zxcvbn-ts/core'),
    import('@zxcvbn-ts/language-common'),
    import('@zxcvbn-ts/language-en'),
  ])
  const zxcvbn = new ZxcvbnFactory({
    dictionary: { ...common.dictionary, ...english.dictionary },
    graphs: common.adjacencyGraphs,
    translations: english.translations,
  })
  return (password, context) => {
    const { score, feedback } = zxcvbn.check(password, context)
    return { score, warning: feedback.warning, suggestions: feedback.suggestions }
  }
}

async function run(job: PasswordJob): Promise<PasswordResult[PasswordJob['type']]> {
  if (job.type === 'hash') return bcrypt.hashSync(job.password, job.rounds)
  if (job.type === 'verify') return verify(job.password, job.hash, job.rounds)
  estimator ??= loadEstimator()
  return (await estimator)(job.password, job.context)
}

parentPort?.on('message', (job: PasswordJob) => {
  const before = process.threadCpuUsage()
  const answer = (outcome: { result: PasswordResult[PasswordJob['type']] } | { error: string }): void => {
    const { user, system } = process.threadCpuUsage(before)
    parentPort?.postMessage({ ...outcome, cpuMs: (user + system) / 1_000 } satisfies PasswordAnswer)
  }
  void run(job).then(
    (result) => answer({ result }),
    (error: unknown) => answer({ error: error instanceof Error ? error.message : String(error) }),
  )
})
