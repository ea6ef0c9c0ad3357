import { stat } from 'node:fs/promises'
import path from 'node:path'
import { openFiles } from '../config/documents.ts'
import type { ConfigTexts, ProfilesFile, ServersFile, SystemFile } from '../contract/index.ts'
import { openConfigStore } from '../config/store.ts'
import { CommandError, exitCodes, type Io, UsageError, type Values } from './command.ts'
import { refuseFaults } from './settings-here.ts'

export interface Configuration {
  directory: string
  servers: ServersFile
  profiles: ProfilesFile
  system: SystemFile
  systemAsWritten: SystemFile
  texts: ConfigTexts
}

/** The configuration in `--config` or CONFIG_DIR; with faults it is no configuration, and each is told with its cure. */
export async function readConfiguration(values: Values, io: Io): Promise<Configuration> {
  const given = values['config'] ?? io.env['CONFIG_DIR']
  if (typeof given !== 'string' || given === '') throw new UsageError('--config is missing, and CONFIG_DIR is not set.')
  const directory = path.resolve(given)
  const isFolder = await stat(directory).then(
    (entry) => entry.isDirectory(),
    () => false,
  )
  if (!isFolder)
    throw new CommandError(`${directory} is no folder.`, 'Give the folder that holds servers.json.', exitCodes.config)
  const store = await openConfigStore(await openFiles(directory))
  try {
    refuseFaults(store.faults)
    const { servers, profiles, system, systemAsWritten, texts } = store
    return { directory, servers, profiles, system, systemAsWritten, texts }
  } finally {
    await store.dispose()
  }
}
