import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { mcpRequests } from './mcp-requests.ts'
import { restRequests } from './rest-requests.ts'
import { waitFor } from '../../fixtures/wire.ts'
import { MAX_WAIT_MS, faultOf, startTarget, type Target } from './target.ts'
import type { Input } from './requests.ts'
import { inputCount, replay, seed, SHRINK_MS, timeout } from './scale.ts'
import regressions from './regressions.json' with { type: 'json' }

/** Inputs that are sent side by side. */
const ROUND = 128
const TOKEN = 'Bearer <token>'

let target: Target
beforeAll(async () => {
  target = await startTarget()
}, 60_000)
afterAll(() => target.close())

/** What the hub does wrong with these, sent at once in one session of the endpoint. */
async function faultsWith(endpoint: string, inputs: readonly Input[]): Promise<string[]> {
  const session = await openSession(endpoint)
  const faults = await Promise.all(
    inputs.map(async (input) => {
      const sent = {
        ...input,
        headers: input.headers.map(([name, value]) => [name, value.replace(TOKEN, target.token)]),
      }
      try {
        return faultOf(input, await target.send(sent as Input, session.id))
      } catch (error) {
        return String(error)
      }
    }),
  )
  await session.close()
  return faults.flatMap((fault, index) => (fault === null ? [] : [`${fault} — to ${JSON.stringify(inputs[index])}`]))
}

/** A session that the inputs may use, and end. */
async function openSession(endpoint: string): Promise<{ id: string; close: () => Promise<unknown> }> {
  const headers = { host: 'localhost', authorization: target.token }
  if (endpoint === '/messages') return openSseSession(headers)
  if (!endpoint.startsWith('/mcp')) return { id: 'none', close: () => Promise.resolve() }
  const path = endpoint === '/mcp' ? '/mcp' : '/mcp/echo'
  const params = { protocolVersion: '2025-03-26', capabilities: {}, clientInfo: { name: 'fuzz', version: '1' } }
  const { session: id } = await target.send({
    method: 'POST',
    path,
    headers: Object.entries({ ...headers, 'content-type': 'application/json' }),
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params }),
  })
  expect(id).not.toBe('')
  const end: Input = { method: 'DELETE', path, headers: Object.entries({ ...headers, 'mcp-session-id': id }), body: '' }
  return { id, close: () => target.send(end) }
}

/** HTTP+SSE: its stream must answer after everything that was posted beside it. */
async function openSseSession(headers: Record<string, string>): Promise<{ id: string; close: () => Promise<unknown> }> {
  const abort = new AbortController()
  const { host: _host, ...own } = headers
  const response = await fetch(`${target.hub.url}/sse`, { headers: own, signal: abort.signal })
  let text = ''
  const reading = (async () => {
    const decoder = new TextDecoder()
    for await (const chunk of response.body ?? []) text += decoder.decode(chunk as Uint8Array, { stream: true })
  })().catch(() => undefined)
  const [, id = ''] = await waitFor(() => /sessionId=(\S+)/.exec(text))
  return {
    id,
    close: async () => {
      const ping: Input = {
        method: 'POST',
        path: `/messages?sessionId=${id}`,
        headers: Object.entries({ ...headers, 'content-type': 'application/json' }),
        body: '{"jsonrpc":"2.0","id":"still there","method":"ping"}',
      }
      await target.send(ping)
      await waitFor(() => text.includes('"id":"still there"'), MAX_WAIT_MS)
      abort.abort()
      await reading
    },
  }
}

const inputs: Record<string, fc.Arbitrary<Input>> = { ...mcpRequests(TOKEN), '/api': restRequests(TOKEN) }

describe.each(Object.keys(inputs))('%s', (endpoint) => {
  const known = regressions.filter((one) => one.endpoint === endpoint)
  it.runIf(known.length > 0)('answers what it once did not', async () => {
    for (const { why, input } of known) {
      expect(await faultsWith(endpoint, [input as Input]), why).toEqual([])
      await target.expectHealthy()
    }
  })

  it(`answers ${inputCount} faulty requests, none of them with 5xx, and all in time`, { timeout }, async () => {
    let sent = 0
    for (let round = 0; sent < inputCount; round++)
      await fc.assert(
        fc.asyncProperty(fc.array(inputs[endpoint]!, { minLength: 1, maxLength: ROUND, size: 'max' }), async (some) => {
          sent += some.length
          expect(await faultsWith(endpoint, some)).toEqual([])
        }),
        { numRuns: 20, seed: seed + round, ...replay, interruptAfterTimeLimit: SHRINK_MS },
      )
    await target.expectHealthy()
    await target.expectBounded()
  })
})
