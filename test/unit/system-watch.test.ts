import { expect, it } from 'vitest'
import { createSystemWatch } from '../../hub/upstream/system-watch.ts'
import { fakeClock } from '../fixtures/clock.ts'

function setUp() {
  let offset = 0
  const clock = fakeClock()
  const state = { addresses: '10.0.0.1/24', changes: 0 }
  const watch = createSystemWatch({
    // The wall clock runs on while timers stand still.
    clock: { ...clock, now: () => clock.now() + offset },
    addresses: () => state.addresses,
    onChange: () => state.changes++,
  })
  return { clock, state, watch, sleep: (ms: number) => (offset += ms) }
}

it('a quiet machine changes nothing', () => {
  const { clock, state } = setUp()
  clock.advance(600_000)
  expect(state.changes).toBe(0)
})

it('a sleep is noticed at the next tick, and looked at again while the network comes back', () => {
  const { clock, state, sleep } = setUp()
  clock.advance(60_000)
  sleep(8 * 3_600_000)
  clock.advance(5_000)
  expect(state.changes).toBe(1)
  clock.advance(60_000)
  expect(state.changes).toBe(3)
})

it('another network is noticed', () => {
  const { clock, state } = setUp()
  state.addresses = '192.168.1.7/24'
  clock.advance(5_000)
  expect(state.changes).toBe(1)
})

it('nothing is looked at after the end', () => {
  const { clock, state, watch } = setUp()
  watch.dispose()
  state.addresses = ''
  clock.advance(60_000)
  expect(state.changes).toBe(0)
  expect(clock.pending).toBe(0)
})
