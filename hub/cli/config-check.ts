import { openIdentityFile } from '../auth/identity-file.ts'
import { openFiles } from '../config/documents.ts'
import { isEnabled } from '../contract/index.ts'
import { exitCodes, type Command } from './command.ts'
import { readConfiguration } from './read-configuration.ts'
import { folderOptions } from './setting-options.ts'

export const configCheckCommand: Command = {
  name: 'config check',
  summary: 'Check servers.json, system.json, profiles.json and users.json; every fault with file, line and cure.',
  options: { config: folderOptions.config },
  async run(values, io) {
    const { directory, servers } = await readConfiguration(values, io)
    await (await openIdentityFile(await openFiles(directory))).dispose()
    const entries = Object.values(servers.mcpServers)
    io.out(`${directory}: ${entries.length} servers, ${entries.filter(isEnabled).length} of them enabled. No fault.\n`)
    return exitCodes.ok
  },
}
