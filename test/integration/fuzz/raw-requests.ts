import fc from 'fast-check'
import type { Leaving } from './raw-socket.ts'

/** Bytes of a client that does not keep to HTTP, in the pieces in which it writes them. */
export interface RawInput {
  pieces: string[]
  leaving: Leaving
}

const body = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/list',
  params: {
    _meta: {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': {},
    },
  },
})

const requestLine = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom('POST /mcp HTTP/1.1', 'POST /mcp/echo HTTP/1.1', 'GET /api/servers HTTP/1.1'),
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      ...['GET /mcp', 'POST  /mcp  HTTP/1.1', 'post /mcp HTTP/1.1', 'POST /mcp HTTP/1.0', 'POST /mcp HTTP/9.9'],
      ...[
        'POST /mcp HTTP/2.0',
        'PRI * HTTP/2.0\r\n\r\nSM',
        'OPTIONS * HTTP/1.1',
        'CONNECT a:1 HTTP/1.1',
        'POST http://evil.example/mcp HTTP/1.1',
      ],
      ...[
        'POST //evil.example/mcp HTTP/1.1',
        'GET /mcp\0 HTTP/1.1',
        'GET /mcp%00 HTTP/1.1',
        'GET /\xff\xfe HTTP/1.1',
        'GET ? HTTP/1.1',
        ' GET /mcp HTTP/1.1',
      ],
      ...[
        '\r\n\r\nGET /health HTTP/1.1',
        'M-SEARCH * HTTP/1.1',
        '\x16\x03\x01\x02\x00\x01\x00',
        '',
        'GET /mcp HTTP/1.1\r',
      ],
      `GET /${'x'.repeat(70_000)} HTTP/1.1`,
    ),
  },
)

const length = String(body.length)
const headerLine = fc.constantFrom(
  ...[
    'Authorization: <token>',
    'Content-Type: application/json',
    'Accept: */*',
    'Connection: close',
    'Connection: keep-alive',
  ],
  ...[
    'Host: evil.example',
    'Host:',
    'Host: localhost',
    'Origin: null',
    'Expect: 100-continue',
    'Expect: the unexpected',
    'Upgrade: websocket',
  ],
  ...[
    `Content-Length: ${length}`,
    'Content-Length: 0',
    'Content-Length: 5',
    'Content-Length: -1',
    'Content-Length: +40',
    'Content-Length: 0x28',
  ],
  ...[
    'Content-Length: 40, 40',
    'Content-Length: 99999999999999999999',
    'Content-Length: 9007199254740993',
    'Content-Length:',
    'Content-Length : 40',
  ],
  ...[
    'Transfer-Encoding: chunked',
    'Transfer-Encoding: xchunked',
    'Transfer-Encoding: chunked, identity',
    'Transfer-Encoding:\x0bchunked',
  ],
  ...[
    'Transfer-Encoding: identity',
    'Transfer-Encoding : chunked',
    'Transfer-Encoding: gzip, chunked',
    'Transfer-Encoding:\r\n chunked',
    'TE: trailers',
  ],
  ...[
    'Mcp-Protocol-Version: 2026-07-28',
    'Mcp-Session-Id: x',
    'Mcp-Session-Id: \0',
    'Mcp-Method: ping',
    'X: a\rb',
    'X: a\nY: b',
    'X: \x7f\x80\xff',
  ],
  ...[
    'No colon',
    ': no name',
    'Sp ace: x',
    'X:\t',
    ' folded',
    '__proto__: x',
    'Trailer: x',
    'Keep-Alive: timeout=99999999',
  ],
  `X-Large: ${'x'.repeat(40_000)}`,
  Array.from({ length: 2_500 }, (_, n) => `X-${n}: x`).join('\r\n'),
)

const whole = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
const chunks = fc.constantFrom(
  whole,
  ...[
    '0\r\n\r\n',
    '-1\r\nx\r\n0\r\n\r\n',
    'ffffffffffffffffff\r\nx',
    '5\r\nabc\r\n0\r\n\r\n',
    '3\r\nabcdef\r\n0\r\n\r\n',
    'zz\r\nabc\r\n',
  ],
  ...[
    '3;ext=1\r\nabc\r\n0\r\n\r\n',
    `3;${'x'.repeat(20_000)}\r\nabc\r\n0\r\n\r\n`,
    '3\nabc\n0\n\n',
    '3\r\nabc\r\n0\r\nTrailer: x\r\n\r\n',
  ],
  ...[
    '3\r\nabc\r\n0\r\n: x\r\n\r\n',
    '3\r\nabc',
    '0x3\r\nabc\r\n0\r\n\r\n',
    ' 3\r\nabc\r\n0\r\n\r\n',
    '1\r\n'.repeat(2_000),
  ],
)

const payload = fc.oneof(
  fc.constantFrom(body, '', '{', `${body}${body}`, 'GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n', '\0'.repeat(100)),
  chunks,
)

const good = [
  ...['Host: localhost', 'Authorization: <token>', 'Content-Type: application/json'],
  ...['Mcp-Protocol-Version: 2026-07-28', 'Mcp-Method: tools/list'],
]

/** A request that is as it should be, but for one line or for the end of its body. */
const hardlyFaulty = fc
  .record({
    path: fc.constantFrom('/mcp', '/mcp/echo', '/api/tools/call', '/messages?sessionId=x'),
    framing: fc.constantFrom([`Content-Length: ${length}`, body], ['Transfer-Encoding: chunked', whole]),
    extra: fc.oneof(fc.constant([]), fc.array(headerLine, { minLength: 1, maxLength: 1 })),
    cut: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat({ max: 20 }) }),
  })
  .map(({ path, framing: [header = '', content = ''], extra, cut }) =>
    [`POST ${path} HTTP/1.1`, ...good, header, ...extra, '', content.slice(0, content.length - cut)].join('\r\n'),
  )

const faulty = fc
  .record({
    line: requestLine,
    isKnown: fc.boolean(),
    headers: fc.array(headerLine, { maxLength: 5 }),
    payload,
    end: fc.oneof(
      { weight: 6, arbitrary: fc.constant('\r\n') },
      { weight: 1, arbitrary: fc.constantFrom('\n', '\r', '') },
    ),
  })
  .map(({ line, isKnown, headers, payload: content, end }) => {
    return [line, ...(isKnown ? good : []), ...headers].join(end) + end + end + content
  })

const bytes = fc.array(fc.nat({ max: 255 }), { maxLength: 300 }).map((all) => String.fromCharCode(...all))

export const rawRequests: fc.Arbitrary<RawInput> = fc
  .record({
    parts: fc.array(
      fc.oneof(
        { weight: 8, arbitrary: hardlyFaulty },
        { weight: 3, arbitrary: faulty },
        { weight: 1, arbitrary: bytes },
      ),
      {
        minLength: 1,
        maxLength: 4,
      },
    ),
    cuts: fc.array(fc.nat({ max: 600 }), { maxLength: 4 }),
    leaving: fc.constantFrom<Leaving>('finishes', 'finishes', 'finishes', 'finishes', 'resets'),
  })
  .map(({ parts, cuts, leaving }) => ({ pieces: cutUp(parts.join(''), cuts), leaving }))

function cutUp(text: string, cuts: number[]): string[] {
  const at = [0, ...cuts.filter((cut) => cut < text.length).sort((a, b) => a - b), text.length]
  return at.slice(1).map((end, index) => text.slice(at[index], end))
}
