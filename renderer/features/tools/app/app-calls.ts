import { ProtocolError, type CallToolResult, type ReadResourceResult } from '@modelcontextprotocol/client'
import { shallowRef, type ShallowRef } from 'vue'
import type { CallResult, ListedTool, ToolEntry } from '../../../../hub/contract/index.ts'
import { api } from '../../../lib/api.ts'
import type { JsonObject } from '../../../lib/json.ts'
import { webAddress } from '../result/content.ts'
import { MAX_CALLS, MAX_QUESTIONS } from './app-limits.ts'

/** What an app may not do without the person. */
export type AppQuestion =
  | { readonly id: number; readonly kind: 'call'; readonly tool: ToolEntry; readonly args: JsonObject }
  | { readonly id: number; readonly kind: 'link'; readonly url: string }
type Asked =
  | { readonly kind: 'call'; readonly tool: ToolEntry; readonly args: JsonObject }
  | { readonly kind: 'link'; readonly url: string }

/** As JSON-RPC and MCP have them. */
const INVALID_PARAMS = -32602
const REFUSED = -32000

export interface AppCalls {
  /** What the person is asked, the oldest first. */
  readonly questions: Readonly<ShallowRef<readonly AppQuestion[]>>
  answer: (id: number, yes: boolean) => void
  callTool: (name: string, args: JsonObject, signal: AbortSignal) => Promise<CallToolResult>
  readResource: (uri: string, signal: AbortSignal) => Promise<ReadResourceResult>
  /** Whether the person opens it. */
  openLink: (url: string, signal: AbortSignal) => Promise<boolean>
  /** Refuses what is asked and ends what runs. */
  stop: () => void
}

/**
 * What an app may have: tools of its own server that are visible to apps, and its resources. A tool that does not say that it only
 * reads, and every link, is asked of the person. All of it goes through the API as calls by hand do, and into the history.
 */
export function createAppCalls(server: string, tools: () => readonly ListedTool[]): AppCalls {
  const questions = shallowRef<readonly AppQuestion[]>([])
  const waiting = new Map<number, (yes: boolean) => void>()
  const stopped = new AbortController()
  let asked = 0
  let running = 0

  function answer(id: number, yes: boolean): void {
    questions.value = questions.value.filter((question) => question.id !== id)
    waiting.get(id)?.(yes)
    waiting.delete(id)
  }

  function ask(question: Asked, signal: AbortSignal): Promise<boolean> {
    if (questions.value.length >= MAX_QUESTIONS)
      throw new ProtocolError(REFUSED, `The person is asked ${MAX_QUESTIONS} things already`)
    if (signal.aborted || stopped.signal.aborted) return Promise.resolve(false)
    const id = ++asked
    questions.value = [...questions.value, { ...question, id }]
    signal.addEventListener('abort', () => answer(id, false), { once: true })
    return new Promise((resolve) => waiting.set(id, resolve))
  }

  async function run(signal: AbortSignal, start: (signal: AbortSignal) => Promise<CallResult>): Promise<unknown> {
    if (running >= MAX_CALLS) throw new ProtocolError(REFUSED, `${MAX_CALLS} calls of this app run already`)
    running++
    try {
      const { result, error } = await start(AbortSignal.any([signal, stopped.signal]))
      if (error !== null) throw new ProtocolError(error.code, error.message, error.data)
      return result
    } finally {
      running--
    }
  }

  return {
    questions,
    answer,
    callTool: async (name, args, signal) => {
      const tool = tools().find((entry) => entry.server === server && entry.name === name)
      // The same words for both: an app need not learn which tools only models have.
      if (tool?.ui.visibility.includes('app') !== true)
        throw new ProtocolError(INVALID_PARAMS, `${server} has no tool ${name} that apps may call`)
      const readsOnly = tool.annotations?.['readOnlyHint'] === true
      if (!readsOnly && !(await ask({ kind: 'call', tool, args }, signal)))
        throw new ProtocolError(REFUSED, `The person refused the call of ${name}`)
      const call = { server, tool: name, arguments: args }
      return (await run(signal, (until) => api.callTool(call, until, () => undefined))) as CallToolResult
    },
    readResource: async (uri, signal) =>
      (await run(signal, (until) => api.readResource({ server, uri }, until, () => undefined))) as ReadResourceResult,
    openLink: async (url, signal) => webAddress(url) !== null && (await ask({ kind: 'link', url }, signal)),
    stop: () => {
      for (const { id } of questions.value) answer(id, false)
      stopped.abort()
    },
  }
}
