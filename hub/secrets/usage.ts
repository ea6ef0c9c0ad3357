import type { SecretEntry, ServerConfig } from '../contract/index.ts'
import { referencesIn } from '../config/references.ts'

export type SecretUsage = ReadonlyMap<string, SecretEntry['usedBy']>

/** Which servers refer to which secret, and where in their entries. */
export function secretUsage(servers: Readonly<Record<string, ServerConfig>>): SecretUsage {
  const usage = new Map<string, SecretEntry['usedBy']>()
  for (const [server, config] of Object.entries(servers)) {
    const places = new Map<string, Set<string>>()
    for (const { kind, name, path } of referencesIn(config))
      if (kind === 'secret') places.set(name, (places.get(name) ?? new Set()).add(path))
    for (const [name, paths] of places) usage.set(name, [...(usage.get(name) ?? []), { server, paths: [...paths] }])
  }
  return usage
}
