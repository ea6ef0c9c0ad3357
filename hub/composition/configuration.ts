import { join } from 'node:path'
import type { Documents } from '../config/documents.ts'
import type { Sources } from '../config/interpolate.ts'
import { openDocuments } from '../config/open-documents.ts'
import type { ReferenceSources } from '../config/references.ts'
import type { Where } from '../config/settings.ts'
import { openConfigStore, type ConfigStore } from '../config/store.ts'
import { createConfigVersions, type ConfigVersions } from '../config/versions.ts'
import type { HubOptions } from '../hub.ts'
import { readFileBelow, readSecretFile, secretFolders } from '../secrets/environment.ts'
import { isOwnName } from '../secrets/names.ts'

/** What is configured, its versions, and where its references find their values. */
export interface Configuration {
  documents: Documents
  config: ConfigStore
  versions: ConfigVersions
  /** What defaults depend on. */
  where: Where
  /** The values of references in servers.json. */
  references: ReferenceSources
}

/** Opens the files of CONFIG_DIR, or what is in the database in their place. */
export async function openConfiguration(options: HubOptions): Promise<Configuration> {
  const { env, vault, mode } = options
  const secret = (name: string): string | undefined => (isOwnName(name) ? undefined : vault.get(name))
  const sources: Sources = {
    env: options.systemEnv ?? env,
    secret,
    explain: vault.explain,
    file: readSecretFile,
  }
  const documents = await openDocuments({ ...options, sources })
  const config = await openConfigStore(documents, sources, options.overrides)
  options.applyLogging?.(config.system.logging)
  const versions =
    documents.versions ??
    createConfigVersions(join(options.dataDir, 'versions'), (error) =>
      options.log('error', 'A version of the configuration cannot be kept', { error: String(error) }),
    )
  config.onVersion = (texts, by, reason) => void versions.record(texts, by, reason)
  return {
    documents,
    config,
    versions,
    where: { mode, production: mode === 'server' && env('NODE_ENV') === 'production' },
    references: {
      env,
      secret,
      explain: vault.explain,
      file:
        mode === 'desktop'
          ? readSecretFile
          : readFileBelow([options.configDir, ...secretFolders(env)], options.dataDir),
    },
  }
}
