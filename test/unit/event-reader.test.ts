import { expect, it } from 'vitest'
import { createEventReader } from '../../hub/upstream/event-reader.ts'
import { readEnds, tellGarbled, tellOversize } from '../../hub/upstream/message-ends.ts'

const result = (id: number, size: number): string =>
  JSON.stringify({ jsonrpc: '2.0', id, result: { text: 'x'.repeat(size) } })
const event = (data: string, end = '\n'): string => `event: message${end}data: ${data}${end}${end}`

/** What is read of a stream that comes in pieces of a size, with at most 500 characters of an event. */
function read(stream: string, size: number): (string | [head: string, tail: string])[] {
  const seen: (string | [string, string])[] = []
  const feed = createEventReader({
    maxSize: 500,
    onEvent: ({ data }) => seen.push(data),
    onOverflow: (head, tail) => seen.push([head, tail]),
  })
  for (let from = 0; from < stream.length; from += size) feed(stream.slice(from, from + size))
  return seen
}

it.each([1, 7, 64, 600, 10_000])('an event over the limit is skipped, and nothing else, in pieces of %i', (size) => {
  for (const end of ['\n', '\r\n', '\r']) {
    const long = JSON.stringify({ result: { text: `data: ${'y'.repeat(2_000)}` }, jsonrpc: '2.0', id: 3 })
    const seen = read(
      `: hello${end}${end}` +
        [result(1, 10), result(2, 2_000), long, result(4, 10)].map((data) => event(data, end)).join(''),
      size,
    )
    expect(seen[0]).toBe(result(1, 10))
    expect(seen[3]).toBe(result(4, 10))
    expect(seen.slice(1, 3).map((ends) => readEnds(...(ends as [string, string])))).toEqual([
      { kind: 'answer', id: 2 },
      { kind: 'answer', id: 3 },
    ])
    expect(seen).toHaveLength(4)
  }
})

it.each([1, 7, 64, 10_000])('one over the limit of several lines is skipped as a whole, in pieces of %i', (size) => {
  for (const end of ['\n', '\r\n', '\r']) {
    const head = ['{', '"jsonrpc": "2.0",', '"id": 7,', '"result": {']
    const lines = [...head, `"text": "${'x'.repeat(2_000)}"`, '"more": 1', '}}']
    const data = (each: string[]): string => each.map((line) => `data: ${line}${end}`).join('')
    const seen = read(
      `${data(lines)}id: 4${end}${end}${data(['{', '"ok":1}'])}${end}${data(['{', ...lines.slice(4, -1), '},', '"jsonrpc":"2.0","id":8}'])}${end}${event('last', end)}`,
      size,
    )
    expect(seen).toHaveLength(4)
    expect(readEnds(...(seen[0] as [string, string]))).toEqual({ kind: 'answer', id: 7 })
    expect(seen[1]).toBe('{\n"ok":1}')
    expect(readEnds(...(seen[2] as [string, string]))).toEqual({ kind: null, id: 8 })
    expect(seen[3]).toBe('last')
  }
})

it.each([
  ['rest of it"}]},"jsonrpc":"2.0","id":6}', [6]],
  ['{"jsonrpc":"2.0","id":5,INFO done', [5]],
  ['{"jsonrpc":"2.0","id":5,"method":"ping",INFO done', []],
  ['{"jsonrpc":"2.0","id":5,"result":{"te{"jsonrpc":"2.0","id":6,"result":{}}', [5, 6]],
])('of the line %s these calls are told', (line, calls) => {
  const told: unknown[] = []
  const beginning = Buffer.from('{"jsonrpc":"2.0","id":')
  tellGarbled(Buffer.from(line), [beginning], { onReply: (hop) => void told.push(hop) }, undefined)
  expect(told).toEqual(calls)
})

it.each([
  ['{"jsonrpc":"2.0","id":7,"result":{', '…', 'answer', 7],
  ['{ "id": 7, "jsonrpc": "2.0", "error": {', '…', 'answer', 7],
  ['{"result":{', '…}, "jsonrpc": "2.0", "id": 7 }\r\n', 'answer', 7],
  ['{"result":{', '…},"id":7,"jsonrpc":"2.0"}', 'answer', 7],
  ['{"jsonrpc":"2.0","result":{', '…', 'answer', null],
  ['{"jsonrpc":"2.0","id":7,"method":"sampling/createMessage","params":{', '…', 'question', 7],
  ['{"method":"sampling/createMessage","params":{', '…},"jsonrpc":"2.0","id":"a-1"}', 'question', 'a-1'],
  ['{"jsonrpc":"2.0","method":"notifications/message","params":{', '…}}', 'question', null],
  ['{"jsonrpc":"2.0","id":007,"result":{', '…', null, null],
  ['some words', '…},"jsonrpc":"2.0","id":7}', null, 7],
  ['{"jsonrpc":"2.0","id":7,INFO done', '', null, 7],
  ['some words', 'some words', null, null],
])('the ends %s and %s are of an %s', (head, tail, kind, id) => {
  expect(readEnds(head, tail)).toEqual({ kind, id })
})

it.each([
  ['{"jsonrpc":"2.0","id":7,"result":{', [[7, 'limits.x', 5]], []],
  ['some words', [[null, 'limits.x', 5]], []],
  ['{"jsonrpc":"2.0","id":7,"method":"ping"', [], [7]],
  ['{"jsonrpc":"2.0","method":"notifications/message"', [], []],
])('of a message over the limit that begins with %s the right one is told', (head, oversized, answered) => {
  const told: unknown[] = []
  const answers: string[] = []
  const onOversize = (...what: unknown[]): void => void told.push(what)
  const limit = { setting: 'limits.x', bytes: 5 }
  tellOversize({ head, tail: '' }, limit, { onOversize, onLog: () => undefined }, (text) => answers.push(text))
  expect(told).toEqual(oversized)
  expect(answers.map((text) => (JSON.parse(text) as { id: unknown }).id)).toEqual(answered)
})
