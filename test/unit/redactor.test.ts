import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createRedactor } from '../../hub/observe/redactor.ts'

const SECRET = 'p/ss "w+rd" ünïcode & more'

describe('the redactor', () => {
  it.each<[string, string]>([
    ['as it is', SECRET],
    ['inside JSON', JSON.stringify(SECRET).slice(1, -1)],
    ['inside JSON inside JSON', JSON.stringify(JSON.stringify(SECRET).slice(1, -1)).slice(1, -1)],
    ['in JSON that escapes slashes', JSON.stringify(SECRET).slice(1, -1).replaceAll('/', '\\/')],
    ['in a URL', encodeURIComponent(SECRET)],
    ['in a URL with small letters', encodeURIComponent(SECRET).replace(/%../g, (escape) => escape.toLowerCase())],
    ['in a form', new URLSearchParams({ a: SECRET }).toString().slice(2)],
  ])('finds a secret %s', (_form, text) => {
    const redactor = createRedactor([SECRET])
    expect(redactor.text(`before ${text} after ${text}`)).toBe('before [secret] after [secret]')
  })

  it.each(['', 'u:', 'user:', 'me@example.com:'])('finds a secret in base64 behind %j', (before) => {
    const redactor = createRedactor(['hunter2-hunter2'])
    for (const encoding of ['base64', 'base64url'] as const) {
      const header = Buffer.from(`${before}hunter2-hunter2`).toString(encoding)
      const shown = redactor.text(`Authorization: Basic ${header}`)
      expect(shown).toContain('[secret]')
      expect(Buffer.from(shown.replace('Authorization: Basic ', ''), 'base64').toString()).not.toContain('hunter2')
    }
  })

  it('finds each line of a key, and the secret fields of a key file, which logs show one by one', () => {
    const key = `-----BEGIN PRIVATE KEY-----\n${'MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n'.repeat(3)}-----END PRIVATE KEY-----\n`
    const redactor = createRedactor([JSON.stringify({ type: 'service_account', private_key: key })])
    expect(redactor.text('line: MIIEvQIBADANBgkqhkiG9w0BAQEFAASC')).toBe('line: [secret]')
    expect(redactor.text('type: service_account')).toBe('type: service_account')
  })

  it('leaves values of less than six characters: they would mangle ordinary text', () => {
    expect(createRedactor(['abcde']).text('abcde')).toBe('abcde')
  })

  it('keeps JSON valid, also where a secret looks like a number, a key or a piece of syntax', () => {
    const redactor = createRedactor(['12345678', 'secret-key', '","b":"'])
    const shown: unknown = JSON.parse(redactor.json({ a: 12345678, 'secret-key': ['x12345678'], b: '","b":"' }))
    expect(shown).toEqual({ a: 12345678, '[secret]': ['x[secret]'], b: '[secret]' })
  })

  it('returns what holds no secret as it is', () => {
    const value = { a: ['b'] }
    expect(createRedactor(['something']).value(value)).toBe(value)
  })

  it('learns, and does not forget what a process may still print', () => {
    const redactor = createRedactor()
    redactor.know('a', ['value-one'])
    redactor.know('b', ['value-two'])
    expect(redactor.text('value-one value-two')).toBe('[secret] [secret]')
    redactor.know('a', ['value-three'])
    expect(redactor.text('value-one value-two value-three')).toBe('[secret] [secret] [secret]')
    redactor.know(
      'a',
      Array.from({ length: 1_500 }, (_, index) => `another-${index}`),
    )
    redactor.know('a', [])
    expect(redactor.text('value-one value-two')).toBe('value-one [secret]')
  })

  it('shows no part of a secret that stands where a text is cut', () => {
    const secret = 'abcdefghijklmnopqrstuvwxyz'
    const redactor = createRedactor([secret])
    for (let at = 0; at <= 40; at++) {
      const shown = redactor.head(`${'.'.repeat(at)}${secret}${'.'.repeat(200)}`, 30)
      expect(`${'.'.repeat(at)}[secret]${'.'.repeat(200)}`.startsWith(shown)).toBe(true)
    }
    expect(redactor.head('.'.repeat(100), 30)).toBe('.'.repeat(30))
    expect(redactor.head('short', 30)).toBe('short')
  })

  it('takes the beginning of a secret at the end of a text for one that was cut off', () => {
    const redactor = createRedactor(['abcdefghijklmnopqrstuvwxyz'])
    expect(redactor.text('ends in abcdefghijklmnop')).toBe('ends in [secret]')
    expect(redactor.text('ends in abcdefgh')).toBe('ends in abcdefgh')
    expect(redactor.value({ detail: 'abcdefghijklmnopqrstuvwxyz, abcdefghijklmnop' })).toEqual({
      detail: '[secret], [secret]',
    })
  })

  it('finds every one of many secrets anywhere in a text, and nothing else', () => {
    const secret = fc.stringMatching(/^[!-~]{6,40}$/)
    fc.assert(
      fc.property(
        fc.array(secret, { minLength: 1, maxLength: 50 }),
        fc.string(),
        fc.string(),
        (secrets, before, after) => {
          const redactor = createRedactor(secrets)
          for (const value of secrets) expect(redactor.text(`${before}${value}${after}`)).not.toContain(value)
          const innocent = 'zzzzz zzzzz'
          if (!secrets.some((value) => innocent.includes(value))) expect(redactor.text(innocent)).toBe(innocent)
        },
      ),
    )
  })

  it('takes a megabyte of log with two thousand secrets in well under a second', () => {
    const secrets = Array.from(
      { length: 2_000 },
      (_, index) => `sk-${index.toString(36).padStart(6, '0')}-${'x'.repeat(20)}`,
    )
    const redactor = createRedactor(secrets)
    const line = `2026-01-01T00:00:00Z INFO an ordinary line of a server that says what it does ${'0123456789'.repeat(5)}\n`
    const text = `${line.repeat(8_000)}${secrets[1_234] ?? ''}`
    redactor.text('prepares the search')
    const startedAt = performance.now()
    expect(redactor.text(text).endsWith('[secret]')).toBe(true)
    expect(performance.now() - startedAt).toBeLessThan(500)
  })
})
