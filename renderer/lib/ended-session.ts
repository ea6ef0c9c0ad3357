import type { QueryClient } from '@tanstack/vue-query'
import { shallowRef } from 'vue'
import type { Me } from '../../hub/contract/index.ts'
import { keys } from './queries.ts'

/** Whether the session ran out under a page that somebody works on: it stays as it is until they signed in again, or leave. */
export const sessionEnded = shallowRef(false)

/** Other tabs of the same browser: a sign-out in one is meant for all. */
const tabs = new BroadcastChannel('mcp-hub-sign-out')
let meant = false
tabs.onmessage = () => (meant = true)

/** Called before a person signs out: the end of this session takes nobody by surprise. */
export function announceSignOut(): void {
  meant = true
  tabs.postMessage(null)
}

/** For whoever is told that there is no session any more. */
export function endSession(client: QueryClient): void {
  const me = client.getQueryData<Me>(keys.me)
  // In the app nobody signs in: main gives the page another token.
  if (me?.mode === 'server' && me.user !== null && !meant) sessionEnded.value = true
  else void leaveSession(client)
}

/** The hub says who asks now, and that decides which door is shown. */
export async function leaveSession(client: QueryClient): Promise<void> {
  sessionEnded.value = false
  await client.invalidateQueries({ queryKey: keys.me })
}

/** Somebody signed in, or nobody is signed in any more. */
export function forgetEnd(): void {
  meant = false
  sessionEnded.value = false
}

/** After a sign-in over the page: what was refused meanwhile is asked for again, and nothing else. */
export async function resumeSession(client: QueryClient): Promise<void> {
  forgetEnd()
  await client.refetchQueries({
    predicate: ({ queryKey, state }) => queryKey[0] === keys.me[0] || state.status === 'error',
  })
}
