import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { z } from 'zod'
import {
  hubStatusSchema,
  serverDetailSchema,
  serverStatusSchema,
  webhookStatusSchema,
} from '../../hub/contract/index.ts'
import { addressOf, perform, request } from '../../renderer/lib/client.ts'

const asked: { url: string; method: string | undefined; body: unknown; ifMatch: string | null }[] = []
let answer = new Response('[]')

beforeEach(() => {
  asked.length = 0
  answer = new Response('[]')
  vi.stubGlobal('fetch', (url: string, init: RequestInit) => {
    const headers = new Headers(init.headers)
    asked.push({ url, method: init.method, body: init.body, ifMatch: headers.get('if-match') })
    return Promise.resolve(answer)
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

it('refuses an answer of another shape', async () => {
  answer = new Response('[{"name":1}]')
  await expect(request('GET /api/servers', z.array(serverStatusSchema))).rejects.toMatchObject({
    kind: 'unexpected',
    request: 'GET /api/servers',
  })
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
