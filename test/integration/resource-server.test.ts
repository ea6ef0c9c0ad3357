import { UnauthorizedError, type OAuthClientProvider } from '@modelcontextprotocol/sdk/client/auth.js'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { OAuthClientInformationMixed, OAuthTokens } from '@modelcontextprotocol/sdk/shared/auth.js'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fixtureServer, startHub, type TestHub } from '../fixtures/hub.ts'
import { startAuthorizationServer, type AuthorizationServer } from '../fixtures/oauth/authorization-server.ts'
import { browse } from '../fixtures/oauth/browser.ts'
import { ask, type Answer } from '../fixtures/people.ts'

const HUB_API = 'https://hub.example.com/everything'
const CALLBACK = 'http://127.0.0.1:9/callback'
const initialize = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
}

let as: AuthorizationServer
let hub: TestHub
beforeAll(async () => {
  as = await startAuthorizationServer({ scopes: ['mcp:connect', 'servers:read', 'keys:own'], jwt: true })
  const oauth = {
    issuer: as.issuer,
    audience: [HUB_API],
    roles: { claim: 'realm.roles', values: { staff: 'user', boss: 'admin' }, default: 'viewer' },
    access: {
      claim: 'groups',
      values: { one: { servers: ['one'] }, all: { servers: ['*'], profiles: ['*'] }, dev: { profiles: ['dev'] } },
    },
  }
  hub = await startHub({ one: fixtureServer('echo.ts'), two: fixtureServer('echo.ts') }, { auth: { oauth } })
  expect((await hub.api('PUT', '/api/profiles/dev', { config: { servers: { one: {} } } })).status).toBe(201)
  await Promise.all([hub.until('one', 'running'), hub.until('two', 'running')])
})
afterAll(async () => {
  await hub.close()
  await as.close()
})

/** A token that is good for `/mcp`, but for what `claims` and `header` change. */
const tokenFor = (claims: object = {}, header: object = {}): Promise<string> =>
  as.sign(
    {
      sub: 'ann',
      aud: `${hub.url}/mcp`,
      scope: 'mcp:connect',
      realm: { roles: ['staff'] },
      groups: ['all'],
      ...claims,
    },
    header,
  )
const connect = (token: string | undefined, path = '/mcp'): Promise<Answer<{ error?: { message: string } }>> =>
  ask(hub, `POST ${path}`, { token, body: initialize, headers: { accept: 'application/json' } })
const now = (): number => Math.floor(Date.now() / 1_000)

describe('a token of the external issuer', () => {
  it('opens the endpoint that it is for', async () => {
    expect((await connect(await tokenFor())).status).toBe(200)
  })

  it.each<[string, () => Promise<string>]>([
    ['for another resource (GHSA-rvq5-wwqv-78pq)', () => tokenFor({ aud: 'https://elsewhere.example.com/mcp' })],
    ['for nobody', () => tokenFor({ aud: undefined })],
    ['for an address that only begins like the hub’s', () => tokenFor({ aud: `${hub.url}/mcp.example.com` })],
    ['of another issuer with the same key', () => tokenFor({ iss: 'https://elsewhere.example.com' })],
    ['that has ended', () => tokenFor({ exp: now() - 60 })],
    ['that never ends', () => tokenFor({ exp: undefined })],
    ['that has not begun', () => tokenFor({ nbf: now() + 120 })],
    ['about nobody', () => tokenFor({ sub: undefined })],
    ['that is an ID token', () => tokenFor({}, { typ: 'JWT' })],
    ['without a type', () => tokenFor({}, { typ: undefined })],
    [
      'without a signature (alg none)',
      async () => {
        const [, payload = ''] = (await tokenFor()).split('.')
        const header = Buffer.from(JSON.stringify({ alg: 'none', typ: 'at+jwt' })).toString('base64url')
        return `${header}.${payload}.`
      },
    ],
    [
      'that somebody changed',
      async () => {
        const [header = '', payload = '', signature = ''] = (await tokenFor()).split('.')
        const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object
        const more = Buffer.from(JSON.stringify({ ...claims, realm: { roles: ['boss'] } })).toString('base64url')
        return `${header}.${more}.${signature}`
      },
    ],
  ])('%s is refused', async (_what, make) => {
    const answer = await connect(await make())
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toContain('error="invalid_token"')
  })

  it('within the clock skew is not refused', async () => {
    expect((await connect(await tokenFor({ exp: now() - 10 }))).status).toBe(200)
  })

  it('of a real issuer that this hub does not know is refused', async () => {
    const other = await startAuthorizationServer({ scopes: ['mcp:connect'], jwt: true })
    const token = await other.sign({ sub: 'ann', aud: `${hub.url}/mcp`, scope: 'mcp:connect', groups: ['all'] })
    expect((await connect(token)).status).toBe(401)
    const pretending = await other.sign({ iss: as.issuer, sub: 'ann', aud: `${hub.url}/mcp`, scope: 'mcp:connect' })
    expect((await connect(pretending)).status).toBe(401)
    await other.close()
  })

  it('for one endpoint opens no other, and one for all of them opens each', async () => {
    const narrow = await tokenFor({ aud: `${hub.url}/mcp/one` })
    expect((await connect(narrow, '/mcp/one')).status).toBe(200)
    // Also a moment after it was found good.
    expect((await connect(narrow, '/mcp/two')).status).toBe(401)
    expect((await connect(narrow, '/mcp')).status).toBe(401)
    expect((await connect(await tokenFor(), '/mcp/two')).status).toBe(200)
  })

  it('without the scope is refused with the scope to ask for', async () => {
    const answer = await connect(await tokenFor({ scope: 'openid profile' }))
    expect(answer.status).toBe(403)
    const challenge = answer.headers.get('www-authenticate') ?? ''
    expect(challenge).toContain('error="insufficient_scope"')
    expect(challenge).toContain('scope="mcp:connect"')
  })

  it('opens the REST API only where its audience is configured, for what role and scope both allow', async () => {
    const ofMcp = await tokenFor({ scope: 'mcp:connect servers:read' })
    expect((await ask(hub, 'GET /api/servers', { token: ofMcp })).status).toBe(401)
    const claims = { aud: HUB_API, scope: 'servers:read users:manage keys:own host:access' }
    const staff = await tokenFor(claims)
    expect((await ask(hub, 'GET /api/servers', { token: staff })).status).toBe(200)
    expect((await ask(hub, 'GET /api/users', { token: staff })).status).toBe(403)
    // Keys would outlive the account.
    expect((await ask(hub, 'GET /api/keys', { token: staff })).status).toBe(403)
    const me = await ask<{ permissions: string[] }>(hub, 'GET /api/auth/me', {
      token: await tokenFor({ ...claims, realm: { roles: ['staff', 'boss'] } }),
    })
    expect(me.body.permissions.sort()).toEqual(['servers:read', 'users:manage'])
  })

  it('shows the servers and profiles that its groups stand for, and none without a group', async () => {
    const names = async (claims: object): Promise<string[]> => {
      const token = await tokenFor({ aud: HUB_API, scope: 'servers:read', ...claims })
      return (await ask<{ name: string }[]>(hub, 'GET /api/servers', { token })).body.map(({ name }) => name)
    }
    expect(await names({ groups: ['one', 'unknown'] })).toEqual(['one'])
    expect(await names({ groups: 'all' })).toEqual(['one', 'two'])
    expect(await names({ groups: undefined })).toEqual([])
    const dev = await tokenFor({ groups: ['dev'] })
    expect((await connect(dev, '/mcp/dev')).status).toBe(200)
    expect((await connect(dev, '/mcp/one')).status).toBe(404)
  })

  it('goes on being checked when the issuer exchanges its keys', async () => {
    const [before, unseen] = [await tokenFor(), await tokenFor()]
    expect((await connect(before)).status).toBe(200)
    await as.rotateKeys()
    const after = await tokenFor()
    await expect.poll(async () => (await connect(after)).status, { timeout: 10_000 }).toBe(200)
    // Of the key that is gone, and not checked before.
    expect((await connect(unseen)).status).toBe(401)
  })

  it('cannot be checked while the issuer is away, which is no verdict on it', async () => {
    const gone = await startAuthorizationServer({ jwt: true })
    const lonely = await startHub({}, { auth: { oauth: { issuer: gone.issuer } } })
    const token = await gone.sign({ sub: 'ann', aud: `${lonely.url}/mcp`, scope: 'mcp:connect' })
    await gone.close()
    const answer = await ask<{ error: { message: string } }>(lonely, 'POST /mcp', { token, body: initialize })
    expect(answer.status).toBe(503)
    expect(answer.body.error.message).toContain(gone.issuer)
    expect(answer.headers.get('retry-after')).toBe('1')
    await lonely.close()
  })

  it('holds nothing open for a client that left before it was checked', async () => {
    const asked = Promise.withResolvers<undefined>()
    const mayAnswer = Promise.withResolvers<undefined>()
    const slow = await startAuthorizationServer({
      jwt: true,
      before: async () => {
        asked.resolve(undefined)
        await mayAnswer.promise
      },
    })
    const left = await startHub({}, { auth: { oauth: { issuer: slow.issuer, audience: [HUB_API] } } })
    // Its own listener, which tells when the hub has noticed that a client is gone.
    const listener = left.hub.requestListener('all')
    const closed: Promise<unknown>[] = []
    const server = createServer((request, response) => {
      closed.push(once(response, 'close'))
      listener(request, response)
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const { port } = server.address() as AddressInfo
    const claims = { sub: 'ann', scope: 'mcp:connect hub:read', aud: [HUB_API, `${left.url}/mcp`] }
    const authorization = `Bearer ${await slow.sign(claims)}`
    const abort = new AbortController()
    const requests = ['/mcp', '/sse', '/api/events'].map((path) =>
      fetch(`http://127.0.0.1:${port}${path}`, { headers: { authorization }, signal: abort.signal }),
    )
    await asked.promise
    await expect.poll(() => closed.length).toBe(requests.length)
    abort.abort()
    expect(new Set((await Promise.allSettled(requests)).map(({ status }) => status))).toEqual(new Set(['rejected']))
    await Promise.all(closed)
    mayAnswer.resolve(undefined)
    expect((await ask(left, 'GET /api/hub', { token: authorization.slice(7) })).status).toBe(200)
    expect((await left.api('GET', '/api/hub')).body).toMatchObject({ sessions: 0 })
    // It ends when nothing is open any more; were an answer kept, it would outlast this test.
    await left.hub.drain(600_000)
    server.close()
    await left.close()
    await slow.close()
  })
})

describe('the metadata of RFC 9728', () => {
  it.each(['', '/mcp', '/mcp/one', '/mcp/no-such-server', '/sse'])(
    'tell where to sign in for "%s"',
    async (endpoint) => {
      const route = `GET /.well-known/oauth-protected-resource${endpoint}`
      const { status, body, headers } = await ask<object>(hub, route, {
        headers: { origin: 'https://page.example.com' },
      })
      expect(status).toBe(200)
      expect(headers.get('access-control-allow-origin')).toBe('*')
      expect(body).toEqual({
        resource: `${hub.url}${endpoint}`,
        authorization_servers: [as.issuer],
        scopes_supported: ['mcp:connect'],
        bearer_methods_supported: ['header'],
        resource_name: 'MCP Hub',
      })
    },
  )

  it('are named by the refusal of each endpoint', async () => {
    const answer = await connect(undefined, '/mcp/one')
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toBe(
      `Bearer resource_metadata="${hub.url}/.well-known/oauth-protected-resource/mcp/one", scope="mcp:connect"`,
    )
  })

  it('are there for MCP endpoints only, and only with an issuer', async () => {
    for (const path of ['/api', '/mcp/one/two', 'x'])
      expect((await ask(hub, `GET /.well-known/oauth-protected-resource${path}`)).status).not.toBe(200)
    const plain = await startHub({})
    expect((await ask(plain, 'GET /.well-known/oauth-protected-resource/mcp')).status).not.toBe(200)
    const refusal = await ask(plain, 'POST /mcp', { body: initialize })
    expect(refusal.headers.get('www-authenticate')).toBe('Bearer')
    await plain.close()
  })
})

/** What an MCP client keeps for its sign-in. */
function createProvider(): OAuthClientProvider & { page: URL | null } {
  let client: OAuthClientInformationMixed | undefined
  let tokens: OAuthTokens | undefined
  let verifier = ''
  const provider: OAuthClientProvider & { page: URL | null } = {
    page: null,
    redirectUrl: CALLBACK,
    clientMetadata: {
      client_name: 'test client',
      redirect_uris: [CALLBACK],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    },
    clientInformation: () => client,
    saveClientInformation: (information) => {
      client = information
    },
    tokens: () => tokens,
    saveTokens: (given) => {
      tokens = given
    },
    redirectToAuthorization: (url) => {
      provider.page = url
    },
    saveCodeVerifier: (given) => {
      verifier = given
    },
    codeVerifier: () => verifier,
  }
  return provider
}

it('a real MCP client finds the issuer, signs in and calls a tool', async () => {
  const plain = await startHub(
    { one: fixtureServer('echo.ts') },
    { auth: { oauth: { issuer: as.issuer, scopes: { 'mcp:connect': ['mcp:connect'] } } } },
  )
  await plain.until('one', 'running')
  const url = new URL(`${plain.url}/mcp/one`)
  const provider = createProvider()
  const client = new Client({ name: 'test', version: '1.0.0' })
  const first = new StreamableHTTPClientTransport(url, { authProvider: provider })
  await expect(client.connect(first)).rejects.toThrow(UnauthorizedError)
  const page = provider.page?.href ?? ''
  expect(new URL(page).searchParams.get('resource')).toBe(url.href)
  const answer = await browse(page, { user: 'ann', stopAt: (at) => at.startsWith(CALLBACK) })
  await first.finishAuth(new URL(answer.url).searchParams.get('code') ?? '')
  await client.connect(new StreamableHTTPClientTransport(url, { authProvider: provider }))
  const result = (await client.callTool({ name: 'echo', arguments: { text: 'signed in' } })) as {
    content: { text: string }[]
  }
  expect(JSON.stringify(result.content)).toContain('signed in')
  await client.close()
  await plain.close()
})
