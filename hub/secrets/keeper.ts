import { looksLikeSecret } from '../config/secret-patterns.ts'
import { resolveReferences, type ReferenceSources } from '../config/references.ts'
import type { SecretEntry, ServerConfig, SystemFile } from '../contract/index.ts'
import type { Redactor } from '../observe/redactor.ts'
import { MIN_LENGTH } from '../observe/value-search.ts'
import type { Supervisor } from '../upstream/supervisor.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { clearSecrets } from './lift.ts'
import { isOwnName } from './names.ts'
import { secretUsage, settingsUsage } from './usage.ts'
import type { SecretVault } from './vault.ts'

const UNTOUCHED = new Set(['disabled', 'idle', 'stopping'])

/** Keeps the redactor up to date with what is secret, and the servers with the values that they were started with. */
export interface SecretKeeper {
  /** Every secret that there is or should be. */
  entries: () => SecretEntry[]
  /** Tells the redactor what the configuration, as it is now, holds. */
  refresh: () => void
  /** The running servers that a new value of this secret concerns; they are started anew when it changes. */
  usersOf: (name: string) => string[]
}

export function createSecretKeeper(options: {
  vault: SecretVault
  sources: ReferenceSources
  redactor: Redactor
  servers: () => Readonly<Record<string, ServerConfig>>
  /** `system.json`, with its references. */
  system: () => SystemFile
  supervisor: Pick<Supervisor, 'upstreams'>
}): SecretKeeper {
  const { vault, sources, redactor } = options

  function refresh(): void {
    redactor.know(
      'vault',
      vault.names().flatMap((name) => vault.get(name) ?? []),
    )
    redactor.know(
      'servers',
      Object.values(options.servers()).flatMap((config) => secretValues(config, sources)),
    )
  }

  function users(names: ReadonlySet<string>): Upstream[] {
    return [...options.supervisor.upstreams.values()].filter(
      ({ config, status }) =>
        !UNTOUCHED.has(status().state) &&
        resolveReferences(config, sources).used.some(({ kind, name }) => kind === 'secret' && names.has(name)),
    )
  }

  vault.onChange((names) => {
    refresh()
    for (const upstream of users(new Set(names))) void upstream.restart()
  })
  refresh()

  return {
    entries: () => {
      const usage = secretUsage(options.servers())
      const settings = settingsUsage(options.system())
      return [...new Set([...vault.names(), ...usage.keys(), ...settings.keys()])]
        .filter((name) => !isOwnName(name))
        .sort()
        .map((name) => ({
          name,
          source: vault.sourceOf(name),
          usedBy: usage.get(name) ?? [],
          usedBySettings: settings.get(name) ?? [],
          masked: (vault.get(name)?.length ?? MIN_LENGTH) >= MIN_LENGTH,
        }))
    },
    refresh,
    usersOf: (name) => users(new Set([name])).map((upstream) => upstream.name),
  }
}

/** What must not show of an entry: the values of its references, and what somebody wrote into it in the clear. */
export function secretValues(config: ServerConfig, sources: ReferenceSources): string[] {
  const { used } = resolveReferences(config, sources)
  const referred = used.flatMap(({ kind, name, path, value }) =>
    value !== undefined &&
    (kind === 'secret' ||
      kind === 'file' ||
      (kind === 'env' && (looksLikeSecret(name, value) || looksLikeSecret(path.split('.').at(-1) ?? '', value))))
      ? [value]
      : [],
  )
  return [...referred, ...clearSecrets(config)]
}
