import { useQueryClient } from '@tanstack/vue-query'
import { useI18n } from 'vue-i18n'
import { toast } from 'vue-sonner'
import { api } from './api.ts'
import { endSession } from './ended-session.ts'
import { errorText } from './problem.ts'

/** Has the browser save something that the page holds. */
export function download(name: string, type: string, content: BlobPart): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([content], { type }))
  link.download = name
  link.click()
  URL.revokeObjectURL(link.href)
}

/**
 * Has the browser fetch an export with the session's cookie, and save it as it comes. The browser itself does not go on with a
 * session whose access token has ended, and tells only in its own bar that it was refused: so the page asks first.
 */
export function useSaveFrom(): (address: string) => Promise<void> {
  const client = useQueryClient()
  const { t } = useI18n()
  return async (address) => {
    try {
      const { user } = await api.me()
      if (user === null) {
        endSession(client)
        return
      }
    } catch (error) {
      toast.error(t('common.downloadFailed'), { description: errorText(error) })
      return
    }
    const link = document.createElement('a')
    link.href = address
    link.download = ''
    link.click()
  }
}
