import { onScopeDispose, ref, watch, type Ref, type WatchSource } from 'vue'

/** Turns true only when the source has been true for a while, so that quick answers show no skeleton. */
export function useDelayed(source: WatchSource<boolean>, ms = 150): Ref<boolean> {
  const delayed = ref(false)
  let timer: ReturnType<typeof setTimeout> | undefined
  watch(
    source,
    (value) => {
      clearTimeout(timer)
      if (!value) delayed.value = false
      else timer = setTimeout(() => (delayed.value = true), ms)
    },
    { immediate: true },
  )
  onScopeDispose(() => clearTimeout(timer))
  return delayed
}
