import { computed, nextTick, onMounted, onUnmounted, ref, type ComputedRef, type ShallowRef } from 'vue'
import { useRouter } from 'vue-router'
import { focusTargets } from '../lib/focus-targets.ts'

export interface ActiveItem<T> {
  readonly activeIndex: ComputedRef<number>
  onKeydown: (event: KeyboardEvent) => void
  onClick: (event: MouseEvent) => void
  /** Something of the item has the focus. */
  onFocus: (item: T) => void
}

/**
 * Of a list of which only what is in sight exists, the one item that has the focus: keys move it, Enter opens it, Space selects it.
 * Each item's element has its index as `data-index`.
 */
export function useActiveItem<T>(options: {
  scroller: Readonly<ShallowRef<HTMLElement | null>>
  items: () => readonly T[]
  itemKey: (item: T) => string
  /** Where keys lead from an item; beyond the ends there are the ends. */
  moves: Readonly<Record<string, (index: number) => number>>
  bringInto: (index: number) => void
  open: (item: T) => void
  /** With Shift, from the one before to this. */
  toggle: (item: T, range: boolean) => void
}): ActiveItem<T> {
  const { scroller, items, itemKey, moves, bringInto, open, toggle } = options
  const activeKey = ref<string | null>(null)
  const activeIndex = computed(() => {
    if (activeKey.value === null) return 0
    const index = items().findIndex((item) => itemKey(item) === activeKey.value)
    return index === -1 ? 0 : index
  })

  async function moveTo(index: number): Promise<void> {
    const target = Math.max(0, Math.min(items().length - 1, index))
    const item = items()[target]
    if (item === undefined) return
    activeKey.value = itemKey(item)
    bringInto(target)
    await nextTick()
    scroller.value?.querySelector<HTMLElement>(`[data-index="${target}"]`)?.focus({ preventScroll: true })
  }

  const focusList = (): void => void moveTo(activeIndex.value)
  onMounted(() => focusTargets.list.add(focusList))
  onUnmounted(() => focusTargets.list.delete(focusList))
  const router = useRouter()

  return {
    activeIndex,
    onKeydown(event) {
      if (event.ctrlKey || event.metaKey || event.altKey) return
      const onItem = (event.target as HTMLElement).dataset['index'] !== undefined
      const item = items()[activeIndex.value]
      const move = moves[event.key]
      if (move !== undefined) void moveTo(move(activeIndex.value))
      else if (onItem && item !== undefined && event.key === 'Enter') open(item)
      else if (onItem && item !== undefined && event.key === ' ') toggle(item, event.shiftKey)
      else return
      event.preventDefault()
    },
    /** A plain press of a link to another page; a RouterLink has taken it before. */
    onClick(event) {
      const link = (event.target as Element).closest('a')
      if (link === null || event.defaultPrevented || link.target !== '' || link.origin !== location.origin) return
      if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return
      event.preventDefault()
      void router.push(link.pathname + link.search + link.hash)
    },
    onFocus(item) {
      activeKey.value = itemKey(item)
    },
  }
}
