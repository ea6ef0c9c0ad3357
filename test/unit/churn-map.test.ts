import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ChurnMap } from '../../hub/churn-map.ts'

it('holds what a Map holds, in the same order', () => {
  const steps = fc.array(fc.record({ adds: fc.boolean(), key: fc.nat(40) }), { maxLength: 2_000, size: 'max' })
  fc.assert(
    fc.property(steps, (all) => {
      const tested = new ChurnMap<number, number>()
      const model = new Map<number, number>()
      for (const [at, { adds, key }] of all.entries()) {
        if (adds) {
          tested.set(key, at)
          model.set(key, at)
        } else {
          tested.delete(key)
          model.delete(key)
        }
        expect([tested.size, tested.has(key), tested.get(key)]).toEqual([model.size, model.has(key), model.get(key)])
      }
      expect(tested.entries()).toEqual([...model])
    }),
    { numRuns: 20 },
  )
})

/** Bytes that survive although nothing but what is in flight is wanted, once the map itself has become old. */
function leftBehind(map: Map<number, number[]> | ChurnMap<number, number[]>): number {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as NodeJS.GCFunction
  const inFlight = 16
  let next = 0
  const pass = (calls: number): void => {
    for (const end = next + calls; next < end; next++) {
      map.set(next, new Array<number>(100).fill(next))
      map.delete(next - inFlight)
    }
  }
  pass(inFlight)
  gc()
  const before = process.memoryUsage().heapUsed
  for (let round = 0; round < 20; round++) {
    pass(500)
    gc({ type: 'minor' })
  }
  return process.memoryUsage().heapUsed - before
}

it('leaves little behind that only a full collection finds, unlike a Map', () => {
  // In this order: V8 learns from the second to put the values among the old ones at once.
  expect(leftBehind(new ChurnMap())).toBeLessThan(500_000)
  expect(leftBehind(new Map())).toBeGreaterThan(1_000_000)
})
