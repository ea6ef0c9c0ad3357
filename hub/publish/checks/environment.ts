import { parseEnv } from 'node:util'
import type { Check } from '../../contract/publish.ts'
import { say } from '../../say.ts'
import type { Bundle } from '../bundle.ts'
import { failed, passed, textOf } from './outcome.ts'

export function checkEnvironment(bundle: Bundle): Check {
  const artifact = '.env.example'
  const names = parseEnv(textOf(bundle, artifact))
  const missing = bundle.secrets.filter(({ name }) => names[name] !== '').map(({ name }) => name)
  if (missing.length === 0) return passed(artifact, 'node', say`${bundle.secrets.length} names, each without a value.`)
  return failed(artifact, 'node', say`Node does not read these names from it: ${missing.join(', ')}`, {
    cure: say`Rename the reference to letters, digits and underscores.`,
  })
}
