import type { Check } from '../../contract/publish.ts'
import { say } from '../../say.ts'
import type { Bundle } from '../bundle.ts'
import { failed, passed, textOf } from './outcome.ts'

/** By a library, because Docker itself says nothing of a Dockerfile without building it. */
export async function checkDockerfile(bundle: Bundle): Promise<Check> {
  const artifact = 'docker/Dockerfile'
  const tool = 'dockerfile-utils'
  const { validate } = await import('dockerfile-utils')
  const [fault] = validate(textOf(bundle, artifact))
  if (fault === undefined)
    return passed(artifact, tool, say`Every instruction, flag and stage is one that Docker knows.`)
  return failed(artifact, tool, typeof fault.message === 'string' ? fault.message : fault.message.value, {
    line: fault.range.start.line + 1,
    column: fault.range.start.character + 1,
    cure: say`Report this as a fault of MCP Hub.`,
  })
}
