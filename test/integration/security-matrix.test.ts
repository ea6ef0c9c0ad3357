import { request as httpRequest } from 'node:http'
import { mkdir, stat, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { routeNeeds } from '../../hub/api/permissions.ts'
import { serverInScope } from '../../hub/auth/scope.ts'
import { readFileBelow } from '../../hub/secrets/environment.ts'
import { mayOpenOutside } from '../../main/app-url.ts'
import { temporaryFolder } from '../fixtures/built-program.ts'
import { fixtureServer, startHub, TOKEN, type TestHub } from '../fixtures/hub.ts'
import { startStage } from '../fixtures/oauth/stage.ts'
import { addKey, ask, person } from '../fixtures/people.ts'
import { answerBasics, sendJson, startScripted } from '../fixtures/scripted-server.ts'

/** What other products of this kind were broken by, tried on this one. docs/security.md says what each id stands for. */

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})
function kept<T extends { close: () => Promise<unknown> }>(part: T): T {
  closers.push(() => part.close())
  return part
}

let hub: TestHub
beforeAll(async () => {
  hub = await startHub(
    { one: fixtureServer('echo.ts'), two: fixtureServer('echo.ts') },
    { auth: { bcryptRounds: 10 } },
    { users: [person('admin', 'admin')] },
  )
  await Promise.all([hub.until('one', 'running'), hub.until('two', 'running')])
})
afterAll(() => hub.close())

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
}
interface Rpc {
  result?: { content?: { text: string }[] }
  error?: { code: number; message: string }
}

function modern(
  token: string,
  endpoint: string,
  method: string,
  params: Record<string, unknown>,
  headers: Record<string, string> = {},
) {
  const { name } = params
  return ask<Rpc>(hub, `POST ${endpoint}`, {
    token,
    body: { jsonrpc: '2.0', id: 1, method, params: { ...params, _meta: META } },
    headers: {
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      ...(typeof name === 'string' ? { 'mcp-name': name } : {}),
      ...headers,
    },
  })
}

async function openSession(token: string, endpoint = '/mcp'): Promise<string> {
  const { headers } = await ask(hub, `POST ${endpoint}`, {
    token,
    headers: { accept: 'application/json' },
    body: {
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
    },
  })
  return headers.get('mcp-session-id') ?? ''
}

/** The old transport's stream, with the address of its messages. */
async function openSse(token: string): Promise<{ messages: string; next: () => Promise<string>; close: () => void }> {
  const abort = new AbortController()
  const response = await fetch(`${hub.url}/sse`, {
    headers: { authorization: `Bearer ${token}` },
    signal: abort.signal,
  })
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  const next = async (): Promise<string> => {
    for (let text = ''; ;) {
      text += (await reader?.read())?.value ?? ''
      const data = /^data: (.*)$/m.exec(text)?.[1]
      if (data !== undefined && text.endsWith('\n\n')) return data
    }
  }
  return { messages: await next(), next, close: () => abort.abort() }
}

describe('programs are run for nobody who is not known (CVE-2025-49596, CVE-2026-23744, CVE-2026-23520, CVE-2026-79538)', () => {
  it.each([undefined, 'mcphub_000000000000_wrong', 'null', 'undefined'])('with the token %s', async (token) => {
    const folder = await temporaryFolder()
    const marker = path.join(folder.path, 'it-ran')
    const config = {
      command: process.execPath,
      args: ['-e', `require('node:fs').writeFileSync(${JSON.stringify(marker)}, '')`],
    }
    const query = `command=${encodeURIComponent(config.command)}&args=${encodeURIComponent(JSON.stringify(config.args))}`
    const before = process.getActiveResourcesInfo().filter((name) => name === 'ProcessWrap').length
    const spawning: [string, unknown?][] = [
      ['POST /api/servers', { name: 'x', config }],
      ['POST /api/servers/dry-run', { config }],
      ['PUT /api/servers/one', { config }],
      ['POST /api/servers/one/doctor', { config }],
      ['POST /api/servers/one/consent', { stamp: 'x' }],
      ['POST /api/servers/one/restart'],
      ['POST /api/servers/one/enable'],
      ['POST /api/config/versions/1/restore', {}],
      ['POST /api/publish/export', {}],
      // As the inspectors and proxies of those advisories had them.
      ...['/sse', '/stdio', '/mcp', '/message', '/api/mcp/connect', '/mcp-proxy/server/stdio'].flatMap(
        (place): [string, unknown?][] => [
          [`GET ${place}?transportType=stdio&${query}`],
          [`POST ${place}?transportType=stdio&${query}`, config],
        ],
      ),
    ]
    for (const [route, body] of spawning)
      expect([route, (await ask(hub, route, { token, body })).status]).toSatisfy(
        ([, status]: [string, number]) => status === 401 || status === 404,
      )
    expect(process.getActiveResourcesInfo().filter((name) => name === 'ProcessWrap')).toHaveLength(before)
    await expect(stat(marker)).rejects.toThrow()
    await folder.dispose()
  })
})

describe('every door asks for the credential, also of the old transport (CVE-2025-11287)', () => {
  const doors = [
    'GET /sse',
    'GET /sse/one',
    'POST /messages?sessionId=x',
    'POST /mcp',
    'GET /mcp',
    'DELETE /mcp',
    'POST /mcp/one',
  ]
  it.each(doors)('%s', async (route) => {
    expect((await ask(hub, route, route.startsWith('POST') ? { body: {} } : {})).status).toBe(401)
  })
})

describe('names of other hosts reach nothing (CVE-2025-66414, CVE-2025-64443, CVE-2026-61568)', () => {
  const statusFor = (method: string, route: string, host: string | null): Promise<number> =>
    new Promise((resolve, reject) => {
      const sent = httpRequest(
        hub.url + route,
        { method, setHost: false, headers: { authorization: `Bearer ${TOKEN}`, ...(host === null ? {} : { host }) } },
        (response) => {
          response.resume()
          resolve(response.statusCode ?? 0)
        },
      )
      sent.on('error', reject)
      sent.end()
    })
  const places = ['/', '/api/servers', '/api/events', '/mcp', '/sse', '/messages', '/assets/x.js', '/oauth/callback']
  const hosts = ['evil.example', 'localhost.evil.example', 'localhost.', '127.0.0.1.nip.io', 'evil.example:3000']
  it.each(places)('%s', async (place) => {
    for (const host of hosts)
      for (const method of ['GET', 'POST', 'OPTIONS'])
        expect([host, method, await statusFor(method, place, host)]).toEqual([host, method, 403])
    // HTTP/1.1 itself asks for one.
    expect([400, 403]).toContain(await statusFor('GET', place, null))
  })
  it('but the answer to whether it lives', async () => {
    expect(await statusFor('GET', '/health', 'evil.example')).toBe(200)
  })
})

describe('one rule for all endpoints, transports and eras (CVE-2026-14537)', () => {
  it('a tool beyond the scope is nowhere', async () => {
    const { secret } = (
      await addKey(hub, TOKEN, {
        scope: { servers: ['one', 'two'], tools: ['one/echo'] },
        permissions: ['mcp:connect', 'tools:call', 'servers:read'],
      })
    ).body
    const call = { name: 'two__echo', arguments: { text: 'reached' } }
    expect((await modern(secret, '/mcp', 'tools/call', call)).body.error).toBeDefined()
    expect((await modern(secret, '/mcp/two', 'tools/call', { ...call, name: 'echo' })).body.error).toBeDefined()
    const body = { jsonrpc: '2.0', id: 2, method: 'tools/call', params: call }
    const session = await openSession(secret)
    const legacy = await ask<Rpc>(hub, 'POST /mcp', {
      token: secret,
      body,
      headers: { accept: 'application/json', 'mcp-session-id': session },
    })
    expect(legacy.body.error).toBeDefined()
    const sse = await openSse(secret)
    expect((await ask(hub, `POST ${sse.messages}`, { token: secret, body })).status).toBe(202)
    expect((JSON.parse(await sse.next()) as Rpc).error).toBeDefined()
    sse.close()
    const rest = { server: 'two', tool: 'echo', arguments: { text: 'reached' } }
    expect((await ask(hub, 'POST /api/tools/call', { token: secret, body: rest })).status).toBe(404)
    // And the one that is in it, everywhere.
    expect((await modern(secret, '/mcp', 'tools/call', { ...call, name: 'one__echo' })).body.error).toBeUndefined()
  })
})

describe('what one client opened is nobody else’s (CVE-2026-52869)', () => {
  it('a session and a stream', async () => {
    const other = `${TOKEN}-other`
    const session = await openSession(TOKEN)
    const headers = { accept: 'application/json, text/event-stream', 'mcp-session-id': session }
    const ping = { jsonrpc: '2.0', id: 2, method: 'ping' }
    for (const [method, body] of [['POST', ping], ['GET'], ['DELETE']] as const)
      expect([method, (await ask(hub, `${method} /mcp`, { token: other, body, headers })).status]).toEqual([
        method,
        404,
      ])
    // Nor at another endpoint; its owner still has it.
    expect((await ask(hub, 'POST /mcp/one', { token: TOKEN, body: ping, headers })).status).toBe(404)
    expect((await ask(hub, 'POST /mcp', { token: TOKEN, body: ping, headers })).status).toBe(200)
    const sse = await openSse(TOKEN)
    expect((await ask(hub, `POST ${sse.messages}`, { token: other, body: ping })).status).toBe(404)
    sse.close()
    // An id that got about is something to know.
    await expect
      .poll(async () => JSON.stringify((await hub.api('GET', '/api/audit?action=mcp.session-foreign')).body))
      .toContain('"actor":"key:other"')
  })
})

describe('what decides is what is forwarded (CVE-2026-27896)', () => {
  const post = (token: string, text: string, name: string) =>
    fetch(`${hub.url}/mcp`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        accept: 'application/json',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'tools/call',
        'mcp-name': name,
      },
      body: text,
    }).then(async (response) => (await response.json()) as Rpc)
  const meta = JSON.stringify(META)

  it('keys that are there twice, or in capitals, call no other tool', async () => {
    const { secret } = (await addKey(hub, TOKEN, { scope: { servers: ['one'] } })).body
    for (const [params, name] of [
      [`"name":"one__echo","name":"two__echo"`, 'one__echo'],
      [`"name":"two__echo","name":"one__echo"`, 'two__echo'],
      [`"name":"two__echo","Name":"one__echo"`, 'two__echo'],
      [`"Name":"two__echo"`, 'two__echo'],
    ] as const) {
      const text = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{${params},"arguments":{"text":"x"},"_meta":${meta}}}`
      expect([params, (await post(secret, text, name)).error?.code]).toEqual([params, expect.any(Number)])
    }
  })

  it('a server gets what was parsed, once', async () => {
    const upstream = kept(
      await startScripted((asked) => {
        if (answerBasics(asked, { era: 'legacy', tools: ['echo'] })) return
        sendJson(asked.response, { jsonrpc: '2.0', id: asked.message?.id, result: { content: [] } })
      }),
    )
    const own = kept(await startHub({ up: { type: 'http', url: upstream.url } }))
    await own.until('up', 'running')
    await fetch(`${own.url}/mcp/up`, {
      method: 'POST',
      headers: {
        ...own.headers,
        'content-type': 'application/json',
        accept: 'application/json',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'tools/call',
        'mcp-name': 'echo',
      },
      body: `{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{"name":"other","name":"echo","arguments":{},"_meta":${meta}}}`,
    }).then((response) => response.text())
    const calls = upstream.requests.filter(({ message }) => message?.method === 'tools/call')
    expect(calls.map(({ message }) => message?.params?.['name'])).toEqual(['echo'])
  })
})

describe('credentials of clients stay here (CVE-2026-120323)', () => {
  it('no header of a client reaches a server, but those of the protocol', async () => {
    const upstream = kept(
      await startScripted((asked) => {
        if (answerBasics(asked, { era: 'modern', tools: ['echo'] })) return
        const result = { resultType: 'complete', content: [] }
        sendJson(asked.response, { jsonrpc: '2.0', id: asked.message?.id, result })
      }),
    )
    const own = kept(await startHub({ up: { type: 'http', url: upstream.url, headers: { 'x-own': 'of the entry' } } }))
    await own.until('up', 'running')
    const canary = 'canary-of-the-client'
    const answer = await fetch(`${own.url}/mcp/up`, {
      method: 'POST',
      headers: {
        ...own.headers,
        'content-type': 'application/json',
        accept: 'application/json',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'tools/call',
        'mcp-name': 'echo',
        cookie: `mcp_hub_session=${canary}`,
        'x-api-key': canary,
        'x-forwarded-for': canary,
        'proxy-authorization': canary,
        forwarded: canary,
        'user-agent': canary,
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/call',
        params: { name: 'echo', arguments: {}, _meta: META },
      }),
    })
    expect(answer.status).toBe(200)
    const call = upstream.requests.find(({ message }) => message?.method === 'tools/call')
    expect(call?.headers['x-own']).toBe('of the entry')
    expect(JSON.stringify(call?.headers)).not.toContain(canary)
    expect(JSON.stringify(upstream.requests.map(({ headers }) => headers))).not.toContain(TOKEN)
  })
})

describe('a sign-in that a server chooses (CVE-2025-6514, CVE-2026-51994, CVE-2026-51995)', () => {
  const hostile = [
    'javascript:alert(1)',
    'file:///etc/passwd',
    'data:text/html,<script>alert(1)</script>',
    'ms-msdt:/id PCWDiagnostic',
    'http://elsewhere.example/$(touch /tmp/x)',
    "http://elsewhere.example/';calc.exe;'",
    'a-b:$(calc.exe)',
  ]
  it('opens no page but of https', async () => {
    const stage = kept(await startStage())
    await stage.hub.until('guarded', 'needs-auth')
    for (const endpoint of hostile) {
      stage.as.editMetadata = (metadata) => (metadata['authorization_endpoint'] = endpoint)
      const { status, body } = await stage.hub.api('POST', '/api/accounts/guarded/sign-in', {})
      expect([endpoint, status, (body as { code: string }).code]).toEqual([endpoint, 502, 'HUB_SIGN_IN_FAILED'])
    }
  })

  it.each(hostile.filter((endpoint) => !endpoint.startsWith('http:')))('nor does the app: %s', (endpoint) => {
    expect(mayOpenOutside(endpoint)).toBe(false)
  })

  it.each(['http://169.254.169.254/latest/meta-data/', 'https://169.254.170.2/credentials', 'file:///etc/passwd'])(
    'and asks no metadata at %s',
    async (address) => {
      const guarded = kept(
        await startScripted(({ response }) =>
          response.writeHead(401, { 'www-authenticate': `Bearer resource_metadata="${address}"` }).end(),
        ),
      )
      const own = kept(await startHub({ guarded: { type: 'http', url: guarded.url } }))
      await own.until('guarded', 'needs-auth')
      const { status, body } = await own.api('POST', '/api/accounts/guarded/sign-in', {})
      expect([status, (body as { code: string }).code]).toEqual([502, 'HUB_SIGN_IN_FAILED'])
      expect((body as { detail: string }).detail).toContain('is not asked')
    },
  )
})

describe('schemas of servers are data (CVE-2026-59973)', () => {
  it('no $ref is followed', async () => {
    const elsewhere = kept(await startScripted(({ response }) => response.end('{}')))
    const schema = {
      type: 'object',
      properties: { a: { $ref: elsewhere.url } },
      $schema: elsewhere.url,
      allOf: [{ $ref: elsewhere.url }],
    }
    const upstream = kept(
      await startScripted((asked) => {
        if (asked.message?.method === 'tools/list') {
          const result = { tools: [{ name: 'echo', inputSchema: schema, outputSchema: schema }] }
          sendJson(asked.response, { jsonrpc: '2.0', id: asked.message.id, result })
        } else if (!answerBasics(asked, { era: 'legacy', tools: [] }))
          sendJson(asked.response, {
            jsonrpc: '2.0',
            id: asked.message?.id,
            result: { content: [], structuredContent: {} },
          })
      }),
    )
    const own = kept(await startHub({ up: { type: 'http', url: upstream.url } }))
    await own.until('up', 'running')
    expect(JSON.stringify((await own.api('GET', '/api/tools')).body)).toContain(elsewhere.url)
    await own.api('POST', '/api/tools/call', { server: 'up', tool: 'echo', arguments: { a: 1 } })
    await own.api('POST', '/api/servers/up/doctor', {})
    expect(elsewhere.requests).toEqual([])
  })
})

describe('files are where they seem to be (CVE-2025-53109, CVE-2025-53110)', () => {
  it('a folder with the same beginning, a link and a way back are outside', async () => {
    const folder = await temporaryFolder()
    const root = folder.path
    const [inside, beside] = [path.join(root, 'secrets'), path.join(root, 'secrets-of-others')]
    await mkdir(inside)
    await mkdir(beside)
    await writeFile(path.join(inside, 'token'), 'good')
    await writeFile(path.join(beside, 'token'), 'bad')
    await symlink(path.join(beside, 'token'), path.join(inside, 'link'))
    await symlink(beside, path.join(inside, 'folder'))
    const read = readFileBelow([inside])
    expect(read(path.join(inside, 'token'))).toMatchObject({ value: 'good' })
    for (const file of [
      path.join(beside, 'token'),
      `${inside}/../secrets-of-others/token`,
      path.join(inside, 'link'),
      path.join(inside, 'folder', 'token'),
      '/etc/passwd',
      inside,
    ])
      expect([file, read(file).value]).toEqual([file, undefined])
    await folder.dispose()
  })
})

describe('names that objects have by themselves, and patterns without end', () => {
  it.each(['__proto__', 'constructor', 'prototype'])('%s is no key of the configuration', async (key) => {
    const send = (route: string, body: string) =>
      fetch(hub.url + route, {
        method: route.endsWith('/servers') ? 'POST' : 'PUT',
        headers: { ...hub.headers, 'content-type': 'application/json' },
        body,
      })
    const polluting = `{"polluted":true}`
    const refused = await send(
      '/api/servers',
      `{"name":"x","config":{"url":"http://127.0.0.1:9/","${key}":${polluting}}}`,
    )
    expect(refused.status).toBe(400)
    await send('/api/profiles/dev', `{"config":{"servers":{"${key}":${polluting}}}}`)
    await send('/api/servers', `{"name":"${key}","config":{"url":"http://127.0.0.1:9/","hub":{"enabled":false}}}`)
    const call = `{"server":"one","tool":"echo","arguments":{"text":"x","${key}":${polluting}}}`
    await fetch(`${hub.url}/api/tools/call`, {
      method: 'POST',
      headers: { ...hub.headers, 'content-type': 'application/json' },
      body: call,
    })
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
    expect((await hub.api('GET', '/api/servers')).status).toBe(200)
    expect((await ask(hub, `GET /api/servers/${key}`, { token: TOKEN })).status).toBeLessThan(500)
  })

  it('a scope of many stars is decided at once', () => {
    const scopes = [{ servers: [`${'*a'.repeat(90)}b`] }]
    const begun = performance.now()
    expect(serverInScope(scopes, 'a'.repeat(20_000))).toBe(false)
    // A backtracking matcher would take longer than the universe lasts.
    expect(performance.now() - begun).toBeLessThan(1_000)
  })
})

it('no route of the API is open to a page’s simple request (ASVS 3.5.2)', async () => {
  const routes = Object.keys(routeNeeds).filter((route) => /^(POST|PUT|PATCH)/.test(route))
  for (const route of routes) {
    const [method = '', place = ''] = route.replace(/:\w+/g, 'x').split(' ')
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
      const response = await fetch(hub.url + place, {
        method,
        headers: { ...hub.headers, 'content-type': type },
        body: '{}',
      })
      await response.text()
      expect([route, type, response.status]).toEqual([route, type, 415])
    }
  }
})
