import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fixtureServer, startHub, type TestHub } from '../fixtures/hub.ts'
import { answerBasics, sendEvent, sendJson, startScripted, type ScriptedServer } from '../fixtures/scripted-server.ts'
import { LegacyWire, ModernWire, textOf, waitFor, type Answer } from '../fixtures/wire.ts'

/** Ends itself at any request before `initialize`, as some servers do, and lists one tool otherwise. */
const exitsOnProbe = `
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method } = JSON.parse(line)
  const send = (result) => console.log(JSON.stringify({ jsonrpc: '2.0', id, result }))
  if (method === 'initialize')
    send({ protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'shy', version: '1' } })
  else if (method === 'tools/list') send({ tools: [{ name: 'there', inputSchema: { type: 'object' } }] })
  else if (id !== undefined) process.exit(3)
})`

let hub: TestHub
let modernServer: ScriptedServer
let legacyServer: ScriptedServer
const PARKED_TTL_MS = 500
const cancelled: unknown[] = []
/** Ids under which the hub has answered something that the legacy server asked. */
const answered: unknown[] = []
/** Ends a call of the legacy server, by the id of its question. */
const finish = new Map<unknown, () => void>()
/** Speaks on the stream of the latest call of the legacy server. */
let speak: (body: object) => void = () => undefined
/** Tells of progress of that call. */
let progress: (done: number) => void = () => undefined
beforeAll(async () => {
  const items = { type: 'array', items: { type: 'number' } }
  modernServer = await startScripted((asked) => {
    const { response, message } = asked
    const respond = (result: object): void =>
      sendJson(response, { jsonrpc: '2.0', id: message?.id, result: { resultType: 'complete', ...result } })
    const cursor = message?.params?.['cursor']
    if (message?.method === 'tools/list' && cursor === undefined)
      respond({ tools: [{ name: 'numbers', inputSchema: { type: 'object' }, outputSchema: items }], nextCursor: '' })
    else if (message?.method === 'tools/list' && cursor === '')
      respond({ tools: [{ name: 'last', inputSchema: { type: 'object' } }] })
    else if (message?.method === 'tools/call') respond({ content: [], structuredContent: [1, 2] })
    else answerBasics(asked, { era: 'modern', tools: [] })
  })
  legacyServer = await startScripted((asked) => {
    const { response, message } = asked
    if (message?.method === 'notifications/cancelled') cancelled.push(message.params?.['requestId'])
    if (message?.result !== undefined) {
      answered.push(message.id)
      finish.get(message.id)?.()
    }
    if (message !== null && message.method === undefined) {
      response.writeHead(202).end()
      return
    }
    if (answerBasics(asked, { era: 'legacy', tools: ['ask'], session: 's' })) return
    if (message?.method !== 'tools/call') {
      response.writeHead(405).end()
      return
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const { id, params } = message
    const question = { message: '?', requestedSchema: { type: 'object', properties: {} } }
    const progressToken = (params?.['_meta'] as Record<string, unknown> | undefined)?.['progressToken']
    speak = (body) => sendEvent(response, body)
    progress = (done) => speak({ method: 'notifications/progress', params: { progressToken, progress: done } })
    progress(1)
    speak({ jsonrpc: '2.0', id: `q${String(id)}`, method: 'elicitation/create', params: question })
    const { workMs } = (params?.['arguments'] ?? {}) as { workMs?: number }
    const end = (): void => {
      progress(2)
      speak({ jsonrpc: '2.0', id, result: { content: [] } })
      response.end()
    }
    if (workMs !== undefined) finish.set(`q${String(id)}`, () => setTimeout(end, workMs))
  })
  const servers = {
    paged: { type: 'http', url: modernServer.url },
    asking: { type: 'http', url: legacyServer.url },
    shy: { command: process.execPath, args: ['-e', exitsOnProbe] },
    echo: fixtureServer('echo.ts'),
  }
  hub = await startHub(servers, { limits: { parkedCallTtlMs: PARKED_TTL_MS } })
  await Promise.all(Object.keys(servers).map((name) => hub.until(name, 'running')))
})
afterAll(async () => {
  await hub.close()
  await modernServer.close()
  await legacyServer.close()
})

const modern = (path: string, capabilities = {}): ModernWire =>
  new ModernWire(hub.url + path, { headers: hub.headers, capabilities })
const legacy = (path: string): Promise<LegacyWire> => LegacyWire.open(hub.url + path, { headers: hub.headers })

describe('an empty string as a cursor', () => {
  it.each(['/mcp', '/mcp/paged'])('is one like any other, of a server and of a client (%s)', async (path) => {
    for (const client of [modern(path), await legacy(path)]) {
      for (const params of [{}, { cursor: '' }]) {
        const { result } = await client.request('tools/list', params)
        const names = (result?.['tools'] as { name: string }[]).map(({ name }) => name.replace('paged__', ''))
        expect(names).toEqual(expect.arrayContaining(['numbers', 'last']))
        expect(result).not.toHaveProperty('nextCursor')
      }
      expect((await client.request('tools/list', { cursor: 'other' })).error).toMatchObject({ code: -32602 })
    }
  })
})

it('a tool whose output is an array spoils neither the list nor the call of a legacy client', async () => {
  const client = new Client({ name: 'legacy', version: '1' })
  const url = new URL(`${hub.url}/mcp/paged`)
  await client.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers: hub.headers } }))
  expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['numbers', 'last'])
  expect((await client.callTool({ name: 'numbers' })).structuredContent).toEqual({ result: [1, 2] })
  await client.close()
})

it('a parked call whose client does not come back is cancelled at its server, and its state is worth nothing then', async () => {
  const client = modern('/mcp/asking', { elicitation: {} })
  const { result } = await client.request('tools/call', { name: 'ask' })
  expect(result).toMatchObject({ resultType: 'input_required' })
  await waitFor(() => cancelled.length === 1, 10_000)
  const retry = { name: 'ask', requestState: result?.['requestState'], inputResponses: { 'elicitation-1': {} } }
  expect((await client.request('tools/call', retry)).error).toMatchObject({ code: -32602 })
})

describe('a call of a legacy server that goes on after an input round', () => {
  const goesOn = async (workMs: number, progressToken?: string): Promise<{ asked: Answer; done: Answer }> => {
    const client = modern('/mcp/asking', { elicitation: {} })
    const params = { name: 'ask', arguments: { workMs } }
    const asked = await client.request('tools/call', { ...params, _meta: { progressToken: 'first' } })
    const { requestState } = asked.result ?? {}
    const inputResponses = { 'elicitation-1': { action: 'decline' } }
    const _meta = progressToken === undefined ? {} : { progressToken }
    return { asked, done: await client.request('tools/call', { ...params, requestState, inputResponses, _meta }) }
  }

  it.each(['second', undefined])('tells of progress under the token of that round (%s)', async (second) => {
    const { asked, done } = await goesOn(0, second)
    const tokens = [asked, done].map(({ before }) => before.map(({ params }) => params?.['progressToken']))
    expect(tokens).toEqual([['first'], second === undefined ? [] : [second]])
  })

  it('may work on it for longer than its client would be waited for', async () => {
    const { done } = await goesOn(4 * PARKED_TTL_MS)
    expect(done.result).toMatchObject({ content: [] })
  })
})

it('what a legacy server says while its call is parked is dropped, not kept for the next round', async () => {
  const client = modern('/mcp/asking', { elicitation: {} })
  const params = { name: 'ask', arguments: { workMs: 0 } }
  const _meta = { progressToken: 'p', 'io.modelcontextprotocol/logLevel': 'debug' }
  const asked = await client.request('tools/call', { ...params, _meta })
  progress(1.5)
  speak({ method: 'notifications/message', params: { level: 'error', data: 'nobody listens' } })
  // The hub reads in order: once it has answered this, it has read what came before.
  speak({ jsonrpc: '2.0', id: 'read', method: 'ping' })
  await waitFor(() => answered.includes('read'))
  const { requestState } = asked.result ?? {}
  const inputResponses = { 'elicitation-1': { action: 'decline' } }
  const done = await client.request('tools/call', { ...params, requestState, inputResponses, _meta })
  const heard = [asked, done].map(({ before }) => before.map(({ params }) => params?.['progress'] ?? params?.['data']))
  expect(heard).toEqual([[1], [2]])
})

it('a server that exits on the probe is started once more, without it', async () => {
  const { result } = await (await legacy('/mcp/shy')).request('tools/list')
  expect(result?.['tools']).toMatchObject([{ name: 'there' }])
  expect(await hub.until('shy', 'running')).toMatchObject({ era: 'legacy', restarts: 0 })
})

it('an answer of more than 10 MB on a pipe comes through whole', async () => {
  const bytes = 11_000_000
  for (const client of [modern('/mcp/echo'), await legacy('/mcp/echo')])
    expect(textOf(await client.request('tools/call', { name: 'big', arguments: { bytes } }))).toHaveLength(bytes)
})

it.each(['=?base64?ZWNobw?=', '=?base64?ZWNo bw==?=', '=?base64?ZWNobw=?=', '=?base64?ZWNobw==='])(
  'a name in a header that is no strict Base64 is refused (%s)',
  async (name) => {
    const params = { name: 'echo', arguments: { text: 'x' } }
    const answer = await modern('/mcp/echo').request('tools/call', params, { headers: { 'mcp-name': name } })
    expect(answer).toMatchObject({ status: 400, error: { code: -32020 } })
  },
)
