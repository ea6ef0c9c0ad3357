import { computed, shallowRef, type ComputedRef } from 'vue'

/** What a person has selected of a list, to do something with all of it. */
export interface Selection<T> {
  has: (item: T) => boolean
  /** With `range`, also all between it and the one that was selected last: they become what this one becomes. */
  toggle: (item: T, range?: boolean) => void
  /** All that is shown, or none if all were. */
  toggleAll: () => void
  clear: () => void
  /** What is selected and still shown, in the order of the list: nothing is done to what a filter hides. */
  readonly items: ComputedRef<T[]>
  readonly isAll: ComputedRef<boolean>
}

/** Replaced as a whole at each change: a reactive set would have an effect for each of thousands of rows. */
export function useSelection<T>(shown: () => readonly T[], keyOf: (item: T) => string): Selection<T> {
  const marked = shallowRef<ReadonlySet<string>>(new Set())
  let last: string | null = null
  const has = (item: T): boolean => marked.value.has(keyOf(item))
  const items = computed(() => (marked.value.size === 0 ? [] : shown().filter(has)))
  const isAll = computed(() => items.value.length > 0 && items.value.length === shown().length)

  function between(item: T): readonly T[] {
    const list = shown()
    const ends = [last, keyOf(item)].map((key) => list.findIndex((one) => keyOf(one) === key))
    return ends.includes(-1) ? [item] : list.slice(Math.min(...ends), Math.max(...ends) + 1)
  }

  return {
    has,
    items,
    isAll,
    toggle(item, range = false) {
      const on = !has(item)
      const next = new Set(marked.value)
      for (const one of range ? between(item) : [item]) {
        if (on) next.add(keyOf(one))
        else next.delete(keyOf(one))
      }
      last = keyOf(item)
      marked.value = next
    },
    toggleAll() {
      marked.value = new Set(isAll.value ? [] : shown().map(keyOf))
    },
    clear() {
      marked.value = new Set()
    },
  }
}
