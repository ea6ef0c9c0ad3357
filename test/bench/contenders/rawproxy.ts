import { program } from '../lib/programs.ts'
import { startNode } from '../lib/processes.ts'
import { openHttpLane } from '../load/http-lane.ts'
import type { Contender } from './contender.ts'

/** The yardstick. */
export const rawproxy: Contender = {
  name: 'rawproxy',
  eras: ['legacy', 'modern'],
  relays: false,
  start: async ({ upstreams, joinLists = false }) => {
    const started = await startNode({
      args: [program('rawproxy'), JSON.stringify({ upstreams, joinLists })],
      ready: /listening on (\d+)\n/,
    })
    return {
      pid: started.pid,
      openLane: ({ upstream, era }) =>
        openHttpLane(
          {
            port: Number(started.printed),
            path: upstream === null ? '/mcp' : `/mcp/${upstream}`,
            headers: {},
            toolName: (tool) => tool,
          },
          era,
        ),
      end: started.end,
    }
  },
}
