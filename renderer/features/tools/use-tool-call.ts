import { computed, onScopeDispose, shallowRef, type ComputedRef, type ShallowRef } from 'vue'
import type { CallToolResult } from '../../../hub/contract/index.ts'
import { api } from '../../lib/api.ts'
import { useClock } from '../../lib/clock.ts'
import type { JsonObject } from '../../lib/json.ts'
import { useLiveEvents } from '../../lib/live.ts'

export interface Progress {
  readonly progress: number
  readonly total: number | null
  readonly message: string | null
}

export type CallState =
  | { readonly kind: 'idle' }
  | { readonly kind: 'running'; readonly startedAt: number; readonly progress: Progress | null }
  | { readonly kind: 'canceled'; readonly afterMs: number }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'done'; readonly answer: CallToolResult }

export interface ToolCall {
  readonly state: ShallowRef<CallState>
  readonly elapsed: ComputedRef<number>
  run: (server: string, tool: string, args: JsonObject) => Promise<void>
  cancel: () => void
}

/** Calls a tool by hand, one call at a time. Ends with the component, so that no call outlives its page. */
export function useToolCall(): ToolCall {
  const state = shallowRef<CallState>({ kind: 'idle' })
  const now = useClock(100)
  let current: { id: string; abort: AbortController } | null = null

  useLiveEvents((event) => {
    if (event.type !== 'call.progress' || event.callId !== current?.id || state.value.kind !== 'running') return
    const { progress, total, message } = event
    state.value = { ...state.value, progress: { progress, total, message } }
  })

  function cancel(): void {
    if (current === null) return
    current.abort.abort()
    current = null
    if (state.value.kind === 'running') {
      state.value = { kind: 'canceled', afterMs: Date.now() - state.value.startedAt }
    }
  }
  onScopeDispose(cancel)

  return {
    state,
    elapsed: computed(() =>
      state.value.kind === 'running' ? Math.max(0, now.value.getTime() - state.value.startedAt) : 0,
    ),
    async run(server, tool, args) {
      cancel()
      const mine = { id: randomId(), abort: new AbortController() }
      current = mine
      state.value = { kind: 'running', startedAt: Date.now(), progress: null }
      try {
        const answer = await api.callTool({ server, tool, arguments: args, callId: mine.id }, mine.abort.signal)
        if (current === mine) state.value = { kind: 'done', answer }
      } catch (error) {
        if (current === mine) state.value = { kind: 'failed', error }
      } finally {
        if (current === mine) current = null
      }
    },
    cancel,
  }
}

/** `crypto.randomUUID` exists only in a secure context, which a hub on plain HTTP in a home network is not. */
function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
