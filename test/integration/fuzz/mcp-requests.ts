import fc from 'fast-check'
import { faultyText } from './json-text.ts'
import { SESSION, faultyRequest, type Input } from './requests.ts'

type Message = Record<string, unknown>

const id: fc.Arbitrary<unknown> = fc.oneof(fc.nat(), fc.string({ maxLength: 8 }), fc.constantFrom('a', 'hub-1', -1, 0))
const version = fc.constantFrom('2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05', '2026-07-28', 'x')
const clientInfo = { name: 'fuzz', version: '1' }

/** Requests that every server of these tests answers at once, by method. `prefix` is that of names on the aggregated view. */
const calls = (prefix: string): [method: string, params: Message][] => [
  ['tools/list', {}],
  ['tools/list', { cursor: '' }],
  ['prompts/list', {}],
  ['resources/list', {}],
  ['resources/templates/list', {}],
  ['tools/call', { name: `${prefix}echo`, arguments: { text: 'x' }, _meta: { progressToken: 'p', traceparent: 'x' } }],
  ['tools/call', { name: `${prefix}add`, arguments: { a: 1, b: 2 } }],
  ['tools/call', { name: `${prefix}fail`, arguments: { message: 'no' } }],
  ['tools/call', { name: `${prefix}log`, arguments: { level: 'error', message: 'x' } }],
  ['tools/call', { name: `${prefix}write`, arguments: { uri: 'note://first', text: 'x' } }],
  ['tools/call', { name: `${prefix}toggle`, arguments: {}, requestState: 'x', inputResponses: { user: {} } }],
  ['tools/call', { name: `${prefix}ask`, arguments: { text: 'x' } }],
  ['prompts/get', { name: `${prefix}greeting`, arguments: { tone: 'warm' } }],
  ['resources/read', { uri: 'note://first' }],
  ['resources/read', { uri: 'upper://word' }],
  [
    'completion/complete',
    { ref: { type: 'ref/prompt', name: `${prefix}greeting` }, argument: { name: 'tone', value: 'w' } },
  ],
  ['tasks/get', { taskId: 'x' }],
  ['tasks/cancel', { taskId: 'x' }],
  ['vendor/method', { anything: [1, { a: null }] }],
]

const legacyCalls: [string, Message][] = [
  ['ping', {}],
  ['logging/setLevel', { level: 'debug' }],
  ['resources/subscribe', { uri: 'note://first' }],
  ['resources/unsubscribe', { uri: 'note://first' }],
  ['tasks/list', {}],
]
const modernCalls: [string, Message][] = [
  ['server/discover', {}],
  ['subscriptions/listen', { notifications: { toolsListChanged: true, resourceSubscriptions: ['note://first'] } }],
  ['tasks/update', { taskId: 'x', inputResponses: {} }],
]

const initialize = version.map((protocolVersion) => ({
  method: 'initialize',
  params: {
    protocolVersion,
    capabilities: { elicitation: {}, sampling: {}, roots: {}, extensions: { x: {} } },
    clientInfo,
  },
}))

function legacyMessage(prefix: string): fc.Arbitrary<Message> {
  const requests = fc
    .tuple(id, fc.constantFrom(...calls(prefix), ...legacyCalls))
    .map(([number, [method, params]]) => ({ jsonrpc: '2.0', id: number, method, params }))
  const others = fc.constantFrom<Message>(
    { method: 'notifications/initialized' },
    { method: 'notifications/cancelled', params: { requestId: 'a', reason: 'x' } },
    { method: 'notifications/progress', params: { progressToken: 'p', progress: 1 } },
    { method: 'notifications/roots/list_changed' },
    { id: 'hub-1', result: { action: 'accept', content: {} } },
    { id: 'hub-1', error: { code: -1, message: 'no' } },
    { id: null, error: { code: -32700, message: 'x' } },
  )
  return fc.oneof(
    { weight: 8, arbitrary: requests },
    { weight: 2, arbitrary: others.map((message) => ({ jsonrpc: '2.0', ...message })) },
    {
      weight: 1,
      arbitrary: fc.tuple(id, initialize).map(([number, rest]) => ({ jsonrpc: '2.0', id: number, ...rest })),
    },
  )
}

const json = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }

function posted(path: string, headers: Record<string, string>, body: string): Input {
  return { method: 'POST', path, headers: Object.entries({ host: 'localhost', ...headers }), body }
}

function legacyPost(path: string, prefix: string, token: string): fc.Arbitrary<Input> {
  const message = legacyMessage(prefix)
  const batch = fc.array(message, { maxLength: 5 })
  return fc
    .tuple(
      faultyText(fc.oneof({ weight: 9, arbitrary: message }, { weight: 1, arbitrary: batch })),
      fc.constantFrom('2025-11-25', '2025-03-26'),
    )
    .map(([body, protocol]) => {
      const own = path.startsWith('/messages') ? {} : { 'mcp-session-id': SESSION, 'mcp-protocol-version': protocol }
      return posted(path, { ...json, authorization: token, ...own }, body)
    })
}

function modernPost(path: string, prefix: string, token: string): fc.Arbitrary<Input> {
  const meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': clientInfo,
    'io.modelcontextprotocol/clientCapabilities': { elicitation: {}, sampling: {}, roots: {} },
    'io.modelcontextprotocol/logLevel': 'info',
  }
  return fc.tuple(id, fc.constantFrom(...calls(prefix), ...modernCalls)).chain(([number, [method, params]]) => {
    const full = { ...params, _meta: { ...(params['_meta'] as object | undefined), ...meta } }
    const name = params['name'] ?? params['uri'] ?? params['taskId']
    const headers = {
      ...json,
      authorization: token,
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      ...(typeof name === 'string' ? { 'mcp-name': name } : {}),
    }
    return faultyText(fc.constant({ jsonrpc: '2.0', id: number, method, params: full })).map((body) =>
      posted(path, headers, body),
    )
  })
}

function bodyless(method: string, path: string, headers: Record<string, string>): fc.Arbitrary<Input> {
  return fc.constant({ method, path, headers: Object.entries({ host: 'localhost', ...headers }), body: '' })
}

/** Requests to the MCP endpoints, by endpoint. */
export function mcpRequests(token: string): Record<string, fc.Arbitrary<Input>> {
  const streamable = (path: string, prefix: string): fc.Arbitrary<Input> => {
    const session = { authorization: token, accept: 'text/event-stream', 'mcp-session-id': SESSION }
    return faultyRequest(
      fc.oneof(
        { weight: 60, arbitrary: legacyPost(path, prefix, token) },
        { weight: 60, arbitrary: modernPost(path, prefix, token) },
        { weight: 4, arbitrary: bodyless('GET', path, session) },
        // It ends the session for those that come after it.
        { weight: 1, arbitrary: bodyless('DELETE', path, session) },
      ),
    )
  }
  return {
    '/mcp': streamable('/mcp', 'echo__'),
    '/mcp/<server>': fc.oneof(streamable('/mcp/echo', ''), streamable('/mcp/modern', '')),
    '/sse': faultyRequest(
      fc.oneof(
        { weight: 3, arbitrary: bodyless('GET', '/sse', { authorization: token, accept: 'text/event-stream' }) },
        { weight: 1, arbitrary: bodyless('GET', '/sse/echo', { authorization: token }) },
        { weight: 1, arbitrary: legacyPost('/sse', 'echo__', token) },
      ),
    ),
    '/messages': faultyRequest(legacyPost(`/messages?sessionId=${SESSION}`, 'echo__', token)),
  }
}
