import { program } from '../lib/programs.ts'
import { startNode } from '../lib/processes.ts'
import { openHttpLane } from '../load/http-lane.ts'
import type { Contender } from './contender.ts'

/** A plain hub on the official SDK's `Client` and `Server`. */
export const sdk: Contender = {
  name: 'sdk',
  eras: ['legacy'],
  relays: true,
  start: async ({ upstreams }) => {
    const started = await startNode({
      args: [program('sdk-hub'), JSON.stringify({ upstreams, joinLists: true })],
      ready: /listening on (\d+)\n/,
    })
    return {
      pid: started.pid,
      openLane: ({ upstream }) =>
        openHttpLane(
          {
            port: Number(started.printed),
            path: '/mcp',
            headers: {},
            toolName: (tool) => `${upstream ?? upstreams[0]?.name ?? ''}__${tool}`,
          },
          'legacy',
        ),
      end: started.end,
    }
  },
}
