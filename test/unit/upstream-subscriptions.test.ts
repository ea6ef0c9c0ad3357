import { setImmediate as turn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { UpstreamFailure } from '../../hub/upstream/channel.ts'
import { crashed } from '../fixtures/memory-server.ts'
import { memoryUpstream } from '../fixtures/memory-upstream.ts'

const client = { owner: 'client', principal: 'person', capabilities: { elicitation: {} }, wantsLogs: false }

async function seconds(clock: { advance: (ms: number) => void }, count: number): Promise<void> {
  for (let second = 0; second < count; second++) {
    clock.advance(1_000)
    for (let turns = 0; turns < 10; turns++) await turn()
  }
}

it('a connection that does not start for its client’s subscription is tried ever less often, and still taken later', async () => {
  const { clock, server, upstream, until } = memoryUpstream(
    { command: 'memory', hub: { healthCheckIntervalMs: 0 } },
    {
      onState: () => {
        if (upstream.status().state === 'running') server.failure = new UpstreamFailure(crashed)
      },
    },
  )
  server.results['resources/subscribe'] = {}
  upstream.start()
  await upstream.subscribe({ uri: 'r://1', client, updated: () => undefined })
  await until('running')
  await seconds(clock, 62)
  expect(server.connections.length).toBe(1 + 6)
  server.failure = null
  await seconds(clock, 60)
  expect(server.connections.at(-1)!.sent).toContain('resources/subscribe')
})

it('a subscription that is refused after a restart is asked for ever less often', async () => {
  const { clock, server, upstream, until } = memoryUpstream({ command: 'memory', hub: { healthCheckIntervalMs: 0 } })
  server.results['resources/subscribe'] = {}
  upstream.start()
  await until('running')
  const updated: unknown[] = []
  const plain = { ...client, capabilities: {} }
  await upstream.subscribe({ uri: 'r://1', client: plain, updated: (params) => updated.push(params) })
  delete server.results['resources/subscribe']
  void upstream.restart()
  await until('starting')
  await until('running')
  await seconds(clock, 62)
  const asked = server.connections.at(-1)!.sent.filter((method) => method === 'resources/subscribe')
  expect(asked.length).toBe(6)
  server.results['resources/subscribe'] = {}
  await seconds(clock, 60)
  expect(updated).toEqual([{ uri: 'r://1' }])
})
