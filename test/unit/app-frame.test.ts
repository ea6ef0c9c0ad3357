import { describe, expect, it } from 'vitest'
import {
  APP_FRAME_PATH,
  appFramePolicy,
  appFrameUrl,
  appSource,
  sortAppDomains,
  type AppDomains,
} from '../../hub/contract/app-frame.ts'

const NONE: AppDomains = { connectDomains: [], resourceDomains: [], frameDomains: [], baseUriDomains: [] }
const directives = (policy: string): Map<string, string> =>
  new Map(policy.split('; ').map((part) => [part.split(' ', 1)[0] ?? '', part.slice(part.indexOf(' ') + 1)]))

describe('origins that an app declares', () => {
  it.each([
    ['https://api.example.com', 'https://api.example.com'],
    ['https://API.Example.com:8443/', 'https://api.example.com:8443'],
    ['wss://live.example.com', 'wss://live.example.com'],
    ['https://*.tiles.example.com', 'https://*.tiles.example.com'],
  ])('allows %s', (declared, source) => {
    expect(appSource(declared, 'hub.example.org')).toBe(source)
  })

  it.each([
    ['*'],
    ['https:'],
    ['https://*'],
    ['https://*.com'],
    ["'self'"],
    ["'unsafe-eval'"],
    ['data:'],
    ['app://hub'],
    ['http://api.example.com'],
    ['api.example.com'],
    ['https://localhost'],
    ['https://localhost:3737'],
    ['https://printer.local'],
    ['https://db.internal'],
    ['https://127.0.0.1'],
    ['https://192.168.1.1:8443'],
    ['https://[::1]'],
    ['https://0x7f.1'],
    ['https://api.example.com/path'],
    ['https://user@api.example.com'],
    ['https://api.example.com; script-src *'],
    ['https://api.example.com, default-src *'],
    ['https://api.example.com https://evil.example'],
    ['https://api.example.com\nx'],
    [`https://${'a.'.repeat(200)}com`],
    [''],
  ])('refuses %j', (declared) => {
    expect(appSource(declared, 'hub.example.org')).toBeNull()
  })

  it('never allows the hub, by its name, another port or a wildcard', () => {
    for (const source of ['https://hub.example.org', 'https://HUB.example.org:9', 'https://*.example.org'])
      expect(appSource(source, 'hub.example.org:8443')).toBeNull()
    expect(appSource('https://other.example.org', 'hub.example.org')).not.toBeNull()
  })

  it('tells what was refused, whatever the declaration is made of', () => {
    const declared = {
      connectDomains: ['https://a.example.com', 'https://a.example.com', 7],
      resourceDomains: ['*'],
      other: ['x'],
    }
    expect(sortAppDomains(declared, 'hub')).toEqual({
      allowed: { ...NONE, connectDomains: ['https://a.example.com'] },
      refused: ['(number)', '*'],
    })
    for (const nothing of [undefined, null, 'https://a.example.com', { connectDomains: 'https://a.example.com' }])
      expect(sortAppDomains(nothing, 'hub')).toEqual({ allowed: NONE, refused: [] })
  })

  it('keeps the address of the frame short', () => {
    const many = Array.from({ length: 1_000 }, (_, index) => `https://host-${index}.a-long-name.example.com`)
    const { allowed, refused } = sortAppDomains({ connectDomains: many }, 'hub')
    expect(appFrameUrl(allowed).length).toBeLessThan(4_000)
    expect(refused.length).toBeGreaterThan(0)
    expect(refused.length).toBeLessThanOrEqual(100)
  })
})

describe('the policy of the frame', () => {
  it('has no origin and no network where nothing was declared', () => {
    const policy = directives(appFramePolicy(NONE))
    expect(policy.get('sandbox')).toBe('allow-scripts allow-forms')
    expect(policy.get('default-src')).toBe("'none'")
    for (const name of ['connect-src', 'frame-src', 'object-src', 'base-uri', 'form-action'])
      expect(policy.get(name), name).toBe("'none'")
    expect(policy.get('img-src')).toBe('data: blob:')
    expect(policy.get('script-src')).toBe("'unsafe-inline'")
    expect(policy.get('frame-ancestors')).toBe("'self'")
    for (const [name, value] of policy) if (name !== 'frame-ancestors') expect(value, name).not.toContain("'self'")
  })

  it('opens what was declared, each for what it is for', () => {
    const policy = directives(
      appFramePolicy({
        connectDomains: ['https://api.example.com'],
        resourceDomains: ['https://cdn.example.com'],
        frameDomains: ['https://video.example.com'],
        baseUriDomains: [],
      }),
    )
    expect(policy.get('connect-src')).toBe('https://api.example.com')
    expect(policy.get('frame-src')).toBe('https://video.example.com')
    for (const name of ['script-src', 'style-src', 'img-src', 'font-src', 'media-src'])
      expect(policy.get(name), name).toContain(' https://cdn.example.com')
    expect(policy.get('script-src')).not.toContain('api.example.com')
  })

  it('is named by an address that says what it allows', () => {
    expect(appFrameUrl(NONE)).toBe(APP_FRAME_PATH)
    const url = new URL(
      appFrameUrl({ ...NONE, connectDomains: ['https://a.example.com', 'wss://b.example.com'] }),
      'http://x',
    )
    expect(url.searchParams.get('connectDomains')).toBe('https://a.example.com wss://b.example.com')
  })
})
