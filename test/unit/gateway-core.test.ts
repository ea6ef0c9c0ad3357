import { describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { nestingDepth } from '../../hub/gateway/message-shape.ts'
import { Reply, type Body } from '../../hub/gateway/json-rpc.ts'
import {
  checkParamHeaders,
  decodeHeaderValue,
  encodeHeaderValue,
  headerParams,
  paramHeaders,
} from '../../hub/gateway/mcp-headers.ts'
import { exposedName } from '../../hub/gateway/names.ts'
import { createStateSeal } from '../../hub/gateway/request-state.ts'
import { createParkingLot } from '../../hub/gateway/parked.ts'
import { templatePattern } from '../../hub/gateway/resource-owners.ts'
import { forLegacyClient, legacyReply } from '../../hub/gateway/era-bridge.ts'
import { createLineReader } from '../../hub/upstream/line-reader.ts'
import { McpError } from '../../hub/gateway/json-rpc.ts'

const text = (body: Body): string =>
  (typeof body === 'string' ? Buffer.from(body, 'latin1') : Buffer.concat(body)).toString()
/** More than what is put together as one string. */
const LONG = 'naïve 日本 '.repeat(2_000)

describe('a reply is passed on as bytes', () => {
  it.each([
    ['id first', '{"jsonrpc":"2.0","id":7,"result":{"x":"\\"id\\":9}"}}'],
    ['id last', '{"result":{"x":1},"jsonrpc":"2.0","id":7}'],
  ])('%s', (_what, line) => {
    const reply = Reply.fromBytes(Buffer.from(line))
    expect(reply?.hopId).toBe(7)
    expect(reply?.isError).toBe(false)
    expect(Reply.fromBytes(Buffer.from(`${line}\r\n`))?.render('1')).toBe(reply?.render('1'))
    expect(text(reply?.render('"client-é"') ?? [])).toBe(
      `{"result":${JSON.stringify((JSON.parse(line) as { result: unknown }).result)},"jsonrpc":"2.0","id":"client-é"}`,
    )
  })

  it.each([
    '{"jsonrpc":"2.0","id":1,"method":"ping"}',
    '{"method":"x","jsonrpc":"2.0","id":1}',
    '{"jsonrpc":"2.0","id":"7","result":{}}',
    '{"jsonrpc":"2.0","id":7,"error":{"code":1,"message":"m"}}',
    '{"error":no JSON,"jsonrpc":"2.0","id":7}',
    '{"jsonrpc": "2.0", "id": 7, "result": {}}',
    '{"jsonrpc":"2.0","id":7,"result":{ }}',
    '{"jsonrpc":"2.0","id":7,"result":{"a":1},"error":null}',
    '{"result":{"a":1},"error":null,"jsonrpc":"2.0","id":7}',
    '{"jsonrpc":"2.0","id":7,"result":null,"error":{"code":1,"message":"m"}}',
    '{"result":null,"error":{"code":1,"message":"m"},"jsonrpc":"2.0","id":7}',
    '{"jsonrpc":"2.0","id":7,"result":{},"id":8}',
    '[]',
    '',
  ])('leaves %j to the parser', (line) => {
    expect(Reply.fromBytes(Buffer.from(line))).toBeNull()
  })

  it.each(['\0', '\xfc'])('leaves bytes to the parser that no JSON may have (%j)', (byte) => {
    for (const line of [
      `{"jsonrpc":"2.0","id":7,"result":{"x":"${byte}"}}`,
      `{"result":{"x":"${byte}"},"jsonrpc":"2.0","id":7}`,
    ])
      expect(Reply.fromBytes(Buffer.from(line, 'latin1'))).toBeNull()
  })

  it.each(['{"a":1}}', '{no JSON}', '{"a":1},"error":{"no":1}'])(
    'and to who looks inside it is read, whatever %s stands there for a result',
    (result) => {
      const reply = Reply.fromBytes(Buffer.from(`{"jsonrpc":"2.0","id":7,"result":${result}}`))
      expect(reply?.message).toMatchObject({ error: { code: -32603, message: expect.any(String) as string } })
    },
  )

  it.each(['"id":9,"x":{}', '"\\u0069d":9,"x":{}', `"id":9,"x":{"a":"${LONG}"}`])(
    'under the id of its client, whatever other its server wrote behind the result (%#)',
    (more) => {
      for (const line of [`"jsonrpc":"2.0","id":7,"result":{},${more}`, `"result":{},${more},"jsonrpc":"2.0","id":7`]) {
        const reply = Reply.fromBytes(Buffer.from(`{${line}}`))
        expect(reply?.hopId).toBe(7)
        expect(JSON.parse(text(reply?.render('1') ?? []))).toMatchObject({ id: 1, result: {} })
      }
    },
  )

  it('puts fields first into the result, wherever the id stands', () => {
    for (const line of [
      '{"jsonrpc":"2.0","id":1,"result":{}}',
      '{"result":{},"jsonrpc":"2.0","id":1}',
      '{"jsonrpc":"2.0","id":1,"result":{"a":1}}',
      '{"result":{"a":1},"jsonrpc":"2.0","id":1}',
      `{"jsonrpc":"2.0","id":1,"result":{"a":"${LONG}"}}`,
      `{"result":{"a":"${LONG}"},"jsonrpc":"2.0","id":1}`,
    ]) {
      const original = JSON.parse(line) as { result: object }
      const rendered: unknown = JSON.parse(
        text(Reply.fromBytes(Buffer.from(line))?.render('2', '"resultType":"complete",') ?? []),
      )
      expect(rendered).toEqual({ jsonrpc: '2.0', id: 2, result: { resultType: 'complete', ...original.result } })
    }
  })

  it('says the same as the parser for any result', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(), fc.boolean(), (result, id, last) => {
        const message = last ? { result, jsonrpc: '2.0', id } : { jsonrpc: '2.0', id, result }
        const reply = Reply.fromBytes(Buffer.from(JSON.stringify(message)))
        // A wrong id may never be read out of a result.
        if (reply !== null) expect(reply.hopId).toBe(id)
        expect(
          JSON.parse(text(reply?.render('"c"') ?? [Buffer.from(JSON.stringify({ ...message, id: 'c' }))])),
        ).toEqual(JSON.parse(JSON.stringify({ ...message, id: 'c' })))
      }),
      { numRuns: 2_000 },
    )
  })
})

it('an answer has no method, whatever else its server wrote there', () => {
  expect(Reply.fromMessage({ method: null, result: 1 }, 7)?.message).toEqual({ jsonrpc: '2.0', id: 7, result: 1 })
})

describe('lines of a pipe', () => {
  const read = (chunks: Buffer[], maxBytes = 1_000): { lines: string[]; overflows: number } => {
    const lines: string[] = []
    let overflows = 0
    const feed = createLineReader({
      maxBytes,
      onLine: (line) => lines.push(line.toString()),
      onOverflow: () => overflows++,
      accepts: () => true,
    })
    for (const chunk of chunks) feed(chunk)
    return { lines, overflows }
  }
  it('come out whole however they are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'grapheme', minLength: 1 }).filter((line) => !/[\r\n]/.test(line))),
        fc.nat(),
        (lines, cut) => {
          const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''))
          const at = bytes.length === 0 ? 0 : cut % bytes.length
          expect(read([bytes.subarray(0, at), bytes.subarray(at)]).lines).toEqual(lines)
        },
      ),
    )
  })
  it('that come in pieces tell when they began, and the others nothing', () => {
    const begun: (number | undefined)[] = []
    const onLine = (_line: Buffer, begunAt?: number): unknown => begun.push(begunAt)
    const feed = createLineReader({ maxBytes: 100, onLine, onOverflow: () => undefined, accepts: () => true })
    const before = performance.now()
    feed(Buffer.from('whole\npie'))
    const between = performance.now()
    feed(Buffer.from('ces\nwhole\n'))
    expect(begun).toEqual([undefined, expect.any(Number), undefined])
    expect(begun[1]).toBeGreaterThanOrEqual(before)
    expect(begun[1]).toBeLessThanOrEqual(between)
  })
  it('that are too long are dropped, and the next one is read', () => {
    expect(read([Buffer.from('x'.repeat(30)), Buffer.from(`${'x'.repeat(30)}\nnext\n`)], 20)).toEqual({
      lines: ['next'],
      overflows: 1,
    })
  })
  it('that are too long tell how they began and ended', () => {
    const told: string[] = []
    const feed = createLineReader({
      maxBytes: 300,
      onLine: () => undefined,
      onOverflow: (head, tail) => told.push(head.toString(), tail.toString()),
      accepts: () => true,
    })
    for (const chunk of ['{"id":1,', 'x'.repeat(400), 'y'.repeat(90), ',"id":2}\n']) feed(Buffer.from(chunk))
    expect(told[0]).toBe('{"id":1,')
    expect(told[1]).toMatch(/^x+y{90},"id":2\}$/)
  })
  it('that are not worth keeping are told by their beginning, once, and cost no memory', () => {
    const lines: string[] = []
    const feed = createLineReader({
      maxBytes: 20,
      onLine: (line) => lines.push(line.toString()),
      onOverflow: () => lines.push('overflow'),
      accepts: (head) => head[0] === 0x7b,
    })
    for (const chunk of ['Progress: ', 'x'.repeat(1_000), 'x\n{"a":', '1}\n']) feed(Buffer.from(chunk))
    expect(lines).toEqual(['Progress: ', '{"a":1}'])
  })
  it('progress and result in one chunk keep their order', () => {
    expect(read([Buffer.from('{"p":1}\r\n{"r":2}\n')]).lines).toEqual(['{"p":1}', '{"r":2}'])
  })
})

describe('header values', () => {
  it('come back as they went', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (value) => {
        const encoded = encodeHeaderValue(value)
        expect(encoded).toMatch(/^[\x20-\x7e]*$/)
        if (value !== '') expect(decodeHeaderValue(encoded)).toBe(value)
      }),
      { examples: [['\ufeffa']] },
    )
  })
  it.each(['=?base64?YQ?=', '=?base64?Y Q==?=', '=?base64?YQ=?=', '=?base64?_w==?=', '=?base64?/w==?='])(
    '%s is not valid',
    (value) => {
      expect(decodeHeaderValue(value)).toBeNull()
    },
  )
  it('arguments travel as headers only where the schema says so, validly', () => {
    const schema = {
      type: 'object',
      properties: {
        region: { type: 'string', 'x-mcp-header': 'Region' },
        deep: { type: 'object', properties: { n: { type: 'integer', 'x-mcp-header': 'N' } } },
      },
    }
    const params = headerParams(schema) ?? []
    expect(paramHeaders(params, { region: 'eu', deep: { n: 5 } })).toEqual({
      'mcp-param-region': 'eu',
      'mcp-param-n': '5',
    })
    expect(
      checkParamHeaders(params, { region: 'eu', deep: { n: 5 } }, { 'mcp-param-region': 'eu', 'mcp-param-n': '5.0' }),
    ).toBeNull()
    expect(checkParamHeaders(params, { region: 'eu' }, {})).toContain('missing')
    expect(checkParamHeaders(params, { region: null }, { 'mcp-param-region': 'eu' })).toContain('is not')
    expect(headerParams({ properties: { a: { type: 'number', 'x-mcp-header': 'A' } } })).toBeNull()
    expect(
      headerParams({
        properties: { a: { type: 'string', 'x-mcp-header': 'A' }, b: { type: 'string', 'x-mcp-header': 'a' } },
      }),
    ).toBeNull()
    expect(headerParams({ items: { properties: { a: { type: 'string', 'x-mcp-header': 'A' } } } })).toBeNull()
  })
})

it('names on the endpoint of all servers are short, plain and stable', () => {
  expect(exposedName('github', 'create_issue')).toBe('github__create_issue')
  const long = exposedName('server', 'x'.repeat(100))
  expect(long).toMatch(/^[A-Za-z0-9_-]{64}$/)
  expect(exposedName('server', 'x'.repeat(100))).toBe(long)
  expect(exposedName('server', 'a.b')).not.toBe(exposedName('server', 'a/b'))
})

it('a URI template matches its expansions', () => {
  expect(templatePattern('file:///{path}').test('file:///a')).toBe(true)
  expect(templatePattern('file:///{path}').test('file:///a/b')).toBe(false)
  expect(templatePattern('file:///{+path}').test('file:///a/b')).toBe(true)
  expect(templatePattern('db://t/{id}{?q}').test('db://t/1?q=2')).toBe(true)
  for (const uri of ['db://t/1', 'db://t/', 'db://t/1&x/y'])
    expect(templatePattern('db://t/{id}{&q}').test(uri)).toBe(true)
  expect(templatePattern('db://{+a}x{b}').test('db://x/xy')).toBe(true)
  expect(templatePattern('a.c{x}').test('abc')).toBe(false)
  expect(templatePattern('a{/x*}').test('a/b/c')).toBe(true)
  expect(templatePattern('a{x*}').test('a/b/c')).toBe(true)
})

it.each([
  ['{a}', 'a'],
  ['{a}-', '-'],
  ['{+a}-', '-'],
])('a URI template of many %s takes no longer than others', (gap, character) => {
  const pattern = templatePattern(`x${gap.repeat(100)}!`)
  expect(pattern.test(`x${character.repeat(4_000)}`)).toBe(false)
  expect(pattern.test(`x${character.repeat(4_000)}!`)).toBe(true)
})

it('nesting is counted outside strings', () => {
  expect(nestingDepth(`${'['.repeat(300)}${']'.repeat(300)}`, 256)).toBe(257)
  expect(nestingDepth(JSON.stringify({ text: '[{'.repeat(400), quote: '\\"[' }), 256)).toBe(1)
})

describe('towards a legacy client', () => {
  it('an array as output schema is wrapped, and so is the content', () => {
    expect(forLegacyClient({ name: 't', outputSchema: { type: 'array' } })['outputSchema']).toEqual({
      type: 'object',
      properties: { result: { type: 'array' } },
      required: ['result'],
    })
    expect(
      legacyReply(Reply.result({ resultType: 'complete', structuredContent: [1] }), 'tools/call').message.result,
    ).toEqual({ structuredContent: { result: [1] } })
  })
  it('a missing capability is a failed tool, and what the hop got wrong is not the client’s fault', () => {
    expect(
      legacyReply(Reply.error({ code: -32021, message: 'needs sampling' }), 'tools/call').message.result,
    ).toMatchObject({ isError: true })
    expect(legacyReply(Reply.error({ code: -32020, message: 'header' }), 'tools/call').message.error?.code).toBe(-32603)
  })
})

describe('a parked call', () => {
  const whose = { principal: 'p', endpoint: '/mcp', method: 'tools/call', server: 's', name: 't' }
  it('is found by its own client with the handle of the present round, once', async () => {
    const lot = createParkingLot({ ttlMs: 60_000, max: 10, seal: createStateSeal([new Uint8Array(32)]), owner: '1' })
    const parked = lot.park(whose, () => undefined)
    const answer = lot.ask(parked, {
      method: 'elicitation/create',
      params: {},
      signal: new AbortController().signal,
      onProgress: () => undefined,
    })
    const { requestState } = lot.inputRequired(parked)
    for (const key of Object.keys(whose))
      expect(() => lot.find(requestState, { ...whose, [key]: 'other' })).toThrow(McpError)
    for (const forged of [
      '',
      'x.1.y',
      undefined,
      7,
      `${String(requestState)}x`,
      `${String(requestState)}.x`,
      `${String(requestState)}=`,
    ])
      expect(() => lot.find(forged, whose)).toThrow(McpError)
    expect(lot.find(requestState, whose)).toBe(parked)
    expect(lot.answer(parked, { unknown: 1 })).toBe(false)
    const next = lot.inputRequired(parked).requestState
    expect(() => lot.find(requestState, whose)).toThrow(/start the request over/)
    expect(lot.find(next, whose)).toBe(parked)
    expect(lot.answer(parked, { 'elicitation-1': { action: 'accept' } })).toBe(true)
    await expect(answer).resolves.toEqual({ action: 'accept' })
    // Sent again while the server works on, it would take the response from the request that brought the answers.
    expect(() => lot.find(next, whose)).toThrow(/start the request over/)
    lot.dispose()
  })
  it('has a limit', () => {
    const lot = createParkingLot({ ttlMs: 60_000, max: 1, seal: createStateSeal([new Uint8Array(32)]), owner: '1' })
    lot.park(whose, () => undefined)
    expect(() => lot.park(whose, () => undefined)).toThrow(/limits.maxParkedCalls/)
    lot.dispose()
  })
})
