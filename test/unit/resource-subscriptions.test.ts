import { expect, it } from 'vitest'
import { McpError, rpc } from '../../hub/gateway/json-rpc.ts'
import { ResourceSubscriptions } from '../../hub/gateway/resource-subscriptions.ts'
import { Shares } from '../../hub/gateway/shares.ts'
import type { View, Viewer } from '../../hub/gateway/view.ts'
import type { Subscription } from '../../hub/upstream/subscriptions.ts'

const viewer: Viewer = {
  principal: 'person',
  capabilities: {},
  era: 'legacy',
  resident: { owner: 'session', client: null as never },
}

/** The subscriptions of one client to a server that refuses what is called so, and those that the server has. */
function subscriptions(max: number) {
  const made = new Set<Subscription>()
  const upstream = {
    name: 'one',
    subscribe: async (subscription: Subscription) => {
      await Promise.resolve()
      if (subscription.uri === 'refused') throw new McpError(rpc.invalidParams, 'refused')
      made.add(subscription)
    },
    unsubscribe: (subscription: Subscription) => made.delete(subscription),
  }
  const view = {
    upstreams: [upstream],
    route: (_method: string, params: unknown) => ({ upstream, params }),
  } as unknown as View
  const shares = new Shares(
    () => max,
    (taken) => `has ${taken}`,
  )
  const mine = new ResourceSubscriptions({
    view,
    client: () => ({ viewer, owner: 'session', wantsLogs: false }),
    take: () => shares.take('person'),
    tell: () => undefined,
  })
  return { mine, shares, made }
}

it('what a server refuses counts for nothing, and what is there already for one', async () => {
  const { mine } = subscriptions(1)
  await expect(mine.add('refused')).rejects.toThrow('refused')
  await mine.add('a')
  await mine.add('a')
  await expect(mine.add('b')).rejects.toMatchObject({ code: rpc.limitExceeded, message: 'has 1' })
  expect(mine.uris).toEqual(['a'])
})

it('one that its client ends while it is being made is ended at the server, and gives its place back once', async () => {
  const { mine, shares, made } = subscriptions(2)
  const adding = mine.add('a')
  mine.remove('a')
  mine.remove('a')
  await adding
  await Promise.resolve()
  expect(made.size).toBe(0)
  expect(() => shares.check('person', 2)).not.toThrow()
  expect(() => shares.check('person', 3)).toThrow('has 0')
})

it('all end with their client', async () => {
  const { mine, shares, made } = subscriptions(3)
  await Promise.all(['a', 'b', 'c'].map((uri) => mine.add(uri)))
  await mine.renew()
  expect(made.size).toBe(3)
  mine.close()
  await expect.poll(() => made.size).toBe(0)
  expect(() => shares.check('person', 3)).not.toThrow()
})
