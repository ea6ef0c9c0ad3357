import { useQuery } from '@tanstack/vue-query'
import { refDebounced } from '@vueuse/core'
import { computed, toRaw, watch, type ComputedRef } from 'vue'
import type { AddServer, FoundSecrets } from '../../../hub/contract/index.ts'
import { api } from '../../lib/api.ts'
import type { Query } from '../../lib/queries.ts'

/**
 * What saving an entry would move into the vault, a moment after each change of it; nothing while it cannot be saved. It is
 * pending until that is known of the entry as it is.
 */
export function useFoundSecrets(
  entry: () => AddServer | null,
): Query<FoundSecrets> & { readonly pending: ComputedRef<boolean> } {
  const wanted = computed(entry)
  const settled = refDebounced(wanted, 200)
  /** What was found for one entry stands while the next is asked for, but not when somebody comes back later with another. */
  let goesOn = false
  watch(settled, (now) => (goesOn &&= now !== null), { flush: 'sync' })
  const query = useQuery(
    computed(() => ({
      queryKey: ['found-secrets', settled.value],
      queryFn: async ({ signal }: { signal: AbortSignal }) => {
        const found = await api.findSecrets(settled.value as AddServer, signal)
        goesOn = true
        return found
      },
      enabled: settled.value !== null,
      // Another function for each entry: one that is the same is not asked again.
      placeholderData: (previous: FoundSecrets | undefined) => (goesOn ? previous : undefined),
      // The values are part of the key: they go with the form.
      gcTime: 0,
      staleTime: Infinity,
    })),
  )
  const pending = computed(() => toRaw(settled.value) !== toRaw(wanted.value) || query.isFetching.value)
  return { ...query, pending }
}
