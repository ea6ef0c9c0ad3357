import { MutationCache, QueryCache, QueryClient } from '@tanstack/vue-query'
import { ApiError } from './problem.ts'
import { keys } from './queries.ts'

export function createQueryClient(): QueryClient {
  // A session that ended shows at whatever was asked next; the answer to "who am I" decides where that leads.
  const onError = (error: Error): void => {
    if (error instanceof ApiError && error.code === 'HUB_UNAUTHENTICATED') {
      void client.invalidateQueries({ queryKey: keys.me })
    }
  }
  const client = new QueryClient({
    queryCache: new QueryCache({ onError }),
    mutationCache: new MutationCache({ onError }),
    defaultOptions: {
      queries: {
        // The event stream says when something changed.
        staleTime: Infinity,
        // An answer is replaced, never changed: each of 5,000 tools would get a proxy of its own.
        shallow: true,
        refetchOnWindowFocus: false,
        refetchOnReconnect: false,
        networkMode: 'always',
        // A refusal stays a refusal; a hub that is just starting answers in a moment.
        retry: (failures, error) => error instanceof ApiError && error.kind === 'unreachable' && failures < 2,
        retryDelay: 400,
      },
      mutations: { networkMode: 'always' },
    },
  })
  return client
}
