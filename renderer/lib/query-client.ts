import { QueryClient } from '@tanstack/vue-query'
import { onPasswordChangeNeeded, onSessionEnd } from './client.ts'
import { endSession } from './ended-session.ts'
import { ApiError } from './problem.ts'
import { keys } from './queries.ts'

/** What stands before a hub answers while that one starts, or it itself while it ends. */
const RESTARTING: readonly number[] = [502, 503, 504]

/** Whether nothing answered that knows better: in a moment it may. */
export const isAway = (error: unknown): boolean =>
  error instanceof ApiError && (error.kind === 'unreachable' || RESTARTING.includes(error.status))

export function createQueryClient(): QueryClient {
  const client = new QueryClient({
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
        retry: (failures, error) => isAway(error) && failures < 2,
        retryDelay: 400,
      },
      mutations: { networkMode: 'always' },
    },
  })
  // A session that ended shows at whatever was asked next.
  onSessionEnd(() => endSession(client))
  // Who is asked to change it cannot go on before: the page finds out by asking anew who is signed in.
  onPasswordChangeNeeded(() => void client.refetchQueries({ queryKey: keys.me }, { cancelRefetch: false }))
  return client
}
