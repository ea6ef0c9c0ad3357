import { computed, type WritableComputedRef } from 'vue'
import { useRoute, useRouter } from 'vue-router'

/** A part of the page's state that lives in its address; empty is not written. */
export function useQueryParam(name: string): WritableComputedRef<string> {
  const route = useRoute()
  const router = useRouter()
  return computed({
    get() {
      const value = route.query[name]
      return typeof value === 'string' ? value : ''
    },
    set(value) {
      const { [name]: old, ...rest } = route.query
      // It would undo a way to another page that has begun.
      if (value === (old ?? '')) return
      void router.replace({ query: value === '' ? rest : { ...rest, [name]: value }, hash: route.hash })
    },
  })
}
