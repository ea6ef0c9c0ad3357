import { serverConfigSchemaFor, serverNameSchema } from '../../../hub/contract/index.ts'
import { issueText } from '../../lib/issue-text.ts'
import { isRemoteConfig } from './command-text.ts'
import { optionGroups } from './hub-options.ts'

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

/** Faults that the form of the entry has no field for must be told beside it. */
export function otherFaults(faults: Readonly<Record<string, string>>, config: unknown): string[] {
  const remote = isRemoteConfig(config)
  const groups = optionGroups.filter(({ localOnly }) => !(localOnly && remote))
  const fields = new Set([
    ...(remote ? ['url', 'type', 'headers'] : ['command', 'args', 'env', 'cwd']),
    ...['description', ...groups.flatMap(({ choices, numbers }) => [...choices.map(({ key }) => key), ...numbers])].map(
      (key) => `hub.${key}`,
    ),
  ])
  const lists = groups.flatMap((group) => group.lists ?? []).map((key) => `hub.${key}`)
  const isShown = (path: string): boolean =>
    fields.has(path) || lists.some((list) => path === list || path.startsWith(`${list}.`))
  return Object.entries(faults)
    .filter(([path]) => !isShown(path))
    .map(([path, message]) => (path === '' ? message : `${path}: ${message}`))
}
