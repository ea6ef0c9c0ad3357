import type { Lane } from '../load/lane.ts'
import { openHttpLane } from '../load/http-lane.ts'
import { startStdioServer } from '../load/stdio-lane.ts'
import type { Contender, Running, Setup } from './contender.ts'

interface Server {
  pid: number
  openLane: (era: 'legacy' | 'modern') => Promise<Lane> | Lane
  end: () => void
}

/** No hub: the client at the fixture server itself. */
export const direct: Contender = {
  name: 'direct',
  eras: ['legacy', 'modern'],
  relays: true,
  start: async (setup: Setup): Promise<Running> => {
    const servers = new Map<string, Server>()
    for (const upstream of setup.upstreams) {
      if (upstream.kind === 'stdio') {
        servers.set(upstream.name, await startStdioServer(upstream.args, upstream.era))
      } else {
        const url = new URL(upstream.url)
        const endpoint = { port: Number(url.port), path: url.pathname, headers: {}, toolName: (tool: string) => tool }
        servers.set(upstream.name, { pid: 0, openLane: (era) => openHttpLane(endpoint, era), end: () => undefined })
      }
    }
    const first = servers.keys().next().value ?? ''
    return {
      pid: servers.get(first)?.pid ?? 0,
      openLane: async ({ upstream, era }) => {
        const server = servers.get(upstream ?? first)
        if (server === undefined) throw new Error(`There is no server ${upstream ?? first}`)
        return server.openLane(era)
      },
      end: () => {
        for (const server of servers.values()) server.end()
        return Promise.resolve()
      },
    }
  },
}
