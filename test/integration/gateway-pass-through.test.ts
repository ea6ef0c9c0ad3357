import { request as httpRequest } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseExactly } from '../../hub/contract/exact-json.ts'
import { startHub, type TestHub } from '../fixtures/hub.ts'
import { combinations, eras, serverInfo, startScriptedPair, type ScriptedPair } from '../fixtures/scripted-pair.ts'
import { LegacyWire, ModernWire, waitFor, type Answer } from '../fixtures/wire.ts'

const INFO = 'io.modelcontextprotocol/serverInfo'
const stamp = { [INFO]: { name: 'server’s own', version: '9' } }

let pair: ScriptedPair
let hub: TestHub
beforeAll(async () => {
  pair = await startScriptedPair()
  hub = await startHub(pair.config)
  await Promise.all(eras.map((era) => hub.until(era, 'running')))
})
afterAll(async () => {
  await hub.close()
  await pair.close()
})

async function connect(era: 'legacy' | 'modern', path: string, capabilities = {}): Promise<LegacyWire | ModernWire> {
  const options = { headers: hub.headers, capabilities }
  return era === 'legacy' ? LegacyWire.open(hub.url + path, options) : new ModernWire(hub.url + path, options)
}

/** What both eras have in the same form, with a field and a `_meta` key that nobody knows. */
const content = { content: [{ type: 'text', text: 'x', _meta: { deep: 1 } }], vendorField: { a: [1] } }

describe.each(combinations)('the result of a $server server for a $client client', ({ client, server }) => {
  const modern = client === 'modern'
  const ask = async (path: string, result: object, method = 'tools/call', name = 'plain'): Promise<Answer> => {
    pair.answer(() => ({ result: server === 'modern' ? { resultType: 'complete', ...result } : result }))
    const wire = await connect(client, path)
    return wire.request(method, method === 'resources/read' ? { uri: 'x://y' } : { name, arguments: {} })
  }
  /** What a modern result has beside the server's own. */
  const added = (info: object, caching = false): object => ({
    resultType: 'complete',
    ...(caching ? { ttlMs: 0, cacheScope: 'private' } : {}),
    _meta: { [INFO]: info },
  })

  it('says what it is, and who it is from where the server did not', async () => {
    const { result } = await ask(`/mcp/${server}`, content)
    if (!modern) expect(result).toEqual(content)
    else if (server === 'legacy') expect(result).toEqual({ ...content, ...added(serverInfo(server)) })
    else expect(result).toEqual({ ...content, resultType: 'complete' })
  })

  it('keeps a _meta of its own, short or long', async () => {
    for (const text of ['x', 'long '.repeat(8_000)]) {
      const own = { content: [{ type: 'text', text }], _meta: { 'com.example/key': { kept: true } } }
      const { result } = await ask(`/mcp/${server}`, own)
      if (!modern) expect(result).toEqual(own)
      else if (server === 'modern') expect(result).toEqual({ ...own, resultType: 'complete' })
      else expect(result).toEqual({ ...own, ...added({}), _meta: { ...own._meta, [INFO]: serverInfo(server) } })
    }
  })

  it('has the numbers that a double cannot hold, as its call has', async () => {
    const large =
      '{"id":12345678901234567890,"list":[-9223372036854775808,1e999,0.12345678901234567890,-1234567.8901234567891,1e-400]}'
    for (const spare of ['', 'long '.repeat(8_000)]) {
      pair.answer(({ params }) => ({
        result: { content: [], structuredContent: { got: params?.['arguments'], own: parseExactly(large), spare } },
      }))
      const wire = await connect(client, `/mcp/${server}`)
      const { result } = await wire.request('tools/call', { name: 'plain', arguments: parseExactly(large) })
      const { got, own } = result?.['structuredContent'] as Record<string, unknown>
      expect(JSON.stringify(got)).toBe(large)
      expect(JSON.stringify(own)).toBe(large)
    }
  })

  it('is the hub’s where the hub shows several servers', async () => {
    const hubInfo = { name: 'mcp-hub', version: '0.0.0-test' }
    for (const own of [content, { ...content, _meta: { ...stamp, 'com.example/key': '}' } }]) {
      const { result } = await ask('/mcp', own, 'tools/call', `${server}__plain`)
      if (modern) expect(result?.['_meta']).toEqual({ ...('_meta' in own ? own._meta : {}), [INFO]: hubInfo })
      else if (server === 'modern') expect(JSON.stringify(result)).not.toContain(INFO)
      expect(result).toMatchObject(content)
    }
  })

  it('says how long it holds where the era wants that', async () => {
    const read = { contents: [{ uri: 'x://y', text: 'x' }] }
    const caching = server === 'modern' ? { ttlMs: 5, cacheScope: 'public', _meta: stamp } : {}
    const { result } = await ask(`/mcp/${server}`, { ...read, ...caching }, 'resources/read')
    if (!modern) expect(result).toEqual(read)
    else if (server === 'modern') expect(result).toEqual({ ...read, ...caching, resultType: 'complete' })
    else expect(result).toEqual({ ...read, ...added(serverInfo(server), true) })
  })

  it('is an object whatever the tool returns, where the client knows nothing else', async () => {
    const { result } = await ask(`/mcp/${server}`, { content: [], structuredContent: [1, 2] })
    const isWrapped = client === 'legacy' && server === 'modern'
    expect(result?.['structuredContent']).toEqual(isWrapped ? { result: [1, 2] } : [1, 2])
  })

  it('carries a resultType that nobody knows to those who may know it', async () => {
    pair.answer(() => ({ result: { resultType: 'com.example/later', content: [] } }))
    const { result } = await (await connect(client, `/mcp/${server}`)).request('vendor/do', {})
    if (server === 'modern') expect(result?.['resultType']).toBe(modern ? 'com.example/later' : undefined)
    else expect(result?.['resultType']).toBe(modern ? 'complete' : 'com.example/later')
  })
})

describe.each(combinations)('the greeting of a $server server to a $client client', ({ client, server }) => {
  it('names the server in the place that the era has for it', async () => {
    const wire = await connect(client, `/mcp/${server}`)
    if (wire instanceof LegacyWire) {
      expect(wire.hello?.result).toMatchObject({ protocolVersion: '2025-11-25', serverInfo: serverInfo(server) })
      expect(Object.keys(wire.hello?.result ?? {})).not.toContain('resultType')
    } else {
      const { result } = await wire.request('server/discover')
      expect(result).toMatchObject({
        resultType: 'complete',
        supportedVersions: ['2026-07-28'],
        ttlMs: expect.any(Number) as number,
        cacheScope: expect.any(String) as string,
        _meta: { [INFO]: serverInfo(server) },
      })
      expect(result).not.toHaveProperty('serverInfo')
    }
  })

  it.each(['tools/list', 'prompts/list', 'resources/list', 'resources/templates/list'])('%s', async (method) => {
    const { result } = await (await connect(client, `/mcp/${server}`)).request(method)
    const fields = ['resultType', 'ttlMs', 'cacheScope', '_meta']
    if (client === 'legacy') for (const field of fields) expect(result).not.toHaveProperty(field)
    else {
      for (const field of fields) expect(result).toHaveProperty(field)
      expect(result?.['_meta']).toEqual({ [INFO]: serverInfo(server) })
    }
  })
})

describe.each(combinations)('what a $client client sends to a $server server', ({ client, server }) => {
  const tracing = {
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    tracestate: 'vendor=1',
    baggage: 'user=42',
    'com.example/key': { any: ['thing'] },
  }

  it('arrives with its tracing fields, its unknown fields and its unknown method', async () => {
    pair.answer(() => ({ result: { vendor: 'answer' } }))
    const wire = await connect(client, `/mcp/${server}`)
    const params = { vendorField: [{ a: null }], requestState: 'the vendor’s own', inputResponses: {}, _meta: tracing }
    const { result } = await wire.request('vendor/do', params)
    expect(result).toMatchObject({ vendor: 'answer' })
    const { message, headers } = pair.last(server, 'vendor/do')
    expect(message.params).toMatchObject(params)
    const envelope = Object.keys(message.params?.['_meta'] as object).filter((key) => !(key in tracing))
    expect(envelope.sort()).toEqual(
      server === 'legacy'
        ? []
        : ['clientCapabilities', 'clientInfo', ...(client === 'legacy' ? ['logLevel'] : []), 'protocolVersion'].map(
            (key) => `io.modelcontextprotocol/${key}`,
          ),
    )
    expect(headers['traceparent']).toBe(tracing.traceparent)
    expect(headers['mcp-method']).toBe(server === 'modern' ? 'vendor/do' : undefined)
  })

  it('arrives unchanged in a known method too', async () => {
    pair.answer(() => ({ result: { content: [] } }))
    const wire = await connect(client, `/mcp/${server}`)
    const params = { name: 'plain', arguments: { a: 1 }, vendorField: 1, _meta: tracing }
    await wire.request('tools/call', params)
    expect(pair.last(server, 'tools/call').message.params).toMatchObject(params)
  })

  it('arrives when it is a notification that nobody knows', async () => {
    const wire = await connect(client, `/mcp/${server}`)
    const params = { vendorField: [1], _meta: tracing }
    if (wire instanceof LegacyWire) await wire.send({ jsonrpc: '2.0', method: 'notifications/vendor', params })
    else {
      const _meta = wire.envelope(tracing)
      const headers = wire.headersFor('notifications/vendor', {})
      const body = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/vendor', params: { ...params, _meta } })
      expect((await fetch(wire.url, { method: 'POST', headers, body })).status).toBe(202)
    }
    const arrived = await waitFor(() =>
      pair.servers[server].requests.findLast(({ message }) => message?.method === 'notifications/vendor'),
    )
    if (server === 'legacy') expect(arrived.message?.params).toEqual(params)
    else expect(arrived.message?.params).toMatchObject(params)
    pair.servers[server].requests.length = 0
  })

  it('gets its unknown notifications, in order and before the result', async () => {
    const vendor = { method: 'notifications/vendor', params: { a: { b: 1 } } }
    const progress = (token: unknown, step: number): object => ({
      method: 'notifications/progress',
      params: { progressToken: token, progress: step, vendorField: step },
    })
    pair.answer(({ params }) => {
      const token = (params?.['_meta'] as { progressToken?: unknown }).progressToken
      return { before: [progress(token, 1), vendor, progress(token, 2)], result: { content: [] } }
    })
    const wire = await connect(client, `/mcp/${server}`)
    const answer = await wire.request('tools/call', { name: 'plain', _meta: { progressToken: 'mine' } })
    expect(answer.before.filter(({ method }) => method !== undefined)).toMatchObject([
      progress('mine', 1),
      vendor,
      progress('mine', 2),
    ])
    expect(answer.result).toMatchObject({ content: [] })
  })
})

describe('the headers of arguments', () => {
  const call = (wire: ModernWire, args: object, headers: Record<string, string>, name = 'regional'): Promise<Answer> =>
    wire.request('tools/call', { name, arguments: args }, { headers })

  it('are checked where the tool asks for them, and passed on', async () => {
    pair.answer(() => ({ result: { content: [] } }))
    const wire = new ModernWire(`${hub.url}/mcp/modern`, { headers: hub.headers })
    await call(wire, { region: 'eu' }, { 'mcp-param-region': 'eu' })
    expect(pair.last('modern', 'tools/call').headers['mcp-param-region']).toBe('eu')
    expect(await call(wire, { region: 'eu' }, {})).toMatchObject({ status: 400, error: { code: -32020 } })
    expect(await call(wire, { region: 'eu' }, { 'mcp-param-region': 'us' })).toMatchObject({
      status: 400,
      error: { code: -32020 },
    })
  })

  it.each([
    ['/mcp/modern', 'plain'],
    ['/mcp/modern', 'regional'],
    ['/mcp', 'modern__regional'],
  ])('are passed on where the hub knows nothing of them (%s, %s)', async (path, name) => {
    pair.answer(() => ({ result: { content: [] } }))
    const wire = new ModernWire(hub.url + path, { headers: hub.headers })
    const known = name.endsWith('regional') ? { 'mcp-param-region': 'eu' } : {}
    const answer = await call(wire, { region: 'eu' }, { ...known, 'mcp-param-tenant': '=?base64?w6k=?=' }, name)
    expect(answer.error).toBeUndefined()
    expect(pair.last('modern', 'tools/call').headers).toMatchObject({ ...known, 'mcp-param-tenant': '=?base64?w6k=?=' })
  })

  it('are made for a client of the legacy era, which has none', async () => {
    pair.answer(() => ({ result: { content: [] } }))
    const wire = await connect('legacy', '/mcp/modern')
    await wire.request('tools/call', { name: 'regional', arguments: { region: 'Zürich' } })
    expect(pair.last('modern', 'tools/call').headers['mcp-param-region']).toBe('=?base64?WsO8cmljaA==?=')
  })

  it('do not go to a server of the legacy era', async () => {
    pair.answer(() => ({ result: { content: [] } }))
    const wire = new ModernWire(`${hub.url}/mcp/legacy`, { headers: hub.headers })
    await call(wire, { region: 'eu' }, { 'mcp-param-region': 'eu', 'mcp-param-tenant': 'x' })
    const sent = Object.keys(pair.last('legacy', 'tools/call').headers)
    expect(sent.filter((name) => name.startsWith('mcp-param-') || name === 'mcp-method')).toEqual([])
  })
})

describe.each(combinations)('the error of a $server server for a $client client', ({ client, server }) => {
  const fails = async (error: { code: number; message: string; data?: unknown }, method = 'prompts/get') => {
    pair.answer(() => ({ error }))
    return (await connect(client, `/mcp/${server}`)).request(method, { name: 'ask' })
  }
  const bridged = client !== server

  it('keeps its code, its words and its data', async () => {
    const error = { code: -31999, message: 'The moon is not full', data: { phase: 'new' } }
    expect((await fails(error)).error).toEqual(error)
  })

  it.each([
    { code: -32002, seen: client === 'modern' && server === 'legacy' ? -32602 : -32002 },
    { code: -32020, seen: bridged || server === 'modern' ? -32603 : -32020 },
    { code: -32021, seen: client === 'modern' && server === 'legacy' ? -32603 : -32021 },
    { code: -32022, seen: bridged || server === 'modern' ? -32603 : -32022 },
    { code: -32042, seen: client === 'modern' && server === 'legacy' ? -32603 : -32042 },
  ])('$code becomes $seen', async ({ code, seen }) => {
    expect((await fails({ code, message: 'why' })).error?.code).toBe(seen)
  })
})

describe('pages that a user has to open first, of a legacy client', () => {
  const url = { mode: 'url', url: 'https://example.com/allow', message: 'Allow it' }
  const capabilities = { elicitation: { form: {}, url: {} } }
  const jsonOnly = { accept: 'application/json' }

  it.each([
    { path: '/mcp/legacy', name: 'plain', options: {}, listens: true },
    { path: '/mcp/legacy', name: 'plain', options: {}, listens: false },
    { path: '/mcp/legacy', name: 'plain', options: jsonOnly, listens: false },
    { path: '/mcp', name: 'legacy__plain', options: {}, listens: true },
    { path: '/mcp', name: 'legacy__plain', options: jsonOnly, listens: false },
  ])(
    'are the error of its legacy server, unchanged ($path, $options, with a stream: $listens)',
    async ({ path, name, options, listens }) => {
      const visit = { ...url, elicitationId: 'v', _meta: { own: 1 }, vendorField: [1] }
      const error = { code: -32042, message: 'Öffnen', data: { elicitations: [visit], more: { uri: 'x://y' } } }
      pair.answer(() => ({ error }))
      for (const declared of [capabilities, {}]) {
        const wire = await LegacyWire.open(hub.url + path, { headers: hub.headers, capabilities: declared })
        const stream = listens ? await wire.listen() : null
        const answer = await wire.request('tools/call', { name, arguments: {} }, options)
        expect(answer.error).toEqual(error)
        expect(answer.before).toEqual([])
        stream?.close()
      }
    },
  )

  const asksFor = (...pages: object[]): void =>
    pair.answer(() => ({
      result: {
        resultType: 'input_required',
        requestState: 's',
        inputRequests: Object.fromEntries(
          pages.map((params, at) => [`k${at}`, { method: 'elicitation/create', params }]),
        ),
      },
    }))
  const form = { message: '?', requestedSchema: { type: 'object', properties: {} } }
  const other = { ...url, url: 'https://example.com/other' }

  it.each([
    { what: 'a page', pages: [url], code: -32042 },
    { what: 'two pages', pages: [url, other], code: -32042 },
    { what: 'a form', pages: [form], code: -31005 },
    { what: 'a page and a form', pages: [url, form], code: -31005 },
  ])('are such an error where a modern server asks for $what, and there is no stream to ask on', async (row) => {
    asksFor(...row.pages)
    for (const path of ['/mcp/modern', '/mcp']) {
      const name = path === '/mcp' ? 'modern__plain' : 'plain'
      const wire = await LegacyWire.open(hub.url + path, { headers: hub.headers, capabilities })
      const { error } = await wire.request('tools/call', { name, arguments: {} }, jsonOnly)
      expect(error?.code).toBe(row.code)
      if (row.code !== -32042) continue
      const visits = (error?.data as { elicitations: { elicitationId: unknown }[] }).elicitations
      expect(visits).toEqual(row.pages.map((page) => ({ ...page, elicitationId: expect.any(String) as string })))
      expect(new Set(visits.map(({ elicitationId }) => elicitationId)).size).toBe(row.pages.length)
    }
  })

  it('are asked for where there is a stream', async () => {
    const asked: unknown[] = []
    asksFor(url)
    const answers = {
      'elicitation/create': (params: unknown) => {
        asked.push(params)
        pair.answer(() => ({ result: { resultType: 'complete', content: [] } }))
        return { action: 'accept' }
      },
    }
    const wire = await LegacyWire.open(`${hub.url}/mcp/modern`, { headers: hub.headers, capabilities, answers })
    const stream = await wire.listen()
    const answer = await wire.request('tools/call', { name: 'plain', arguments: {} }, jsonOnly)
    expect(answer.result).toEqual({ content: [] })
    expect(asked).toEqual([{ ...url, elicitationId: expect.any(String) as string }])
    stream.close()
  })
})

it('the faults of a request are told in the order in which it is checked: each is found once those before it are mended', async () => {
  pair.answer(() => ({ result: { content: [] } }))
  const wire = new ModernWire(`${hub.url}/mcp/modern`, { headers: hub.headers })
  const version = 'io.modelcontextprotocol/protocolVersion'
  const capabilities = 'io.modelcontextprotocol/clientCapabilities'
  const meta: Record<string, unknown> = { [version]: '2099-01-01', [capabilities]: 7 }
  const params: Record<string, unknown> = { name: 'regional', arguments: { region: 'eu' }, _meta: meta }
  const message: Record<string, unknown> = { jsonrpc: '1.0', id: 1, method: 'ping', params }
  const headers: Record<string, string> = {
    ...hub.headers,
    host: 'evil.example',
    'content-type': 'text/plain',
    'mcp-protocol-version': '2098-01-01',
    'mcp-name': '=?base64?!?=',
  }
  let verb = 'PUT'
  let body = (): string => '{'.padEnd(5_000_000)
  const send = (): Promise<[number, number | undefined]> =>
    new Promise((resolve, reject) => {
      const sent = httpRequest(wire.url, { method: verb, headers }, (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (piece: string) => (text += piece))
        response.on('end', () => {
          const { error } = (text.startsWith('{') ? JSON.parse(text) : {}) as { error?: { code: number } }
          resolve([response.statusCode ?? 0, error?.code])
        })
      })
      sent.on('error', reject).end(verb === 'PUT' || headers['content-type'] === 'text/plain' ? '' : body())
    })
  const mend: [status: number, code: number | undefined, mend: () => void][] = [
    [403, undefined, () => delete headers['host']],
    [405, -32600, () => (verb = 'POST')],
    [415, -32600, () => (headers['content-type'] = 'application/json')],
    [413, -32600, () => (body = () => '{')],
    [400, -32700, () => (body = () => JSON.stringify(message))],
    [400, -32600, () => (message['jsonrpc'] = '2.0')],
    [400, -32020, () => (meta[version] = undefined)],
    [400, -32602, () => (headers['mcp-protocol-version'] = meta[version] = '2099-01-01')],
    [400, -32022, () => (headers['mcp-protocol-version'] = meta[version] = '2026-07-28')],
    [400, -32602, () => (meta[capabilities] = {})],
    [400, -32020, () => (headers['mcp-method'] = 'ping')],
    [404, -32601, () => (headers['mcp-method'] = message['method'] = 'tools/call')],
    [400, -32020, () => (headers['mcp-name'] = 'regional')],
    [400, -32020, () => (headers['mcp-param-region'] = 'eu')],
  ]
  for (const [at, [status, code, mendIt]] of mend.entries()) {
    const [gotStatus, gotCode] = await send()
    expect([at, gotStatus, code === undefined ? undefined : gotCode]).toEqual([at, status, code])
    mendIt()
  }
  expect(await send()).toEqual([200, undefined])
})

it('a notification is refused where its headers contradict it, and need not name its method there', async () => {
  const wire = new ModernWire(`${hub.url}/mcp/modern`, { headers: hub.headers })
  const method = 'notifications/vendor'
  const { 'mcp-method': _named, ...unnamed } = wire.headersFor(method, {})
  const send = async (
    headers: Record<string, string>,
    params: object = { _meta: wire.envelope() },
  ): Promise<unknown> => {
    const body = JSON.stringify({ jsonrpc: '2.0', method, params })
    const response = await fetch(wire.url, { method: 'POST', headers: { ...unnamed, ...headers }, body })
    const text = await response.text()
    return [response.status, text === '' ? null : JSON.parse(text)]
  }
  const refused = (code: number): unknown => [
    400,
    { jsonrpc: '2.0', id: null, error: expect.objectContaining({ code }) as object },
  ]
  expect(await send({ 'mcp-method': 'notifications/other' })).toEqual(refused(-32020))
  expect(await send({ 'mcp-protocol-version': '2026-07-29' })).toEqual(refused(-32020))
  expect(await send({ 'mcp-protocol-version': '2099-01-01' }, {})).toEqual(refused(-32022))
  expect(pair.servers.modern.requests.filter(({ message }) => message?.method === method)).toEqual([])
  expect(await send({})).toEqual([202, null])
  expect(await send({ 'mcp-method': method }, {})).toEqual([202, null])
  await expect
    .poll(() => pair.servers.modern.requests.filter(({ message }) => message?.method === method).length)
    .toBe(2)
})
