import type { z } from 'zod'
import { say } from '../../say.ts'
import { failed, passed, textOf, type Checker } from './outcome.ts'

export function checkJson(artifact: string, schema: z.ZodType): Checker {
  return (bundle) => {
    const result = schema.safeParse(JSON.parse(textOf(bundle, artifact)))
    const [issue] = result.error?.issues ?? []
    if (issue === undefined) return passed(artifact, 'schema', say`Every key and value is one that the hub knows.`)
    return failed(artifact, 'schema', issue.message, {
      path: issue.path.join('.'),
      cure: say`Mend the entry here and publish again.`,
    })
  }
}
