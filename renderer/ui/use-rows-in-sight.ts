import { useResizeObserver } from '@vueuse/core'
import { computed, onMounted, shallowRef, type ComputedRef, type ShallowRef } from 'vue'

/** So many rows go in and out at once, and stand ready on either side. */
const STEP = 4

export interface RowsInSight {
  /** Of the rows that are to exist. */
  readonly first: ComputedRef<number>
  readonly end: ComputedRef<number>
  /** To be called when it was scrolled. */
  look: () => void
  /** Scrolls no further than it must. */
  bringInto: (index: number) => void
}

/** Which rows of a list are in sight of what scrolls them. They have one height, so that it takes no more than a division. */
export function useRowsInSight(options: {
  scroller: Readonly<ShallowRef<HTMLElement | null>>
  count: () => number
  rowHeight: () => number
  /** What stays at the top, over the rows. */
  headHeight: () => number
}): RowsInSight {
  const { scroller, count, rowHeight, headHeight } = options
  const height = shallowRef(0)
  /** The first in sight, to the step. */
  const at = shallowRef(0)
  /** Rows that stand ready: at first only one, so that the list is there sooner. */
  const ready = shallowRef(1)

  function look(): void {
    const top = scroller.value?.scrollTop ?? 0
    ready.value = 2 * STEP
    at.value = Math.floor(top / rowHeight() / STEP) * STEP
  }
  function measure(): void {
    height.value = scroller.value?.clientHeight ?? 0
  }
  onMounted(measure)
  useResizeObserver(scroller, measure)

  const visible = computed(() => Math.ceil(height.value / rowHeight()))
  const start = computed(() => Math.max(0, Math.min(at.value, count() - visible.value)))
  return {
    first: computed(() => Math.max(0, start.value - STEP)),
    end: computed(() => Math.min(count(), start.value + visible.value + ready.value)),
    look,
    bringInto(index) {
      const element = scroller.value
      if (element === null) return
      const top = index * rowHeight()
      const least = top + rowHeight() + headHeight() - element.clientHeight
      if (element.scrollTop > top) element.scrollTop = top
      else if (element.scrollTop < least) element.scrollTop = least
      look()
    },
  }
}
