import { expect, it } from 'vitest'
import { parseExactly } from '../../hub/contract/exact-json.ts'
import { equalJson, isObject } from '../../renderer/lib/json.ts'
import { payloadText } from '../../renderer/lib/payload.ts'
import { jsonIn, readResult, webAddress } from '../../renderer/features/tools/result/content.ts'
import { filterTools } from '../../renderer/features/tools/filter-tools.ts'
import { toolHints, toolTitle } from '../../renderer/features/tools/tool-hints.ts'

const blocks = (...content: unknown[]) => readResult({ content }).blocks

it('reads each kind of content', () => {
  expect(
    blocks(
      { type: 'text', text: 'hello' },
      { type: 'image', mimeType: 'image/png', data: 'iVBORw0KGgo=' },
      { type: 'audio', mimeType: 'audio/wav; codecs=1', data: 'UklGRg==' },
      { type: 'resource_link', uri: 'file:///a.txt', name: 'a' },
      { type: 'resource', resource: { uri: 'x://1', mimeType: 'text/plain', text: 'inside' } },
      { type: 'resource', resource: { uri: 'x://2', blob: 'AAAA' } },
    ),
  ).toEqual([
    { kind: 'text', text: 'hello' },
    { kind: 'image', type: 'image/png', data: 'iVBORw0KGgo=', playable: true },
    { kind: 'audio', type: 'audio/wav', data: 'UklGRg==', playable: true },
    { kind: 'link', uri: 'file:///a.txt', name: 'a', description: '' },
    { kind: 'resource', uri: 'x://1', type: 'text/plain', text: 'inside', data: null },
    { kind: 'resource', uri: 'x://2', type: '', text: null, data: 'AAAA' },
  ])
})

it.each([
  ['a type that is no picture', 'text/html', 'PHNjcmlwdD4='],
  ['a type that smuggles another', 'image/png,<svg>', 'AAAA'],
  ['data that is not base64', 'image/png', '"><script>'],
  ['no data', 'image/png', ''],
])('puts %s into no address', (_name, mimeType, data) => {
  expect(blocks({ type: 'image', mimeType, data })).toMatchObject([{ playable: false }])
})

it('shows what the specification does not know as what it is', () => {
  const odd = { type: 'hologram', depth: 3 }
  expect(blocks(odd, null, { type: 'text', text: 5 })).toEqual([
    { kind: 'unknown', type: 'hologram', value: odd },
    { kind: 'unknown', type: 'object', value: null },
    { kind: 'unknown', type: 'text', value: { type: 'text', text: 5 } },
  ])
  expect(readResult('just a text').blocks).toEqual([{ kind: 'unknown', type: 'string', value: 'just a text' }])
  expect(readResult({})).toEqual({ isError: false, blocks: [], structured: undefined })
})

it('tells a null as structured content from none', () => {
  expect(readResult({ structuredContent: null, isError: true })).toMatchObject({ structured: null, isError: true })
})

it('reads JSON in a text only when nothing of it changes', () => {
  expect(jsonIn(' {"a": [1]} ')).toEqual({ a: [1] })
  expect(jsonIn('{"id": 9007199254740993}')).toBeUndefined()
  expect(jsonIn('{"id": "9007199254740993"}')).toEqual({ id: '9007199254740993' })
  expect(jsonIn('5')).toBeUndefined()
  expect(jsonIn('[not json]')).toBeUndefined()
})

it('links only to the web', () => {
  expect(webAddress('https://example.com/x')).toBe('https://example.com/x')
  for (const uri of ['javascript:alert(1)', 'file:///etc/passwd', 'data:text/html,x', 'not a uri']) {
    expect(webAddress(uri)).toBeNull()
  }
})

const tool = (name: string, server: string, more: { title?: string; description?: string } = {}) => ({
  server,
  name,
  title: null,
  description: null,
  ...more,
})

it('finds tools by all words, in any order, in what can be seen of them', () => {
  const tools = [tool('read_file', 'files', { description: 'Reads a file' }), tool('search', 'web', { title: 'Find' })]
  expect(filterTools(tools, 'FILE reads').map(({ name }) => name)).toEqual(['read_file'])
  expect(filterTools(tools, 'find').map(({ name }) => name)).toEqual(['search'])
  expect(filterTools(tools, '', 'web').map(({ name }) => name)).toEqual(['search'])
  expect(filterTools(tools, 'nothing')).toEqual([])
})

it('claims of a tool only what its server says', () => {
  const hints = (annotations: Record<string, unknown> | null) => toolHints({ annotations })
  expect(hints(null)).toEqual([])
  expect(hints({ destructiveHint: false, openWorldHint: 'yes' })).toEqual([])
  expect(hints({ readOnlyHint: true, destructiveHint: true, idempotentHint: true })).toEqual(['readOnly'])
  expect(hints({ destructiveHint: true, idempotentHint: true, openWorldHint: true })).toEqual([
    'destructive',
    'idempotent',
    'openWorld',
  ])
  const title = (title: string | null, annotations: Record<string, unknown> | null) =>
    toolTitle({ name: 'a', title, annotations })
  expect(title('Own', { title: 'Other' })).toBe('Own')
  expect(title(null, { title: 'From annotations' })).toBe('From annotations')
  expect(title(null, { title: 5 })).toBe('a')
})

it('takes an integer beyond a double for a value, not for an object', () => {
  const [a, b, c] = parseExactly('[12345678901234567890,12345678901234567890,12345678901234567891]') as unknown[]
  expect(isObject(a)).toBe(false)
  expect(equalJson(a, b)).toBe(true)
  expect(equalJson(a, c)).toBe(false)
  expect(payloadText('{"id":12345678901234567890}')).toContain('12345678901234567890')
})
