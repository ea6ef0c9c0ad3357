import { useIntervalFn, useNow } from '@vueuse/core'
import type { ShallowRef } from 'vue'

/** The time, as often as it is asked for. */
export function useClock(intervalMs: number): ShallowRef<Date> {
  return useNow({ scheduler: (tick) => useIntervalFn(tick, intervalMs) })
}
