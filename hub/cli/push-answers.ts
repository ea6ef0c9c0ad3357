import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Plan } from '../contract/push.ts'
import { HubError } from '../hub-error.ts'
import type { Answerer, Asked } from '../publish/push/run.ts'
import { CommandError, UsageError, type Io, type Values } from './command.ts'
import { describePlan } from './push-output.ts'
import { readLine } from './read-password.ts'

/**
 * Answers what a run asks: from the options, or else by whoever sits at the terminal. Where nobody does, as in CI, it says what is
 * missing instead of waiting.
 */
export function answersFrom(values: Values, io: Io): Answerer {
  const atTerminal = 'isTTY' in io.stdin && io.stdin.isTTY === true

  /** What the terminal echoes; nothing when nobody is there any more. */
  async function typed(text: string, signal: AbortSignal): Promise<string> {
    io.err(text)
    const lines = createInterface({ input: io.stdin, terminal: false })
    try {
      const ended = once(lines, 'close', { signal }).then(() => [''])
      const [line] = (await Promise.race([once(lines, 'line', { signal }), ended])) as string[]
      return line?.trim() ?? ''
    } finally {
      lines.close()
    }
  }

  async function agreed(text: string, signal: AbortSignal): Promise<{ yes: boolean }> {
    return { yes: /^y(?:es)?$/i.test(await typed(`${text} [y/N] `, signal)) }
  }

  /** The value of the environment variable that an option names. A wrong one is not tried twice. */
  async function secret(option: string, question: { text: string; wrong: boolean }): Promise<{ secret: string }> {
    const variable = values[option]
    const given = typeof variable === 'string' ? io.env[variable] : undefined
    if (typeof variable === 'string' && (given === undefined || given === ''))
      throw new UsageError(`--${option} ${variable}: that variable is not set.`)
    if (given !== undefined && !question.wrong) return { secret: given }
    const wrong = question.wrong ? 'That was wrong. ' : ''
    if (given === undefined && atTerminal)
      return { secret: await readLine(io, `${wrong}${question.text}: `, 'password').catch(notGiven) }
    throw new HubError(
      'HUB_TARGET_SIGN_IN_FAILED',
      `${wrong}${question.text} is needed, and nobody is there to type it`,
      {
        cure: `Put it into an environment variable, and name that with --${option}.`,
      },
    )
  }

  return async (question, signal) => {
    switch (question.kind) {
      case 'host-key': {
        const shown = `${question.host}:${question.port} (${question.hop}) shows the key ${question.algorithm} ${question.fingerprint}`
        const expected = values['host-key']
        if (typeof expected === 'string' && expected.split(',').includes(question.fingerprint)) return { yes: true }
        if (expected === undefined && atTerminal) return agreed(`${shown}. Is that right?`, signal)
        throw new HubError('HUB_HOST_KEY_REFUSED', `${shown}, which is not known`, {
          cure: 'If it is right, give the fingerprint with --host-key, or add the key to ~/.ssh/known_hosts.',
        })
      }
      case 'passphrase':
        return secret('passphrase-env', { text: `Passphrase of ${question.file}`, wrong: question.wrong })
      case 'sudo-password': {
        const text = `Password of ${question.user} for sudo on ${question.host}`
        return secret('sudo-password-env', { text, wrong: question.wrong })
      }
      case 'config-changed': {
        io.err(question.files.map(({ path, diff }) => `${path} was changed there:\n${diff ?? ''}\n`).join(''))
        if (!atTerminal)
          throw new HubError('HUB_TARGET_CHANGED', 'The configuration there was changed since the last publish', {
            cure: 'Say with --changed keep or --changed replace what becomes of it, or pull it first.',
          })
        const choice = await typed('Keep it, replace it, or stop? [keep/replace/STOP] ', signal)
        return choice === 'keep' || choice === 'replace' ? { choice } : { yes: false }
      }
      case 'confirm-push':
      case 'confirm-rollback':
      case 'confirm-pull': {
        if (values['yes'] === true) return { yes: true }
        if (atTerminal) return agreed(textOf(question), signal)
        throw new UsageError('--yes is missing, and nobody is there to confirm.')
      }
    }
  }
}

function notGiven(error: unknown): never {
  if (!(error instanceof CommandError)) throw error
  throw new HubError('HUB_TARGET_SIGN_IN_FAILED', error.message, { cure: error.cure })
}

function textOf(question: Extract<Asked, { kind: 'confirm-push' | 'confirm-rollback' | 'confirm-pull' }>): string {
  if (question.kind === 'confirm-rollback') return `Go from ${question.from} back to ${question.to}?`
  if (question.kind === 'confirm-pull')
    return `${question.plan.meanings.map(({ message }) => `  ${message}\n`).join('')}Change it here like this?`
  const plan: Plan = question.plan
  return `${describePlan(plan)}Push ${plan.release}?`
}
