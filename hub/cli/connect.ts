import { createInterface } from 'node:readline'
import { runBridge } from './bridge.ts'
import { exitCodes, UsageError, type Command } from './command.ts'

const DEFAULT_URL = 'http://127.0.0.1:3737/mcp'

export const connectCommand: Command = {
  name: 'connect',
  summary: 'Join an MCP client that only speaks stdio to a hub.',
  options: {
    url: { type: 'string', value: 'URL', help: `the hub's endpoint (default ${DEFAULT_URL})` },
    token: {
      type: 'string',
      value: 'TOKEN',
      help: 'bearer token; other users of the computer can see it here, so rather set MCP_HUB_TOKEN',
    },
  },
  async run(values, io) {
    const url = typeof values['url'] === 'string' ? values['url'] : DEFAULT_URL
    if (!/^https?:$/.test(URL.parse(url)?.protocol ?? ''))
      throw new UsageError(`--url ${url}: an http: or https: URL is needed.`)
    const token = values['token'] ?? io.env['MCP_HUB_TOKEN']
    await runBridge({
      url,
      token: typeof token === 'string' && token !== '' ? token : undefined,
      lines: createInterface({ input: io.stdin, crlfDelay: Infinity, signal: io.signal }),
      write: (line) => io.out(`${line}\n`),
      log: (text) => io.err(`${text}\n`),
      signal: io.signal,
    })
    return exitCodes.ok
  },
}
