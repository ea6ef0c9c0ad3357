import { useQuery } from '@tanstack/vue-query'
import type { Secrets } from '../../../hub/contract/index.ts'
import { api } from '../../lib/api.ts'
import type { Query } from '../../lib/queries.ts'
import { useSession } from '../../lib/session.ts'

export const secretsKey = ['secrets'] as const

/** Only administrators may know which secrets there are. */
export function useSecrets(): Query<Secrets> {
  const { canManage } = useSession()
  return useQuery({
    queryKey: secretsKey,
    queryFn: ({ signal }) => api.secrets(signal),
    enabled: canManage,
    // Servers bring secrets with them, use others, and no event says so.
    staleTime: 0,
  })
}
