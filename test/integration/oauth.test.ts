import { readFile, readdir, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { temporaryFolder } from '../fixtures/built-program.ts'
import type { Account } from '../../hub/contract/index.ts'
import { startHub, type TestHub } from '../fixtures/hub.ts'
import { startAuthorizationServer } from '../fixtures/oauth/authorization-server.ts'
import { browse } from '../fixtures/oauth/browser.ts'
import { callTool, eventually, startStage, type Stage, type StageOptions } from '../fixtures/oauth/stage.ts'

const cleanUp: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of cleanUp.splice(0).reverse()) await end()
})

async function stage(options: StageOptions = {}): Promise<Stage> {
  const started = await startStage(options)
  cleanUp.push(started.close)
  return started
}

const isCallback = (url: string): boolean => url.includes('/oauth/callback')

describe('signing in to a remote server', () => {
  it('asks for a person, then serves calls as who signed in', async () => {
    const { hub, as, signIn, account, call } = await stage()
    expect((await hub.until('guarded', 'needs-auth')).reason).toMatchObject({ code: 'needs-auth', cure: 'Sign in.' })
    expect(await account()).toMatchObject({ state: 'needs-sign-in', configured: true })
    await signIn('alice')
    expect(await call('whoami')).toBe('alice')
    expect(await account()).toMatchObject({
      state: 'signed-in',
      issuer: as.issuer,
      scopes: ['mcp:read'],
      renewable: true,
      reason: null,
    })
  })

  it('tells who signed in where the service says so', async () => {
    const { signIn, account } = await stage({
      servers: { guarded: { hub: { oauth: { scopes: ['openid', 'mcp:read'] } } } },
    })
    await signIn('alice')
    expect((await account()).who).toBe('alice@example.com')
  })

  it('keeps the account over a restart, encrypted and for this user only', async () => {
    const folder = await temporaryFolder()
    cleanUp.push(() => folder.dispose())
    const { hub, as, server, signIn } = await stage({ folder: folder.path })
    await signIn('alice')
    const token = server.lastToken
    await hub.close()
    const accounts = path.join(hub.dataDir, 'accounts')
    for (const name of await readdir(accounts)) {
      const file = path.join(accounts, name)
      expect((await stat(file)).mode & 0o777).toBe(0o600)
      expect(await readFile(file, 'utf8')).not.toContain(token)
    }
    const next = await startHub(
      { guarded: { type: 'http', url: server.url } },
      {},
      {
        folder: folder.path,
        secrets: { 'oauth:key': hub.vault.get('oauth:key') ?? '' },
      },
    )
    cleanUp.push(() => next.close())
    await next.until('guarded', 'running')
    expect(await callTool(next, 'guarded', 'whoami')).toBe('alice')
    expect(as.tokenRequests).toHaveLength(1)
  })

  it('at one of several hubs signs in all of them, and each refresh token is used by one', async () => {
    const folder = await temporaryFolder()
    cleanUp.push(() => folder.dispose())
    const accountsDir = path.join(folder.path, 'shared')
    const { hub, as, server, signIn, call } = await stage({ accountsDir })
    const other = await startHub({ guarded: { type: 'http', url: server.url } }, {}, { accountsDir })
    cleanUp.push(() => other.close())
    await Promise.all([hub.until('guarded', 'needs-auth'), other.until('guarded', 'needs-auth')])
    await signIn('alice')
    await other.until('guarded', 'running')
    server.expireTokens()
    const calls = Array.from({ length: 4 }, () => [call('whoami'), callTool(other, 'guarded', 'whoami')]).flat()
    expect(await Promise.all(calls)).toEqual(Array<string>(8).fill('alice'))
    expect(as.tokenRequests.map(({ grantType }) => grantType)).toEqual(['authorization_code', 'refresh_token'])
    await hub.api('POST', '/api/accounts/guarded/sign-out')
    await other.until('guarded', 'needs-auth')
  })

  it('uses a client that was registered by hand', async () => {
    const { hub, as, server, signIn, call } = await stage()
    const registered = (await (
      await fetch(`${as.issuer}/reg`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          redirect_uris: [`${hub.url}/oauth/callback`],
          grant_types: ['authorization_code', 'refresh_token'],
          application_type: 'native',
        }),
      })
    ).json()) as { client_id: string; client_secret: string }
    await hub.vault.set('CLIENT_SECRET', registered.client_secret)
    const oauth = { clientId: registered.client_id, clientSecret: '${secret:CLIENT_SECRET}' }
    await hub.api('PUT', '/api/servers/guarded', { config: { type: 'http', url: server.url, hub: { oauth } } })
    await hub.until('guarded', 'needs-auth')
    await signIn('alice')
    expect(await call('whoami')).toBe('alice')
    expect(as.registrations).toBe(1)
  })

  it('signs in to a server of the old transport, too', async () => {
    const { hub, server, as, signIn, call } = await stage({ servers: {} })
    await hub.api('POST', '/api/servers', { name: 'old', config: { type: 'sse', url: server.sseUrl } })
    await hub.until('old', 'needs-auth')
    await signIn('alice', 'old')
    expect(await call('whoami', 'old')).toBe('alice')
    server.expireTokens()
    expect(await call('whoami', 'old')).toBe('alice')
    expect(as.tokenRequests.map(({ grantType }) => grantType)).toEqual(['authorization_code', 'refresh_token'])
  })

  it('keeps two accounts of one service apart', async () => {
    const { as, signIn, account, call, hub } = await stage({ servers: { work: {}, home: {} } })
    await signIn('alice', 'work')
    await signIn('bob', 'home')
    expect([await call('whoami', 'work'), await call('whoami', 'home')]).toEqual(['alice', 'bob'])
    await hub.api('POST', '/api/accounts/work/sign-out')
    await hub.until('work', 'needs-auth')
    expect(await account('work')).toMatchObject({ state: 'needs-sign-in', who: null })
    expect(await call('whoami', 'home')).toBe('bob')
    expect(as.registrations).toBe(2)
  })

  it('takes the account along when an entry gets another name, and not when it points elsewhere', async () => {
    const { hub, server, signIn, account, call } = await stage()
    await signIn('alice')
    await hub.api('PUT', '/api/servers/guarded', { name: 'renamed', config: { type: 'http', url: server.url } })
    await hub.until('renamed', 'running')
    expect(await call('whoami', 'renamed')).toBe('alice')
    await hub.api('PUT', '/api/servers/renamed', { config: { type: 'sse', url: server.sseUrl } })
    expect((await hub.until('renamed', 'needs-auth')).reason?.message).toContain('asks for a sign-in')
    expect((await account('renamed')).reason?.message).toContain('URL of the server was changed')
  })

  /** As an editor does it, while the hub runs. */
  const rewrite = (hub: TestHub, servers: Record<string, object>): Promise<void> =>
    writeFile(path.join(hub.configDir, 'servers.json'), JSON.stringify({ mcpServers: servers }))

  it('takes the account along when a name is changed by hand, also beside other accounts of the service', async () => {
    const { hub, server, signIn, call } = await stage({ servers: { work: {}, home: {} } })
    await signIn('alice', 'work')
    await signIn('bob', 'home')
    await rewrite(hub, { office: { type: 'http', url: server.url }, home: { type: 'http', url: server.url } })
    await hub.until('office', 'running')
    expect([await call('whoami', 'office'), await call('whoami', 'home')]).toEqual(['alice', 'bob'])
    const { body } = await hub.api('GET', '/api/accounts')
    expect((body as Account[]).map((each) => each.server)).toEqual(['home', 'office'])
  })

  it('guesses nothing when several could be meant, and lets what is left over be removed', async () => {
    const { hub, server, signIn } = await stage({ servers: { work: {}, home: {} } })
    await signIn('alice', 'work')
    await signIn('bob', 'home')
    await rewrite(hub, { one: { type: 'http', url: server.url }, two: { type: 'http', url: server.url } })
    await Promise.all([hub.until('one', 'needs-auth'), hub.until('two', 'needs-auth')])
    const leftOver = async (): Promise<string[]> =>
      ((await hub.api('GET', '/api/accounts')).body as Account[])
        .filter(({ configured }) => !configured)
        .map((each) => each.server)
    expect(await leftOver()).toEqual(['home', 'work'])
    for (const name of ['home', 'work'])
      expect((await hub.api('POST', `/api/accounts/${name}/sign-out`)).status).toBe(200)
    expect(await leftOver()).toEqual([])
    expect(await readdir(path.join(hub.dataDir, 'accounts'))).toEqual([])
  })

  it('revokes at the service when signing out', async () => {
    const { hub, as, signIn } = await stage()
    await signIn('alice')
    const { body } = await hub.api('POST', '/api/accounts/guarded/sign-out')
    expect(body).toMatchObject({ revoked: true, message: null, account: { expiresAt: null, renewable: false } })
    expect(as.revoked).toEqual(['refresh_token', 'access_token'])
    await hub.until('guarded', 'needs-auth')
  })
})

describe('a token that ends', () => {
  it('is renewed in the middle of other calls, once for all of them, and each is sent again once', async () => {
    const { as, server, signIn, call } = await stage()
    await signIn('alice')
    const held = call('hold')
    await server.held
    server.expireTokens()
    const before = server.refusals.unauthorized
    expect(await Promise.all(Array.from({ length: 8 }, () => call('whoami')))).toEqual(Array<string>(8).fill('alice'))
    server.release()
    expect(await held).toBe('done')
    expect(as.tokenRequests.map(({ grantType }) => grantType)).toEqual(['authorization_code', 'refresh_token'])
    expect(server.refusals.unauthorized - before).toBeLessThanOrEqual(9)
  })

  it('is renewed before its time is over, so that no call meets its end', async () => {
    const { as, server, signIn, call, account } = await stage()
    as.accessTokenSeconds = 3
    await signIn('alice')
    const before = server.refusals.unauthorized
    await eventually(
      async () => {
        expect(await call('whoami')).toBe('alice')
        return as.tokenRequests.filter(({ grantType }) => grantType === 'refresh_token').length
      },
      (renewals) => renewals >= 2,
    )
    expect(server.refusals.unauthorized).toBe(before)
    expect((await account()).lastRefreshAt).not.toBeNull()
  })

  it('is refused with one retry and no more when the server takes none of its tokens', async () => {
    const { hub, as, server, signIn, call } = await stage()
    await signIn('alice')
    const other = await startAuthorizationServer()
    cleanUp.push(other.close)
    server.accepts = other
    expect(await call('whoami')).toContain('does not accept the account')
    expect((await hub.until('guarded', 'needs-auth')).reason?.cure).toBe('Sign in again.')
    expect(as.tokenRequests.map(({ grantType }) => grantType)).toEqual(['authorization_code', 'refresh_token'])
  })

  it('that cannot be renewed any more asks for a person and says why', async () => {
    const { hub, as, server, signIn, call, account } = await stage()
    await signIn('alice')
    await as.revokeRefreshTokens()
    server.expireTokens()
    expect(await call('whoami')).toContain('does not renew the sign-in any more')
    const { reason } = await hub.until('guarded', 'needs-auth')
    expect(reason).toMatchObject({ code: 'needs-auth', cure: 'Sign in again.' })
    expect(await account()).toMatchObject({ state: 'needs-sign-in', reason: { message: reason?.message } })
    expect(hub.hub.overview().signIns).toEqual(['guarded'])
    await signIn('alice')
    expect(await call('whoami')).toBe('alice')
    expect(hub.hub.overview().signIns).toEqual([])
  })

  it('and cannot be renewed fails the calls that meet its end, and lets those finish that are under way', async () => {
    const { hub, as, server, signIn, call } = await stage()
    await signIn('alice')
    const held = call('hold')
    await server.held
    await as.revokeRefreshTokens()
    server.expireTokens()
    expect(await call('whoami')).toContain('does not renew the sign-in any more')
    await hub.until('guarded', 'needs-auth')
    server.release()
    expect(await held).toBe('done')
  })

  it.each([
    ['429', { status: 429, headers: { 'retry-after': '1' }, body: 'slow down' }],
    ['503 that looks like a refusal', { status: 503, body: '{"error":"invalid_grant"}' }],
  ])('is not lost to a token endpoint that answers %s', async (_name, answer) => {
    const { hub, as, server, signIn, call, account } = await stage()
    await signIn('alice')
    as.tokenAnswer = answer
    server.expireTokens()
    expect(await call('whoami')).toContain(`HTTP status ${answer.status}`)
    expect(await account()).toMatchObject({ state: 'signed-in', renewable: true, reason: null })
    expect((await account()).lastError?.message).toContain('cannot be renewed')
    expect((await hub.until('guarded', 'running', 'degraded', 'backoff', 'needs-auth')).state).not.toBe('needs-auth')
    const asked = as.tokenRequests.length
    expect(await call('whoami')).toContain(`HTTP status ${answer.status}`)
    // It waits as long as it was told to, instead of asking with every call.
    expect(as.tokenRequests.length).toBe(asked)
    as.tokenAnswer = null
    await eventually(
      () => call('whoami'),
      (text) => text === 'alice',
    )
    expect(await account()).toMatchObject({ state: 'signed-in', lastError: null })
  })
})

describe('a scope that is missing', () => {
  it('fails the call that needs it, and is granted by signing in again without a restart', async () => {
    const { hub, signIn, account, call } = await stage()
    await signIn('alice')
    const { since } = await hub.until('guarded', 'running')
    expect(await call('write_file')).toContain('asks for more permission than was granted: files:write')
    expect(await account()).toMatchObject({ state: 'needs-sign-in', scopes: ['mcp:read'] })
    expect(await call('whoami')).toBe('alice')
    await signIn('alice')
    expect(await call('write_file')).toBe('written')
    expect(await account()).toMatchObject({ state: 'signed-in', scopes: ['mcp:read', 'files:write'] })
    expect((await hub.until('guarded', 'running')).since).toBe(since)
  })
})

describe('an authorization server that is not the one of before (CVE-2026-104850)', () => {
  it('gets nothing until a person agrees', async () => {
    const { hub, as, server, signIn, call } = await stage()
    await signIn('alice')
    const other = await startAuthorizationServer()
    cleanUp.push(other.close)
    server.authorizationServer = other
    server.accepts = other
    expect(await call('whoami')).toContain(`now signs in at ${other.issuer}, no longer at ${as.issuer}`)
    await hub.until('guarded', 'needs-auth')
    const refused = await hub.api('POST', '/api/accounts/guarded/sign-in', {})
    expect(refused).toMatchObject({ status: 409, body: { code: 'HUB_ISSUER_CHANGED' } })
    expect([other.tokenRequests, other.registrations]).toEqual([[], 0])
    await signIn('alice', 'guarded', { acceptIssuer: other.issuer })
    expect(await call('whoami')).toBe('alice')
    expect(other.tokenRequests).toEqual([{ grantType: 'authorization_code', refreshToken: null }])
  })

  it.each<[string, (metadata: Record<string, unknown>) => void, string]>([
    [
      'names another issuer',
      (metadata) => (metadata['issuer'] = 'https://elsewhere.example'),
      'calls itself https://elsewhere.example',
    ],
    [
      'does not announce PKCE',
      (metadata) => delete metadata['code_challenge_methods_supported'],
      'does not announce PKCE with S256',
    ],
    [
      'wants the sign-in on a page without TLS',
      (metadata) => (metadata['authorization_endpoint'] = 'http://elsewhere.example/auth'),
      'is not https',
    ],
    [
      'leads the hub to the address of cloud metadata',
      (metadata) => (metadata['registration_endpoint'] = 'https://169.254.169.254/register'),
      'private address',
    ],
  ])('is refused when it %s', async (_name, edit, words) => {
    const { hub, as } = await stage()
    await hub.until('guarded', 'needs-auth')
    as.editMetadata = edit
    const { status, body } = await hub.api('POST', '/api/accounts/guarded/sign-in', {})
    expect({ status, body }).toMatchObject({ status: 502, body: { code: 'HUB_SIGN_IN_FAILED' } })
    expect((body as { detail: string }).detail).toContain(words)
  })
})

describe('the answer to a sign-in', () => {
  it.each<[string, (answer: URL) => void, string]>([
    [
      'of another issuer',
      (answer) => answer.searchParams.set('iss', 'https://elsewhere.example'),
      'does not come from',
    ],
    ['without an issuer', (answer) => answer.searchParams.delete('iss'), 'does not come from'],
    [
      'with another state',
      (answer) => answer.searchParams.set('state', `${answer.searchParams.get('state')!}x`),
      'No sign-in waits',
    ],
    ['without a state', (answer) => answer.searchParams.delete('state'), 'No sign-in waits'],
  ])('%s is not used', async (_name, change, words) => {
    const { hub, as, begin } = await stage()
    await hub.until('guarded', 'needs-auth')
    const answer = new URL((await browse(await begin(), { user: 'alice', stopAt: isCallback })).url)
    change(answer)
    const page = await browse(answer.href)
    expect(page.status).toBe(400)
    expect(page.text).toContain(words)
    expect(as.tokenRequests).toEqual([])
  })

  it('is good once', async () => {
    const { hub, begin, as } = await stage()
    await hub.until('guarded', 'needs-auth')
    const answer = (await browse(await begin(), { user: 'alice', stopAt: isCallback })).url
    expect((await browse(answer)).status).toBe(200)
    expect((await browse(answer)).status).toBe(400)
    expect(as.tokenRequests).toHaveLength(1)
  })

  it('tells what a service refused, in the language of the browser, and runs nothing of it', async () => {
    const { hub, begin } = await stage()
    await hub.until('guarded', 'needs-auth')
    const refusal = new URL((await browse(await begin(), { stopAt: isCallback })).url)
    refusal.searchParams.set('error_description', '<script>alert(1)</script>')
    const page = await browse(refusal.href, { headers: { 'accept-language': 'zh-CN,zh;q=0.9' } })
    expect(page.text).toContain('登录未完成')
    expect(page.text).toContain('The sign-in was refused')
    expect(page.text).not.toContain('<script>')
  })

  it('that failed leaves the account of before as it was', async () => {
    const { begin, signIn, call } = await stage()
    await signIn('alice')
    const page = await browse(await begin())
    expect(page.status).toBe(400)
    expect(await call('whoami')).toBe('alice')
  })
})

it('a hub on the internet shows authorization servers who it is', async () => {
  const { hub } = await stage({ system: { server: { publicUrl: 'https://hub.example.com/' } } })
  expect(await (await fetch(`${hub.url}/oauth/client.json`)).json()).toMatchObject({
    client_id: 'https://hub.example.com/oauth/client.json',
    redirect_uris: ['https://hub.example.com/oauth/callback'],
    application_type: 'web',
    token_endpoint_auth_method: 'none',
  })
})
