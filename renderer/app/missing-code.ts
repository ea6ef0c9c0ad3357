import { toast } from 'vue-sonner'
import type { Router } from 'vue-router'

type Text = 'app.outdated' | 'app.outdatedText' | 'app.reload'

/**
 * Says that code which the page loads when it is needed is not there, and offers to load the page anew, where one wanted to go:
 * after an upgrade the files of the version before are gone. Nothing is loaded anew unasked, for what is typed would be lost.
 */
export function tellMissingCode(router: Router, t: (key: Text) => string): void {
  const missing = new WeakSet<object>()
  function tell(path?: string): void {
    toast.error(t('app.outdated'), {
      id: 'outdated',
      description: t('app.outdatedText'),
      duration: Infinity,
      action: { label: t('app.reload'), onClick: () => location.assign(path ?? location.href) },
    })
  }
  window.addEventListener('vite:preloadError', ({ payload }) => {
    missing.add(payload)
    tell()
  })
  router.onError((error: unknown, to) => {
    // The first page is loaded before what shows this is there.
    if (error instanceof Error && missing.has(error)) setTimeout(tell, 0, to.fullPath)
  })
}
