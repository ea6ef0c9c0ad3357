import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startNode } from '../lib/processes.ts'
import { openHttpLane } from '../load/http-lane.ts'
import type { UpstreamConfig } from '../programs/upstream-config.ts'
import type { Contender } from './contender.ts'

const TOKEN = 'bench-token-of-more-than-16-characters'

export interface OursOptions {
  /** The built entry, `dist/hub/server.js`. */
  server: string
  /** Flags for Node itself, such as `--cpu-prof`. */
  nodeFlags: string[]
  /** Folder for its compiled code. */
  compiled: string
  /** Entries for servers.json besides the fixture servers. */
  more?: Record<string, object>
}

/** Our hub as it ships, with everything a user has switched on. */
export function ours(options: OursOptions): Contender {
  return {
    name: 'ours',
    eras: ['legacy', 'modern'],
    relays: true,
    start: async ({ upstreams }) => {
      const home = await mkdtemp(join(tmpdir(), 'bench-ours-'))
      const servers = Object.fromEntries(upstreams.map((one) => [one.name, entry(one)]))
      await writeFile(join(home, 'servers.json'), JSON.stringify({ mcpServers: { ...servers, ...options.more } }))
      const started = await startNode({
        args: [...options.nodeFlags, options.server],
        env: {
          CONFIG_DIR: home,
          DATA_DIR: join(home, 'data'),
          PORT: '0',
          MCP_HUB_TOKEN: TOKEN,
          // As the app and `npm run hub` give it; the first start of a run fills it.
          NODE_COMPILE_CACHE: options.compiled,
        },
        ready: /MCP Hub listening on http:\/\/\S+:(\d+)\n/,
      })
      return {
        pid: started.pid,
        openLane: ({ upstream, era }) =>
          openHttpLane(
            {
              port: Number(started.printed),
              path: upstream === null ? '/mcp' : `/mcp/${upstream}`,
              headers: { authorization: `Bearer ${TOKEN}` },
              toolName: (tool) => (upstream === null ? `${upstreams[0]?.name ?? ''}__${tool}` : tool),
            },
            era,
          ),
        end: async () => {
          await started.end()
          await rm(home, { recursive: true, force: true })
        },
      }
    },
  }
}

function entry(upstream: UpstreamConfig): object {
  return upstream.kind === 'stdio'
    ? { command: upstream.command, args: upstream.args }
    : { type: 'http', url: upstream.url }
}
