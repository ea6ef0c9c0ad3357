import path from 'node:path'
import { takeEnvironment } from '../config/environment.ts'
import type { Sources } from '../config/interpolate.ts'
import { givenFolder, givenText, readSettings, type Given } from '../config/read-settings.ts'
import type { Fault } from '../contract/index.ts'
import { describeFault } from '../faults.ts'
import { createEnvironmentSecrets, readSecretFile } from '../secrets/environment.ts'
import { readSecrets } from '../secrets/secrets-file.ts'
import { CommandError, exitCodes, type Io, type Values } from './command.ts'

/** What the command line and the environment set; `values` is the environment with the content of each `…_FILE`. */
export function settingsHere(options: Values, io: Io): { given: Given; values: Readonly<Record<string, string>> } {
  const { values, faults: unread } = takeEnvironment({ ...io.env })
  const { given, faults } = readSettings({ options, environment: values })
  refuseFaults([...unread, ...faults])
  return { given, values }
}

/**
 * Where references find their values, read once as a hub would; `values` is the environment that they see. Throws BrokenFile for
 * the secrets file.
 */
export async function sourcesHere(
  given: Given,
  values: Readonly<Record<string, string | undefined>>,
): Promise<{ sources: Sources; dispose: () => void }> {
  const file = givenText(given, 'MCP_HUB_SECRETS_FILE') ?? path.join(givenFolder(given, 'DATA_DIR'), 'secrets.json')
  const key = givenText(given, 'MCP_HUB_SECRETS_KEY') ?? null
  // Read only: neither watched nor made safe, as the hub does it.
  const kept = await readSecrets({ path: path.resolve(file), key, own: false })
  const secrets = createEnvironmentSecrets((name) => values[name])
  return {
    sources: {
      env: (name) => values[name],
      secret: (name) => secrets.get(name) ?? kept.get(name),
      explain: secrets.explain,
      file: readSecretFile,
    },
    dispose: secrets.dispose,
  }
}

export function refuseFaults(faults: readonly Fault[]): void {
  if (faults.length > 0)
    throw new CommandError(faults.map(describeFault).join('\n'), 'Nothing was done.', exitCodes.config)
}
