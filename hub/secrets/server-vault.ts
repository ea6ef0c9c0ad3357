import { mkdir } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { watchFiles } from '../config/watch-files.ts'
import { HubError } from '../hub-error.ts'
import { BrokenFile } from '../faults.ts'
import { say } from '../say.ts'
import { createEnvironmentSecrets } from './environment.ts'
import { readSecrets, writeSecrets, type SecretsFile } from './secrets-file.ts'
import { createVault, type SecretVault } from './vault.ts'

/**
 * The vault of server mode: the environment first, because the operator gives it, then a file. Both are watched, so that a
 * rotation on disk takes effect by itself. Throws BrokenFile.
 */
export async function openServerVault(options: {
  file: SecretsFile
  env: (name: string) => string | undefined
  /** The file cannot be read any more; what was read last stays in force. */
  onBroken: (error: BrokenFile) => void
}): Promise<SecretVault> {
  const { file } = options
  const environment = createEnvironmentSecrets(options.env)
  const kept = createVault({
    quality: file.key === null ? 'file' : 'sealed',
    location: file.path,
    secrets: await readSecrets(file),
    keep: async (name, value) => {
      // Read anew: another hub on this machine may have written it.
      const secrets = await readSecrets(file).catch(refuse)
      if (value === null) secrets.delete(name)
      else secrets.set(name, value)
      await writeSecrets(file, secrets).catch(refuse)
    },
  })
  const folder = dirname(file.path)
  // What is not there cannot be watched. Whoever named another file than the hub's own sees to its folder.
  if (file.own) await mkdir(folder, { recursive: true, mode: 0o700 })
  const watcher = watchFiles(folder, [basename(file.path)], () => void reread())
  // What changed between the reading and the watching.
  void reread()

  async function reread(): Promise<void> {
    try {
      kept.replace(await readSecrets(file))
    } catch (error) {
      if (!(error instanceof BrokenFile)) throw error
      options.onBroken(error)
    }
  }

  function refuse(error: unknown): never {
    if (error instanceof BrokenFile)
      throw new HubError('HUB_CONFIG_FILE_BROKEN', say`${file.path} is broken, so nothing is written into it`, {
        faults: error.faults,
      })
    throw new HubError('HUB_VAULT_UNAVAILABLE', say`${file.path} cannot be written: ${(error as Error).message}`, {
      cure: say`Let the hub’s user write the file and its folder, or give the secret by the environment.`,
    })
  }

  function ownedByOperator(name: string): void {
    if (environment.get(name) === undefined) return
    throw new HubError('HUB_CONFLICT', say`The secret ${name} comes from the environment of the hub`, {
      cure: say`Change ${name} or the file of ${name}_FILE where the hub is started.`,
    })
  }

  return {
    ...kept,
    get: (name) => environment.get(name) ?? kept.get(name),
    sourceOf: (name) => (environment.get(name) === undefined ? kept.sourceOf(name) : 'environment'),
    set: async (name, value) => {
      ownedByOperator(name)
      await kept.set(name, value)
    },
    delete: async (name) => {
      ownedByOperator(name)
      return kept.delete(name)
    },
    explain: environment.explain,
    onChange: (listener) => {
      kept.onChange((names) => {
        const visible = names.filter((name) => environment.get(name) === undefined)
        if (visible.length > 0) listener(visible)
      })
      environment.onChange(listener)
    },
    dispose: async () => {
      environment.dispose()
      watcher.close()
      await kept.dispose()
    },
  }
}
