import { useQueryClient } from '@tanstack/vue-query'
import { forgetDrafts } from '../features/tools/argument-drafts.ts'
import { api } from '../lib/api.ts'
import { announceSignOut, leaveSession } from '../lib/ended-session.ts'
import { keys } from '../lib/queries.ts'

/** Ends the session and forgets everything that was read in it. */
export function useLogout(): () => Promise<void> {
  const client = useQueryClient()
  return async () => {
    announceSignOut()
    await api.logout()
    forgetDrafts()
    await leaveSession(client)
    client.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== keys.me[0] })
  }
}
