import fc from 'fast-check'
import { faultyText } from './json-text.ts'

const id = '<id>'
const token = '<token>'
const content = [{ type: 'text', text: 'x' }]
const form = { message: '?', requestedSchema: { type: 'object', properties: {} } }

/** What a server may say about a call: it answers, or asks, or tells; and what it may not. */
const said: object[] = [
  { id, result: { content } },
  { id, result: { content, structuredContent: { a: 1 }, isError: true, _meta: { a: 1 } } },
  { id, result: { resultType: 'complete', content, structuredContent: [1] } },
  {
    id,
    result: {
      resultType: 'input_required',
      requestState: 's',
      inputRequests: { k: { method: 'elicitation/create', params: form } },
    },
  },
  { id, result: { resultType: 'task', taskId: 't', status: 'working', ttlMs: 1, pollIntervalMs: 1 } },
  { id, error: { code: -32601, message: 'no', data: { a: 1 } } },
  {
    id,
    error: {
      code: -32042,
      message: 'open',
      data: { elicitations: [{ mode: 'url', url: 'https://example.com/', elicitationId: 'e' }] },
    },
  },
  { id, error: { code: -32022, message: 'no', data: { supported: ['2026-07-28'] } } },
  { id: 999_999, result: {} },
  { id: null, error: { code: -32700, message: 'Parse error' } },
  { method: 'notifications/progress', params: { progressToken: token, progress: 1, total: 2 } },
  { method: 'notifications/message', params: { level: 'error', data: 'x' } },
  { method: 'notifications/cancelled', params: { requestId: 'q' } },
  { method: 'notifications/tools/list_changed' },
  { method: 'notifications/resources/updated', params: { uri: 'note://first' } },
  { method: 'notifications/elicitation/complete', params: { elicitationId: 'e' } },
  { id: 'q', method: 'elicitation/create', params: form },
  { id: 'q', method: 'sampling/createMessage', params: { messages: [], maxTokens: 1 } },
  { id: 'q', method: 'roots/list' },
  { id: 'q', method: 'ping' },
  { id: 'q', method: 'vendor/question', params: {} },
]

const message = fc.constantFrom(...said).map((body) => ({ jsonrpc: '2.0', ...body }))
const text = faultyText(
  fc.oneof({ weight: 9, arbitrary: message }, { weight: 1, arbitrary: fc.array(message, { maxLength: 4 }) }),
)

/** Bytes between messages, and around them. */
const noise = fc.oneof(
  fc.constantFrom(
    ...[
      '\n',
      '\r\n',
      '\n\n',
      '\r',
      '\0',
      '\xff\xfe',
      'Welcome!\n',
      '<html>502 Bad Gateway</html>',
      'data: ',
      'event: message\n',
    ],
    ...[
      'event: endpoint\ndata: http://evil.example/\n\n',
      'event: endpoint\ndata: /other\n\n',
      'event: endpoint\ndata: http://[\n\n',
    ],
    ...[
      'id: 1\n',
      'id: \0\n',
      'retry: 0\n',
      'retry: 99999999999\n',
      'retry: -1\n',
      ':\n',
      'data\n\n',
      'data:\n\n',
      '\xef\xbb\xbf',
    ],
    ...[
      'HTTP/1.1 200 OK\r\n\r\n',
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab',
      'HTTP/1.1 99 x\r\n\r\n',
      'HTTP/1.1 302 Found\r\nLocation: file:///\r\n\r\n',
    ],
    ...[
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\nzz\r\n',
      'HTTP/1.1 101 x\r\nUpgrade: x\r\n\r\n',
    ],
    `HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(5_000)}\r\n`,
    'x'.repeat(200_000),
    '{"jsonrpc":"2.0","id":',
    '\n'.repeat(500),
  ),
  fc.array(fc.nat({ max: 255 }), { maxLength: 50 }).map((all) => String.fromCharCode(...all)),
)

/** What a hostile server writes when it is called. */
export const hostileBytes: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      { weight: 3, arbitrary: text.map((line) => `${line}\n`) },
      { weight: 3, arbitrary: text.map((line) => `event: message\ndata: ${line}\n\n`) },
      {
        weight: 1,
        arbitrary: text.map(
          (line) =>
            `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${line.length}\r\n\r\n${line}`,
        ),
      },
      { weight: 2, arbitrary: noise },
    ),
    { maxLength: 4 },
  )
  .map((parts) => parts.join(''))
