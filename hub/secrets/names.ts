import { serverPrefix } from '../contract/index.ts'
import { reservedNames } from '../publish/variables.ts'

/** Names of what the hub keeps for itself, e.g. `oauth:<server>`. No reference reaches them and no list shows them. */
export function isOwnName(name: string): boolean {
  return name.includes(':')
}

/** Names for values that are lifted: stable, valid in an environment file, and never one of the hub's own. */
export interface SecretNames {
  /** A name for a value: the same for the same value, never one that stands for another. */
  forSecret: (server: string, key: string, value: string) => string
}

export function createSecretNames(options: {
  /** Names that are referred to; without a value of theirs they stay free for what they are meant for. */
  taken: Iterable<string>
  valueFor?: (name: string) => string | undefined
}): SecretNames {
  const taken = new Map<string, string | null>([...reservedNames, ...options.taken].map((name) => [name, null]))
  const fits = (name: string, value: string): boolean => {
    const known = taken.get(name) ?? options.valueFor?.(name)
    return known === value || (known === undefined && !taken.has(name))
  }
  return {
    forSecret: (server, key, value) => {
      const prefix = environmentName(serverPrefix(server))
      const own = environmentName(key) || 'SECRET'
      const base = own === prefix || own.startsWith(`${prefix}_`) ? own : `${prefix}_${own}`
      for (let n = 1; ; n++) {
        const name = environmentName(n === 1 ? base : `${base}_${n}`)
        if (!fits(name, value)) continue
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
