import { toast } from 'vue-sonner'
import type { Router } from 'vue-router'

type Text = 'app.outdated' | 'app.outdatedText' | 'app.reload'

const missing = new WeakSet<object>()
/** Of code that nobody has asked for yet. */
const untold = new WeakSet<object>()

/** Whether `error` says that code could not be loaded, which is told already. */
export function isMissingCode(error: unknown): boolean {
  return error instanceof Error && missing.has(error)
}

/** For code that is loaded ahead: whoever then goes where it is needed is told, and nobody else. */
export function leaveUntold(error: unknown): void {
  if (error instanceof Error) untold.add(error)
}

/**
 * Says that code which the page loads when it is needed is not there, and offers to load the page anew, where one wanted to go:
 * after an upgrade the files of the version before are gone. Nothing is loaded anew unasked, for what is typed would be lost.
 */
export function tellMissingCode(router: Router, t: (key: Text) => string): void {
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
    // Who loads it hears of it after this.
    setTimeout(() => {
      if (!untold.has(payload)) tell()
    })
  })
  router.onError((error: unknown, to) => {
    // The first page is loaded before what shows this is there.
    if (isMissingCode(error)) setTimeout(tell, 0, to.fullPath)
  })
  // The hub may only have been starting: what is there by now is not told as missing any longer.
  router.afterEach((to, from, failure) => {
    if (failure === undefined && to.path !== from.path) toast.dismiss('outdated')
  })
}
