import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createIdleMemory } from '../../hub/idle-memory.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

it('collects once there is nothing more to do', () => {
  const collect = vi.fn()
  const { worked } = createIdleMemory(collect)
  for (let batch = 0; batch < 10; batch++) {
    worked(1)
    vi.advanceTimersByTime(400)
  }
  expect(collect).not.toHaveBeenCalled()
  vi.advanceTimersByTime(400)
  expect(collect).toHaveBeenCalledTimes(1)
  vi.advanceTimersByTime(600_000)
  expect(collect).toHaveBeenCalledTimes(1)
})

it('collects at most once a minute, and then what came since', () => {
  const collect = vi.fn()
  const { worked } = createIdleMemory(collect)
  worked(1)
  vi.advanceTimersByTime(800)
  worked(1)
  vi.advanceTimersByTime(59_999)
  expect(collect).toHaveBeenCalledTimes(1)
  vi.advanceTimersByTime(1)
  expect(collect).toHaveBeenCalledTimes(2)
})

it('waits for a minute after many calls, whose compiled code may be wanted again', () => {
  const collect = vi.fn()
  const { worked } = createIdleMemory(collect)
  for (let batch = 0; batch < 10; batch++) worked(250)
  vi.advanceTimersByTime(59_999)
  expect(collect).not.toHaveBeenCalled()
  vi.advanceTimersByTime(1)
  expect(collect).toHaveBeenCalledTimes(1)
})

it('gives back what was left, where the collector is there', async () => {
  vi.useRealTimers()
  const program = `
    import { getHeapSpaceStatistics } from 'node:v8'
    import { createIdleMemory } from ${JSON.stringify(new URL('../../hub/idle-memory.ts', import.meta.url).href)}
    const young = () => getHeapSpaceStatistics().find((space) => space.space_name === 'new_space').physical_space_size
    let left = Array.from({ length: 200_000 }, (_, index) => 'text ' + index)
    left = null
    const before = young()
    const watch = setInterval(() => {
      if (young() < before / 2) clearInterval(watch)
    }, 10)
    createIdleMemory().worked(1)`
  // It ends when it has.
  const args = ['--expose-gc', '--input-type=module', '--eval', program]
  await expect(promisify(execFile)(process.execPath, args, { timeout: 20_000 })).resolves.toBeDefined()
})
