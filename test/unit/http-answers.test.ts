import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { afterEach, expect, it } from 'vitest'
import { HubResponse, handOver, identifyRequest, requestIdOf } from '../../hub/http-answers.ts'

let server: Server | null = null
afterEach(() => server?.close())

/** The headers that a client gets of what `answer` writes. */
async function answered(answer: (response: ServerResponse) => void): Promise<Headers> {
  server = createServer({ ServerResponse: HubResponse }, (request, response) => {
    identifyRequest(request, response)
    answer(response)
  })
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const { headers } = await fetch(`http://127.0.0.1:${port}/`, { headers: { 'x-request-id': 'given-by-a-proxy' } })
  return headers
}

it.each<[string, (response: ServerResponse) => void]>([
  ['an object', (response) => response.writeHead(200, { 'x-other': 'mine' }).end()],
  ['an array', (response) => response.writeHead(200, ['x-other', 'mine']).end()],
  ['a reason and an object', (response) => response.writeHead(200, 'Fine', { 'x-other': 'mine' }).end()],
  ['headers set before', (response) => response.setHeader('x-other', 'mine').writeHead(200).end()],
  [
    'headers set before and an object',
    (response) => response.setHeader('x-other', 'mine').writeHead(200, { 'x-more': '1' }).end(),
  ],
  ['no head of its own', (response) => response.setHeader('x-other', 'mine').end('body')],
  ['a stream', (response) => response.setHeader('x-other', 'mine').write('body', () => response.end())],
])('an answer with %s carries the id of its request, beside its other headers', async (_how, answer) => {
  const headers = await answered(answer)
  expect(headers.get('x-request-id')).toBe('given-by-a-proxy')
  expect(headers.get('x-other')).toBe('mine')
})

it('an answer of Express carries it, and the handlers find it', async () => {
  const app = express().use((_request, response) => void response.json({ id: requestIdOf(response) }))
  server = createServer({ ServerResponse: HubResponse }, (request, response) => {
    identifyRequest(request, response)
    handOver(response)
    ;(app as (...args: unknown[]) => void)(request, response)
  })
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
  const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
  const made = response.headers.get('x-request-id')
  expect(made).toMatch(/^[\w-]{8,64}$/)
  expect(await response.json()).toEqual({ id: made })
})
