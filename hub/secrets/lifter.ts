import { referencesIn } from '../config/references.ts'
import { splitSecrets } from '../config/secret-patterns.ts'
import type { LiftedText, ServerConfig } from '../contract/index.ts'
import { changeTexts } from './lift.ts'
import { createSecretNames } from './names.ts'
import { secretUsage } from './usage.ts'
import type { SecretVault } from './vault.ts'

export interface Lifted {
  /** The entry with a reference in the place of each secret. */
  config: ServerConfig
  texts: LiftedText[]
  /** What belongs into the vault. */
  secrets: Map<string, string>
}

/** Takes what people write into entries in the clear out of them, and into the vault. */
export interface SecretLifter {
  /** Changes nothing. `inClear` has the paths that stay as they are. */
  find: (server: string, config: ServerConfig, inClear?: readonly string[]) => Lifted
  /** Keeps the values, then runs `save`; when that fails, the vault is as it was before. */
  keep: (secrets: ReadonlyMap<string, string>, save: () => Promise<void>) => Promise<void>
}

export function createSecretLifter(options: {
  vault: SecretVault
  servers: () => Readonly<Record<string, ServerConfig>>
}): SecretLifter {
  const { vault } = options

  function find(server: string, config: ServerConfig, inClear: readonly string[] = []): Lifted {
    const servers = options.servers()
    const referred = [...Object.values(servers), config].flatMap((entry) => referencesIn(entry))
    const names = createSecretNames({
      taken: referred.flatMap(({ kind, name }) => (kind === 'secret' ? [name] : [])),
      valueFor: vault.get,
    })
    const replaceable = ownSecrets(servers, server, vault)
    const texts: LiftedText[] = []
    const secrets = new Map<string, string>()
    const changed = changeTexts(config, (key, path, value, head) => {
      const segments = splitSecrets(key, value)
      if (!segments.some(({ secret }) => secret) || inClear.includes(path)) return value
      const before = segments.filter(({ secret }) => secret).length === 1 ? replaceable.get(path) : undefined
      const used: string[] = []
      const text = segments
        .map((segment) => {
          if (!segment.secret) return segment.text
          const name = before ?? names.forSecret(server, segment.name ?? key, segment.text)
          used.push(name)
          // The operator may give the very same value by the environment.
          if (vault.get(name) !== segment.text) secrets.set(name, segment.text)
          return `\${secret:${name}}`
        })
        .join('')
      texts.push({ path, text: head + text, names: used })
      return text
    })
    return { config: changed, texts, secrets }
  }

  return {
    find,
    keep: async (secrets, save) => {
      const before = [...secrets.keys()].map((name) => [name, vault.get(name)] as const)
      const undo = async (): Promise<void> => {
        for (const [name, value] of before) await (value === undefined ? vault.delete(name) : vault.set(name, value))
      }
      try {
        for (const [name, value] of secrets) await vault.set(name, value)
        await save()
      } catch (error) {
        await undo()
        throw error
      }
    },
  }
}

/**
 * The one secret that a text of this server refers to and nothing else does, by its path: somebody who writes a new value over
 * that reference means to replace the secret, not to add another.
 */
function ownSecrets(
  servers: Readonly<Record<string, ServerConfig>>,
  server: string,
  vault: SecretVault,
): Map<string, string> {
  // Anybody may name a server `toString`.
  const config = Object.hasOwn(servers, server) ? servers[server] : undefined
  if (config === undefined) return new Map()
  const usage = secretUsage(servers)
  const byPath = new Map<string, string[]>()
  for (const { kind, name, path } of referencesIn(config))
    if (kind === 'secret') byPath.set(path, [...(byPath.get(path) ?? []), name])
  return new Map(
    [...byPath].flatMap(([path, [name, ...others]]) => {
      const users = name === undefined ? [] : (usage.get(name) ?? [])
      return name !== undefined &&
        others.length === 0 &&
        users.length === 1 &&
        users[0]?.paths.length === 1 &&
        vault.sourceOf(name) !== 'environment'
        ? [[path, name] as const]
        : []
    }),
  )
}
