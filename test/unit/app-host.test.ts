import { describe, expect, it, vi } from 'vitest'
import {
  createBudget,
  frameHeight,
  jsonSize,
  MAX_HEIGHT,
  MIN_HEIGHT,
} from '../../renderer/features/tools/app/app-limits.ts'
import { createAppMessages } from '../../renderer/features/tools/app/app-messages.ts'
import { isApp, readApp } from '../../renderer/features/tools/app/app-resource.ts'
import { hostContext } from '../../renderer/features/tools/app/host-context.ts'

const URI = 'ui://apps/page'
const TYPE = 'text/html;profile=mcp-app'
const contents = (...list: object[]): object => ({ contents: list })

describe('the resource of an app', () => {
  it.each([
    ['text', { text: '<p>é' }],
    ['blob', { blob: Buffer.from('<p>é').toString('base64') }],
  ])('is read from its %s', (_form, body) => {
    const app = readApp(
      contents({ uri: 'ui://other', text: '' }, { uri: URI, mimeType: 'Text/HTML; profile=mcp-app', ...body }),
      URI,
      'hub',
    )
    expect(app).toMatchObject({ html: '<p>é', border: true, permissions: [] })
  })

  it('is not one of another type, address, encoding or size', () => {
    const read = (entry: object) => readApp(contents({ uri: URI, mimeType: TYPE, text: '', ...entry }), URI, 'hub')
    expect(read({ mimeType: 'text/html' })).toEqual({ kind: 'type', type: 'text/html' })
    expect(read({ mimeType: undefined })).toEqual({ kind: 'type', type: '' })
    expect(read({ uri: 'ui://apps/other' })).toEqual({ kind: 'missing' })
    expect(read({ text: undefined })).toEqual({ kind: 'unreadable' })
    expect(read({ text: undefined, blob: Buffer.from([0xff]).toString('base64') })).toEqual({ kind: 'unreadable' })
    expect(read({ text: undefined, blob: 'no base64!' })).toEqual({ kind: 'unreadable' })
    expect(read({ text: 'x'.repeat(5_000_001) })).toMatchObject({ kind: 'large' })
    for (const nothing of [null, 'text', {}, { contents: 7 }, { contents: [null] }])
      expect(readApp(nothing, URI, 'hub')).toEqual({ kind: 'missing' })
  })

  it('tells what it declares, and what of that it does not get', () => {
    const _meta = {
      ui: {
        csp: { connectDomains: ['https://api.example.com', 'https://hub.example.com'] },
        permissions: { camera: {}, microphone: {} },
        prefersBorder: false,
      },
    }
    const app = readApp(contents({ uri: URI, mimeType: TYPE, text: 'x', _meta }), URI, 'hub.example.com')
    if (!isApp(app)) throw new Error('it is one')
    expect(app.domains.allowed.connectDomains).toEqual(['https://api.example.com'])
    expect(app.domains.refused).toEqual(['https://hub.example.com'])
    expect(app.permissions).toEqual(['camera', 'microphone'])
    expect(app.border).toBe(false)
  })
})

describe('what an app may cost', () => {
  it('takes what redraws need, and not a flood', () => {
    let at = 0
    const budget = createBudget(() => at)
    for (let second = 0; second < 100; second++) {
      for (let n = 0; n < 120; n++) expect(budget.spend(200)).toBe(true)
      at += 1_000
    }
    const burst = Array.from({ length: 2_000 }, () => budget.spend(200))
    expect(burst.filter(Boolean).length).toBeLessThan(700)
    expect(burst.at(-1)).toBe(false)
  })

  it('counts large messages for many', () => {
    const budget = createBudget(() => 0)
    expect(budget.spend(3_000_000)).toBe(true)
    expect(budget.spend(3_000_000)).toBe(false)
  })

  it('measures JSON, and refuses what is larger, endless or none', () => {
    expect(jsonSize({ a: ['bc', 1, null] }, 1_000)).toBeGreaterThan(10)
    expect(jsonSize('x'.repeat(1_001), 1_000)).toBeNull()
    expect(jsonSize(Array.from({ length: 1_000 }), 1_000)).toBeNull()
    const endless: Record<string, unknown> = {}
    endless['self'] = endless
    for (const value of [endless, new Map(), new Uint8Array(9), 1n, { a: new Date() }])
      expect(jsonSize(value, 1_000)).toBeNull()
  })

  it('gives a frame a height between a line and a screen', () => {
    expect(frameHeight(300.2)).toBe(301)
    expect(frameHeight(1e12)).toBe(MAX_HEIGHT)
    expect(frameHeight(-5)).toBe(MIN_HEIGHT)
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, '300', null, undefined])
      expect(frameHeight(value)).toBeNull()
  })
})

it('keeps the last 200 messages, and shows them at intervals', () => {
  vi.useFakeTimers()
  const messages = createAppMessages(() => 7)
  for (let id = 0; id < 500; id++) messages.record('app', { jsonrpc: '2.0', method: 'ping', id })
  expect(messages.list.value).toEqual([])
  vi.runAllTimers()
  expect(messages.count.value).toBe(500)
  expect(messages.list.value).toHaveLength(200)
  expect(messages.list.value.at(-1)).toMatchObject({ from: 'app', what: 'ping #499', at: 7 })
  messages.record('host', { result: 'y'.repeat(1e6), id: 1 })
  messages.record('app', undefined)
  vi.runAllTimers()
  expect(messages.list.value.at(-2)?.what).toBe('result #1')
  expect(messages.list.value.at(-2)?.text.length).toBeLessThan(3_000)
  vi.useRealTimers()
})

it('tells an app how it is shown, and the theme with colors that need no color-scheme', () => {
  const options = {
    locale: 'en',
    desktop: false,
    font: 'sans',
    filling: null,
    token: () => ' light-dark(#ffffff, rgb(0 0 0 / 0.6))',
  }
  expect(hostContext({ ...options, dark: false })).toMatchObject({
    theme: 'light',
    styles: { variables: { '--color-background-primary': '#ffffff', '--font-sans': 'sans' } },
  })
  expect(hostContext({ ...options, dark: false })).toMatchObject({
    displayMode: 'inline',
    containerDimensions: { maxHeight: MAX_HEIGHT },
  })
  const filling = { width: 800, height: 600 }
  expect(hostContext({ ...options, dark: false, filling })).toMatchObject({
    displayMode: 'fullscreen',
    containerDimensions: filling,
  })
  expect(hostContext({ ...options, dark: true }).styles?.variables?.['--color-text-primary']).toBe('rgb(0 0 0 / 0.6)')
  expect(hostContext({ ...options, dark: true, token: () => '#abc' }).styles?.variables?.['--color-text-primary']).toBe(
    '#abc',
  )
})
