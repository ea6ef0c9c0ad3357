import type { QueryClient } from '@tanstack/vue-query'
import { shallowRef } from 'vue'
import type { Me } from '../../hub/contract/index.ts'
import { keys } from './queries.ts'

/** Whether the session ran out under a page that somebody works on: it stays as it is until they signed in again, or leave. */
export const sessionEnded = shallowRef(false)

/** Other tabs of the same browser: a sign-out in one is meant for all. */
const tabs = new BroadcastChannel('mcp-hub-sign-out')
let meant = false
/** While the hub is asked who is signed in now; until it says so, more requests may be refused. */
let leaving: Promise<void> | null = null
tabs.onmessage = ({ data }) => (meant = data === true)

function announce(signsOut: boolean): void {
  meant = signsOut
  tabs.postMessage(signsOut)
}

/** Ends the session as a person asked: it takes nobody by surprise, here and in the other tabs. */
export async function signOut(logout: () => Promise<void>): Promise<void> {
  announce(true)
  try {
    await logout()
  } catch (error) {
    announce(false)
    throw error
  }
}

/** For whoever is told that there is no session any more. */
export function endSession(client: QueryClient): void {
  const me = client.getQueryData<Me>(keys.me)
  // In the app nobody signs in: main gives the page another token.
  if (me?.mode === 'server' && me.user !== null && !meant && leaving === null) sessionEnded.value = true
  else void leaveSession(client)
}

/** The hub says who asks now, and that decides which door is shown. */
export function leaveSession(client: QueryClient): Promise<void> {
  sessionEnded.value = false
  leaving ??= client.invalidateQueries({ queryKey: keys.me }).finally(() => (leaving = null))
  return leaving
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
