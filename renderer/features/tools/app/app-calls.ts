import {
  ProtocolError,
  type CallToolResult,
  type ListResourcesResult,
  type ListResourceTemplatesResult,
  type ReadResourceResult,
} from '@modelcontextprotocol/client'
import { shallowRef, type ShallowRef } from 'vue'
import type { CallResult, ListedTool, ResourceEntry, ToolEntry } from '../../../../hub/contract/index.ts'
import { api } from '../../../lib/api.ts'
import type { JsonObject } from '../../../lib/json.ts'
import { webAddress } from '../result/content.ts'
import { contentOf, filesOf, type AppFile, type FileContent } from './app-files.ts'
import { INVALID_PARAMS, MAX_CALLS, MAX_QUESTIONS, REFUSED, REFUSED_BY_USER } from './app-limits.ts'

/** What an app may not do without the person. */
export type AppQuestion = { readonly id: number } & Asked
type Asked =
  | { readonly kind: 'call'; readonly tool: ToolEntry; readonly args: JsonObject }
  | { readonly kind: 'link'; readonly url: string }
  | { readonly kind: 'files'; readonly files: readonly AppFile[] }
  /** `sampling/createMessage`: the answer is that of a model, written by hand. */
  | { readonly kind: 'sampling'; readonly params: JsonObject }
/** True for what only needs a yes; false is a no. */
export type AppAnswer = boolean | JsonObject

export interface AppCalls {
  /** What the person is asked, the oldest first. */
  readonly questions: Readonly<ShallowRef<readonly AppQuestion[]>>
  answer: (id: number, answer: AppAnswer) => void
  callTool: (name: string, args: JsonObject, signal: AbortSignal) => Promise<CallToolResult>
  readResource: (uri: string, signal: AbortSignal) => Promise<ReadResourceResult>
  listResources: (signal: AbortSignal) => Promise<ListResourcesResult>
  listTemplates: (signal: AbortSignal) => Promise<ListResourceTemplatesResult>
  /** Whether the person opens it. */
  openLink: (url: string, signal: AbortSignal) => Promise<boolean>
  /** Whether the person saves them. */
  saveFiles: (contents: readonly unknown[], signal: AbortSignal) => Promise<boolean>
  createMessage: (params: JsonObject, signal: AbortSignal) => Promise<JsonObject>
  /** The person is gone: what is asked now and later is refused. */
  leave: () => void
  /** Refuses what is asked and ends what runs. */
  stop: () => void
}

/** What calls need of the page: what the hub's servers offer as it is known there, and that a file is saved. */
export interface AppPage {
  readonly tools: () => readonly ListedTool[]
  readonly resources: (signal: AbortSignal) => Promise<readonly ResourceEntry[]>
  readonly save: (name: string, type: string, content: FileContent) => void
}

/**
 * What an app may have: tools of its own server that are visible to apps, and its resources. A tool that does not say that it only
 * reads, every link, every file and every question to a model is asked of the person. All of it goes through the API as calls by
 * hand do, and into the history.
 */
export function createAppCalls(server: string, page: AppPage): AppCalls {
  const questions = shallowRef<readonly AppQuestion[]>([])
  const waiting = new Map<number, (answer: AppAnswer) => void>()
  const stopped = new AbortController()
  let asked = 0
  let running = 0
  let alone = false

  function answer(id: number, given: AppAnswer): void {
    questions.value = questions.value.filter((question) => question.id !== id)
    waiting.get(id)?.(given)
    waiting.delete(id)
  }

  function ask(question: Asked, signal: AbortSignal): Promise<AppAnswer> {
    if (questions.value.length >= MAX_QUESTIONS)
      throw new ProtocolError(REFUSED, `The person is asked ${MAX_QUESTIONS} things already`)
    if (alone || signal.aborted || stopped.signal.aborted) return Promise.resolve(false)
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

  const readResource = async (uri: string, signal: AbortSignal): Promise<ReadResourceResult> =>
    (await run(signal, (until) => api.readResource({ server, uri }, until, () => undefined))) as ReadResourceResult

  /** What the server offers, as the hub knows it: a list of an app costs the server nothing. */
  const listed = async (template: boolean, signal: AbortSignal) =>
    (await page.resources(signal))
      .filter((entry) => entry.server === server && entry.template === template)
      .map(({ uri, name, title, description, mimeType }) => ({
        uri,
        name,
        ...(title !== null && { title }),
        ...(description !== null && { description }),
        ...(mimeType !== null && { mimeType }),
      }))

  function refuseAll(): void {
    for (const { id } of questions.value) answer(id, false)
  }

  return {
    questions,
    answer,
    callTool: async (name, args, signal) => {
      const tool = page.tools().find((entry) => entry.server === server && entry.name === name)
      // The same words for both: an app need not learn which tools only models have.
      if (tool?.ui.visibility.includes('app') !== true)
        throw new ProtocolError(INVALID_PARAMS, `${server} has no tool ${name} that apps may call`)
      const readsOnly = tool.annotations?.['readOnlyHint'] === true
      if (!readsOnly && (await ask({ kind: 'call', tool, args }, signal)) === false)
        throw new ProtocolError(REFUSED, `The person refused the call of ${name}`)
      const call = { server, tool: name, arguments: args }
      return (await run(signal, (until) => api.callTool(call, until, () => undefined))) as CallToolResult
    },
    readResource,
    listResources: async (signal) => ({ resources: await listed(false, signal) }),
    listTemplates: async (signal) => ({
      resourceTemplates: (await listed(true, signal)).map(({ uri, ...rest }) => ({ uriTemplate: uri, ...rest })),
    }),
    openLink: async (url, signal) => webAddress(url) !== null && (await ask({ kind: 'link', url }, signal)) !== false,
    saveFiles: async (contents, signal) => {
      const files = filesOf(contents)
      if ((await ask({ kind: 'files', files }, signal)) === false) return false
      for (const file of files) {
        const content = file.content ?? contentOf(await readResource(file.uri, signal), file.uri)
        page.save(file.name, file.type, content)
      }
      return true
    },
    createMessage: async (params, signal) => {
      if (params['tools'] !== undefined)
        throw new ProtocolError(INVALID_PARAMS, 'A person answers in place of a model here, and calls no tools')
      const given = await ask({ kind: 'sampling', params }, signal)
      if (typeof given === 'boolean') throw new ProtocolError(REFUSED_BY_USER, 'The person refused to answer')
      return given
    },
    leave: () => {
      alone = true
      refuseAll()
    },
    stop: () => {
      refuseAll()
      stopped.abort()
    },
  }
}
