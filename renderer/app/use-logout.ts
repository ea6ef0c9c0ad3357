import { useQueryClient } from '@tanstack/vue-query'
import { useI18n } from 'vue-i18n'
import { toast } from 'vue-sonner'
import { forgetDrafts } from '../features/tools/argument-drafts.ts'
import { api } from '../lib/api.ts'
import { leaveSession, signOut } from '../lib/ended-session.ts'
import { errorText } from '../lib/problem.ts'
import { keys } from '../lib/queries.ts'

/** Ends the session and forgets everything that was read in it. */
export function useLogout(): () => Promise<void> {
  const client = useQueryClient()
  const { t } = useI18n()
  return async () => {
    try {
      await signOut(api.logout)
    } catch (error) {
      toast.error(t('login.signOutFailed'), { description: errorText(error) })
      return
    }
    forgetDrafts()
    await leaveSession(client)
    client.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== keys.me[0] })
  }
}
