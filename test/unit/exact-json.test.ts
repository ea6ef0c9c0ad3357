import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { numberText, parseExactly, toNumber } from '../../hub/contract/exact-json.ts'
import { parseExactJson } from '../../renderer/lib/json.ts'

const again = (text: string): string => JSON.stringify(parseExactly(text))

describe('JSON that is passed on', () => {
  it.each([
    '{"id":12345678901234567890,"name":"a"}',
    '[-9223372036854775808,18446744073709551615,9007199254740993]',
    '{"a":{"b":[[1e999]],"__proto__":12345678901234567890}}',
    '12345678901234567890',
    '{"text":"12345678901234567890 \\\\\\" 12345678901234567890","n":12345678901234567890}',
    '{"12345678901234567890":["12345678901234567890"]}',
    '[0.1,1.5,-3,9007199254740992,"\\u0000"]',
    '[0.12345678901234567890,-1234567.8901234567891,12345678.12345678901,0.30000000000000004,5e-324]',
    '{"a":[1e400,-1e400,1e-400,123456789012345.67e10,0.1234567890123456789e-5]}',
  ])('keeps every number of %s', (text) => {
    expect(again(text)).toBe(text)
  })

  it('reads what a double holds as JSON.parse does', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(parseExactly(text)).toEqual(JSON.parse(text))
      }),
    )
    // The look for large numbers finds some here, and there are none.
    expect(parseExactly('{"a":"1234567890123456","b":[1]}')).toEqual({ a: '1234567890123456', b: [1] })
  })

  it('keeps the value of every number, however many digits it has and wherever its point is', () => {
    const digits = fc.stringMatching(/^\d{1,25}$/)
    const number = fc.tuple(
      fc.constantFrom('', '-'),
      fc.bigInt({ min: 0n, max: 10n ** 25n }),
      fc.option(digits),
      fc.option(fc.integer({ min: -420, max: 420 })),
    )
    fc.assert(
      fc.property(fc.array(number, { minLength: 1, maxLength: 5 }), (numbers) => {
        const written = numbers.map(
          ([sign, whole, fraction, exponent]) =>
            `${sign}${whole}${fraction === null ? '' : `.${fraction}`}${exponent === null ? '' : `e${exponent}`}`,
        )
        const kept = again(`{"n":[${written.join(',')}]}`)
          .slice('{"n":['.length, -2)
          .split(',')
        expect(kept.map(exactly)).toEqual(written.map(exactly))
      }),
      { numRuns: 2_000 },
    )
  })

  it('costs no more than its length, whatever zeros it has in the middle', () => {
    const text = `[1.${'0'.repeat(300_000)}1]`
    expect(again(text) === text).toBe(true)
  })

  it('keeps integers of any length anywhere', () => {
    const integer = fc.bigInt().map((value) => ({ number: String(value) }))
    const document = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: 'small' },
        integer,
        fc.string(),
        fc.array(tie('value')),
        fc.dictionary(fc.string(), tie('value')),
      ),
    })).value
    const write = (value: unknown): string => {
      if (Array.isArray(value)) return `[${value.map(write).join(',')}]`
      if (typeof value !== 'object' || value === null) return JSON.stringify(value)
      const keys = Object.keys(value)
      const number = (value as { number?: unknown }).number
      if (keys.length === 1 && typeof number === 'string' && /^-?\d+$/.test(number)) return number
      return `{${keys.map((key) => `${JSON.stringify(key)}:${write((value as Record<string, unknown>)[key])}`).join(',')}}`
    }
    fc.assert(
      fc.property(document, (value) => {
        // Keys that look like integers come first in an object: the order is not what is looked at.
        const text = write(value)
        expect(again(again(text))).toBe(again(text))
        expect(numbersIn(again(text))).toEqual(numbersIn(text))
      }),
    )
  })

  it.each([
    '{12345678901234567890:1}',
    '[012345678901234567]',
    '[12345678901234567890',
    '{"a":12345678901234567890}}',
    '"12345678901234567890',
  ])('refuses %s in the words of JSON.parse', (text) => {
    let expected = ''
    try {
      JSON.parse(text)
    } catch (error) {
      expected = String(error)
    }
    expect(expected).toContain('SyntaxError')
    expect(() => parseExactly(text)).toThrow(expected.replace('SyntaxError: ', ''))
  })

  it('reckons with a number that was kept, and with nothing else', () => {
    const [kept, plain] = parseExactly('[0.1234567890123456789,2]') as unknown[]
    expect([kept, plain, '3', null, {}].map(toNumber)).toEqual([0.12345678901234568, 2, NaN, NaN, NaN])
  })

  it('tells which values are such numbers', () => {
    const [large, small] = parseExactly('[12345678901234567890,5]') as unknown[]
    expect(numberText(large)).toBe('12345678901234567890')
    expect(numberText(small)).toBeNull()
    expect(numberText({ rawJSON: '5' })).toBeNull()
  })
})

/** The value of a number as digits that have no zero at either end, and an exponent. */
function exactly(literal: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/.exec(literal) ?? []
  let value = BigInt(whole + fraction)
  let shift = Number(exponent) - fraction.length
  if (value === 0n) return '0'
  for (; value % 10n === 0n; value /= 10n) shift++
  return `${sign}${value}e${shift}`
}

describe('JSON that a person writes', () => {
  it.each(['{"a":9007199254740993}', '["\\"1",9007199254740993]', '["\\\\",9007199254740993]'])(
    'is refused for a number that would be another: %s',
    (text) => expect(parseExactJson(text)).toEqual({ ok: false, kind: 'inexact', literal: '9007199254740993' }),
  )
  it.each(['["9007199254740993"]', '["\\"9007199254740993"]', '["a\\\\", 1.50]'])('is taken otherwise: %s', (text) =>
    expect(parseExactJson(text)).toMatchObject({ ok: true }),
  )
  it('may hold a file in a string', () => {
    expect(parseExactJson(`{"file":"${'A'.repeat(20_000_000)}"}`).ok).toBe(true)
  })
})

function numbersIn(text: string): string[] {
  return (
    text
      .replace(/"(?:[^"\\]|\\.)*"/g, '')
      .match(/-?\d+/g)
      ?.sort() ?? []
  )
}
