import { leavesOf, recordOf } from '../../config/changes.ts'
import type { PortableConfig } from '../../config/push/portable.ts'
import { profilesFileSchema, serversFileSchema, systemFileSchema, type ServersFile } from '../../contract/index.ts'
import { externaliseSecrets } from '../externalise.ts'
import { externaliseSystem } from '../externalise-system.ts'
import type { ConfigFile } from './inspect.ts'

export type Entries = Readonly<Record<string, unknown>>
/** Texts of the configuration by their files. */
export type ConfigFiles = ReadonlyMap<ConfigFile, string>

/**
 * A file of the configuration as a bundle would hold it: without comments, and with references in the place of secrets. Of what
 * no hub understands nothing is left: it was not searched for secrets.
 */
export function publishedConfig(name: ConfigFile, text: string): Entries {
  // As it is written: a schema adds what is left out.
  const value = recordOf(text)
  switch (name) {
    case 'servers.json': {
      if (!serversFileSchema.safeParse(value).success) return {}
      return { mcpServers: externaliseSecrets((value as ServersFile).mcpServers).servers }
    }
    case 'profiles.json':
      return profilesFileSchema.safeParse(value).success ? { profiles: value['profiles'] } : {}
    case 'system.json':
      return systemFileSchema.safeParse(value).success ? { ...externaliseSystem(value).system } : {}
  }
}

export const publishedText = (name: ConfigFile, text: string): string =>
  text === '' ? '' : `${JSON.stringify(publishedConfig(name, text), null, 2)}\n`

/** All three, to be compared by meaning. */
export function portableFrom(files: ConfigFiles): PortableConfig {
  const part = (name: ConfigFile, key: string): unknown => publishedConfig(name, files.get(name) ?? '')[key] ?? {}
  return {
    servers: part('servers.json', 'mcpServers') as PortableConfig['servers'],
    profiles: part('profiles.json', 'profiles') as PortableConfig['profiles'],
    system: leavesOf(publishedConfig('system.json', files.get('system.json') ?? '')),
  }
}
