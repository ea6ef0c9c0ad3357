import { expect, it } from 'vitest'
import type { GatewayContext } from '../../hub/gateway/context.ts'
import { ReplaySpace } from '../../hub/gateway/replay.ts'
import { Session } from '../../hub/gateway/session.ts'
import { wish } from '../../hub/gateway/session-wishes.ts'
import type { View } from '../../hub/gateway/view.ts'
import { memoryUpstream } from '../fixtures/memory-upstream.ts'

/** A session before a server that has log messages, on a pipe. */
async function setUp(capabilities: object) {
  const running = memoryUpstream()
  const { server, upstream } = running
  server.results = {
    initialize: { protocolVersion: '2025-11-25', capabilities: { tools: {}, logging: {} } },
    'logging/setLevel': {},
  }
  upstream.start()
  await running.until('running')
  const view = { path: '/mcp', upstreams: [upstream], listNow: () => null } as unknown as View
  const space = new ReplaySpace(() => ({ maxReplayBytesPerSession: 1, maxReplayBytes: 1 }))
  const session = new Session(null, { id: 'person', scopes: [] }, view, { maxBufferedBytes: 1 }, space)
  session.begin({ protocolVersion: '2025-11-25', capabilities })
  const setLevel = (level: string): Promise<void> => wish({} as GatewayContext, session, 'logging/setLevel', { level })
  const levelsSet = (): number[] =>
    server.connections.map(({ sent }) => sent.filter((method) => method === 'logging/setLevel').length)
  return { ...running, session, setLevel, levelsSet }
}

it('a level is set although the connection that a server would tell of it on does not come up', async () => {
  const { server, setLevel, session, levelsSet } = await setUp({ elicitation: {} })
  server.silent.add('initialize')
  await setLevel('debug')
  expect(session.logLevel).toBe('debug')
  expect(levelsSet()[0]).toBe(0)
})

it('a level is told to the connection that serves the client, and to no other', async () => {
  const { call, setLevel, session, levelsSet } = await setUp({})
  await setLevel('warning')
  await call({ owner: session.id, client: session, wantsLogs: true, logLevel: 'warning' })
  expect(levelsSet()).toEqual([0, 1])
  await setLevel('debug')
  await expect.poll(levelsSet).toEqual([0, 2])
})

it('a level is told to a connection that is there, or about to be, for what it offers', async () => {
  const { upstream, setLevel, session, levelsSet } = await setUp({ elicitation: {} })
  void upstream.offersTo(session.principal, session.capabilities, session.viewer.resident)
  await setLevel('debug')
  await expect.poll(levelsSet).toEqual([0, 1])
})
