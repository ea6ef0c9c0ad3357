import { copyFile, readFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { temporaryFolder } from '../fixtures/built-program.ts'
import { startHub, type TestHub } from '../fixtures/hub.ts'
import { createAuthority, type Authority, type Certificate } from '../fixtures/network/certificates.ts'
import { startForwardProxy } from '../fixtures/network/forward-proxy.ts'
import { listen, mcpListener, type Listening } from '../fixtures/network/mcp-over.ts'
import { callTool, startStage } from '../fixtures/oauth/stage.ts'

const cleanUp: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of cleanUp.splice(0).reverse()) await end()
})

function kept<T extends { close: () => Promise<unknown> }>(part: T): T {
  cleanUp.push(() => part.close())
  return part
}

async function hubWith(server: object, options: Parameters<typeof startHub>[2] = {}): Promise<TestHub> {
  return kept(await startHub({ remote: server }, {}, options))
}

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let authority: Authority
let own: Certificate
let client: Certificate
beforeAll(async () => {
  folder = await temporaryFolder()
  authority = await createAuthority(folder.path)
  own = await authority.issue('server')
  client = await authority.issue('hub-client')
})
afterAll(() => folder.dispose())

async function startTls(mutual = false): Promise<Listening> {
  const [cert, key, ca] = await Promise.all([own.cert, own.key, authority.cert].map((file) => readFile(file)))
  return kept(await listen(mcpListener(), { cert, key, ca, requestCert: true, rejectUnauthorized: mutual }))
}

describe('TLS of a remote server', () => {
  it('fails with the cure while its authority is unknown, and works once it is given', async () => {
    const { port } = await startTls()
    const url = `https://127.0.0.1:${port}/mcp/`
    const hub = await hubWith({ type: 'http', url })
    expect((await hub.until('remote', 'backoff', 'failed')).reason).toMatchObject({
      code: 'tls',
      cure: expect.stringContaining('hub.tls.ca') as string,
    })
    await hub.api('PUT', '/api/servers/remote', { config: { type: 'http', url, hub: { tls: { ca: authority.cert } } } })
    await hub.until('remote', 'running')
    expect(await callTool(hub, 'remote', 'caller')).toBe('nobody')
  })

  it.each(['http', 'sse'])('shows the client certificate that a server on %s requires', async (type) => {
    const { port } = await startTls(true)
    const url = `https://127.0.0.1:${port}/${type === 'sse' ? 'sse' : 'mcp/'}`
    const hub = await hubWith({ type, url, hub: { tls: { ca: authority.cert } } })
    expect((await hub.until('remote', 'backoff', 'failed')).reason?.cure).toContain('hub.tls.cert')
    // A path from the folder of the configuration, and the text itself from the vault.
    await copyFile(client.cert, path.join(hub.configDir, 'client.pem'))
    await hub.vault.set('CLIENT_KEY', await readFile(client.key, 'utf8'))
    const tls = { ca: authority.cert, cert: 'client.pem', key: '${secret:CLIENT_KEY}' }
    await hub.api('PUT', '/api/servers/remote', { config: { type, url, hub: { tls } } })
    await hub.until('remote', 'running')
    expect(await callTool(hub, 'remote', 'caller')).toBe('hub-client')
  })

  it.each([
    ['a file that is not there', { ca: '/nowhere/ca.pem' }, 'hub.tls.ca cannot be read'],
    ['a file that is no certificate', { ca: import.meta.filename }, 'hub.tls cannot be used'],
  ])('fails at once with %s', async (_name, tls, words) => {
    const hub = await hubWith({ type: 'http', url: 'https://127.0.0.1:1/mcp', hub: { tls } })
    const { reason } = await hub.until('remote', 'failed')
    expect(reason?.code).toBe('tls')
    expect(reason?.message).toContain(words)
  })

  it('refuses a certificate without its key when it is saved', async () => {
    const hub = await hubWith({ type: 'http', url: 'https://127.0.0.1:1/mcp', hub: { enabled: false } })
    const config = { type: 'http', url: 'https://127.0.0.1:1/mcp', hub: { tls: { cert: client.cert } } }
    const { status, body } = await hub.api('PUT', '/api/servers/remote', { config })
    expect(status).toBe(400)
    expect(JSON.stringify(body)).toContain('cert and key belong together')
  })
})

describe('a proxy', () => {
  it('of one server carries its TLS connections, with user and password', async () => {
    const { port } = await startTls()
    const proxy = kept(await startForwardProxy('me:pass word'))
    const hub = await hubWith({
      type: 'http',
      url: `https://127.0.0.1:${port}/mcp/`,
      hub: { proxy: proxy.url('me:pass%20word'), tls: { ca: authority.cert } },
    })
    await hub.until('remote', 'running')
    expect(await callTool(hub, 'remote', 'caller')).toBe('nobody')
    expect(new Set(proxy.log)).toEqual(new Set([`CONNECT 127.0.0.1:${port}`]))
  })

  it('of the environment knows names that this machine does not, and is left out for NO_PROXY and loopback', async () => {
    const { port } = kept(await listen(mcpListener()))
    const proxy = kept(await startForwardProxy(null))
    const env = { HTTP_PROXY: proxy.url(), NO_PROXY: 'direct.test' }
    const hub = kept(
      await startHub(
        {
          proxied: { type: 'http', url: `http://mcp.test:${port}/mcp/` },
          direct: { type: 'http', url: `http://direct.test:${port}/mcp/`, hub: { era: 'legacy' } },
          local: { type: 'http', url: `http://127.0.0.1:${port}/mcp/` },
        },
        {},
        { env },
      ),
    )
    await hub.until('proxied', 'running')
    await hub.until('local', 'running')
    expect((await hub.until('direct', 'backoff', 'failed')).reason?.code).toBe('host-not-found')
    expect(await callTool(hub, 'proxied', 'caller')).toBe('nobody')
    expect(proxy.log.every((line) => line.includes(`mcp.test:${port}`))).toBe(true)
    expect(proxy.log.length).toBeGreaterThan(0)
  })

  it.each([
    ['refuses the password', async () => (await startedProxy('me:right')).url('me:wrong'), '407'],
    ['is not there', async () => `http://127.0.0.1:${await closedPort()}`, 'ECONNREFUSED'],
  ])('that %s is named as the cause', async (_name, urlOf, words) => {
    const { port } = await startTls()
    // Of the older era: no call is held for a while, as one that can be sent again would be.
    const options = { era: 'legacy', proxy: await urlOf() }
    const hub = await hubWith({ type: 'http', url: `https://127.0.0.1:${port}/mcp/`, hub: options })
    const { reason } = await hub.until('remote', 'backoff', 'failed')
    expect(reason).toMatchObject({ code: 'proxy' })
    expect(reason?.message).toContain(words)
  })

  it('carries the sign-in as well', async () => {
    const proxy = await startedProxy(null)
    const { signIn, call, as, close } = await startStage({ servers: { guarded: { hub: { proxy: proxy.url() } } } })
    cleanUp.push(close)
    await signIn('alice')
    expect(await call('whoami')).toBe('alice')
    const asked = proxy.log.filter((line) => line.includes(as.issuer)).map((line) => line.replace(as.issuer, ''))
    expect(asked).toEqual(['GET /.well-known/oauth-authorization-server', 'POST /reg', 'POST /token'])
  })

  async function startedProxy(user: string | null): ReturnType<typeof startForwardProxy> {
    return kept(await startForwardProxy(user))
  }
})

describe('a redirect', () => {
  it('within the server is followed with its method', async () => {
    const { port } = kept(await listen(mcpListener()))
    const hub = await hubWith({ type: 'http', url: `http://127.0.0.1:${port}/mcp` })
    await hub.until('remote', 'running')
    expect(await callTool(hub, 'remote', 'caller')).toBe('nobody')
  })

  it.each(['http', 'sse'])(
    'of a server on %s to another origin is not followed, and says where it leads',
    async (type) => {
      let visits = 0
      const other = kept(await listen((_request, response) => void (visits++, response.end())))
      const target = `http://127.0.0.1:${other.port}/mcp`
      const first = kept(await listen((_request, response) => response.writeHead(308, { location: target }).end()))
      const hub = await hubWith({
        type,
        url: `http://127.0.0.1:${first.port}/mcp`,
        headers: { 'X-Api-Key': '${secret:KNOWN}' },
      })
      const { reason } = await hub.until('remote', 'backoff', 'failed')
      expect(reason).toMatchObject({ code: 'redirected' })
      expect(reason?.message).toContain(target)
      expect(visits).toBe(0)
    },
  )
})

async function closedPort(): Promise<number> {
  const { port, close } = await listen(() => undefined)
  await close()
  return port
}
