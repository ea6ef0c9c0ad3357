import { fixedDefault } from '../config/settings.ts'
import type { SystemFile } from '../contract/index.ts'
import { HubError } from '../hub-error.ts'
import { checkPasswordLength, type Passwords } from './passwords.ts'

const GOOD_SCORE = 3
const DAY_MS = 86_400_000
const CLASSES: readonly (readonly [RegExp, string])[] = [
  [/\p{Ll}/u, 'a small letter'],
  [/\p{Lu}/u, 'a capital letter'],
  [/\p{Nd}/u, 'a digit'],
  [/[^\p{L}\p{Nd}\s]/u, 'another sign'],
]

/** What a new password must be. Length and guessing count; classes of characters and an age only where they are asked for. */
export interface PasswordRules {
  /** Throws HUB_WEAK_PASSWORD. `context`: words that whoever guesses would try first. */
  check: (password: string, context: string[]) => Promise<void>
  expired: (changedAt: number | undefined, now: number) => boolean
}

export function createPasswordRules(
  passwords: Pick<Passwords, 'strength'>,
  /** As they are in force. */
  settings: () => NonNullable<NonNullable<SystemFile['auth']>['passwordRules']>,
): PasswordRules {
  function refuse(why: string, cure: string): never {
    throw new HubError('HUB_WEAK_PASSWORD', why, { cure })
  }
  return {
    check: async (password, context) => {
      const { minLength = fixedDefault('auth.passwordRules.minLength'), composition } = settings()
      checkPasswordLength(password)
      const length = Array.from(password).length
      if (length < minLength)
        refuse(
          `The password has ${length} characters; it needs ${minLength}`,
          'A few words that do not belong together do.',
        )
      if (composition === true) {
        const missing = CLASSES.filter(([pattern]) => !pattern.test(password)).map(([, name]) => name)
        if (missing.length > 0)
          refuse(`The password lacks ${missing.join(', ')}`, 'auth.passwordRules.composition asks for it.')
      }
      const { score, warning, suggestions } = await passwords.strength(password, [...context, 'mcp', 'hub', 'mcphub'])
      if (score < GOOD_SCORE)
        refuse(
          `The password would be guessed. ${warning ?? 'It is on lists of common passwords, or close to one'}`,
          suggestions.join(' ') || 'Use more words that do not belong together.',
        )
    },
    expired: (changedAt, now) => {
      const { maxAgeDays } = settings()
      return maxAgeDays !== undefined && (changedAt ?? 0) + maxAgeDays * DAY_MS < now
    },
  }
}
