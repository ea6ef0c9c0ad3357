import { serverPrefix } from '../contract/index.ts'
import { reservedNames } from '../publish/variables.ts'

/** Names of what the hub keeps for itself, e.g. `oauth:<server>`. No reference reaches them and no list shows them. */
export function isOwnName(name: string): boolean {
  return name.includes(':')
}

export interface SecretNames {
  /** Takes a name out of the choice. */
  take: (name: string) => void
  /** A name for a value: the same for the same value, never one that is taken. */
  forSecret: (server: string, key: string, value: string) => string
}

/** Names for values that are lifted: stable, valid in an environment file, and never one of the hub's own. */
export function createSecretNames(inUse: Iterable<readonly [string, string | null]> = []): SecretNames {
  const taken = new Map<string, string | null>([...[...reservedNames].map((name) => [name, null] as const), ...inUse])
  return {
    take: (name) => void taken.set(name, null),
    forSecret: (server, key, value) => {
      const prefix = environmentName(serverPrefix(server))
      const own = environmentName(key) || 'SECRET'
      const base = own === prefix || own.startsWith(`${prefix}_`) ? own : `${prefix}_${own}`
      for (let n = 1; ; n++) {
        const name = environmentName(n === 1 ? base : `${base}_${n}`)
        if (taken.has(name) && taken.get(name) !== value) continue
        taken.set(name, value)
        return name
      }
    },
  }
}

function environmentName(text: string): string {
  const name = text
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toUpperCase()
    .replace(/[^A-Z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '')
  return /^\d/.test(name) ? `_${name}` : name
}
