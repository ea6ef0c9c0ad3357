import fc from 'fast-check'

/** JSON as text that `JSON.stringify` would never write: doubled keys, numbers as they stand, halves of surrogate pairs. */
export type Json = { raw: string } | Json[] | { entries: [string, Json][] }

export function toJson(value: unknown): Json {
  if (Array.isArray(value)) return value.map(toJson)
  if (typeof value !== 'object' || value === null) return { raw: JSON.stringify(value) }
  return { entries: Object.entries(value).map(([key, item]) => [key, toJson(item)]) }
}

export function writeJson(json: Json): string {
  if (Array.isArray(json)) return `[${json.map(writeJson).join(',')}]`
  if ('raw' in json) return json.raw
  return `{${json.entries.map(([key, item]) => `${JSON.stringify(key)}:${writeJson(item)}`).join(',')}}`
}

/** Values that programs stumble over. */
const awkward: string[] = [
  ...['null', 'true', 'false', '0', '-0', '-1', '0.5', '1E5', '1e400', '-1e400', '1e-400', '""', '[]', '{}', '[[]]'],
  ...['2147483648', '9007199254740993', '123456789012345678901234567890', '"1"', '"null"', '"hub-1"', '"2026-07-28"'],
  ...['"2025-11-25"', '"2025-03-26"', '"2024-11-05"', '"9999-12-31"', '"__proto__"', '"constructor"', '"toString"'],
  ...[
    '"\\u0000"',
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '"\\u2028\\r\\n"',
    '"../../etc/passwd"',
    '"%00"',
    '"=?base64?!!?="',
  ],
  ...['"=?base64?4pyT?="', '"${env:PATH}"', '"${secret:KNOWN}"', '"<script>"', '"echo__echo"', '"note://first"'],
  ...[
    '{"__proto__":{"polluted":true}}',
    '{"constructor":{"prototype":{"polluted":true}}}',
    '{"then":1}',
    '{"toJSON":1}',
  ],
  ...['{"length":1e9}', '{"a":1,"a":2}', '[null]', '[1,2,3]', '{"resultType":"input_required"}'],
  JSON.stringify('x'.repeat(20_000)),
  '['.repeat(250) + ']'.repeat(250),
  '['.repeat(2_000) + ']'.repeat(2_000),
  '{"a":'.repeat(300) + '1' + '}'.repeat(300),
  `[${Array(3_000).fill('[]').join(',')}]`,
]

/** Any UTF-16, also what is no text: halves of surrogate pairs. */
const anyText = (maxLength: number): fc.Arbitrary<string> =>
  fc.array(fc.nat({ max: 0xffff }), { maxLength }).map((units) => String.fromCharCode(...units))

const anyValue: fc.Arbitrary<Json> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...awkward).map((raw) => ({ raw })) },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }).map(toJson) },
  { weight: 1, arbitrary: anyText(40).map(toJson) },
)

const anyKey = fc.oneof(
  fc.constantFrom('__proto__', 'constructor', 'prototype', 'toString', '', 'id', 'method', 'params', '_meta', 'error'),
  fc.constantFrom('result', 'name', 'uri', 'arguments', 'cursor', 'requestState', 'inputResponses', 'progressToken'),
  anyText(10),
)

export interface Mutation {
  at: number
  how: 'replace' | 'remove' | 'add' | 'double' | 'wrap' | 'rename'
  key: string
  value: Json
}

export const mutation: fc.Arbitrary<Mutation> = fc.record({
  at: fc.nat({ max: 200 }),
  how: fc.constantFrom('replace', 'replace', 'replace', 'remove', 'add', 'double', 'wrap', 'rename'),
  key: anyKey,
  value: anyValue,
})

/** Changes one place of a message, counted from its outermost: a field, an item, or the whole. */
export function mutated(json: Json, { at, how, key, value }: Mutation): Json {
  const places: { parent: Json; index: number }[] = []
  const visit = (node: Json): void => {
    const children = Array.isArray(node) ? node : 'raw' in node ? [] : node.entries.map(([, child]) => child)
    for (const [index, child] of children.entries()) {
      places.push({ parent: node, index })
      visit(child)
    }
  }
  visit(json)
  const place = places[at % (places.length + 1)]
  if (place === undefined) return how === 'wrap' ? [json] : how === 'replace' ? value : json
  const { parent, index } = place
  if (Array.isArray(parent)) {
    if (how === 'remove') parent.splice(index, 1)
    else if (how === 'double' || how === 'add') parent.splice(index, 0, how === 'add' ? value : parent[index]!)
    else parent[index] = how === 'wrap' ? [parent[index]!] : value
  } else if ('entries' in parent) {
    const [name, item] = parent.entries[index]!
    if (how === 'remove') parent.entries.splice(index, 1)
    else if (how === 'add') parent.entries.splice(index, 0, [key, value])
    else if (how === 'double') parent.entries.push([name, value])
    else if (how === 'rename') parent.entries[index] = [key, item]
    else parent.entries[index] = [name, how === 'wrap' ? [item] : value]
  }
  return json
}

/** Faults of a text as such, on its bytes; one character is one byte. */
const textFault: fc.Arbitrary<(text: string) => string> = fc.oneof(
  fc.nat({ max: 300 }).map((at) => (text: string) => text.slice(0, at)),
  fc
    .tuple(fc.nat({ max: 300 }), fc.constantFrom('\0', '\xff', '\xc0\x80', '\xed\xa0\x80', '"', '{', ',', '\n', '\\'))
    .map(
      ([at, bytes]) =>
        (text: string) =>
          text.slice(0, at) + bytes + text.slice(at),
    ),
  fc.constantFrom(
    (text: string) => `\xef\xbb\xbf${text}`,
    (text: string) => text + text,
    (text: string) => ` \r\n\t${text}\n\n`,
    (text: string) => `data: ${text}\n\n`,
    (text: string) => Buffer.from(text, 'utf16le').toString('latin1'),
    () => '',
  ),
)

/** Null but for one time in a dozen. */
export function rarely<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> {
  return fc.oneof({ weight: 11, arbitrary: fc.constant(null) }, { weight: 1, arbitrary })
}

/** The bytes of a message with up to four faults in what it says, and now and then one in how it is written. */
export function faultyText(message: fc.Arbitrary<unknown>): fc.Arbitrary<string> {
  return fc
    .tuple(message, fc.oneof(fc.constant([]), fc.array(mutation, { maxLength: 4 })), rarely(textFault))
    .map(([value, mutations, fault]) => {
      const text = writeJson(mutations.reduce(mutated, toJson(value)))
      const bytes = Buffer.from(text).toString('latin1')
      return fault === null ? bytes : fault(bytes)
    })
}
