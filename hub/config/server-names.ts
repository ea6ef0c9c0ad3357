import { serverPrefix, type Fault } from '../contract/index.ts'
import { say } from '../say.ts'
import { fault, type Position } from './jsonc.ts'

/** Two names that would give their tools the same prefix; refused when saved, not when called. */
export function prefixCollisions(
  names: readonly string[],
  file: string | null,
  where: (path: (string | number)[]) => Position,
): Fault[] {
  const faults: Fault[] = []
  const seen = new Map<string, string>()
  for (const name of names) {
    const prefix = serverPrefix(name).toLowerCase()
    const other = seen.get(prefix)
    if (other === undefined) seen.set(prefix, name)
    else
      faults.push(
        fault(
          file,
          ['mcpServers', name],
          where(['mcpServers', name]),
          say`The names ${other} and ${name} both give tools the prefix ${prefix}__`,
          say`Rename one of them.`,
        ),
      )
  }
  return faults
}
