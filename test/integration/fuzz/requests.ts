import fc from 'fast-check'
import { rarely } from './json-text.ts'

/** One request as a client might send it, good or bad. Of `body` one character is one byte. */
export interface Input {
  method: string
  path: string
  headers: [name: string, value: string][]
  body: string
}

/** Stands for the id of a session that the hub knows. */
export const SESSION = '<session>'

type HeaderMutation = { how: 'drop' | 'replace' | 'double' | 'add'; at: number; header: [string, string] }

const values: Record<string, string[]> = {
  accept: [
    '',
    '*/*',
    'text/event-stream',
    'application/json',
    'text/event-stream, application/json',
    'x'.repeat(5_000),
  ],
  'content-type': [
    'text/plain',
    'application/json; charset=utf-16',
    'APPLICATION/JSON',
    'application/jsonx',
    'multipart/form-data; boundary=x',
    '',
  ],
  'content-encoding': ['gzip', 'identity', 'br'],
  'mcp-session-id': [SESSION, '', 'x', '__proto__', SESSION.repeat(2), '\xff\xfe', 'a, b'],
  'mcp-protocol-version': ['2026-07-28', '2025-11-25', '2025-03-26', '2024-11-05', '9999-12-31', '', 'x', '2026-7-28'],
  'mcp-method': ['tools/call', 'tools/list', '', '__proto__', '\xe9', 'TOOLS/CALL'],
  'mcp-name': [
    'echo',
    '=?base64?ZWNobw==?=',
    '=?base64?!?=',
    '=?base64?/w==?=',
    '',
    '\xff',
    '=?base64?' + 'A'.repeat(4_000),
  ],
  'mcp-param-x': ['1', '', '=?base64?!?='],
  'last-event-id': ['1-0', '1-1', '0-0', '-1--1', '9'.repeat(400) + '-1', '1-' + '9'.repeat(400), 'x', ''],
  host: [
    'evil.example',
    'localhost.evil.example',
    'LOCALHOST',
    'localhost.',
    '127.0.0.1:1',
    '[::1]',
    '[::1',
    '',
    'a\xff',
  ],
  origin: ['null', 'https://evil.example', 'http://localhost', 'file://', 'http://[', ''],
  authorization: ['Bearer wrong', 'Bearer ', 'Basic eDp5', 'Bearer ' + 'x'.repeat(9_000), 'bearer\t x', ''],
  cookie: ['session=x', '=;;=', '__proto__=x', 'session=%', 'a='.repeat(2_000)],
  'sec-fetch-site': ['cross-site', 'same-site', 'none', 'x'],
  'x-forwarded-for': ['1.2.3.4', '::', 'x, y, z', ','.repeat(500)],
  'x-forwarded-host': ['evil.example'],
  'x-request-id': ['', 'x'.repeat(3_000), '\xff', 'a b'],
  traceparent: ['00-00000000000000000000000000000000-0000000000000000-00', 'x', 'ff-' + '1'.repeat(80)],
  expect: ['100-continue'],
  connection: ['close', 'keep-alive', 'x'],
  'transfer-encoding': ['chunked'],
  range: ['bytes=0-', 'bytes=-1'],
  'if-none-match': ['*', 'x'],
}

const anyHeader: fc.Arbitrary<[string, string]> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .constantFrom(...Object.keys(values))
      .chain((name) => fc.constantFrom(...values[name]!).map((value): [string, string] => [name, value])),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(
      fc.constantFrom('x-a', '__proto__', 'constructor', 'mcp-param-' + 'x'.repeat(200), 'mcp-param-__proto__'),
      // What a client can put into a field at all; anything else is in the test of raw bytes.
      fc.string({
        unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code === 0x7f ? 0x20 : code)),
      }),
    ),
  },
)

const headerMutation: fc.Arbitrary<HeaderMutation> = fc.record({
  how: fc.constantFrom('drop', 'replace', 'replace', 'double', 'add'),
  at: fc.nat({ max: 20 }),
  header: anyHeader,
})

function withFault(headers: [string, string][], { how, at, header }: HeaderMutation): [string, string][] {
  const index = at % Math.max(headers.length, 1)
  if (how === 'drop') return headers.filter((_, other) => other !== index)
  if (how === 'double') return headers[index] === undefined ? headers : [...headers, headers[index]]
  if (how === 'add') return [...headers, header]
  return [...headers.filter(([name]) => name !== header[0]), header]
}

/** What a client can write into a request line. */
const pathFault = fc.constantFrom(
  ...['/', '//', '/%', '/%00', '/%2e%2e', '/..', '/x/y', '?', '?sessionId=', '?a=b&a=c&__proto__=d', '#x', '/~'],
  `/${'x'.repeat(3_000)}`,
  `?${'a=b&'.repeat(700)}`,
)

/** A request with up to three faults in its headers, and now and then another method or path. */
export function faultyRequest(good: fc.Arbitrary<Input>): fc.Arbitrary<Input> {
  return fc
    .record({
      good,
      headers: fc.oneof(fc.constant<HeaderMutation[]>([]), fc.array(headerMutation, { maxLength: 3 })),
      method: rarely(fc.constantFrom('GET', 'DELETE', 'PUT', 'PATCH', 'HEAD', 'OPTIONS', 'TRACE', 'POST', 'QUERY')),
      path: rarely(pathFault),
    })
    .map(({ good: input, headers, method, path }) => ({
      ...input,
      method: method ?? input.method,
      path: path === null ? input.path : input.path + path,
      headers: headers.reduce(withFault, input.headers),
    }))
}
