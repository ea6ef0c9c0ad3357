import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bootstrapCaller, fixedCaller } from '../../hub/auth/caller.ts'
import { callEventSchema, roleGrants, type CallEvent, type CallResult, type Problem } from '../../hub/contract/index.ts'
import path from 'node:path'
import { fixtureServer, startHub, TOKEN, type TestHub } from '../fixtures/hub.ts'
import { waitFor } from '../fixtures/wire.ts'

const OTHER_TOKEN = 'integration-test-other-user-0123456789'
const everything = path.join(
  import.meta.dirname,
  '../../node_modules/@modelcontextprotocol/server-everything/dist/index.js',
)
let hub: TestHub
beforeAll(async () => {
  hub = await startHub(
    {
      legacy: fixtureServer('interactive.ts', '--era', 'legacy'),
      modern: fixtureServer('interactive.ts', '--era', 'modern'),
      fixtures: fixtureServer('conformance/main.ts', '--era', 'legacy'),
      everything: { command: process.execPath, args: [everything] },
    },
    {},
    {
      hub: {
        tokens: [
          { value: TOKEN, caller: bootstrapCaller },
          { value: OTHER_TOKEN, caller: fixedCaller('user:other', 'other', 'user', roleGrants.user) },
        ],
      },
    },
  )
  for (const name of ['legacy', 'modern', 'fixtures', 'everything']) await hub.until(name, 'running')
})
afterAll(() => hub.close())

type Of<K extends CallEvent['type']> = Extract<CallEvent, { type: K }>

/** An interactive call whose events are taken one after the other, each of the kind that is expected. */
async function begin(server: string, tool: string, args: object = { message: 'Sure?' }) {
  const abort = new AbortController()
  const response = await fetch(`${hub.url}/api/tools/call`, {
    method: 'POST',
    headers: { ...hub.headers, 'content-type': 'application/json', accept: 'application/x-ndjson' },
    body: JSON.stringify({ server, tool, arguments: args, interactive: true }),
    signal: abort.signal,
  })
  expect(response.headers.get('content-type')).toContain('application/x-ndjson')
  const lines = createInterface({ input: Readable.fromWeb(response.body as ReadableStream) })[Symbol.asyncIterator]()
  async function next<K extends CallEvent['type']>(type: K): Promise<Of<K>> {
    const line = await lines.next()
    const event = callEventSchema.parse(JSON.parse(String(line.value)))
    expect(event).toMatchObject({ type })
    return event as Of<K>
  }
  const { call } = await next('started')
  return { call, next, abort: () => abort.abort() }
}

const answer = (call: string, question: string, body: object, token = TOKEN): Promise<Response> =>
  fetch(`${hub.url}/api/calls/${call}/questions/${question}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
const told = ({ answer: { result } }: Of<'result'>): unknown =>
  JSON.parse((result as { content: { text: string }[] }).content[0]?.text ?? '')

describe.each(['legacy', 'modern'])('an interactive call to a %s server', (server) => {
  it('brings the questions of the server to the caller, and the answers back', async () => {
    const { call, next } = await begin(server, 'ask_twice')
    const first = await next('question')
    expect(first).toMatchObject({ method: 'elicitation/create', params: { message: 'First?' } })
    const accepted = { action: 'accept', content: { answer: 'one' } }
    expect((await answer(call, first.question, { result: accepted })).status).toBe(204)
    const second = await next('question')
    expect(second.params['message']).toContain('"one"')
    expect((await answer(call, second.question, { result: { action: 'decline' } })).status).toBe(204)
    expect(told(await next('result'))).toMatchObject({ first: accepted, second: { action: 'decline' } })
  })

  it('answers sampling, and opens pages', async () => {
    const { call, next } = await begin(server, 'ask_model')
    const asked = await next('question')
    expect(asked.method).toBe('sampling/createMessage')
    const message = { role: 'assistant', content: { type: 'text', text: 'By hand' }, model: 'a person' }
    await answer(call, asked.question, { result: message })
    expect(told(await next('result'))).toMatchObject({ model: message })

    const link = await begin(server, 'ask_link')
    const page = await link.next('question')
    expect(page.params).toMatchObject({ mode: 'url', url: 'https://example.com/confirm' })
    await answer(link.call, page.question, { result: { action: 'accept' } })
    expect(told(await link.next('result'))).toMatchObject({ link: { action: 'accept' } })
  })

  it('is answered by nobody else, and by nobody once it is over', async () => {
    const { call, next, abort } = await begin(server, 'ask_user')
    const { question } = await next('question')
    expect((await answer(call, question, { result: {} }, OTHER_TOKEN)).status).toBe(404)
    expect((await answer(call, 'none', { result: {} })).status).toBe(404)
    abort()
    await expect.poll(async () => (await answer(call, question, { result: {} })).status).toBe(404)
  })
})

it('without it, a server that asks is told that nobody answers', async () => {
  const body = { server: 'modern', tool: 'ask_user', arguments: { message: 'Anybody?' } }
  const { status, body: answered } = await hub.api('POST', '/api/tools/call', body)
  expect(status).toBe(200)
  const { error, result } = answered as CallResult
  expect(JSON.stringify(error ?? result)).toMatch(/elicitation/)
  const refused = await hub.api('POST', '/api/tools/call', { ...body, interactive: true })
  expect(refused.status).toBe(400)
  expect((refused.body as Problem).cure).toContain('application/x-ndjson')
})

it('prompts are got and resources read, with an error of the server where there is none', async () => {
  const { body: prompts } = await hub.api('GET', '/api/prompts')
  const [prompt] = prompts as { server: string; name: string; arguments: { name: string }[] }[]
  expect(prompt).toBeDefined()
  const args = Object.fromEntries(prompt?.arguments.map(({ name }) => [name, 'x']) ?? [])
  const got = await hub.api('POST', '/api/prompts/get', {
    server: prompt?.server,
    prompt: prompt?.name,
    arguments: args,
  })
  expect((got.body as CallResult).result).toMatchObject({ messages: [{ role: expect.any(String) as string }] })

  const { body: resources } = await hub.api('GET', '/api/resources')
  const resource = (resources as { server: string; uri: string; template: boolean }[]).find((it) => !it.template)
  const read = await hub.api('POST', '/api/resources/read', { server: resource?.server, uri: resource?.uri })
  expect((read.body as CallResult).result).toMatchObject({ contents: [{ uri: resource?.uri }] })

  const missing = await hub.api('POST', '/api/resources/read', { server: resource?.server, uri: 'no:such' })
  expect((missing.body as CallResult).error).toMatchObject({ message: expect.any(String) as string })
  expect((await hub.api('POST', '/api/prompts/get', { server: 'none', prompt: 'x' })).status).toBe(404)
})

describe('completion', () => {
  const complete = async (body: object): Promise<CallResult> => {
    const { status, body: answered } = await hub.api('POST', '/api/completions', body)
    expect(status).toBe(200)
    return answered as CallResult
  }
  const prompt = { server: 'everything', ref: { type: 'ref/prompt', name: 'completable-prompt' } }

  it('is what the server suggests for the letters, in the context of the other arguments', async () => {
    const departments = await complete({ ...prompt, argument: { name: 'department', value: 'S' } })
    expect(departments.result).toMatchObject({ completion: { values: ['Sales', 'Support'] } })
    const context = { department: 'Sales' }
    const people = await complete({ ...prompt, argument: { name: 'name', value: 'E' }, context })
    expect(people.result).toMatchObject({ completion: { values: ['Eve'] } })
  })

  it('is for the variables of a template, too', async () => {
    const ref = { type: 'ref/resource', uri: 'demo://resource/dynamic/text/{resourceId}' }
    const ids = await complete({ server: 'everything', ref, argument: { name: 'resourceId', value: '7' } })
    expect(ids.result).toMatchObject({ completion: { values: ['7'] } })
  })

  it('is nothing where a server has none, which is not asked', async () => {
    const ref = { type: 'ref/prompt', name: 'x' }
    const none = await complete({ server: 'modern', ref, argument: { name: 'a', value: '' } })
    expect(none).toMatchObject({ bytes: 0, result: { completion: { values: [] } }, error: null })
  })

  it('tells of a prompt that is not there, and of a server that is not', async () => {
    const missing = { type: 'ref/prompt', name: 'no such prompt' }
    const { error } = await complete({ server: 'everything', ref: missing, argument: { name: 'a', value: '' } })
    expect(error).toMatchObject({ message: expect.any(String) as string })
    const other = await hub.api('POST', '/api/completions', {
      ...prompt,
      server: 'none',
      argument: { name: 'department', value: '' },
    })
    expect(other.status).toBe(404)
  })
})

it('calls and completions change nothing, so the audit log has none of them', async () => {
  // An act that is written after them: once it is there, they would be.
  await hub.api('POST', '/api/servers/everything/restart')
  await waitFor(async () => (await actions()).includes('POST /api/servers/:name/restart'))
  for (const route of ['tools/call', 'prompts/get', 'resources/read', 'completions'])
    expect(await actions()).not.toContain(`POST /api/${route}`)

  async function actions(): Promise<string[]> {
    const { body } = await hub.api('GET', '/api/audit')
    return (body as { items: { action: string }[] }).items.map(({ action }) => action)
  }
})
