import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createIdleMemory } from '../../hub/idle-memory.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

it('collects once there is nothing more to do', () => {
  const collect = vi.fn()
  const { worked } = createIdleMemory(collect)
  for (let batch = 0; batch < 10; batch++) {
    worked()
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
  worked()
  vi.advanceTimersByTime(800)
  worked()
  vi.advanceTimersByTime(59_999)
  expect(collect).toHaveBeenCalledTimes(1)
  vi.advanceTimersByTime(1)
  expect(collect).toHaveBeenCalledTimes(2)
})

it('gives back what was left', () => {
  const young = (): number => v8Space('new_space')
  let kept: string[] | null = Array.from({ length: 200_000 }, (_, index) => `text ${index}`)
  expect(kept).toHaveLength(200_000)
  kept = null
  const before = young()
  createIdleMemory().worked()
  vi.advanceTimersByTime(800)
  expect(young()).toBeLessThan(before)
})

function v8Space(name: string): number {
  const spaces = process.getBuiltinModule('node:v8').getHeapSpaceStatistics()
  return spaces.find(({ space_name }) => space_name === name)?.physical_space_size ?? 0
}
