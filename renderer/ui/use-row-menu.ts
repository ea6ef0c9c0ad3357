import { computed, ref, shallowRef, useId, type ComputedRef, type Ref, type ShallowRef } from 'vue'

/** One menu for all rows of a list, which the button of a row opens for its own. */
export interface RowMenu<T> {
  readonly id: string
  readonly open: Ref<boolean>
  /** What it was opened for last, and by which button; with the keyboard, the first item has the focus. */
  readonly opened: Readonly<ShallowRef<{ item: T; opener: HTMLElement; byKeyboard: boolean } | null>>
  /** Null while it is closed. */
  readonly openFor: ComputedRef<T | null>
  onClick: (event: MouseEvent, item: T) => void
  onKeydown: (event: KeyboardEvent, item: T) => void
  /** The button of the row is gone. */
  onGone: (item: T) => void
}

export function useRowMenu<T>(): RowMenu<T> {
  const open = ref(false)
  const opened = shallowRef<{ item: T; opener: HTMLElement; byKeyboard: boolean } | null>(null)
  const openFor = computed(() => (open.value && opened.value !== null ? opened.value.item : null))

  function show(event: Event, item: T, byKeyboard: boolean): void {
    opened.value = { item, opener: event.currentTarget as HTMLElement, byKeyboard }
    open.value = true
  }
  return {
    id: useId(),
    open,
    opened,
    openFor,
    /** Enter and Space are clicks of no pointer. */
    onClick(event, item) {
      if (openFor.value === item) open.value = false
      else show(event, item, event.detail === 0)
    },
    onKeydown(event, item) {
      if (event.key !== 'ArrowDown') return
      event.preventDefault()
      event.stopPropagation()
      show(event, item, true)
    },
    onGone(item) {
      if (openFor.value === item) open.value = false
    },
  }
}
