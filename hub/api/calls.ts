import { randomBytes } from 'node:crypto'
import type { Request, Response } from 'express'
import {
  answerQuestionSchema,
  callToolSchema,
  completeSchema,
  getPromptSchema,
  readResourceSchema,
  type AnswerQuestion,
  type CallEvent,
  type CallResult,
} from '../contract/index.ts'
import { may } from '../auth/caller.ts'
import { serverInScope, toolInScope } from '../auth/scope.ts'
import type { Pins } from '../catalog/pins.ts'
import { toNumber } from '../contract/exact-json.ts'
import type { Call, Question } from '../gateway/call.ts'
import { Exchange, type OnExchange } from '../gateway/exchange.ts'
import { McpError, isObject, rpc, type Params, type Reply } from '../gateway/json-rpc.ts'
import { paramHeaders } from '../gateway/mcp-headers.ts'
import { requestIdOf } from '../http-answers.ts'
import { HubError } from '../hub-error.ts'
import { say } from '../say.ts'
import { knownTool } from '../upstream/known-tools.ts'
import type { Supervisor } from '../upstream/supervisor.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { linesInto, wantsLines } from './lines.ts'
import { bodyOf, callerOf, type On } from './routes.ts'
import { SHOWS_APPS } from './shows-apps.ts'

const UI_CLIENT = 'mcp-hub-ui'
/** What a person at a page can be asked, and see: some servers show tools only to who shows their apps. */
const INTERACTIVE = { elicitation: { form: {}, url: {} }, sampling: {}, ...SHOWS_APPS }

interface Asked {
  resolve: (result: unknown) => void
  reject: (error: McpError) => void
}
/** An interactive call that runs, and what its server waits for. */
interface Interactive {
  readonly caller: string
  readonly questions: Map<string, Asked>
}

/** What a call by hand asks of which server. */
interface ByHand {
  upstream: Upstream
  method: 'tools/call' | 'prompts/get' | 'resources/read' | 'completion/complete'
  params: Params
  /** As the history names it. */
  name: string
  interactive: boolean
  showsApps?: boolean
  paramHeaders?: Record<string, string> | undefined
}

/** Calls by hand: of tools, prompts, resources and completions, and answers to what a server asks meanwhile. */
export function callRoutes(
  on: On,
  options: { supervisor: Supervisor; pins: Pick<Pins, 'admits'>; onExchange: OnExchange },
): void {
  const running = new Map<string, Interactive>()

  function upstreamOf(request: Request, name: string): Upstream {
    const upstream = options.supervisor.upstreams.get(name)
    if (upstream === undefined || !serverInScope(callerOf(request).scopes, name))
      throw new HubError('HUB_SERVER_NOT_FOUND', say`There is no server named ${name}`)
    return upstream
  }

  /** Tools are known, or the server says why they are not. */
  function requireTool(request: Request, upstream: Upstream, tool: string): void {
    const none = new HubError('HUB_TOOL_NOT_FOUND', say`Server ${upstream.name} has no tool named ${tool}`)
    if (!toolInScope(callerOf(request).scopes, upstream.name, tool)) throw none
    const known = knownTool(upstream, tool)
    if (known !== null) {
      // Who decides on it may try it first.
      if (may(callerOf(request), 'profiles:write') || options.pins.admits(upstream.name, known.tool)) return
      throw new HubError('HUB_TOOL_NOT_FOUND', say`The tool ${tool} is held back until somebody approves it`, {
        cure: say`Ask somebody who may approve tools to look at it.`,
      })
    }
    const unavailable = upstream.unavailable()
    // It may have the tool: what it offers is not known while it never ran.
    if (unavailable !== null) throw new HubError('HUB_SERVER_UNAVAILABLE', unavailable.message)
    throw none
  }

  async function run(request: Request, response: Response, asked: ByHand): Promise<void> {
    const lines = wantsLines(request)
    if (asked.interactive && !lines)
      throw new HubError('HUB_BAD_REQUEST', say`An interactive call needs an answer that comes by lines`, {
        cure: say`Send Accept: application/x-ndjson.`,
      })
    const caller = callerOf(request)
    const { upstream, method, params } = asked
    const bytesIn = Number(request.get('content-length') ?? 0)
    const exchange = new Exchange(caller.id, `/api/${method}`, UI_CLIENT, method, bytesIn, requestIdOf(response))
    exchange.server = upstream.name
    exchange.name = asked.name
    const id = randomBytes(12).toString('base64url')
    const tell: ((event: CallEvent) => void) | null = lines ? linesInto(response) : null
    tell?.({ type: 'started', call: id })
    const interactive: Interactive = { caller: caller.id, questions: new Map() }
    if (asked.interactive) running.set(id, interactive)

    const reply = await new Promise<Reply>((resolve) => {
      const call: Call = {
        method,
        params,
        // Of its own era, a server's answer is not changed. Who answers questions is asked as a client with a session is.
        clientEra: asked.interactive ? 'legacy' : (upstream.hello?.era ?? 'legacy'),
        // Questions find the call that they belong to by its owner.
        owner: asked.interactive ? `api ${caller.id} ${id}` : `api ${caller.id}`,
        principal: caller.id,
        capabilities: asked.interactive ? INTERACTIVE : asked.showsApps === true ? SHOWS_APPS : {},
        clientInfo: { name: UI_CLIENT, version: '1' },
        progressToken: tell === null ? undefined : id,
        logLevel: undefined,
        wantsLogs: false,
        paramHeaders: asked.paramHeaders,
        moments: exchange,
        notify: (kind, told) => {
          if (kind !== 'notifications/progress' || tell === null) return
          exchange.notified()
          tell(progressOf(told))
        },
        ask: (question) =>
          tell === null || !asked.interactive
            ? Promise.reject(new McpError(rpc.methodNotFound, `${question.method} is not answered in this call`))
            : put(question, interactive, tell),
        finish: (answer) => {
          exchange.replied()
          resolve(answer)
        },
      }
      const cancel = upstream.call(call)
      response.once('close', () => {
        running.delete(id)
        if (response.writableFinished) return
        cancel('the caller went away')
        exchange.cancelled()
        options.onExchange(exchange, params, null)
      })
    })
    running.delete(id)
    exchange.answered(reply, reply.size)
    const { result, error } = reply.message
    const answer: CallResult = {
      durationMs: Math.round(exchange.durationMs * 10) / 10,
      bytes: reply.size,
      result: error === undefined ? result : null,
      error: error ?? null,
    }
    if (tell === null) response.json(answer)
    else {
      tell({ type: 'result', answer })
      response.end()
    }
    options.onExchange(exchange, params, reply)
  }

  on('POST /api/tools/call', async (request, response) => {
    const { server, tool, arguments: args, interactive } = bodyOf(request, callToolSchema)
    const upstream = upstreamOf(request, server)
    requireTool(request, upstream, tool)
    const known = knownTool(upstream, tool)
    await run(request, response, {
      upstream,
      method: 'tools/call',
      params: { name: tool, arguments: args, _meta: {} },
      name: tool,
      interactive,
      // A tool that the plain connection is not shown is not there for a client that shows no apps.
      showsApps: known !== null && known.catalog !== upstream.catalog,
      paramHeaders: paramHeaders(known?.catalog.headerParams.get(tool) ?? [], args),
    })
  })

  on('POST /api/prompts/get', async (request, response) => {
    const { server, prompt, arguments: args, interactive } = bodyOf(request, getPromptSchema)
    const params = { name: prompt, arguments: args, _meta: {} }
    const upstream = upstreamOf(request, server)
    await run(request, response, { upstream, method: 'prompts/get', params, name: prompt, interactive })
  })

  on('POST /api/resources/read', async (request, response) => {
    const { server, uri, interactive } = bodyOf(request, readResourceSchema)
    const upstream = upstreamOf(request, server)
    const params = { uri, _meta: {} }
    await run(request, response, { upstream, method: 'resources/read', params, name: uri, interactive })
  })

  on('POST /api/completions', async (request, response) => {
    const { server, ref, argument, context } = bodyOf(request, completeSchema)
    const upstream = upstreamOf(request, server)
    // Who does not offer it is not asked with every letter.
    if (upstream.hello !== null && upstream.hello.capabilities['completions'] === undefined) {
      const none: CallResult = { durationMs: 0, bytes: 0, result: { completion: { values: [] } }, error: null }
      response.json(none)
      return
    }
    await run(request, response, {
      upstream,
      method: 'completion/complete',
      params: { ref, argument, context: { arguments: context }, _meta: {} },
      name: ref.type === 'ref/prompt' ? ref.name : ref.uri,
      interactive: false,
    })
  })

  on('POST /api/calls/:call/questions/:question', (request, response) => {
    const body = bodyOf(request, answerQuestionSchema)
    const call = running.get(String(request.params['call']))
    const question = String(request.params['question'])
    const asked = call?.caller === callerOf(request).id ? call.questions.get(question) : undefined
    if (asked === undefined)
      throw new HubError('HUB_NOT_FOUND', say`Nobody waits for this answer`, {
        cure: say`The call is over, or its server withdrew the question.`,
      })
    call?.questions.delete(question)
    settle(asked, body)
    response.status(204).end()
  })
}

function progressOf(params: Params | undefined): CallEvent {
  const total = params?.['total']
  const message = params?.['message']
  return {
    type: 'progress',
    progress: toNumber(params?.['progress']) || 0,
    total: Number.isNaN(toNumber(total)) ? null : toNumber(total),
    message: typeof message === 'string' ? message : null,
  }
}

/** Puts a server's question to the caller, until it is answered, withdrawn or the call is over. */
function put(question: Question, call: Interactive, tell: (event: CallEvent) => void): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const id = randomBytes(6).toString('base64url')
    call.questions.set(id, { resolve, reject })
    question.signal.addEventListener(
      'abort',
      () => {
        if (!call.questions.delete(id)) return
        tell({ type: 'withdrawn', question: id })
        reject(new McpError(rpc.internalError, 'The question was withdrawn'))
      },
      { once: true },
    )
    const { method, params } = question
    tell({ type: 'question', question: id, method, params: isObject(params) ? params : {} })
  })
}

function settle(asked: Asked, answer: AnswerQuestion): void {
  if ('result' in answer) asked.resolve(answer.result)
  else asked.reject(new McpError(answer.error.code, answer.error.message))
}
