import type { Check } from '../../contract/publish.ts'
import { say } from '../../say.ts'
import type { Bundle } from '../bundle.ts'
import { failed, passed } from './outcome.ts'

/** Shorter values may be ordinary words, which any file may hold. */
const SHORTEST = 8

/** The promise that matters most, looked at in the finished files: as it is, and as JSON and YAML write it between quotes. */
export function checkSecrets({ files, liftedValues }: Pick<Bundle, 'files' | 'liftedValues'>): Check {
  const values = liftedValues.filter((value) => value.length >= SHORTEST)
  const written = values.flatMap((value) => [value, JSON.stringify(value).slice(1, -1)])
  const leaking = files.find(({ text }) => text !== null && written.some((value) => text.includes(value)))
  if (leaking !== undefined)
    return failed(leaking.path, 'search', say`The value of a secret is in this file.`, {
      cure: say`Do not publish. Move the secret into the vault, and report this as a fault.`,
    })
  const short = liftedValues.length - values.length
  return passed(
    'secrets',
    'search',
    short === 0
      ? say`No generated file holds any of the ${values.length} secrets of this configuration.`
      : say`No generated file holds any of the ${values.length} secrets that were looked for; not looked for: ${short}, which are shorter than ${SHORTEST} characters.`,
  )
}
