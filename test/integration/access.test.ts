import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { routeNeeds, type Need } from '../../hub/api/permissions.ts'
import { roleGrants, roles, type HubEvent } from '../../hub/contract/index.ts'
import { fixtureServer, startHub, TOKEN, type TestHub } from '../fixtures/hub.ts'
import { addKey, ask, person, tokenOf } from '../fixtures/people.ts'

const system = { auth: { bcryptRounds: 10 } }
let hub: TestHub
const tokens = new Map<string, string>()

beforeAll(async () => {
  hub = await startHub({ one: fixtureServer('echo.ts'), two: fixtureServer('echo.ts') }, system, {
    users: [...roles.map((role) => person(role, role)), person('narrow', 'operator', { scope: { servers: ['one'] } })],
  })
  for (const name of [...roles, 'narrow']) tokens.set(name, await tokenOf(hub, name))
  await Promise.all([hub.until('one', 'running'), hub.until('two', 'running')])
})
afterAll(() => hub.close())

/** A route with parameters that name nothing, and what no schema takes: it gets as far as the permission lets it. */
function harmless(route: string): { route: string; body?: unknown } {
  // Else its answer would have no end.
  if (route === 'GET /api/events') return { route: `${route}?usage=no` }
  const path = route.replace(/:\w+/g, 'nothing-of-this-name')
  return /^(POST|PUT|PATCH)/.test(route) ? { route: path, body: { 'no such key': true } } : { route: path }
}

const refused = (status: number, code: string | undefined): boolean =>
  (status === 401 || status === 403) && ['HUB_UNAUTHENTICATED', 'HUB_FORBIDDEN'].includes(code ?? '')

describe('every route for every role (CVE-2026-79748, CVE-2026-79744, CVE-2026-94047)', () => {
  it.each(Object.entries(routeNeeds) as [string, Need][])('%s needs %s', async (route, need) => {
    const { route: path, body } = harmless(route)
    const nobody = await ask(hub, path, { body })
    expect(refused(nobody.status, nobody.body.code)).toBe(need !== 'open')
    for (const role of roles) {
      const { status, body: problem } = await ask(hub, path, { token: tokens.get(role), body })
      const granted = need === 'open' || need === 'signed-in' || roleGrants[role].includes(need)
      expect([role, refused(status, problem.code)]).toEqual([role, !granted])
    }
  })

  it('what is not in the table is not there, and says so only to who is signed in', async () => {
    expect((await ask(hub, 'GET /api/no-such-thing')).status).toBe(401)
    const token = tokens.get('viewer')
    expect((await ask(hub, 'GET /api/no-such-thing', { token })).status).toBe(404)
    const wrongMethod = await ask(hub, 'DELETE /api/hub', { token })
    expect(wrongMethod).toMatchObject({ status: 405, body: { code: 'HUB_METHOD_NOT_ALLOWED' } })
    expect(wrongMethod.headers.get('allow')).toBe('GET')
  })
})

describe('the events', () => {
  /** Types of what a stream carries until the hub's endpoint changes, which everybody is told of. */
  async function typesUntilMoved(response: Response): Promise<Set<string>> {
    const types = new Set<string>()
    for await (const line of createInterface(Readable.fromWeb(response.body as ReadableStream))) {
      if (!line.startsWith('data: ')) continue
      const event = JSON.parse(line.slice(6)) as HubEvent
      types.add(event.type)
      if (event.type === 'hub.changed' && event.hub.endpoint.message === 'moved') break
    }
    return types
  }

  it('tell nobody what they could not read', async () => {
    const only = (await addKey(hub, TOKEN, { permissions: ['hub:read'] })).body.secret
    const keys = [only, ...['viewer', 'admin'].map((role) => tokens.get(role))]
    const streams = await Promise.all(
      keys.map((token) =>
        fetch(`${hub.url}/api/events?logs=one&usage=1`, { headers: { authorization: `Bearer ${token}` } }),
      ),
    )
    const told = Promise.all(streams.map(typesUntilMoved))
    const token = tokens.get('admin')
    const { etag } = (await ask<{ etag: string }>(hub, 'GET /api/admin/config', { token })).body
    const push = {
      token,
      body: { profiles: { profiles: { pushed: { servers: { one: {} } } } } },
      headers: { 'if-match': etag },
    }
    expect((await ask(hub, 'PUT /api/admin/config', push)).status).toBe(200)
    await ask(hub, 'POST /api/servers/one/restart', { token: TOKEN })
    await hub.until('one', 'running')
    hub.hub.setEndpoint({ state: 'failed', url: `${hub.url}/mcp`, port: 0, takenBy: null, message: 'moved' })
    const [few, viewer, admin] = await told
    expect(few).toEqual(new Set(['hub.changed']))
    const states = ['hub.changed', 'server.changed', 'server.log', 'catalog.changed']
    expect([...viewer!]).toEqual(expect.arrayContaining(states))
    expect(viewer).not.toContain('config.pushed')
    expect([...admin!]).toEqual(expect.arrayContaining([...states, 'config.pushed']))
  })
})

describe('a caller with a scope', () => {
  const accept = { accept: 'application/json, text/event-stream' }
  async function rpc(token: string, path: string, method: string, params: object = {}) {
    const meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
      'io.modelcontextprotocol/clientCapabilities': {},
    }
    const name = (params as { name?: string }).name
    return ask<{ result?: { tools: { name: string }[] }; error?: { message: string } }>(hub, `POST ${path}`, {
      token,
      body: { jsonrpc: '2.0', id: 1, method, params: { ...params, _meta: meta } },
      headers: {
        ...accept,
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': method,
        ...(name === undefined ? {} : { 'mcp-name': name }),
      },
    })
  }
  const names = async (token: string, path: string) =>
    (await rpc(token, path, 'tools/list')).body.result?.tools.map((tool) => tool.name)

  it('sees the servers of the scope and no others, over REST', async () => {
    const token = tokens.get('narrow')
    expect((await ask<{ name: string }[]>(hub, 'GET /api/servers', { token })).body.map(({ name }) => name)).toEqual([
      'one',
    ])
    const tools = (await ask<{ server: string }[]>(hub, 'GET /api/tools', { token })).body
    expect(new Set(tools.map(({ server }) => server))).toEqual(new Set(['one']))
    for (const route of ['GET /api/servers/two', 'GET /api/servers/two/logs', 'POST /api/servers/two/restart'])
      expect(await ask(hub, route, { token })).toMatchObject({ status: 404, body: { code: 'HUB_SERVER_NOT_FOUND' } })
    expect((await ask(hub, 'POST /api/servers/one/restart', { token })).status).toBe(200)
    await hub.until('one', 'running')
    expect(
      await ask(hub, 'POST /api/tools/call', { token, body: { server: 'two', tool: 'echo', arguments: {} } }),
    ).toMatchObject({ status: 404 })
    // What concerns all servers is refused rather than filtered by halves.
    expect(await ask(hub, 'GET /api/profiles', { token })).toMatchObject({ status: 403 })
  })

  it('sees the same on the MCP endpoints, in both eras', async () => {
    const { secret } = (await addKey(hub, TOKEN, { scope: { servers: ['one'] } })).body
    const all = await names(TOKEN, '/mcp')
    const seen = await names(secret, '/mcp')
    expect(all?.some((name) => name.startsWith('two__'))).toBe(true)
    expect(seen?.length).toBeGreaterThan(0)
    expect(seen?.every((name) => name.startsWith('one__'))).toBe(true)
    expect((await rpc(secret, '/mcp/two', 'tools/list')).status).toBe(404)
    const call = await rpc(secret, '/mcp', 'tools/call', { name: 'two__echo', arguments: { text: 'x' } })
    expect(call.body.error?.message).toContain('Unknown tool')
    const legacy = await ask<object>(hub, 'POST /mcp/two', {
      token: secret,
      headers: accept,
      body: {
        jsonrpc: '2.0',
        id: 1,
        method: 'initialize',
        params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } },
      },
    })
    expect(legacy.status).toBe(404)
  })

  it('may be narrowed to tools', async () => {
    const { secret } = (await addKey(hub, TOKEN, { scope: { servers: ['*'], tools: ['one/echo'] } })).body
    expect(await names(secret, '/mcp')).toEqual(['one__echo'])
    expect(await names(secret, '/mcp/two')).toEqual([])
    const denied = await rpc(secret, '/mcp/one', 'tools/call', { name: 'fail', arguments: {} })
    expect(denied.body.error).toBeDefined()
  })

  it('has nothing when the scope names nothing', async () => {
    const { secret } = (await addKey(hub, TOKEN, { scope: {}, permissions: ['mcp:connect', 'servers:read'] })).body
    expect(await names(secret, '/mcp')).toEqual([])
    expect((await ask(hub, 'GET /api/servers', { token: secret })).body).toEqual([])
  })
})

describe('programs run by configuration (CVE-2025-49596, CVE-2026-23744, CVE-2026-79748)', () => {
  const program = { command: process.execPath, args: ['-e', ''] }
  const spawning = (name: string): [string, object][] => [
    ['POST /api/servers', { name, config: program }],
    ['POST /api/servers/dry-run', { config: program }],
    ['PUT /api/servers/one', { config: program }],
    ['POST /api/servers/one/doctor', { config: program }],
    [`POST /api/servers/${name}/doctor`, { config: program }],
    ['PUT /api/servers/one', { config: { ...fixtureServer('echo.ts'), env: { NODE_OPTIONS: '--require=/tmp/evil' } } }],
  ]

  it('are refused to who may write entries but not run code', async () => {
    const { secret } = (await addKey(hub, TOKEN, { permissions: ['servers:read', 'servers:write', 'servers:operate'] }))
      .body
    for (const [route, body] of spawning('sneaked-in'))
      expect(await ask(hub, route, { token: secret, body })).toMatchObject({
        status: 403,
        body: { code: 'HUB_EXEC_REFUSED' },
      })
    const remote = { name: 'remote', config: { url: 'http://127.0.0.1:9/mcp', hub: { enabled: false } } }
    expect((await ask(hub, 'POST /api/servers', { token: secret, body: remote })).status).toBe(201)
    const options = { config: { ...fixtureServer('echo.ts'), hub: { description: 'a note' } } }
    expect((await ask(hub, 'PUT /api/servers/one', { token: secret, body: options })).status).toBe(200)
  })

  it('are refused to everybody where the hub takes them from its folder only', async () => {
    const closed = await startHub({ one: fixtureServer('echo.ts') }, { server: { allowRuntimeStdio: false } })
    for (const [route, body] of spawning('added'))
      expect(await ask(closed, route, { token: TOKEN, body })).toMatchObject({
        status: 403,
        body: { code: 'HUB_EXEC_REFUSED' },
      })
    await closed.close()
    const production = await startHub({}, {}, { env: { NODE_ENV: 'production' } })
    expect(
      (await ask(production, 'POST /api/servers', { token: TOKEN, body: { name: 'x', config: program } })).status,
    ).toBe(403)
    await production.close()
  })
})
