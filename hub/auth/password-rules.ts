import { fixedDefault } from '../config/settings.ts'
import type { SystemFile } from '../contract/index.ts'
import { HubError } from '../hub-error.ts'
import { saidOfIssue, say, type Said } from '../say.ts'
import { checkPasswordLength, type Passwords } from './passwords.ts'

const GOOD_SCORE = 3
const DAY_MS = 86_400_000
const CLASSES: readonly (readonly [RegExp, Said])[] = [
  [/\p{Ll}/u, say`a small letter`],
  [/\p{Lu}/u, say`a capital letter`],
  [/\p{Nd}/u, say`a digit`],
  [/[^\p{L}\p{Nd}\s]/u, say`another sign`],
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
  function refuse(why: Said, cure: Said): never {
    throw new HubError('HUB_WEAK_PASSWORD', why, { cure })
  }
  return {
    check: async (password, context) => {
      const { minLength = fixedDefault('auth.passwordRules.minLength'), composition } = settings()
      checkPasswordLength(password)
      const length = Array.from(password).length
      if (length < minLength)
        refuse(
          say`The password has ${length} characters; it needs ${minLength}`,
          say`A few words that do not belong together do.`,
        )
      if (composition === true) {
        const [one, two, three] = CLASSES.filter(([pattern]) => !pattern.test(password)).map(([, name]) => name)
        const cure = say`auth.passwordRules.composition asks for it.`
        if (one !== undefined && two !== undefined && three !== undefined)
          refuse(say`The password lacks ${one}, ${two}, ${three}`, cure)
        if (one !== undefined && two !== undefined) refuse(say`The password lacks ${one}, ${two}`, cure)
        if (one !== undefined) refuse(say`The password lacks ${one}`, cure)
      }
      const { score, warning, suggestions } = await passwords.strength(password, [...context, 'mcp', 'hub', 'mcphub'])
      if (score < GOOD_SCORE)
        refuse(
          say`The password would be guessed. ${warning === null ? say`It is on lists of common passwords, or close to one` : saidOfIssue({ message: warning })}`,
          suggestions[0] === undefined
            ? say`Use more words that do not belong together.`
            : saidOfIssue({ message: suggestions[0] }),
        )
    },
    expired: (changedAt, now) => {
      const { maxAgeDays } = settings()
      return maxAgeDays !== undefined && (changedAt ?? 0) + maxAgeDays * DAY_MS < now
    },
  }
}
