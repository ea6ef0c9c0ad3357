import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { z } from 'zod'
import {
  hubStatusSchema,
  runEventSchema,
  serverDetailSchema,
  serverStatusSchema,
  webhookStatusSchema,
} from '../../hub/contract/index.ts'
import {
  addressOf,
  onPasswordChangeNeeded,
  onSessionEnd,
  perform,
  renewSession,
  request,
  requestLines,
} from '../../renderer/lib/client.ts'
import { eventually } from './eventually.ts'

const asked: { url: string; method: string | undefined; body: unknown; ifMatch: string | null }[] = []
let answer = new Response('[]')
/** What the hub says to who would go on with a session; null where it does not answer. */
let renewed: Response | null = null

beforeEach(() => {
  asked.length = 0
  answer = new Response('[]')
  vi.stubGlobal('fetch', (url: string, init: RequestInit) => {
    const headers = new Headers(init.headers)
    asked.push({ url, method: init.method, body: init.body, ifMatch: headers.get('if-match') })
    if (url !== '/api/auth/refresh') return Promise.resolve(answer)
    return renewed === null ? Promise.reject(new TypeError('Failed to fetch')) : Promise.resolve(renewed)
  })
})
afterEach(() => vi.unstubAllGlobals())

it('makes the request that the route and its parts say', async () => {
  await perform('PUT /api/servers/:name', {
    params: { name: 'a/b ü' },
    body: { config: { command: 'x' } },
    ifMatch: '"1"',
  })
  expect(asked).toEqual([
    { url: '/api/servers/a%2Fb%20%C3%BC', method: 'PUT', body: '{"config":{"command":"x"}}', ifMatch: '"1"' },
  ])
  const pin = { params: { name: 'a', tool: 'b?' } }
  expect(addressOf('GET /api/servers/:name/tools/:tool/pin', pin)).toBe('/api/servers/a/tools/b%3F/pin')
  const query = { server: ['a', 'b&c'], limit: '5', q: undefined }
  expect(addressOf('GET /api/history', { query })).toBe('/api/history?server=a&server=b%26c&limit=5')
})

it('reads an answer by lines, and no line that is empty', async () => {
  answer = new Response('{"type":"started","call":"a"}\n\n\n{"type":"question","id":"1"}\n\n')
  const values: unknown[] = []
  const parts = { params: { server: 'a', tool: 'b' } }
  await requestLines('POST /api/tools/call', z.looseObject({ type: z.string() }) as never, parts as never, (value) =>
    values.push(value),
  )
  expect(values).toMatchObject([{ type: 'started' }, { type: 'question' }])
})

it('refuses an answer of another shape', async () => {
  answer = new Response('[{"name":1}]')
  await expect(request('GET /api/servers', z.array(serverStatusSchema))).rejects.toMatchObject({
    kind: 'unexpected',
    request: 'GET /api/servers',
  })
})

it('says of an answer that breaks off what was asked, whichever part of it fails to come', async () => {
  const broken = (): Response =>
    new Response(new ReadableStream({ pull: (out) => out.error(new TypeError('network')) }))
  const plan = { params: { name: 'one' } }
  for (const ask of [
    () => request('GET /api/servers', z.array(serverStatusSchema)),
    () => perform('GET /api/servers'),
    () => requestLines('POST /api/publish/targets/:name/plan', runEventSchema, plan, () => undefined),
  ]) {
    answer = broken()
    await expect(ask()).rejects.toMatchObject({ kind: 'unreachable' })
  }
})

it('takes each line of an answer, and ends it when one cannot be taken', async () => {
  const ended = vi.fn()
  const lines = async (text: string): Promise<{ told: unknown[]; error: unknown }> => {
    const told: unknown[] = []
    const start = (out: ReadableStreamDefaultController<Uint8Array>): void => {
      out.enqueue(new TextEncoder().encode(text))
      if (!text.includes('?')) out.close()
    }
    answer = new Response(new ReadableStream<Uint8Array>({ start, cancel: ended }))
    const error: unknown = await requestLines(
      'POST /api/publish/targets/:name/plan',
      runEventSchema,
      { params: { name: 'one' } },
      (event) => told.push(event),
    ).catch((reason: unknown) => reason)
    return { told, error }
  }
  const log = { type: 'log', text: 'a' }
  expect(await lines(`${JSON.stringify(log)}\n${JSON.stringify(log)}`)).toMatchObject({ told: [log, log] })
  expect(await lines(`${JSON.stringify(log)}\n{"type":"?"}\n`)).toMatchObject({
    told: [log],
    error: { kind: 'unexpected' },
  })
  await eventually(() => expect(ended).toHaveBeenCalledOnce())
})

it('says that a session has ended only where the hub says so', async () => {
  const ended = vi.fn()
  onSessionEnd(ended)
  const ask = async (): Promise<unknown> => {
    answer = new Response('{}', { status: 401, headers: { 'www-authenticate': 'Bearer' } })
    return request('GET /api/servers', z.array(serverStatusSchema)).catch((error: unknown) => error)
  }
  renewed = null
  expect(await ask()).toMatchObject({ kind: 'unreachable', request: 'POST /api/auth/refresh' })
  renewed = new Response('the store is away', { status: 503 })
  expect(await ask()).toMatchObject({ status: 503, message: 'HTTP 503: the store is away' })
  expect(ended).not.toHaveBeenCalled()

  renewed = new Response('{}', { status: 401 })
  expect(await ask()).toMatchObject({ status: 401, request: 'GET /api/servers' })
  expect(ended).toHaveBeenCalledOnce()
  renewed = new Response('{}')
  expect(await renewSession()).toBe(true)
})

it('tells when nothing is allowed before the password is changed', async () => {
  const needed = vi.fn()
  onPasswordChangeNeeded(needed)
  const problem = { type: 'about:blank', title: '', status: 403, detail: '' }
  answer = Response.json({ ...problem, code: 'HUB_FORBIDDEN' }, { status: 403 })
  await expect(request('GET /api/servers', z.array(serverStatusSchema))).rejects.toThrow()
  expect(needed).not.toHaveBeenCalled()
  answer = Response.json({ ...problem, code: 'HUB_PASSWORD_CHANGE_NEEDED' }, { status: 403 })
  await expect(request('GET /api/servers', z.array(serverStatusSchema))).rejects.toThrow()
  expect(needed).toHaveBeenCalledOnce()
})

/** Each line below is a mistake that the compiler must find: `node scripts/typecheck.ts` fails where one of them passes. */
export const mistakes = (): unknown[] => [
  // @ts-expect-error no such path
  perform('POST /api/server', { body: {} }),
  // @ts-expect-error no such method of it
  perform('PATCH /api/servers'),
  // @ts-expect-error its parameter is missing
  perform('DELETE /api/servers/:name'),
  // @ts-expect-error its parameter has another name
  perform('DELETE /api/servers/:name', { params: { id: 'a' } }),
  // @ts-expect-error its body is missing
  perform('POST /api/servers'),
  // @ts-expect-error another body
  perform('POST /api/servers/parse', { body: { txt: '' } }),
  // @ts-expect-error it takes no body
  perform('POST /api/servers/:name/enable', { params: { name: 'a' }, body: {} }),
  // @ts-expect-error it takes no such query
  addressOf('GET /api/history', { query: { sever: 'a' } }),
  // @ts-expect-error another answer
  request('GET /api/hub', serverDetailSchema),
  // @ts-expect-error a part of its answer
  request('GET /api/hub', hubStatusSchema.pick({ version: true })),
  // @ts-expect-error one in the place of many
  request('GET /api/webhooks', webhookStatusSchema),
  // @ts-expect-error it answers nothing
  request('POST /api/auth/logout', hubStatusSchema),
]
