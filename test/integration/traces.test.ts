import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { HistoryPage } from '../../hub/contract/index.ts'
import { createTraces } from '../../hub/observe/traces.ts'
import { startHub, type TestHub } from '../fixtures/hub.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const PARENT = 'b7ad6b7169203331'

interface Span {
  traceId: string
  spanId: string
  parentSpanId?: string
  name: string
  kind: number
  attributes: { key: string; value: { stringValue?: string } }[]
  status: { code?: number }
}

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  return text
}

/** A server over HTTP that keeps what it was called with. */
const calls: { headers: IncomingHttpHeaders; meta: Record<string, unknown> }[] = []
const upstream = createServer((request, response) => {
  void bodyOf(request).then((text) => {
    const message = (text === '' ? {} : JSON.parse(text)) as {
      id?: number
      method?: string
      params?: { _meta?: Record<string, unknown>; protocolVersion?: string; name?: string }
    }
    if (request.method !== 'POST') response.writeHead(405).end()
    else if (message.id === undefined) response.writeHead(202).end()
    else {
      const answers: Record<string, unknown> = {
        initialize: {
          protocolVersion: message.params?.protocolVersion,
          capabilities: { tools: {} },
          serverInfo: { name: 'witness', version: '1' },
        },
        'tools/list': { tools: ['good', 'bad'].map((name) => ({ name, inputSchema: { type: 'object' } })) },
        'tools/call': { content: [], ...(message.params?.name === 'bad' ? { isError: true } : {}) },
      }
      if (message.method === 'tools/call') calls.push({ headers: request.headers, meta: message.params?._meta ?? {} })
      const result = answers[message.method ?? '']
      response.setHeader('content-type', 'application/json').end(
        JSON.stringify({
          jsonrpc: '2.0',
          id: message.id,
          ...(result === undefined ? { error: { code: -32601, message: 'Method not found' } } : { result }),
        }),
      )
    }
  })
})

/** What a collector is sent. */
const spans: Span[] = []
let arrived = Promise.withResolvers<undefined>()
const collector = createServer((request, response) => {
  void bodyOf(request).then((text) => {
    expect(request.url).toBe('/v1/traces')
    const body = JSON.parse(text) as { resourceSpans: { scopeSpans: { spans: Span[] }[] }[] }
    spans.push(...body.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)))
    response.setHeader('content-type', 'application/json').end('{}')
    arrived.resolve(undefined)
  })
})

let hub: TestHub
beforeAll(async () => {
  process.env['OTEL_EXPORTER_OTLP_ENDPOINT'] = await listen(collector)
  process.env['OTEL_BSP_SCHEDULE_DELAY'] = '50'
  const traces = createTraces({ version: '1', serviceName: 'hub-under-test' })
  hub = await startHub({ witness: { url: `${await listen(upstream)}/mcp` } }, {}, { hub: { traces } })
  await hub.until('witness', 'running')
})
afterAll(async () => {
  await hub.close()
  upstream.closeAllConnections()
  collector.closeAllConnections()
  upstream.close()
  collector.close()
})

async function call(headers: Record<string, string>, meta: Record<string, unknown>, name = 'good'): Promise<void> {
  const version = '2026-07-28'
  const response = await fetch(`${hub.url}/mcp/witness`, {
    method: 'POST',
    headers: {
      ...hub.headers,
      'content-type': 'application/json',
      'mcp-protocol-version': version,
      'mcp-method': 'tools/call',
      'mcp-name': name,
      ...headers,
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: {
        name,
        arguments: {},
        _meta: {
          'io.modelcontextprotocol/protocolVersion': version,
          'io.modelcontextprotocol/clientCapabilities': {},
          ...meta,
        },
      },
    }),
  })
  expect(response.status, await response.text()).toBe(200)
}

async function spansWith(traceId: (id: string) => boolean): Promise<Span[]> {
  for (;;) {
    const found = spans.filter((span) => traceId(span.traceId))
    if (found.length > 0) return found
    await arrived.promise
    arrived = Promise.withResolvers()
  }
}

it.each([
  ['_meta', {}, { traceparent: `00-${TRACE}-${PARENT}-01`, tracestate: 'vendor=1' }],
  ['the HTTP header', { traceparent: `00-${TRACE}-${PARENT}-01`, tracestate: 'vendor=1' }, {}],
])('continues the trace of %s to the server, under a span of its own', async (_where, headers, meta) => {
  calls.length = 0
  spans.length = 0
  await call(headers, meta)
  const [span] = await spansWith((id) => id === TRACE)
  expect(span).toMatchObject({ traceId: TRACE, parentSpanId: PARENT, name: 'tools/call good', kind: 2 })
  expect(calls).toHaveLength(1)
  const continued = `00-${TRACE}-${span!.spanId}-01`
  expect(calls[0]!.meta).toMatchObject({ traceparent: continued, tracestate: 'vendor=1' })
  expect(calls[0]!.headers).toMatchObject({ traceparent: continued, tracestate: 'vendor=1' })
  let page: HistoryPage
  // It is written a moment later.
  do page = (await hub.api('GET', '/api/history?name=good&limit=1')).body as HistoryPage
  while (page.items.length === 0)
  expect(page.items[0]?.traceId).toBe(TRACE)
})

it('begins a trace where the caller has none, or a broken one', async () => {
  for (const broken of ['nonsense', `00-${'0'.repeat(32)}-${PARENT}-01`, `ff-${TRACE}-${PARENT}-01`]) {
    calls.length = 0
    spans.length = 0
    await call({}, { traceparent: broken, tracestate: 'vendor=1' })
    const [span] = await spansWith(() => true)
    expect(span?.parentSpanId ?? '').toBe('')
    expect(calls[0]!.meta['traceparent']).toBe(`00-${span!.traceId}-${span!.spanId}-01`)
    expect(calls[0]!.meta).not.toHaveProperty('tracestate')
  }
})

it('tells what failed, and nothing of what was asked', async () => {
  spans.length = 0
  await call({}, {}, 'bad')
  const [span] = await spansWith(() => true)
  expect(span?.status.code).toBe(2)
  const attributes = Object.fromEntries(span!.attributes.map(({ key, value }) => [key, value.stringValue]))
  expect(attributes).toMatchObject({
    'mcp.method.name': 'tools/call',
    'gen_ai.tool.name': 'bad',
    'mcp_hub.server': 'witness',
    'error.type': 'tool-error',
  })
})

it('leaves it to the sampling of the caller whether a trace is kept', async () => {
  calls.length = 0
  await call({}, { traceparent: `00-${TRACE}-${PARENT}-00` })
  expect(calls[0]!.meta['traceparent']).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-00$`))
})
