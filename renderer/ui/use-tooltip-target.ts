import { useEventListener } from '@vueuse/core'
import { onScopeDispose, shallowRef, type ShallowRef } from 'vue'

const DELAY_MS = 400
/** Who has just read one and points at the next does not wait again. */
const STILL_READING_MS = 300
/** Time to move the pointer over the gap and onto the tooltip. */
const LEAVE_MS = 120

/**
 * What the tooltip is shown of: the element with `data-tooltip` that the pointer rests on, or that got the focus by the keyboard.
 * One set of listeners for the page, so that it costs nothing to have many of them.
 */
export function useTooltipTarget(tooltip: ShallowRef<HTMLElement | null>): ShallowRef<HTMLElement | null> {
  const shown = shallowRef<HTMLElement | null>(null)
  let pointedAt: HTMLElement | null = null
  /** Pressed or put away: not shown again before the pointer has left it. */
  let done: HTMLElement | null = null
  let closedAt = -STILL_READING_MS
  let timer: ReturnType<typeof setTimeout> | undefined

  const after = (ms: number, act: () => void): void => {
    clearTimeout(timer)
    timer = setTimeout(act, ms)
  }
  function show(target: HTMLElement): void {
    clearTimeout(timer)
    shown.value = target
  }
  function close(): void {
    clearTimeout(timer)
    if (shown.value === null) return
    shown.value = null
    closedAt = performance.now()
  }
  function putAway(): void {
    done = pointedAt
    close()
  }
  const targetOf = ({ target }: Event): HTMLElement | null =>
    target instanceof Element ? target.closest<HTMLElement>('[data-tooltip]') : null

  function onPointerOver(event: PointerEvent): void {
    if (event.pointerType === 'touch') return
    const target = targetOf(event)
    if (target !== done) done = null
    pointedAt = target
    if (target === null) {
      if (shown.value === null) clearTimeout(timer)
      else if (tooltip.value?.contains(event.target as Node) === true) clearTimeout(timer)
      else after(LEAVE_MS, close)
    } else if (target === shown.value) clearTimeout(timer)
    else if (target !== done) {
      const reading = shown.value !== null || performance.now() - closedAt < STILL_READING_MS
      close()
      if (reading) show(target)
      else after(DELAY_MS, () => show(target))
    }
  }

  function onFocusIn(event: FocusEvent): void {
    const target = targetOf(event)
    if (target !== null && target === event.target && target.matches(':focus-visible')) show(target)
  }

  /** Before anybody else: it is the topmost thing that Escape closes, and the only one. */
  function onKeydown(event: KeyboardEvent): void {
    if (event.key !== 'Escape' || shown.value === null) return
    putAway()
    event.stopPropagation()
  }

  const capture = { capture: true, passive: true }
  useEventListener(document, 'pointerover', onPointerOver, capture)
  useEventListener(document, 'pointerleave', close, capture)
  useEventListener(document, 'focusin', onFocusIn, capture)
  useEventListener(document, ['focusout', 'pointerdown', 'click'], putAway, capture)
  useEventListener(document, 'keydown', onKeydown, { capture: true })
  useEventListener(
    document,
    'scroll',
    ({ target }) => {
      if (shown.value !== null && target instanceof Node && target.contains(shown.value)) close()
    },
    capture,
  )
  onScopeDispose(close)
  return shown
}
