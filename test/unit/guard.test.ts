import type { IncomingMessage } from 'node:http'
import { describe, expect, it } from 'vitest'
import { createGuard } from '../../hub/auth/guard.ts'

const guard = createGuard({ allowedHosts: ['hub.example.com'], allowedOrigins: ['https://console.example.com'] })

function refusal(headers: Record<string, string>, method = 'POST'): string | null {
  return guard({ method, headers } as unknown as IncomingMessage)?.code ?? null
}

describe('DNS rebinding (CVE-2025-66414, CVE-2025-66416, CVE-2026-34742)', () => {
  it.each(['127.0.0.1:3000', 'localhost:3000', 'LOCALHOST:3000', '[::1]:3000', 'localhost', 'hub.example.com'])(
    'the host %s is ours',
    (host) => {
      expect(refusal({ host })).toBeNull()
    },
  )
  it('a loopback name is ours at any port, as a tunnel or a mapping of containers brings it, for its own page only', () => {
    expect(refusal({ host: 'localhost:9999' })).toBeNull()
    expect(refusal({ host: 'localhost:9999', origin: 'http://localhost:9999' })).toBeNull()
    for (const origin of ['http://localhost:3000', 'http://localhost', 'http://127.0.0.1:9999'])
      expect(refusal({ host: 'localhost:9999', origin })).toBe('HUB_ORIGIN_REFUSED')
  })
  it.each([
    '',
    'evil.example',
    'localhost.evil.example',
    'evil.localhost',
    'localhost.',
    '127.0.0.1.evil.example',
    '127.0.0.1.',
    '127.1',
    '2130706433',
    '0x7f000001',
    '0.0.0.0:3000',
    '169.254.169.254',
    '[::ffff:127.0.0.1]',
    '[::1%25eth0]',
    'hub.example.com.evil.example',
    'evil-hub.example.com',
    'localhost:3000@evil.example',
    'localhost evil.example',
  ])('the host "%s" is not', (host) => {
    expect(refusal({ host })).toBe('HUB_HOST_REFUSED')
  })
})

describe('pages of other sites', () => {
  const host = 'localhost:3000'
  it.each(['http://localhost:3000', 'https://console.example.com'])('the origin %s may call', (origin) => {
    expect(refusal({ host, origin })).toBeNull()
  })
  it.each([
    'null',
    'file://',
    'http://localhost:3001',
    'http://localhost',
    'http://127.0.0.1:3000',
    'https://evil.example',
    'https://console.example.com.evil.example',
    'http://console.example.com',
    'chrome-extension://abcdefgh',
    'app://hub',
    '',
  ])('the origin "%s" may not', (origin) => {
    expect(refusal({ host, origin })).toBe('HUB_ORIGIN_REFUSED')
  })
  it.each(['cross-site', 'same-site'])('a form of a %s page changes nothing', (site) => {
    expect(refusal({ host, 'sec-fetch-site': site })).toBe('HUB_ORIGIN_REFUSED')
    expect(refusal({ host, 'sec-fetch-site': site }, 'DELETE')).toBe('HUB_ORIGIN_REFUSED')
  })
  it('a link from elsewhere opens the page, and a program with a token is no page', () => {
    expect(refusal({ host, 'sec-fetch-site': 'cross-site' }, 'GET')).toBeNull()
    expect(refusal({ host, 'sec-fetch-site': 'same-origin' })).toBeNull()
    expect(refusal({ host, 'sec-fetch-site': 'cross-site', authorization: 'Bearer x' })).toBeNull()
  })
})
