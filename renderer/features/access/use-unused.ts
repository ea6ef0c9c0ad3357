import { useQuery } from '@tanstack/vue-query'
import { computed, type ComputedRef } from 'vue'
import { useSession } from '../../lib/session.ts'
import { accessApi, accessKeys } from './access-api.ts'

/** Ids of the users or keys that nobody used for the hub's usual number of days; none for who may not see all of them. */
export function useUnused(kind: 'user' | 'key'): ComputedRef<ReadonlySet<string>> {
  const { may } = useSession()
  const query = useQuery({
    queryKey: accessKeys.unused,
    queryFn: ({ signal }) => accessApi.unused(signal),
    // Each use changes it, and no event says so.
    staleTime: 0,
    enabled: () => may('keys:manage'),
  })
  return computed(() => new Set(query.data.value?.filter((grant) => grant.kind === kind).map(({ id }) => id)))
}
