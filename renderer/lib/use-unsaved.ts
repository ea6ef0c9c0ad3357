import { onScopeDispose, watch } from 'vue'
import { onBeforeRouteLeave, type RouteLocationNormalized } from 'vue-router'

/** Keeps a person from losing edits by a way to another page, a reload or a closed tab: it asks first. */
export function useUnsaved(
  dirty: () => boolean,
  question: () => string,
  /** Ways that lose nothing. */
  keeps: (to: RouteLocationNormalized) => boolean = () => false,
): void {
  // Who is led to a door has no session any more that could keep them; only where a password is too old there is one.
  const signedOut = (to: RouteLocationNormalized): boolean => to.meta.public === true && to.name !== 'password'
  onBeforeRouteLeave((to) => signedOut(to) || keeps(to) || !dirty() || window.confirm(question()))
  const ask = (event: BeforeUnloadEvent): void => event.preventDefault()
  const release = (): void => window.removeEventListener('beforeunload', ask)
  // Only while there is something to lose: a page that listens is not kept for the way back.
  watch(dirty, (on) => (on ? window.addEventListener('beforeunload', ask) : release()), { immediate: true })
  onScopeDispose(release)
}
