import { describe, expect, it } from 'vitest'
import { suspectedSecrets } from '../../hub/cases/suspected-secrets.ts'
import { parseExactly } from '../../hub/contract/exact-json.ts'
import { expectationOf } from '../../renderer/features/tools/cases/expectation.ts'
import { fitArguments } from '../../renderer/features/tools/cases/fit-arguments.ts'
import { compile } from '../../renderer/features/tools/schema-form/validate.ts'

describe('saved arguments and the schema of today', () => {
  const validate = compile({
    type: 'object',
    properties: {
      name: { type: 'string' },
      count: { type: 'integer' },
      'unit/of': { type: 'string' },
      place: { type: 'object', properties: { 'a/b': { type: 'number' } } },
    },
    required: ['name', 'unit/of'],
    additionalProperties: false,
  })

  it('go together, or whole arguments are left out, each with what is wrong with it', () => {
    const saved = { name: 'x', count: 'three', place: { 'a/b': 'far' }, gone: 1, 'unit/of': 'm' }
    const { value, leftOut, missing } = fitArguments(saved, validate)
    expect(value).toEqual({ name: 'x', 'unit/of': 'm' })
    expect(leftOut.map(({ name, fault }) => [name, fault.keyword])).toEqual([
      ['count', 'type'],
      ['place', 'type'],
      ['gone', 'additionalProperties'],
    ])
    expect(missing).toEqual([])
  })
  it('lack what the schema asks for by now', () => {
    expect(fitArguments({ name: 'x' }, validate)).toEqual({ value: { name: 'x' }, leftOut: [], missing: ['unit/of'] })
  })
  it('are taken as they are where the schema says nothing', () => {
    expect(fitArguments({ a: 1 }, null)).toEqual({ value: { a: 1 }, leftOut: [], missing: [] })
  })
})

describe('a result as it is compared', () => {
  it('is the same in whatever order its keys come, and another one in another order of a list', () => {
    const of = (result: unknown): string => expectationOf({ result, error: null })
    expect(of({ b: [{ d: 1, c: 2 }], a: null })).toBe(of({ a: null, b: [{ c: 2, d: 1 }] }))
    expect(of([1, 2])).not.toBe(of([2, 1]))
  })
  it('keeps numbers that a double does not hold, and tells an error from a result', () => {
    const result = parseExactly('{"id":12345678901234567890}')
    expect(expectationOf({ result, error: null })).toContain('12345678901234567890')
    const error = { code: -32000, message: 'no' }
    expect(expectationOf({ result: null, error })).not.toBe(expectationOf({ result: error, error: null }))
  })
})

describe('what looks like a secret in a case', () => {
  it('is told by its place', () => {
    const value = { list: [{ 'my/password': 'hunter2-hunter2', count: 2 }], text: 'see sk-0123456789abcdefgh' }
    expect(suspectedSecrets(JSON.stringify(value))).toEqual(['/list/0/my~1password', '/text'])
  })
  it('is nothing in ordinary arguments', () => {
    const value = { query: 'how to rotate a token', limit: 10, url: 'https://example.com/a?page=2', ids: ['a', 'b'] }
    expect(suspectedSecrets(JSON.stringify(value))).toEqual([])
  })
})
