import type { SecretEntry, ServerConfig } from '../contract/index.ts'
import { referencesInText } from '../config/interpolate.ts'
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

/** Which settings refer to which secret: the keys of `system.json`. */
export function settingsUsage(system: unknown): ReadonlyMap<string, string[]> {
  const usage = new Map<string, string[]>()
  function look(value: unknown, at: string): void {
    if (typeof value === 'string') {
      for (const { kind, name } of referencesInText(value))
        if (kind === 'secret') usage.set(name, [...(usage.get(name) ?? []), at])
    } else if (Array.isArray(value)) {
      for (const [index, part] of value.entries()) look(part, `${at}[${String(index)}]`)
    } else if (typeof value === 'object' && value !== null) {
      for (const [key, part] of Object.entries(value)) look(part, at === '' ? key : `${at}.${key}`)
    }
  }
  look(system, '')
  return usage
}
