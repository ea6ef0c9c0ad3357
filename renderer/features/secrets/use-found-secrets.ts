import { keepPreviousData, useQuery } from '@tanstack/vue-query'
import { refDebounced } from '@vueuse/core'
import { computed } from 'vue'
import type { AddServer, FoundSecrets } from '../../../hub/contract/index.ts'
import { api } from '../../lib/api.ts'
import type { Query } from '../../lib/queries.ts'

/** What saving an entry would move into the vault, a moment after each change of it; nothing while it cannot be saved. */
export function useFoundSecrets(entry: () => AddServer | null): Query<FoundSecrets> {
  const settled = refDebounced(computed(entry), 200)
  return useQuery({
    queryKey: computed(() => ['found-secrets', settled.value]),
    queryFn: ({ signal }) => api.findSecrets(settled.value as AddServer, signal),
    enabled: () => settled.value !== null,
    placeholderData: keepPreviousData,
    // The values are part of the key: they go with the form.
    gcTime: 0,
    staleTime: Infinity,
  })
}
