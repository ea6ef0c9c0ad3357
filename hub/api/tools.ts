import {
  callToolSchema,
  type CallToolResult,
  type PromptEntry,
  type ResourceEntry,
  type ToolEntry,
} from '../contract/index.ts'
import type { Pins } from '../catalog/pins.ts'
import { loadTokenizer, tokenCost } from '../catalog/token-cost.ts'
import type { Request } from 'express'
import { serverInScope, toolInScope } from '../auth/scope.ts'
import type { Call } from '../gateway/call.ts'
import { Exchange, type OnExchange } from '../gateway/exchange.ts'
import { McpError, isObject, rpc, type Reply } from '../gateway/json-rpc.ts'
import { paramHeaders } from '../gateway/mcp-headers.ts'
import { exposedName } from '../gateway/names.ts'
import { HubError } from '../hub-error.ts'
import { requestIdOf } from '../http-answers.ts'
import type { Events } from '../observe/events.ts'
import type { Item } from '../upstream/catalog.ts'
import type { Supervisor } from '../upstream/supervisor.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { bodyOf, callerOf, type On } from './routes.ts'

const UI_CLIENT = 'mcp-hub-ui'
const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null)

/** `/api/tools`, `/api/prompts`, `/api/resources`: what all servers offer, and calls by hand. */
export function catalogRoutes(
  on: On,
  options: { supervisor: Supervisor; events: Events; pins: Pins; onExchange: OnExchange },
): void {
  function each<T>(
    kind: 'tools' | 'prompts' | 'resources' | 'resourceTemplates',
    request: Request,
    make: (upstream: Upstream, item: Item) => T,
  ): T[] {
    const { scopes } = callerOf(request)
    return [...options.supervisor.upstreams.values()]
      .filter(({ name }) => serverInScope(scopes, name))
      .flatMap((upstream) =>
        upstream.catalog.lists[kind]
          .filter((item) => kind !== 'tools' || toolInScope(scopes, upstream.name, String(item['name'])))
          .map((item) => make(upstream, item)),
      )
  }

  on('GET /api/tools', async (request, response) => {
    const count = await loadTokenizer()
    const entries: ToolEntry[] = each('tools', request, (upstream, tool) => ({
      server: upstream.name,
      name: String(tool['name']),
      exposedName: exposedName(upstream.prefix, String(tool['name'])),
      title: textOf(tool['title']),
      description: textOf(tool['description']),
      inputSchema: tool['inputSchema'],
      ...('outputSchema' in tool ? { outputSchema: tool['outputSchema'] } : {}),
      annotations: isObject(tool['annotations']) ? tool['annotations'] : null,
      pin: options.pins.state(upstream.name, tool),
      tokens: tokenCost({ ...tool, name: exposedName(upstream.prefix, String(tool['name'])) }, count),
    }))
    response.json(entries)
  })

  on('GET /api/prompts', (request, response) => {
    const entries: PromptEntry[] = each('prompts', request, (upstream, prompt) => ({
      server: upstream.name,
      name: String(prompt['name']),
      exposedName: exposedName(upstream.prefix, String(prompt['name'])),
      title: textOf(prompt['title']),
      description: textOf(prompt['description']),
      arguments: (Array.isArray(prompt['arguments']) ? (prompt['arguments'] as unknown[]) : [])
        .filter(isObject)
        .map((argument) => ({
          name: String(argument['name']),
          description: textOf(argument['description']),
          required: argument['required'] === true,
        })),
    }))
    response.json(entries)
  })

  on('GET /api/resources', (request, response) => {
    const entry = (template: boolean) => (upstream: Upstream, item: Item) => ({
      server: upstream.name,
      uri: String(item[template ? 'uriTemplate' : 'uri']),
      template,
      name: String(item['name']),
      title: textOf(item['title']),
      description: textOf(item['description']),
      mimeType: textOf(item['mimeType']),
    })
    const entries: ResourceEntry[] = [
      ...each('resources', request, entry(false)),
      ...each('resourceTemplates', request, entry(true)),
    ]
    response.json(entries)
  })

  on('POST /api/tools/call', async (request, response) => {
    const body = bodyOf(request, callToolSchema)
    const upstream = options.supervisor.upstreams.get(body.server)
    const { scopes } = callerOf(request)
    if (upstream === undefined || !serverInScope(scopes, body.server))
      throw new HubError('HUB_SERVER_NOT_FOUND', `There is no server named ${body.server}`)
    if (!toolInScope(scopes, body.server, body.tool))
      throw new HubError('HUB_TOOL_NOT_FOUND', `Server ${body.server} has no tool named ${body.tool}`)
    if (!upstream.catalog.lists.tools.some((tool) => tool['name'] === body.tool)) {
      const unavailable = upstream.unavailable()
      // It may have the tool: what it offers is not known while it never ran.
      if (unavailable !== null) throw new HubError('HUB_SERVER_UNAVAILABLE', unavailable.message)
      throw new HubError('HUB_TOOL_NOT_FOUND', `Server ${body.server} has no tool named ${body.tool}`)
    }
    const caller = callerOf(request)
    const bytesIn = Number(request.get('content-length') ?? 0)
    const exchange = new Exchange(caller.id, '/api/tools/call', UI_CLIENT, 'tools/call', bytesIn, requestIdOf(response))
    exchange.server = upstream.name
    exchange.name = body.tool
    const callId = body.callId
    const params = { name: body.tool, arguments: body.arguments, _meta: {} }
    const reply = await new Promise<Reply>((resolve) => {
      const call: Call = {
        method: 'tools/call',
        params,
        clientEra: upstream.hello?.era ?? 'legacy',
        owner: `api ${caller.id}`,
        principal: caller.id,
        capabilities: {},
        clientInfo: { name: UI_CLIENT, version: '1' },
        progressToken: callId,
        logLevel: undefined,
        wantsLogs: false,
        paramHeaders: paramHeaders(upstream.catalog.headerParams.get(body.tool) ?? [], body.arguments),
        notify: (method, params) => {
          if (method !== 'notifications/progress' || callId === undefined) return
          options.events.emit({
            type: 'call.progress',
            callId,
            progress: Number(params?.['progress'] ?? 0),
            total: typeof params?.['total'] === 'number' ? params['total'] : null,
            message: textOf(params?.['message']),
          })
        },
        ask: ({ method }) => Promise.reject(new McpError(rpc.methodNotFound, `${method} cannot be answered here yet`)),
        finish: resolve,
      }
      const cancel = upstream.call(call)
      response.once('close', () => {
        if (response.writableFinished) return
        cancel('the caller went away')
        exchange.cancelled()
        options.onExchange(exchange, params, null)
      })
    })
    exchange.answered(reply, reply.size)
    const { result, error } = reply.message
    const answer: CallToolResult = {
      durationMs: Math.round(exchange.durationMs * 10) / 10,
      bytes: reply.size,
      result: error === undefined ? result : null,
      error: error ?? null,
    }
    response.json(answer)
    options.onExchange(exchange, params, reply)
  })
}
