import { describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { META, Reply, type Body, type Params } from '../../hub/gateway/json-rpc.ts'
import { modernBody, modernError, refusesPages } from '../../hub/gateway/modern-result.ts'

const parsed = (body: Body): { id: unknown; result: Params } =>
  JSON.parse((typeof body === 'string' ? Buffer.from(body, 'latin1') : Buffer.concat(body)).toString()) as never

const hub = { name: 'hüb "1"', version: '{' }
const replyOf = (result: unknown, last: boolean): Reply => {
  const message = last ? { result, jsonrpc: '2.0', id: 7 } : { jsonrpc: '2.0', id: 7, result }
  return Reply.fromBytes(Buffer.from(JSON.stringify(message))) ?? Reply.of(message as never)
}

describe('a result for a modern client', () => {
  const own = fc.record({ name: fc.string(), version: fc.string() })
  const results = fc.record(
    {
      structuredContent: fc.oneof(fc.jsonValue(), fc.record({ _meta: fc.record({ [META.serverInfo]: own }) })),
      resultType: fc.constantFrom('complete', 'task'),
      _meta: fc.record({ [META.serverInfo]: own, other: fc.jsonValue() }, { requiredKeys: [] }),
    },
    { requiredKeys: [] },
  )

  it('is the server’s own, with the name of the hub, however it is put together', () => {
    fc.assert(
      fc.property(results, fc.boolean(), fc.boolean(), (result, last, asObject) => {
        const reply = asObject ? Reply.result(result) : replyOf(result, last)
        const body = parsed(modernBody(reply, '"é"', { era: 'modern', method: 'tools/call', serverInfo: hub }))
        const expected = { resultType: 'complete', ...result, _meta: { ...result._meta, [META.serverInfo]: hub } }
        expect(body).toEqual({ jsonrpc: '2.0', id: 'é', result: JSON.parse(JSON.stringify(expected)) as unknown })
      }),
      { numRuns: 500 },
    )
  })

  it('has each field once', () => {
    for (const result of [{}, { _meta: {} }, { resultType: 'x', a: { _meta: 1 } }, { a: { [META.serverInfo]: {} } }])
      for (const era of ['legacy', 'modern'] as const) {
        const body = modernBody(replyOf(result, false), '1', { era, method: 'resources/read', serverInfo: hub })
        const text = typeof body === 'string' ? body : Buffer.concat(body).toString()
        expect(text.match(/"resultType"/g)).toHaveLength(1)
        expect(parsed(body).result['_meta']).toEqual({ [META.serverInfo]: hub })
      }
  })
})

describe('pages that a legacy server wants opened', () => {
  const page = { mode: 'url', url: 'https://example.com/a', message: 'Sign in', elicitationId: 'e1' }
  const error = {
    code: -32042,
    message: 'Open a page',
    data: { elicitations: [page, { ...page, elicitationId: 'e2' }] },
  }
  const bridged = (capabilities: Params, method = 'tools/call', data: unknown = error.data): Reply =>
    modernError(Reply.error({ ...error, data }), 'legacy', method, capabilities)

  it('are asked for, without a state and without the ids that only the legacy era has', () => {
    const { elicitationId: _id, ...params } = page
    expect(bridged({ elicitation: { url: {} } }).message.result).toEqual({
      resultType: 'input_required',
      inputRequests: {
        'url-elicitation-1': { method: 'elicitation/create', params },
        'url-elicitation-2': { method: 'elicitation/create', params },
      },
    })
  })

  it.each([{}, { elicitation: {} }, { elicitation: { form: {} } }])(
    'are missed by a client that has only %j',
    (has) => {
      expect(bridged(has).message.error).toMatchObject({
        code: -32021,
        data: { requiredCapabilities: { elicitation: { url: {} } } },
      })
    },
  )

  it.each([
    ['names none', 'tools/call', {}],
    ['is of a method that cannot ask', 'completion/complete', error.data],
  ])('cannot be asked for where the error %s', (_what, method, data) => {
    expect(bridged({ elicitation: { url: {} } }, method, data).message.error?.code).toBe(-32603)
  })

  it('that the user did not open keep the request from being made again', () => {
    const retry = (answer: unknown): boolean => refusesPages({ inputResponses: { 'url-elicitation-1': answer } })
    expect(retry({ action: 'accept' })).toBe(false)
    expect(['decline', 'cancel'].map((action) => retry({ action }))).toEqual([true, true])
    expect(retry(null)).toBe(true)
    expect(refusesPages({ inputResponses: { somebodyElses: { action: 'decline' } } })).toBe(false)
  })
})
