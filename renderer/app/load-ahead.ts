import { loadRouteLocation, type Router } from 'vue-router'
import { leaveUntold } from '../lib/missing-code.ts'

/**
 * Loads the code of the page that a link leads to as soon as somebody points at the link or moves the focus to it, so that
 * pressing it only has to show the page. What it shows is asked for when it is there, as before.
 */
export function loadAhead(router: Router, root: Document): void {
  let last: HTMLAnchorElement | null = null
  function onAim({ target }: Event): void {
    const link = target instanceof Element ? target.closest('a') : null
    if (link === null || link === last) return
    last = link
    if (link.origin !== root.location.origin || link.target !== '') return
    loadRouteLocation(router.resolve(link.pathname)).catch(leaveUntold)
  }
  const options = { capture: true, passive: true }
  root.addEventListener('pointerover', onAim, options)
  root.addEventListener('focusin', onAim, options)
}
