import { isEnabled } from '../contract/index.ts'
import { exitCodes, type Command } from './command.ts'
import { readConfiguration } from './read-configuration.ts'

export const configCheckCommand: Command = {
  name: 'config check',
  summary: 'Check servers.json and system.json; every fault with file, line and cure.',
  options: { config: { type: 'string', value: 'DIR', help: 'folder with servers.json (default $CONFIG_DIR)' } },
  async run(values, io) {
    const { directory, servers } = await readConfiguration(values, io)
    const entries = Object.values(servers.mcpServers)
    io.out(`${directory}: ${entries.length} servers, ${entries.filter(isEnabled).length} of them enabled. No fault.\n`)
    return exitCodes.ok
  },
}
