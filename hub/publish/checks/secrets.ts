import type { Check } from '../../contract/publish.ts'
import { say } from '../../say.ts'
import type { Bundle } from '../bundle.ts'
import { failed, passed } from './outcome.ts'

/** The promise that matters most, looked at in the finished files. Shorter values may be ordinary words. */
export function checkSecrets(bundle: Bundle): Check {
  const values = bundle.liftedValues.filter((value) => value.length >= 8)
  const leaking = bundle.files.find(({ text }) => text !== null && values.some((value) => text.includes(value)))
  if (leaking === undefined)
    return passed(
      'secrets',
      'search',
      say`No generated file holds any of the ${bundle.liftedValues.length} secrets of this configuration.`,
    )
  return failed(leaking.path, 'search', say`The value of a secret is in this file.`, {
    cure: say`Do not publish. Move the secret into the vault, and report this as a fault.`,
  })
}
