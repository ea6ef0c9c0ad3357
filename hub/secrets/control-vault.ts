import type { FromHub, VaultQuality } from '../contract/index.ts'
import { HubError } from '../hub-error.ts'
import { say, type Words } from '../say.ts'
import { createVault, type SecretVault } from './vault.ts'

const ANSWER_MS = 20_000

/** The vault of the desktop: main keeps the values, and each change goes to it over the control port. */
export function createControlVault(options: {
  quality: VaultQuality
  location: string
  secrets: Readonly<Record<string, string>>
  send: (message: Extract<FromHub, { type: 'secret.keep' }>) => void
}): { vault: SecretVault; onKept: (n: number, problem: string | null) => void } {
  const waiting = new Map<number, (problem: Words | null) => void>()
  let last = 0

  const vault = createVault({
    quality: options.quality,
    location: options.location,
    secrets: Object.entries(options.secrets),
    keep: async (name, value) => {
      const n = ++last
      const problem = await new Promise<Words | null>((resolve) => {
        const deadline = setTimeout(resolve, ANSWER_MS, say`the app did not answer within ${ANSWER_MS / 1_000} s`)
        waiting.set(n, (answer) => {
          clearTimeout(deadline)
          resolve(answer)
        })
        options.send({ type: 'secret.keep', n, name, value })
      })
      waiting.delete(n)
      if (problem !== null)
        throw new HubError('HUB_VAULT_UNAVAILABLE', say`The vault did not keep ${name}: ${problem}`, {
          cure: say`Unlock the keychain of this computer, check that its disk is not full, and try again.`,
        })
    },
  })
  return { vault, onKept: (n, problem) => waiting.get(n)?.(problem) }
}
