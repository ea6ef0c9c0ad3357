import { parse } from 'jsonc-parser'
import type { ConfigTexts, Profile, ProfilesFile, ServerConfig, ServersFile } from '../../contract/index.ts'
import { changeTexts } from '../../secrets/lift.ts'
import { createSecretNames } from '../../secrets/names.ts'
import { leavesOf, recordOf } from '../changes.ts'
import { referencesIn } from '../references.ts'
import { splitSecrets } from '../secret-patterns.ts'

/**
 * Settings that say how servers are treated, and so go with them. Who gets in, how much, and where things lie belongs to the
 * machine: whoever may only push must not open it.
 */
const TRAVELLING = ['pinning.', 'monitoring.healthCheckInterval', 'logging.level']

/** A configuration as it goes from one hub to another: without values of secrets, and without what belongs to a machine. */
export interface PortableConfig {
  servers: Record<string, ServerConfig>
  profiles: Record<string, Profile>
  /** By path. */
  system: Record<string, unknown>
}

export const travels = (path: string): boolean => TRAVELLING.some((own) => path === own || path.startsWith(own))

/** Of valid texts. `redact` takes out values of the vault that look like nothing. */
export function portableOf(texts: ConfigTexts, redact: <T>(value: T) => T = (value) => value): PortableConfig {
  const { mcpServers } = parse(texts.servers) as ServersFile
  const settings = Object.entries(leavesOf(recordOf(texts.system)))
  return {
    servers: redact(portableServers(mcpServers).servers),
    profiles: redact((parse(texts.profiles) as ProfilesFile).profiles),
    system: Object.fromEntries(settings.filter(([path]) => travels(path))),
  }
}

/** Entries with a reference in the place of each secret, and the names that stand there now. Never changes its input. */
export function portableServers(servers: Readonly<Record<string, ServerConfig>>): {
  servers: Record<string, ServerConfig>
  lifted: string[]
} {
  const names = createSecretNames({
    taken: Object.values(servers).flatMap((entry) => referencesIn(entry).map(({ name }) => name)),
  })
  const lifted = new Set<string>()
  const entries = Object.entries(servers).map(([server, entry]) => {
    const changed = changeTexts(entry, (key, _path, value) =>
      splitSecrets(key, value)
        .map((segment) => {
          if (!segment.secret) return segment.text
          const name = names.forSecret(server, segment.name ?? key, segment.text)
          lifted.add(name)
          return `\${secret:${name}}`
        })
        .join(''),
    )
    return [server, changed] as const
  })
  return { servers: Object.fromEntries(entries), lifted: [...lifted] }
}

/** Settings by their paths as `system.json` has them. */
export function nested(settings: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const root: Record<string, unknown> = {}
  for (const [path, value] of Object.entries(settings)) {
    const parts = path.split('.')
    let at = root
    for (const part of parts.slice(0, -1)) at = (at[part] ??= {}) as Record<string, unknown>
    at[parts.at(-1) ?? ''] = value
  }
  return root
}
