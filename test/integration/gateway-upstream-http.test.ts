import { afterEach, describe, expect, it } from 'vitest'
import { startHub, type TestHub } from '../fixtures/hub.ts'
import {
  answerBasics,
  openStream,
  sendEvent,
  sendJson,
  startScripted,
  type ScriptedRequest,
  type ScriptedServer,
} from '../fixtures/scripted-server.ts'
import { startHttpFixture } from '../fixtures/mcp-servers/fixtures.ts'
import { LegacyWire, ModernWire, textOf, waitFor, type Answer } from '../fixtures/wire.ts'

const opened: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

/** A hub before one scripted server. */
async function before(
  answer: (asked: ScriptedRequest) => void,
  entry: Record<string, unknown> = {},
  system: Record<string, unknown> = {},
): Promise<{ hub: TestHub; server: ScriptedServer }> {
  const server = await startScripted(answer)
  opened.push(server.close)
  const hub = await startHub({ s: { type: 'http', url: server.url, ...entry } }, system)
  opened.push(hub.close)
  await hub.until('s', 'running')
  return { hub, server }
}

const legacy = (hub: TestHub): Promise<LegacyWire> => LegacyWire.open(`${hub.url}/mcp/s`, { headers: hub.headers })
const modern = (hub: TestHub): ModernWire => new ModernWire(`${hub.url}/mcp/s`, { headers: hub.headers })
const content = (text: string): object => ({ content: [{ type: 'text', text }] })

describe('a modern server that answers with a status of 4xx', () => {
  it.each([
    [404, -32601, 404],
    [400, -32602, 200],
    [400, 7, 200],
  ])('%i and %i: the client gets its error, not a failure of the hub', async (status, code, shown) => {
    const { hub } = await before((asked) => {
      if (answerBasics(asked, { era: 'modern', tools: ['t'] })) return
      const error = { code, message: 'as the server says', data: { own: true } }
      sendJson(asked.response, { jsonrpc: '2.0', id: asked.message?.id, error }, status)
    })
    const answer = await modern(hub).request('tools/call', { name: 't' })
    expect(answer).toMatchObject({ status: shown, error: { code, message: 'as the server says', data: { own: true } } })
    expect((await (await legacy(hub)).request('tools/call', { name: 't' })).error).toMatchObject({ code })
  })
})

it('a server that was never there is told to be away at once, not after the time that one may take to restart', async () => {
  const gone = await startScripted(() => undefined)
  await gone.close()
  const begun = Date.now()
  const hub = await startHub({ s: { type: 'http', url: gone.url } })
  opened.push(hub.close)
  const { reason, since } = await hub.until('s', 'backoff')
  expect(reason?.code).toBe('connection-refused')
  expect(since - begun).toBeLessThan(2_500)
})

describe('a legacy server that closes the stream of a call', () => {
  it('is asked for the rest with Last-Event-ID after the time that it names, and never for the call again', async () => {
    let calls = 0
    const { hub, server } = await before((asked) => {
      const { response, message, request } = asked
      if (answerBasics(asked, { era: 'legacy', tools: ['t'], session: 's1' })) return
      if (message?.method === 'tools/call') {
        calls++
        openStream(response)
        response.write('retry: 20\n')
        sendEvent(response, '', 'e1')
        response.end()
      } else if (request.headers['last-event-id'] === 'e1') {
        openStream(response)
        const id = server.requests.findLast((known) => known.message?.method === 'tools/call')?.message?.id
        sendEvent(response, { jsonrpc: '2.0', id, result: content('resumed') }, 'e2')
        response.end()
      } else response.writeHead(405).end()
    })
    expect(textOf(await (await legacy(hub)).request('tools/call', { name: 't' }))).toBe('resumed')
    expect(textOf(await modern(hub).request('tools/call', { name: 't' }))).toBe('resumed')
    expect(calls).toBe(2)
  })

  it('is polled for as long as its call takes; events that are no messages, and connections that break, end nothing', async () => {
    const last = 9
    let polls = 0
    const { hub, server } = await before((asked) => {
      const { response, message, request } = asked
      if (answerBasics(asked, { era: 'legacy', tools: ['t'], session: 's1' })) return
      const polled = request.headers['last-event-id']
      if (message?.method !== 'tools/call' && polled === undefined) {
        response.writeHead(405).end()
        return
      }
      if (polled !== undefined && ++polls === 3) {
        request.socket.destroy()
        return
      }
      openStream(response)
      response.write('retry: 0\nevent: ping\ndata: still at it\n\n')
      const id = server.requests.findLast((known) => known.message?.method === 'tools/call')?.message?.id
      if (polls === last) sendEvent(response, { jsonrpc: '2.0', id, result: content('polled') })
      else sendEvent(response, '', `e${polls}`)
      response.end()
    })
    expect(textOf(await (await legacy(hub)).request('tools/call', { name: 't' }))).toBe('polled')
    expect(polls).toBe(last)
  })

  it('and then forgets the session gets no second call: whether the first was done is not known', async () => {
    let calls = 0
    let sessions = 0
    const { hub } = await before((asked) => {
      const { response, message, request } = asked
      if (message?.method === 'initialize') sessions++
      if (answerBasics(asked, { era: 'legacy', tools: ['t'], session: `s${sessions}` })) return
      if (message?.method === 'tools/call' && ++calls === 1) {
        openStream(response)
        response.write('retry: 20\n')
        sendEvent(response, '', 'e1')
        response.end()
      } else if (message?.method === 'tools/call')
        sendJson(response, { jsonrpc: '2.0', id: message.id, result: content('2') })
      else response.writeHead(request.headers['last-event-id'] === undefined ? 405 : 404).end()
    })
    const client = await legacy(hub)
    const answer = await client.request('tools/call', { name: 't' })
    expect(answer.error?.message).toContain('forgot its session while it answered')
    expect(calls).toBe(1)
    expect(textOf(await client.request('tools/call', { name: 't' }))).toBe('2')
    expect(sessions).toBe(2)
  })
})

describe('a legacy server that forgot its sessions', () => {
  it.each([
    [404, 'Session not found'],
    [400, 'Bad Request: No valid session ID provided'],
  ])('and says so with %i is asked again in a new one, once for all calls', async (status, message) => {
    let session = 1
    let initialized = 0
    const { hub } = await before((asked) => {
      const known = asked.request.headers['mcp-session-id']
      if (asked.message?.method === 'initialize') initialized++
      else if (known !== undefined && known !== `s${session}`) {
        sendJson(asked.response, { jsonrpc: '2.0', id: null, error: { code: -32000, message } }, status)
        return
      }
      if (answerBasics(asked, { era: 'legacy', tools: ['t'], session: `s${session}` })) return
      if (asked.message === null) asked.response.writeHead(405).end()
      else sendJson(asked.response, { jsonrpc: '2.0', id: asked.message.id, result: content(`s${session}`) })
    })
    const client = await legacy(hub)
    session = 2
    const answers = await Promise.all(Array.from({ length: 20 }, () => client.request('tools/call', { name: 't' })))
    expect(answers.map(textOf)).toEqual(Array(20).fill('s2'))
    expect(initialized).toBe(2)
  })

  it('is sent nothing without a session while the new one is being begun', async () => {
    const REFUSED = { jsonrpc: '2.0', id: null, error: { code: -32000, message: 'No' } }
    let session = 1
    const late: ScriptedRequest[] = []
    const { hub } = await before((asked) => {
      const { request, response, message } = asked
      const known = request.headers['mcp-session-id']
      const basics = (): boolean => answerBasics(asked, { era: 'legacy', tools: ['t'], session: `s${session}` })
      if (message?.method === 'server/discover' || (message?.method === 'initialize' && session === 1)) basics()
      else if (message?.method === 'initialize') {
        // The others hear that their session is gone before the new one is there.
        for (const one of late) sendJson(one.response, REFUSED, 404)
        setTimeout(basics, 100)
      } else if (known === undefined) sendJson(response, REFUSED, 400)
      else if (known !== `s${session}` && message?.method === 'tools/call' && late.length < 5) late.push(asked)
      else if (known !== `s${session}`) sendJson(response, REFUSED, 404)
      else if (!basics() && message === null) response.writeHead(405).end()
      else if (message?.method === 'tools/call')
        sendJson(response, { jsonrpc: '2.0', id: message.id, result: content(`s${session}`) })
    })
    const client = await legacy(hub)
    session = 2
    const answers = await Promise.all(Array.from({ length: 6 }, () => client.request('tools/call', { name: 't' })))
    expect(answers.map(textOf)).toEqual(Array(6).fill('s2'))
  })
})

describe('the stream for messages that belong to no request', () => {
  it('is opened again when the server was away, and what was missed is read', async () => {
    let tools = ['one']
    let streams = 0
    const { hub, server } = await before((asked) => {
      if (answerBasics(asked, { era: 'legacy', tools, capabilities: { tools: { listChanged: true } } })) return
      if (asked.request.method !== 'GET') return
      streams++
      openStream(asked.response)
    })
    await waitFor(() => streams === 1)
    const client = await legacy(hub)
    const listening = await client.listen()
    await server.down()
    tools = ['one', 'two']
    await server.missed()
    await server.up()
    await waitFor(() => streams === 2, 10_000)
    await waitFor(() => listening.messages.some(({ method }) => method === 'notifications/tools/list_changed'))
    expect(JSON.stringify((await client.request('tools/list')).result)).toContain('"two"')
    listening.close()
  })
})

describe('the subscription at a modern server', () => {
  it('is made again when the server was away, and what was missed is read and told', async () => {
    let tools = ['one']
    let listens = 0
    const { hub, server } = await before((asked) => {
      const capabilities = { tools: { listChanged: true }, resources: { subscribe: true } }
      if (answerBasics(asked, { era: 'modern', tools, capabilities })) return
      const { response, message } = asked
      if (message?.method === 'subscriptions/listen') {
        listens++
        openStream(response)
        sendEvent(response, {
          jsonrpc: '2.0',
          method: 'notifications/subscriptions/acknowledged',
          params: { notifications: message.params?.['notifications'], _meta: {} },
        })
      } else sendJson(response, { jsonrpc: '2.0', id: message?.id, result: { resources: [], resourceTemplates: [] } })
    })
    const listening = await modern(hub).listen({ toolsListChanged: true, resourceSubscriptions: ['r://1'] }, 'mine')
    await waitFor(() => listens === 2)
    expect(listening.messages).toHaveLength(1)
    await server.down()
    tools = ['one', 'two']
    await server.up()
    const told = (method: string): unknown => listening.messages.find((message) => message.method === method)
    await waitFor(() => told('notifications/tools/list_changed') && told('notifications/resources/updated'), 10_000)
    expect(JSON.stringify((await modern(hub).request('tools/list')).result)).toContain('"two"')
    for (const { params } of listening.messages)
      expect(params?.['_meta']).toMatchObject({ 'io.modelcontextprotocol/subscriptionId': 'mine' })
    listening.close()
  })
})

describe('an answer', () => {
  it.each(['legacy', 'modern'] as const)('of more than 10 MB comes through whole (%s)', async (era) => {
    const text = 'ü'.repeat(5_500_000)
    const { hub } = await before((asked) => {
      if (answerBasics(asked, { era, tools: ['json', 'stream'] })) return
      const { response, message } = asked
      const body = { jsonrpc: '2.0', id: message?.id, result: { resultType: 'complete', ...content(text) } }
      if (message?.params?.['name'] === 'json') sendJson(response, body)
      else if (message === null) response.writeHead(405).end()
      else {
        openStream(response)
        sendEvent(response, body)
        response.end()
      }
    })
    const clients = [modern(hub), await legacy(hub)]
    for (const client of clients)
      for (const name of ['json', 'stream']) expect(textOf(await client.request('tools/call', { name }))).toBe(text)
  })

  it.each(['json', 'stream'])('that is larger than allowed fails its own call, with the setting (%s)', async (name) => {
    const { hub } = await before(
      (asked) => {
        if (answerBasics(asked, { era: 'modern', tools: ['json', 'stream', 'small'] })) return
        const { response, message } = asked
        const wanted = message?.params?.['name']
        const result = { resultType: 'complete', ...content('x'.repeat(wanted === 'small' ? 10 : 30_000)) }
        const body = { jsonrpc: '2.0', id: message?.id, result }
        if (wanted !== 'stream') sendJson(response, body)
        else {
          openStream(response)
          sendEvent(response, body)
          response.end()
        }
      },
      {},
      { limits: { maxResponseBytes: 20_000 } },
    )
    expect((await modern(hub).request('tools/call', { name })).error?.message).toBe(
      'The server’s answer is larger than 20000 bytes (limits.maxResponseBytes)',
    )
    expect(textOf(await modern(hub).request('tools/call', { name: 'small' }))).toBe('x'.repeat(10))
  })

  it('to another request is dropped, and the call ends with an error', async () => {
    const { hub } = await before((asked) => {
      if (answerBasics(asked, { era: 'modern', tools: ['t'] })) return
      sendJson(asked.response, { jsonrpc: '2.0', id: 4711, result: content('somebody else’s') })
    })
    expect((await modern(hub).request('tools/call', { name: 't' })).error?.message).toContain('no response')
  })

  it('nested too deep to be written again is an error of its call alone', async () => {
    const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`
    const { hub } = await before((asked) => {
      if (answerBasics(asked, { era: 'modern', tools: ['t', 'good'] })) return
      const { response, message } = asked
      if (message?.params?.['name'] === 'good')
        sendJson(response, { jsonrpc: '2.0', id: message.id, result: { resultType: 'complete', ...content('good') } })
      else {
        openStream(response)
        response.write(`data: {"jsonrpc":"2.0","method":"notifications/message","params":{"data":${deep}}}\n\n`)
        response.end(
          `data: {"jsonrpc":"2.0", "id":${String(message?.id)},"result":{"resultType":"complete","deep":${deep}}}\n\n`,
        )
      }
    })
    const client = await legacy(hub)
    expect((await client.request('tools/call', { name: 't' })).error?.message).toContain('cannot be passed on')
    expect((await modern(hub).request('tools/call', { name: 't' })).error?.message).toContain('cannot be passed on')
    expect(textOf(await client.request('tools/call', { name: 'good' }))).toBe('good')
  })
})

describe('what a server nests too deep to be written again', () => {
  const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`

  it('as a question or as its id is refused; the hub and the call go on', async () => {
    let done = (): void => undefined
    const { hub } = await before((asked) => {
      if (answerBasics(asked, { era: 'legacy', tools: ['params', 'id'], session: 's1' })) return
      const { response, message } = asked
      if (message?.method !== 'tools/call') {
        response.writeHead(message === null ? 405 : 202).end()
        if (message?.error !== undefined) done()
        return
      }
      done = () => {
        sendEvent(response, { jsonrpc: '2.0', id: message.id, result: content('done') })
        response.end()
      }
      const isId = message.params?.['name'] === 'id'
      const question = `"jsonrpc":"2.0","id":${isId ? deep : '"q"'},"method":"elicitation/create"`
      openStream(response)
      response.write(`data: {${question},"params":{"message":${isId ? '"?"' : deep}}}\n\n`)
      if (isId) done()
    })
    const capabilities = { elicitation: {} }
    const clients = [
      new ModernWire(`${hub.url}/mcp/s`, { headers: hub.headers, capabilities }),
      await LegacyWire.open(`${hub.url}/mcp/s`, { headers: hub.headers, capabilities }),
    ]
    for (const client of clients)
      for (const name of ['params', 'id']) expect(textOf(await client.request('tools/call', { name }))).toBe('done')
  })

  it('as an answer is an error of its call alone, whether payloads are kept or not', async () => {
    const bodies: Record<string, string> = {
      error: `"error":{"code":7,"message":"no","data":${deep}}`,
      result: `"result":{"content":[],"deep":${deep}}`,
      list: '"result":{"resources":[],"resourceTemplates":[]}',
    }
    const { hub } = await before(
      (asked) => {
        const { response, message } = asked
        if (
          answerBasics(asked, { era: 'legacy', tools: ['error', 'result'], capabilities: { tools: {}, resources: {} } })
        )
          return
        response.writeHead(message === null ? 405 : 200, { 'content-type': 'application/json' })
        const isList = message?.method?.endsWith('/list') === true
        const body = bodies[isList ? 'list' : ((message?.params?.['name'] as string | undefined) ?? 'error')]
        response.end(`{"jsonrpc":"2.0","id":${String(message?.id)},${body ?? ''}}`)
      },
      {},
      { history: { payloads: 'redacted', maxPayloadBytes: 100_000 } },
    )
    for (const client of [modern(hub), await legacy(hub)]) {
      const ask = (method: string, params: Record<string, unknown>): Promise<Answer> =>
        client.request(method, params, { signal: AbortSignal.timeout(10_000) })
      expect((await ask('tools/call', { name: 'error' })).error?.message).toContain('cannot be passed on')
      // Nobody has to look into that: it goes on as it came.
      expect((await ask('tools/call', { name: 'result' })).result?.['content']).toEqual([])
    }
    const refused = await (await legacy(hub)).request('resources/subscribe', { uri: 'r://1' })
    expect(refused.error).toEqual({ code: 7, message: 'no' })
  })

  it('spoils no list and no greeting, of several servers neither', async () => {
    const { hub } = await before((asked) => {
      const { response, message } = asked
      const capabilities = { tools: {}, prompts: {} }
      if (message?.method === 'initialize')
        response
          .writeHead(200, { 'content-type': 'application/json' })
          .end(
            `{"jsonrpc":"2.0","id":${String(message.id)},"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"prompts":{}},"serverInfo":{"name":"s","version":"1","deep":${deep}}}}`,
          )
      else if (message?.method === 'prompts/list')
        response
          .writeHead(200, { 'content-type': 'application/json' })
          .end(
            `{"jsonrpc":"2.0","id":${String(message.id)},"result":{"prompts":[{"name":"bad","_meta":{"deep":${deep}}},{"name":"good"}]}}`,
          )
      else if (!answerBasics(asked, { era: 'legacy', tools: ['t'], capabilities })) response.writeHead(405).end()
    })
    for (const path of ['/mcp', '/mcp/s']) {
      const client = await LegacyWire.open(hub.url + path, { headers: hub.headers })
      const { result } = await client.request('prompts/list')
      expect((result?.['prompts'] as { name: string }[]).map(({ name }) => name.replace('s__', ''))).toEqual(['good'])
    }
  })
})

describe('a URL that only speaks HTTP+SSE', () => {
  it('is found out, though its entry says nothing of it', async () => {
    const fixture = await startHttpFixture('echo', '--transport', 'sse')
    opened.push(() => fixture.stop())
    const hub = await startHub({ s: { url: fixture.url } })
    opened.push(hub.close)
    await hub.until('s', 'running')
    expect(textOf(await (await legacy(hub)).request('tools/call', { name: 'echo', arguments: { text: 'old' } }))).toBe(
      'old',
    )
  })
})
