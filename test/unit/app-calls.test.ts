import { afterEach, describe, expect, it, vi } from 'vitest'
import { callResultSchema, type ResourceEntry, type ToolEntry } from '../../hub/contract/index.ts'
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
  hash: null,
  warnings: [],
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
afterEach(() => {
  vi.unstubAllGlobals()
  save.mockClear()
})
const { signal } = new AbortController()
const entry = (uri: string, more: Partial<ResourceEntry> = {}): ResourceEntry => ({
  server: 'one',
  uri,
  template: false,
  name: uri,
  title: null,
  description: null,
  mimeType: null,
  ...more,
})
const resources = [
  entry('note://a', { name: 'a note', mimeType: 'text/plain' }),
  entry('note://{id}', { template: true }),
  entry('note://theirs', { server: 'two' }),
]
const save = vi.fn()
const create = () => createAppCalls('one', { tools: () => tools, resources: () => Promise.resolve(resources), save })

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

it('an app is told of the resources and templates of its own server, and of no other’s', async () => {
  expect(await create().listResources(signal)).toEqual({
    resources: [{ uri: 'note://a', name: 'a note', mimeType: 'text/plain' }],
  })
  expect(await create().listTemplates(signal)).toEqual({
    resourceTemplates: [{ uriTemplate: 'note://{id}', name: 'note://{id}' }],
  })
})

describe('the files of an app', () => {
  const file = (uri: string, more: object = { text: 'x' }) => ({ type: 'resource', resource: { uri, ...more } })

  it('are saved once the person agrees, those of links from its own server', async () => {
    const sent = api({ result: { contents: [{ uri: 'note://a', text: 'a note' }] }, error: null })
    const calls = create()
    const contents = [
      file('file:///tmp/../.bash rc?x', { blob: btoa('é'), mimeType: 'text/x-sh' }),
      { type: 'resource_link', uri: 'note://a', name: 'note.txt', mimeType: 'text/plain' },
    ]
    const saved = calls.saveFiles(contents, signal)
    expect(calls.questions.value).toMatchObject([
      {
        kind: 'files',
        files: [
          { name: 'bash-rc', type: 'text/x-sh', bytes: 1 },
          { name: 'note.txt', uri: 'note://a', bytes: null },
        ],
      },
    ])
    expect(sent).toEqual([])
    calls.answer(calls.questions.value[0]!.id, true)
    expect(await saved).toBe(true)
    expect(sent).toMatchObject([{ path: '/api/resources/read', body: { server: 'one', uri: 'note://a' } }])
    expect(save.mock.calls).toEqual([
      ['bash-rc', 'text/x-sh', Uint8Array.of(0xe9)],
      ['note.txt', 'text/plain', 'a note'],
    ])
  })

  it('are not saved when the person refuses, or has left', async () => {
    const calls = create()
    const refused = calls.saveFiles([file('a')], signal)
    calls.answer(calls.questions.value[0]!.id, false)
    expect(await refused).toBe(false)
    const waiting = calls.saveFiles([file('a')], signal)
    calls.leave()
    expect(await waiting).toBe(false)
    expect(await calls.saveFiles([file('a')], signal)).toBe(false)
    expect(save).not.toHaveBeenCalled()
  })

  it.each([
    ['none', [], 'no file'],
    ['too many', Array.from({ length: 11 }, () => file('a')), 'At most 10 files'],
    ['no content', [file('note://b', {})], 'note://b has neither text nor a blob'],
    ['no Base64', [file('note://b', { blob: '%' })], 'The blob of note://b is no Base64'],
    ['another block', [{ type: 'text', text: 'x' }], 'A file is a resource or a resource_link'],
  ])('are refused with why: %s', async (_what, contents, why) => {
    await expect(create().saveFiles(contents, signal)).rejects.toMatchObject({
      code: -32602,
      message: expect.stringContaining(why) as unknown,
    })
  })

  it('keep a name that a file system takes', () => {
    const calls = create()
    const long = `${'a'.repeat(300)}.csv`
    void calls.saveFiles([file(`x/${long}`), file('x/'), file('..')], signal)
    const [question] = calls.questions.value
    const names = question?.kind === 'files' ? question.files.map(({ name }) => name) : []
    expect(names).toEqual([`${'a'.repeat(96)}.csv`, 'download', 'download'])
  })
})

it('a model’s answer to an app is a person’s, who may refuse and calls no tools', async () => {
  const calls = create()
  const params = { messages: [], maxTokens: 10 }
  const answered = calls.createMessage(params, signal)
  expect(calls.questions.value).toMatchObject([{ kind: 'sampling', params }])
  const message = { role: 'assistant', content: { type: 'text', text: 'by hand' }, model: 'me' }
  calls.answer(calls.questions.value[0]!.id, message)
  expect(await answered).toEqual(message)
  const refused = calls.createMessage(params, signal)
  calls.answer(calls.questions.value[0]!.id, false)
  await expect(refused).rejects.toMatchObject({ code: -1 })
  await expect(calls.createMessage({ ...params, tools: [] }, signal)).rejects.toThrow('calls no tools')
})
