import { useQueryClient } from '@tanstack/vue-query'
import { useI18n } from 'vue-i18n'
import { toast } from 'vue-sonner'
import { api } from '../lib/api.ts'
import { leaveSession, signOut } from '../lib/ended-session.ts'
import { errorText } from '../lib/problem.ts'

/** Ends the session; the page forgets what was read in it when the hub says that nobody is signed in. */
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
    await leaveSession(client)
  }
}
