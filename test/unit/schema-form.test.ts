import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fits } from '../../renderer/features/tools/schema-form/fits.ts'
import { initialValue } from '../../renderer/features/tools/schema-form/initial-value.ts'
import { normalize, type Field } from '../../renderer/features/tools/schema-form/normalize.ts'
import { parseNumber } from '../../renderer/features/tools/schema-form/parse-number.ts'
import { compile } from '../../renderer/features/tools/schema-form/validate.ts'

/** The field that a form has for a property with this schema. */
function fieldFor(schema: unknown, root: object = {}): Field {
  const form = normalize({ ...root, type: 'object', properties: { it: schema } })
  if (form.kind !== 'object') throw new Error(`the form is ${form.kind}`)
  return form.fields[0]!.field
}

describe('normalize', () => {
  it.each([
    [{ type: 'string' }, 'string'],
    [{ type: 'number' }, 'number'],
    [{ type: 'integer' }, 'number'],
    [{ type: 'boolean' }, 'boolean'],
    [{ enum: ['a', 'b'] }, 'choice'],
    [{ type: 'array', items: { type: 'string' } }, 'array'],
    [{ type: 'object', properties: { x: { type: 'string' } } }, 'object'],
    [{ properties: { x: { type: 'string' } } }, 'object'],
  ])('%j is a field of kind %s', (schema, kind) => {
    expect(fieldFor(schema).kind).toBe(kind)
  })

  it.each([
    ['no type at all', {}],
    ['true', true],
    ['several types', { type: ['string', 'number'] }],
    [
      'a union of objects',
      {
        anyOf: [
          { type: 'object', properties: {} },
          { type: 'object', properties: {} },
        ],
      },
    ],
    ['a union of types', { oneOf: [{ type: 'string' }, { type: 'number' }] }],
    ['a map with keys of its own', { type: 'object', additionalProperties: { type: 'string' } }],
    ['a tuple', { type: 'array', prefixItems: [{ type: 'string' }], items: { type: 'number' } }],
    ['a list of anything', { type: 'array' }],
    ['rules that depend on others', { type: 'string', if: { const: 'a' }, then: { minLength: 2 } }],
    ['a reference to nowhere', { $ref: '#/$defs/missing' }],
    ['a reference to elsewhere', { $ref: 'https://example.com/schema.json' }],
    ['a reference with rules beside it', { $ref: '#/$defs/text', minLength: 3 }],
  ])('leaves %s to JSON', (_name, schema) => {
    expect(fieldFor(schema, { $defs: { text: { type: 'string' } } }).kind).toBe('json')
  })

  it.each([
    [{ type: ['string', 'null'] }, 'string'],
    [{ anyOf: [{ type: 'integer' }, { type: 'null' }] }, 'number'],
    [{ oneOf: [{ type: 'null' }, { type: 'boolean' }] }, 'boolean'],
    [{ type: 'string', nullable: true }, 'string'],
    [{ enum: ['a', null] }, 'choice'],
    [{ type: ['string', 'null'], enum: ['a', 'b', null] }, 'choice'],
    [{ anyOf: [{ $ref: '#/$defs/text' }, { type: 'null' }] }, 'string'],
    [{ anyOf: [{ const: 'a' }, { const: 'b' }, { type: 'null' }] }, 'choice'],
  ])('%j is a %s that may be null', (schema, kind) => {
    expect(fieldFor(schema, { $defs: { text: { type: 'string' } } })).toMatchObject({ kind, nullable: true })
  })

  it('keeps the type of each value to choose from and tells 5 from "5"', () => {
    expect(fieldFor({ enum: [5, '5', true] })).toMatchObject({
      options: [
        { label: '5', value: 5 },
        { label: '"5"', value: '5' },
        { label: 'true', value: true },
      ],
    })
  })

  it('shows the titles of constants', () => {
    const field = fieldFor({ oneOf: [{ const: 'r', title: 'Red' }, { const: 'g' }] })
    expect(field).toMatchObject({
      options: [
        { label: 'Red', value: 'r' },
        { label: 'g', value: 'g' },
      ],
    })
  })

  it('leaves a constant to JSON that was rounded when its schema was read', () => {
    expect(fieldFor({ const: 2 ** 53 }).kind).toBe('json')
    expect(fieldFor({ enum: [1, 2 ** 60] }).kind).toBe('json')
  })

  it('follows references within the schema, words beside them first', () => {
    const root = { $defs: { 'a/b': { type: 'integer', description: 'inner' } } }
    expect(fieldFor({ $ref: '#/$defs/a~1b', description: 'outer' }, root)).toMatchObject({
      kind: 'number',
      integer: true,
      description: 'outer',
    })
  })

  it('ends where a schema refers to itself', () => {
    const tree = { type: 'object', properties: { child: { $ref: '#/$defs/tree' } } }
    let field = fieldFor({ $ref: '#/$defs/tree' }, { $defs: { tree, loop: { $ref: '#/$defs/loop' } } })
    let depth = 0
    for (; field.kind === 'object'; depth++) field = field.fields[0]!.field
    expect(depth).toBeLessThan(20)
    expect(field.kind).toBe('json')
    expect(fieldFor({ $ref: '#/$defs/loop' }, { $defs: { loop: { $ref: '#/$defs/loop' } } }).kind).toBe('json')
  })

  it('makes an empty form of an object without properties, and JSON of an open map', () => {
    expect(normalize({ type: 'object', properties: {} })).toMatchObject({ kind: 'object', fields: [] })
    expect(normalize({ type: 'object' })).toMatchObject({ kind: 'object', fields: [] })
    expect(normalize({ type: 'object', additionalProperties: true }).kind).toBe('json')
  })

  it('takes whatever a server calls a schema', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        normalize(value)
        normalize({ type: 'object', properties: { it: value }, required: value, $defs: value })
        fieldFor({ enum: value, type: value, anyOf: value, allOf: value, items: value })
      }),
    )
  })
})

describe('initialValue', () => {
  const start = (properties: object, required: string[]) =>
    initialValue(normalize({ type: 'object', properties, required }))

  it('gives required fields the value that the schema names, and nothing to any other', () => {
    const properties = {
      mode: { const: 'fast' },
      count: { type: 'integer', default: 3 },
      optional: { type: 'string', default: 'x' },
      open: { type: 'string' },
    }
    expect(start(properties, ['mode', 'count', 'open'])).toEqual({ mode: 'fast', count: 3 })
  })

  it('looks into required objects', () => {
    const inner = { type: 'object', properties: { kind: { const: 'a' }, note: { type: 'string' } }, required: ['kind'] }
    expect(start({ inner }, ['inner'])).toEqual({ inner: { kind: 'a' } })
  })

  it('does not choose between values, nor null', () => {
    expect(start({ one: { enum: ['a', 'b'] }, two: { enum: ['a', null] } }, ['one', 'two'])).toEqual({})
  })
})

describe('parseNumber', () => {
  it.each(['', '-', '1e', '0x10', '1,5', '٣', 'Infinity', 'NaN', '01', '1 000'])('%j is no number', (text) => {
    expect(parseNumber(text, false)).toEqual({ ok: false, problem: 'notNumber' })
  })

  it.each(['9007199254740993', '0.1234567890123456789', '1e999', '123456789012345678901'])(
    'refuses %s, which would be sent as another number',
    (text) => {
      expect(parseNumber(text, false)).toEqual({ ok: false, problem: 'inexact' })
    },
  )

  it('takes 2.0 for a whole number and 2.5 not', () => {
    expect(parseNumber('2.0', true)).toEqual({ ok: true, value: 2 })
    expect(parseNumber('2.5', true)).toEqual({ ok: false, problem: 'notInteger' })
  })

  it('sends each whole number that it takes digit by digit', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }), (number) => {
        const parsed = parseNumber(String(number), true)
        // As it goes over the wire: a double may stand for more digits than JSON writes of it.
        if (parsed.ok) expect(JSON.stringify(parsed.value)).toBe(String(number))
        else expect(Number.isSafeInteger(Number(number))).toBe(false)
      }),
    )
  })
})

describe('fits', () => {
  it('is false for what a control would show as something else', () => {
    expect(fits(fieldFor({ type: 'string' }), 5)).toBe(false)
    expect(fits(fieldFor({ type: 'string', format: 'email' }), 'a\nb')).toBe(false)
    expect(fits(fieldFor({ type: 'string' }), 'a\nb')).toBe(true)
    expect(fits(fieldFor({ type: 'integer' }), 1.5)).toBe(false)
    expect(fits(fieldFor({ enum: [1] }), '1')).toBe(false)
    expect(fits(fieldFor({ type: 'boolean' }), 'true')).toBe(false)
  })
})

describe('compile', () => {
  const faults = (schema: unknown, value: unknown) =>
    compile(schema)?.(value).map(({ pointer, keyword, limit }) => [pointer, keyword, limit])

  it('names the place, the rule and its limit', () => {
    const schema = {
      type: 'object',
      properties: {
        name: { type: 'string', minLength: 3 },
        list: { type: 'array', items: { type: 'integer', maximum: 9 } },
        'a/b': { enum: ['x', 'y'] },
      },
    }
    expect(faults(schema, { name: 'ab', list: [1, 10], 'a/b': 'z' })).toEqual([
      ['/name', 'minLength', '3'],
      ['/list/1', 'maximum', '9'],
      ['/a~1b', 'enum', 'x, y'],
    ])
  })

  it('puts a missing key and an unknown key where they would be', () => {
    const schema = {
      type: 'object',
      properties: { a: { type: 'object', required: ['b'] } },
      additionalProperties: false,
    }
    expect(faults(schema, { a: {}, c: 1 })).toEqual([
      ['/a/b', 'required', ''],
      ['/c', 'additionalProperties', ''],
    ])
  })

  it('finds the limit behind a reference, or has none to say', () => {
    const schema = { properties: { n: { $ref: '#/$defs/n' } }, $defs: { n: { minimum: 5 } } }
    expect(faults(schema, { n: 1 })).toEqual([['/n', 'minimum', '']])
  })

  it('leaves the schema as it was', () => {
    const schema = { $defs: { n: { minimum: 5 } }, properties: { n: { $ref: '#/$defs/n' } } }
    const before = structuredClone(schema)
    compile(schema)?.({ n: 1 })
    expect(schema).toEqual(before)
  })

  it('has nothing to say by a schema that cannot be used', () => {
    expect(compile('nonsense')).toBeNull()
    expect(compile({ type: 'object', properties: { a: { type: 'string', pattern: '(' } } })?.({ a: 'x' })).toEqual([])
  })
})
