import { expect, it } from 'vitest'
import type { Call } from '../../hub/gateway/call.ts'
import type { Reply } from '../../hub/gateway/json-rpc.ts'
import { createCallQueue } from '../../hub/upstream/call-queue.ts'
import { fakeClock } from '../fixtures/clock.ts'

/** A server that takes two calls at once, with room for two more to wait. */
function setUp() {
  const clock = fakeClock()
  const running: string[] = []
  const replies: Record<string, Reply> = {}
  const cancelled: string[] = []
  const queue = createCallQueue({
    server: 'busy',
    clock,
    limits: () => ({ maxConcurrentCalls: 2, maxQueuedCalls: 2, callTimeoutMs: 10_000 }),
    working: () => running.length,
  })
  const admit = (name: string) =>
    queue.admit({ finish: (reply: Reply) => (replies[name] = reply) } as unknown as Call, () => {
      running.push(name)
      return (why) => cancelled.push(`${name}: ${why}`)
    })
  const end = (name: string): void => {
    running.splice(running.indexOf(name), 1)
    queue.settled()
  }
  return { clock, running, replies, cancelled, queue, admit, end }
}

it('calls wait for their turn, in order', () => {
  const { running, admit, end } = setUp()
  for (const name of ['a', 'b', 'c', 'd']) admit(name)
  expect(running).toEqual(['a', 'b'])
  end('a')
  expect(running).toEqual(['b', 'c'])
  end('b')
  end('c')
  expect(running).toEqual(['d'])
})

it('a call that comes while others wait does not overtake them', () => {
  const { running, admit } = setUp()
  for (const name of ['a', 'b', 'c']) admit(name)
  running.length = 0
  admit('d')
  expect(running).toEqual([])
})

it('calls beyond the queue fail at once, naming both settings', () => {
  const { replies, admit } = setUp()
  for (const name of ['a', 'b', 'c', 'd', 'e']) admit(name)
  expect(Object.keys(replies)).toEqual(['e'])
  expect(replies['e']?.message.error).toMatchObject({
    code: -31003,
    message:
      'Server busy has 2 calls in flight and 2 waiting (hub.maxConcurrentCalls, hub.maxQueuedCalls; limits.maxCallsPerServer, limits.maxQueuedCallsPerServer)',
  })
})

it('a call that is cancelled while it waits is never sent, and later is cancelled at the server', () => {
  const { running, cancelled, admit, end } = setUp()
  admit('a')
  admit('b')
  const cancelC = admit('c')
  const cancelD = admit('d')
  cancelC('gone')
  end('a')
  expect(running).toEqual(['b', 'd'])
  cancelD('gone')
  expect(cancelled).toEqual(['d: gone'])
})

it('a call does not wait for longer than a call may take', () => {
  const { clock, running, replies, admit } = setUp()
  for (const name of ['a', 'b', 'c']) admit(name)
  clock.advance(9_000)
  expect(replies).toEqual({})
  clock.advance(3_000)
  expect(replies['c']?.message.error?.message).toContain('was busy with 2 other calls')
  expect(running).toEqual(['a', 'b'])
})

it('when the server goes away every call that waits decides anew', () => {
  const { running, queue, admit } = setUp()
  for (const name of ['a', 'b', 'c', 'd']) admit(name)
  queue.flush()
  expect(running).toEqual(['a', 'b', 'c', 'd'])
})

it('a call that cannot be written when its turn comes fails, and the next one goes', () => {
  const { running, replies, queue, admit, end } = setUp()
  for (const name of ['a', 'b']) admit(name)
  queue.admit({ finish: (reply: Reply) => (replies['c'] = reply) } as unknown as Call, () => {
    throw new RangeError('Maximum call stack size exceeded')
  })
  admit('d')
  end('a')
  expect(replies['c']?.message.error?.message).toContain('call stack')
  expect(running).toEqual(['b', 'd'])
})
