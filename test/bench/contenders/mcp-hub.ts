import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from '../lib/programs.ts'
import { startNode } from '../lib/processes.ts'
import { retry } from '../lib/waiting.ts'
import { openSseLane } from '../load/sse-lane.ts'
import type { UpstreamConfig } from '../programs/upstream-config.ts'
import type { Contender } from './contender.ts'

const START_MS = 30_000
const POLL_MS = 3

/** The package `mcp-hub` from npm: the fastest of the existing hubs. It speaks the old HTTP+SSE transport to clients. */
export const mcpHub: Contender = {
  name: 'mcp-hub',
  eras: ['legacy'],
  relays: true,
  start: async ({ upstreams }) => {
    const home = await mkdtemp(join(tmpdir(), 'bench-mcp-hub-'))
    const config = join(home, 'servers.json')
    await writeFile(
      config,
      JSON.stringify({ mcpServers: Object.fromEntries(upstreams.map((one) => [one.name, entry(one)])) }),
    )
    const port = await freePort()
    // Its ways to say that it is ready differ by version, so its port is tried instead.
    const started = await startNode({
      args: [join(root, 'node_modules', 'mcp-hub', 'dist', 'cli.js'), '--port', String(port), '--config', config],
      env: { HOME: home, XDG_STATE_HOME: home, XDG_CONFIG_HOME: home, XDG_CACHE_HOME: home },
      cwd: home,
    })
    const openLane = (upstream: string | null): ReturnType<typeof openSseLane> =>
      openSseLane({
        port,
        path: '/mcp',
        headers: {},
        toolName: (tool) => `${upstream ?? upstreams[0]?.name ?? ''}__${tool}`,
      })
    const probe = await retry(START_MS, POLL_MS, () => openLane(null))
    probe.close()
    return {
      pid: started.pid,
      openLane: ({ upstream }) => openLane(upstream),
      end: async () => {
        await started.end()
        await rm(home, { recursive: true, force: true })
      },
    }
  },
}

function entry(upstream: UpstreamConfig): object {
  return upstream.kind === 'stdio' ? { command: upstream.command, args: upstream.args } : { url: upstream.url }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      const port = address !== null && typeof address === 'object' ? address.port : 0
      server.close(() => resolve(port))
    })
  })
}
