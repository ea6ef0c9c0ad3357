import { describe, expect, it } from 'vitest'
import { shallowRef } from 'vue'
import { useSelection } from '../../renderer/lib/use-selection.ts'

const list = shallowRef(['a', 'b', 'c', 'd', 'e'])
const selection = () => useSelection(() => list.value, String)

describe('a selection', () => {
  it('takes a range from the one that was selected last, in either direction, and gives it back', () => {
    const { toggle, items } = selection()
    toggle('d')
    toggle('b', true)
    expect(items.value).toEqual(['b', 'c', 'd'])
    toggle('c', true)
    expect(items.value).toEqual(['d'])
  })

  it('is of what is shown: what a filter hides is not in it, and comes back with it', () => {
    const { toggleAll, items, isAll } = selection()
    toggleAll()
    list.value = ['b', 'c']
    expect([items.value, isAll.value]).toEqual([['b', 'c'], true])
    list.value = ['a', 'b', 'c', 'd', 'e', 'f']
    expect([items.value.length, isAll.value]).toEqual([5, false])
    toggleAll()
    expect(isAll.value).toBe(true)
    toggleAll()
    expect(items.value).toEqual([])
  })

  it('is one alone where the last one is not shown any more', () => {
    list.value = ['a', 'b', 'c']
    const { toggle, items } = selection()
    toggle('a')
    list.value = ['b', 'c']
    toggle('c', true)
    expect(items.value).toEqual(['c'])
  })
})
