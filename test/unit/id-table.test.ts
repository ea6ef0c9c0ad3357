import { describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { IdTable } from '../../hub/upstream/id-table.ts'

describe('the table of what is in flight', () => {
  it('holds what a Map would hold, the oldest first', () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.constant({ add: true, at: 0 }) },
      { weight: 2, arbitrary: fc.record({ add: fc.constant(false), at: fc.double({ min: 0, max: 1, noNaN: true }) }) },
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 2_000, size: 'max' }), (steps) => {
        const table = new IdTable<string>()
        const map = new Map<number, string>()
        let id = 0
        for (const { add, at } of steps) {
          if (add) {
            table.add(++id, `entry ${id}`)
            map.set(id, `entry ${id}`)
          } else {
            const gone = [...map.keys()][Math.floor(at * (map.size - 1))] ?? 0
            table.delete(gone)
            map.delete(gone)
          }
        }
        expect(table.size).toBe(map.size)
        expect(table.keys()).toEqual([...map.keys()])
        expect(table.values()).toEqual([...map.values()])
        for (let asked = 0; asked <= id + 1; asked++) expect(table.get(asked)).toBe(map.get(asked))
      }),
      { numRuns: 100 },
    )
  })

  it('keeps an entry that outlives thousands of others', () => {
    const table = new IdTable<string>()
    table.add(1, 'a subscription')
    for (let id = 2; id < 10_000; id++) {
      table.add(id, 'a call')
      table.delete(id)
    }
    expect(table.values()).toEqual(['a subscription'])
  })
})
