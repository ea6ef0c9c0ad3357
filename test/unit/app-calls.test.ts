import { afterEach, describe, expect, it, vi } from 'vitest'
import { callResultSchema, type ToolEntry } from '../../hub/contract/index.ts'
import { createAppCalls } from '../../renderer/features/tools/app/app-calls.ts'

const tool = (name: string, more: Partial<ToolEntry> = {}): ToolEntry => ({
  server: 'one',
  name,
  exposedName: `one__${name}`,
  title: null,
  description: null,
  inputSchema: {},
  annotations: null,
  pin: 'approved',
  ui: { resourceUri: null, visibility: ['model', 'app'] },
  tokens: 1,
  ...more,
})
const READS = { annotations: { readOnlyHint: true } }
const tools = [
  tool('look', READS),
  tool('save'),
  tool('hidden', { ...READS, ui: { resourceUri: null, visibility: ['model'] } }),
  tool('look', { ...READS, server: 'two' }),
  tool('theirs', { ...READS, server: 'two' }),
]

interface Sent {
  path: string
  body: unknown
  signal: AbortSignal | null | undefined
}
/** The API, as far as calls by hand go: answers each with `result`, or not at all. */
function api(answer: { result: unknown; error: unknown } | null): Sent[] {
  const sent: Sent[] = []
  vi.stubGlobal('fetch', (path: string, { body, signal }: RequestInit) => {
    sent.push({ path, body: JSON.parse(body as string), signal })
    if (answer === null)
      return new Promise<never>((_resolve, reject) =>
        signal?.addEventListener('abort', () => reject(new Error('ended'))),
      )
    const event = { type: 'result', answer: callResultSchema.parse({ durationMs: 1, bytes: 1, ...answer }) }
    return Promise.resolve(new Response(`${JSON.stringify(event)}\n`))
  })
  return sent
}
afterEach(() => vi.unstubAllGlobals())
const { signal } = new AbortController()
const create = () => createAppCalls('one', () => tools)

describe('the calls of an app', () => {
  it('go to tools of its own server that only read', async () => {
    const sent = api({ result: { content: [] }, error: null })
    expect(await create().callTool('look', { a: 1 }, signal)).toEqual({ content: [] })
    expect(sent).toMatchObject([
      { path: '/api/tools/call', body: { server: 'one', tool: 'look', arguments: { a: 1 } } },
    ])
  })

  it('never go to another server’s tools, to those for models, or to none', async () => {
    const sent = api({ result: {}, error: null })
    const calls = create()
    for (const name of ['theirs', 'hidden', 'nothing', 'one__look', '__proto__'])
      await expect(calls.callTool(name, {}, signal)).rejects.toMatchObject({ code: -32602 })
    expect(sent).toEqual([])
    expect(calls.questions.value).toEqual([])
  })

  it('wait for the person where a tool does not say that it only reads', async () => {
    const sent = api({ result: { content: [] }, error: null })
    const calls = create()
    const refused = calls.callTool('save', { note: 'x' }, signal)
    expect(calls.questions.value).toMatchObject([{ kind: 'call', tool: { name: 'save' }, args: { note: 'x' } }])
    calls.answer(calls.questions.value[0]!.id, false)
    await expect(refused).rejects.toThrow('refused')
    expect(sent).toEqual([])

    const allowed = calls.callTool('save', { note: 'y' }, signal)
    calls.answer(calls.questions.value[0]!.id, true)
    await allowed
    expect(sent).toHaveLength(1)
    expect(calls.questions.value).toEqual([])
  })

  it('ask five things at once and no more, and run eight', async () => {
    api(null)
    const calls = create()
    const asked = Array.from({ length: 5 }, () => calls.callTool('save', {}, signal))
    await expect(calls.callTool('save', {}, signal)).rejects.toThrow('asked 5 things')
    const running = Array.from({ length: 8 }, () => calls.callTool('look', {}, signal))
    await expect(calls.callTool('look', {}, signal)).rejects.toThrow('8 calls')
    const ends = Promise.allSettled([...asked, ...running])
    calls.stop()
    expect((await ends).every(({ status }) => status === 'rejected')).toBe(true)
    expect(calls.questions.value).toEqual([])
  })

  it('are withdrawn with the request', async () => {
    const abort = new AbortController()
    const calls = create()
    const call = calls.callTool('save', {}, abort.signal)
    abort.abort()
    await expect(call).rejects.toThrow('refused')
    expect(calls.questions.value).toEqual([])
  })

  it('pass a server’s error on as it is', async () => {
    api({ result: null, error: { code: -32002, message: 'Resource not found' } })
    await expect(create().readResource('ui://none', signal)).rejects.toMatchObject({
      code: -32002,
      message: 'Resource not found',
    })
  })
})

describe('the links of an app', () => {
  it('are opened only by the person, and only on the web', async () => {
    const calls = create()
    for (const url of [
      'javascript:alert(1)',
      'file:///etc/passwd',
      'app://hub/',
      'data:text/html,x',
      'nonsense',
      '/api/tools',
    ])
      expect(await calls.openLink(url, signal)).toBe(false)
    const opened = calls.openLink('https://example.com/a?b', signal)
    expect(calls.questions.value).toMatchObject([{ kind: 'link', url: 'https://example.com/a?b' }])
    calls.answer(calls.questions.value[0]!.id, true)
    expect(await opened).toBe(true)
  })
})
