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

it('leaves Node’s ticks as fast as they were', async () => {
  vi.useRealTimers()
  const program = `
    import { PerformanceObserver, constants } from 'node:perf_hooks'
    import { createIdleMemory } from ${JSON.stringify(new URL('../../hub/idle-memory.ts', import.meta.url).href)}
    const none = () => undefined
    async function cpuOfTicks() {
      let least = Infinity
      for (let round = 0; round < 60; round++) {
        await new Promise(setImmediate)
        const before = process.cpuUsage()
        for (let tick = 0; tick < 2_000; tick++) process.nextTick(none, tick)
        await new Promise((resolve) => process.nextTick(resolve))
        const { user, system } = process.cpuUsage(before)
        least = Math.min(least, user + system)
      }
      return least
    }
    const before = await cpuOfTicks()
    const alive = setInterval(none, 1_000)
    await new Promise((resolve) => {
      const observer = new PerformanceObserver((list) => {
        if (list.getEntries().some(({ detail }) => detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR)) resolve()
      })
      observer.observe({ entryTypes: ['gc'] })
      createIdleMemory().worked(1)
    })
    clearInterval(alive)
    console.log((await cpuOfTicks()) / before)`
  const args = ['--expose-gc', '--input-type=module', '--eval', program]
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 20_000 })
  // Four times as dear where the collection threw away what V8 knew of them.
  expect(Number(stdout)).toBeLessThan(2)
})
