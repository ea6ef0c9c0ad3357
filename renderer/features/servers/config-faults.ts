import { serverConfigSchemaFor, serverNameSchema } from '../../../hub/contract/index.ts'
import { issueText } from '../../lib/issue-text.ts'

/** What is wrong in an entry, by the path of its field; the same rules by which the hub judges it. */
export function configFaults(config: unknown): Record<string, string> {
  const result = serverConfigSchemaFor(config).safeParse(config)
  if (result.success) return {}
  const faults: Record<string, string> = {}
  for (const issue of result.error.issues) {
    const path = issue.path.join('.')
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) faults[path === '' ? key : `${path}.${key}`] = issueText(issue)
    } else faults[path] ??= issueText(issue)
  }
  return faults
}

export function nameFault(name: string): string | null {
  const result = serverNameSchema.safeParse(name)
  return result.success ? null : issueText(result.error.issues[0] ?? { message: '' })
}

/** Faults in keys that the form has no field for must be told beside it. */
const fields = /^(command|args|env|cwd|url|type|headers|hub\.)/
export function otherFaults(faults: Readonly<Record<string, string>>): string[] {
  return Object.entries(faults)
    .filter(([path]) => !fields.test(path) || /^(args|env|headers)\./.test(path))
    .map(([path, message]) => (path === '' ? message : `${path}: ${message}`))
}
