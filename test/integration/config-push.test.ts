import { once } from 'node:events'
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCli } from '../../hub/cli/main.ts'
import { openFiles } from '../../hub/config/documents.ts'
import { keptText } from '../../hub/config/kept-text.ts'
import { adoptOldRecord } from '../../hub/config/push/old-record.ts'
import { openPushRecord } from '../../hub/config/push/push-record.ts'
import type {
  AuditPage,
  ConfigVersion,
  Key,
  PortableConfig,
  PushConfig,
  PushResult,
  PushStatus,
  ServerStatus,
} from '../../hub/contract/index.ts'
import { startBuiltHub, BUILT_HUB_TOKEN } from '../fixtures/built-hub.ts'
import { temporaryFolder } from '../fixtures/built-program.ts'
import { fixtureServer, startHub, TOKEN, type TestHub } from '../fixtures/hub.ts'
import { createAuthority } from '../fixtures/network/certificates.ts'
import { startAuthorizationServer, type AuthorizationServer } from '../fixtures/oauth/authorization-server.ts'
import { ask, type Answer } from '../fixtures/people.ts'
import { waitFor } from '../fixtures/wire.ts'

const SECRET = 'ghp_abcdefghijklmnopqrstuvwx0123'
const one = { ...fixtureServer('echo.ts'), env: { GITHUB_TOKEN: SECRET } }
const remote = { type: 'http', url: 'http://127.0.0.1:9/mcp', hub: { enabled: false } }
const broken = fixtureServer('there-is-no-such-file.ts')
let as: AuthorizationServer
let hub: TestHub
/** Keys of this hub: one that only pushes, and one that may change programs, too. */
let plainKey: string
let programsKey: string

beforeAll(async () => {
  as = await startAuthorizationServer({ scopes: ['config:push'], jwt: true })
  const oauth = {
    issuer: as.issuer,
    audience: ['https://hub.example.com'],
    roles: { claim: 'role', values: { boss: 'admin' } },
  }
  hub = await startHub({ one, two: fixtureServer('echo.ts') }, { server: { pushWatchMs: 800 }, auth: { oauth } })
  await Promise.all([hub.until('one', 'running'), hub.until('two', 'running')])
  plainKey = await enrol('laptop', {})
  programsKey = await enrol('ci', { programs: true })
})
afterAll(async () => {
  await hub.close()
  await as.close()
})

async function codeOf(name: string, options: { programs?: boolean; days?: number }): Promise<string> {
  const { status, body } = await ask<{ code: string }>(hub, 'POST /api/admin/deploy-keys', {
    token: TOKEN,
    body: { name, ...options },
  })
  expect(status).toBe(201)
  return body.code
}
async function enrol(name: string, options: { programs?: boolean; days?: number }): Promise<string> {
  const token = await codeOf(name, options)
  const { status, body } = await ask<{ secret: string }>(hub, 'POST /api/admin/deploy-keys/enrol', { token })
  expect(status).toBe(201)
  return body.secret
}
const read = async (token = plainKey): Promise<PortableConfig> =>
  (await ask<PortableConfig>(hub, 'GET /api/admin/config', { token })).body
const push = <T = PushResult & { code?: string; detail?: string }>(
  body: PushConfig,
  { token = plainKey, etag, query = '' }: { token?: string; etag?: string; query?: string } = {},
): Promise<Answer<T>> =>
  ask<T>(hub, `PUT /api/admin/config${query}`, {
    token,
    body,
    headers: etag === undefined ? {} : { 'if-match': etag },
  })
/** Changes what is in force, as a person with this key does. */
async function change(by: (config: PortableConfig) => PushConfig, token = plainKey): Promise<PushStatus> {
  const config = await read(token)
  const { status, body } = await push(by(config), { token, etag: config.etag })
  expect([status, body.detail]).toEqual([200, undefined])
  if (body.push === null) throw new Error('Nothing was pushed')
  return decided(body.push.id)
}
const decided = (id: string): Promise<PushStatus> =>
  waitFor(async () => {
    const { body } = await ask<PushStatus>(hub, `GET /api/admin/config/pushes/${id}`, { token: plainKey })
    return body.state === 'watching' ? undefined : body
  }, 20_000)
const withServer =
  (name: string, entry: object) =>
  (config: PortableConfig): PushConfig => ({
    servers: { mcpServers: { ...config.servers.mcpServers, [name]: entry } },
  })
const versions = async (): Promise<ConfigVersion[]> =>
  (await ask<{ versions: ConfigVersion[] }>(hub, 'GET /api/config/versions', { token: TOKEN })).body.versions
const audit = async (): Promise<AuditPage['items']> =>
  (await ask<AuditPage>(hub, 'GET /api/audit', { token: TOKEN })).body.items
const acted = (action: string): Promise<true | undefined> =>
  waitFor(async () => ((await audit()).some((act) => act.action === action) ? true : undefined), 10_000)
const servers = async (): Promise<Record<string, string>> =>
  Object.fromEntries(
    (await ask<ServerStatus[]>(hub, 'GET /api/servers', { token: TOKEN })).body.map(({ name, state }) => [name, state]),
  )
const files = (): Promise<string[]> =>
  Promise.all(['servers', 'system'].map((name) => readFile(path.join(hub.configDir, `${name}.json`), 'utf8')))

describe('a deploy key', () => {
  it('comes of a code that is good once, and for nothing else', async () => {
    const code = await codeOf('once', { days: 3 })
    for (const route of ['GET /api/admin/config', 'GET /api/servers', 'GET /api/sessions', 'GET /api/openapi.json'])
      expect([route, (await ask(hub, route, { token: code })).status]).toEqual([route, 403])
    const both = await Promise.all([1, 2].map(() => ask(hub, 'POST /api/admin/deploy-keys/enrol', { token: code })))
    expect(both.map(({ status }) => status).sort()).toEqual([201, 401])
    expect((await ask(hub, 'POST /api/admin/deploy-keys/enrol', { token: code })).status).toBe(401)
  })

  it('opens the configuration and nothing else, whatever its permissions are', async () => {
    expect((await read(programsKey)).etag).toMatch(/^"/)
    const refused = [
      'GET /api/servers',
      'GET /api/sessions',
      'POST /api/servers/one/consent',
      'GET /api/keys',
      'GET /api/x',
    ]
    for (const route of [...refused, 'POST /api/admin/deploy-keys', 'POST /api/admin/deploy-keys/enrol', 'POST /mcp'])
      expect([route, (await ask(hub, route, { token: programsKey })).status]).toEqual([route, 403])
  })

  it('is kept as a hash, shows its end and last use, and cannot be made to last longer', async () => {
    const stored = await readFile(path.join(hub.configDir, 'users.json'), 'utf8')
    expect(stored).not.toContain(plainKey.split('_')[2])
    const key = (await ask<Key[]>(hub, 'GET /api/keys', { token: TOKEN })).body.find(({ name }) => name === 'laptop')
    expect(key).toMatchObject({ purpose: 'deploy', permissions: ['config:push'], lastUsedFrom: '127.0.0.1' })
    expect(key?.expiresAt).toBeGreaterThan(Date.now() + 89 * 86_400_000)
    const body = { expiresAt: null }
    expect((await ask(hub, `PUT /api/keys/${key?.id}`, { token: TOKEN, body })).status).toBe(400)
  })

  it('ends when it is revoked or runs out, while others go on', async () => {
    const [revoked, old] = [await enrol('revoked', {}), await enrol('old', {})]
    const keys = (await ask<Key[]>(hub, 'GET /api/keys', { token: TOKEN })).body
    const id = (name: string): string => keys.find((key) => key.name === name)?.id ?? ''
    expect((await ask(hub, `DELETE /api/keys/${id('revoked')}`, { token: TOKEN })).status).toBe(204)
    const soon = { expiresAt: Date.now() + 150 }
    expect((await ask(hub, `PUT /api/keys/${id('old')}`, { token: TOKEN, body: soon })).status).toBe(200)
    expect((await ask(hub, 'GET /api/admin/config', { token: revoked })).status).toBe(401)
    await waitFor(async () =>
      (await ask(hub, 'GET /api/admin/config', { token: old })).status === 401 ? true : undefined,
    )
    expect((await ask(hub, 'GET /api/admin/config', { token: plainKey })).status).toBe(200)
  })

  it('of another hub, or a token for another audience, opens nothing', async () => {
    const elsewhere = `mcphub_0123456789ab_${'x'.repeat(43)}`
    expect((await ask(hub, 'GET /api/admin/config', { token: elsewhere })).status).toBe(401)
    const claims = { sub: 'ann', scope: 'config:push', role: 'boss' }
    const foreign = await as.sign({ ...claims, aud: 'https://other.example.com' })
    expect((await push({}, { token: foreign, etag: '"x"' })).status).toBe(401)
    const right = await as.sign({ ...claims, aud: 'https://hub.example.com' })
    expect((await ask(hub, 'GET /api/admin/config', { token: right })).status).toBe(200)
  })

  it('is made by administrators only', async () => {
    const token = `${TOKEN}-other`
    expect((await ask(hub, 'POST /api/admin/deploy-keys', { token, body: { name: 'x' } })).status).toBe(403)
  })
})

describe('reading what a hub runs', () => {
  it('shows references in the place of secrets, and a push of the same changes nothing', async () => {
    const config = await read()
    expect(JSON.stringify(config)).not.toContain(SECRET)
    expect(config.servers.mcpServers['one']).toMatchObject({ env: { GITHUB_TOKEN: '${secret:ONE_GITHUB_TOKEN}' } })
    const { body } = await push({ servers: config.servers, profiles: config.profiles }, { etag: config.etag })
    expect(body).toMatchObject({ differences: [], push: null, etag: config.etag })
  })
})

describe('a dry run', () => {
  it('tells what would change by path and by meaning, and changes nothing', async () => {
    const before = [await files(), await versions()]
    const config = await read()
    const { status, body } = await push(
      {
        servers: {
          mcpServers: {
            one: config.servers.mcpServers['one'],
            three: { ...remote, headers: { 'X-Key': '${secret:NOT_THERE}' } },
          },
        },
        profiles: { profiles: { work: { servers: { one: {} } } } },
        system: { pinning: { onChange: 'hold' }, server: { port: 1, allowRuntimeStdio: true } },
      },
      { query: '?dryRun=1' },
    )
    expect(status).toBe(200)
    expect(
      body.differences.flatMap(({ meanings }) => meanings.map(({ code, message }) => `${code}: ${message}`)),
    ).toEqual([
      'server-removed: two is removed',
      'server-added: three is added: connects to http://127.0.0.1:9/mcp',
      'profile-added: profile work is added',
      'setting-changed: pinning.onChange: its default → "hold"',
    ])
    expect(body).toMatchObject({
      dryRun: true,
      push: null,
      kept: ['server.port', 'server.allowRuntimeStdio'],
      missing: [{ server: 'three', path: 'headers.X-Key' }],
    })
    expect([await files(), await versions()]).toEqual(before)
    // Acts are written a moment later, in their order.
    await hub.api('POST', '/api/servers/two/restart')
    await acted('POST /api/servers/:name/restart')
    expect(JSON.stringify(await audit())).not.toContain('NOT_THERE')
    await hub.until('two', 'running')
  })

  it('says what the caller would be refused', async () => {
    const { body } = await push(withServer('new', fixtureServer('echo.ts'))(await read()), { query: '?dryRun=1' })
    expect(body.refusal).toMatchObject({ code: 'HUB_EXEC_REFUSED' })
  })
})

describe('a push', () => {
  it('must name what it was made for, and loses no change of somebody else', async () => {
    const config = await read()
    const body = withServer('three', remote)(config)
    expect(await push(body)).toMatchObject({ status: 428, body: { code: 'HUB_PRECONDITION_NEEDED' } })
    await hub.api('POST', '/api/servers', { name: 'meanwhile', config: remote })
    const late = await push(body, { etag: config.etag })
    expect(late).toMatchObject({ status: 412, body: { code: 'HUB_CHANGED_MEANWHILE' } })
    expect(late.body.detail).toMatch(/MCP_HUB_TOKEN changed it at \d{4}-.*, version \d+/)
    await hub.api('DELETE', '/api/servers/meanwhile')
  })

  it('is one version with who and why, is watched, kept, and told to everybody', async () => {
    const config = await read()
    const events = await fetch(`${hub.url}/api/events`, { headers: hub.headers })
    const { body } = await push(
      {
        ...withServer('three', remote)(config),
        profiles: { profiles: { work: { servers: {} } } },
        reason: 'three is needed',
      },
      { etag: config.etag },
    )
    expect(body.push).toMatchObject({ state: 'watching', by: 'laptop' })
    const [newest] = await versions()
    expect(newest).toMatchObject({ by: 'laptop', reason: 'three is needed' })
    expect(newest?.changes.map(({ file, kind }) => `${file} ${kind}`)).toEqual(['servers added', 'profiles added'])
    // What was written in clear there stays as it was written.
    expect((await files())[0]).toContain(SECRET)
    expect(await push({}, { etag: body.etag })).toMatchObject({ status: 200, body: { push: null } })
    expect(await push(withServer('four', remote)(await read()), { etag: body.etag })).toMatchObject({ status: 409 })
    expect(await decided(body.push?.id ?? '')).toMatchObject({ state: 'kept', failures: [] })
    await acted('config.push-kept')
    const reader = events.body?.pipeThrough(new TextDecoderStream()).getReader()
    let said = ''
    while (!said.includes('"state":"kept"')) said += (await reader?.read())?.value ?? ''
    await reader?.cancel()
  })

  it('never carries the value of a secret', async () => {
    const config = await read()
    const answer = await push(
      withServer('four', { ...remote, headers: { Authorization: `Bearer ${SECRET}` } })(config),
      { etag: config.etag },
    )
    expect(answer).toMatchObject({ status: 400, body: { code: 'HUB_INVALID_CONFIG' } })
    expect(JSON.stringify([answer.body, await audit()])).not.toContain(SECRET)
  })

  it('with a fault is refused with its place', async () => {
    const config = await read()
    const answer = await push(withServer('five', { command: 5 })(config), { etag: config.etag })
    expect(answer).toMatchObject({ status: 400, body: { faults: [{ path: 'mcpServers.five.command' }] } })
  })

  it('runs another program only with servers:exec', async () => {
    const config = await read()
    const body = withServer('new', fixtureServer('echo.ts'))(config)
    expect(await push(body, { etag: config.etag })).toMatchObject({ status: 403, body: { code: 'HUB_EXEC_REFUSED' } })
    expect((await change(() => body, programsKey)).state).toBe('kept')
    expect(await servers()).toMatchObject({ new: 'running' })
  })

  it('that breaks a server is taken back by itself', async () => {
    const before = await read()
    const push = await change(withServer('two', broken), programsKey)
    expect(push).toMatchObject({ state: 'reverted', failures: [{ server: 'two' }] })
    expect((await read()).servers).toEqual(before.servers)
    expect((await versions())[0]).toMatchObject({
      by: 'MCP Hub',
      reason: expect.stringMatching(/^Takes back what ci/) as string,
    })
    await hub.until('two', 'running')
    await acted('config.push-reverted')
  })

  it('is not taken back over what somebody did meanwhile', async () => {
    const config = await read(programsKey)
    const { body } = await push(withServer('two', broken)(config), { token: programsKey, etag: config.etag })
    await hub.api('POST', '/api/servers', { name: 'mine', config: remote })
    expect(await decided(body.push?.id ?? '')).toMatchObject({ state: 'superseded' })
    expect(await servers()).toHaveProperty('mine')
    await hub.api('PUT', '/api/servers/two', { config: fixtureServer('echo.ts') })
    await hub.until('two', 'running')
  })
})

it('in production a key with servers:exec pushes no programs unless the operator allows it', async () => {
  const strict = await startHub({}, {}, { env: { NODE_ENV: 'production' } })
  const { etag } = (await strict.api('GET', '/api/admin/config')).body as PortableConfig
  const answer = await ask(strict, 'PUT /api/admin/config', {
    token: TOKEN,
    body: { servers: { mcpServers: { new: fixtureServer('echo.ts') } } },
    headers: { 'if-match': etag },
  })
  expect(answer).toMatchObject({ status: 403, body: { code: 'HUB_EXEC_REFUSED' } })
  await strict.close()
})

it('a hub that is killed while it watches takes the push back when it is there again', async () => {
  const folder = await temporaryFolder()
  await mkdir(path.join(folder.path, 'config'))
  const file = path.join(folder.path, 'config', 'servers.json')
  const before = JSON.stringify({ mcpServers: { one: fixtureServer('echo.ts') } })
  await writeFile(file, before)
  await writeFile(path.join(folder.path, 'config', 'system.json'), '{ "server": { "pushWatchMs": 1500 } }')
  const first = await startBuiltHub({ folder: folder.path })
  const state = async (of: typeof first, wanted: string): Promise<true | undefined> =>
    ((await (await of.request('/api/servers')).json()) as ServerStatus[])[0]?.state === wanted ? true : undefined
  await waitFor(() => state(first, 'running'), 20_000)
  const config = (await (await first.request('/api/admin/config')).json()) as PortableConfig
  const answer = await first.request('/api/admin/config', {
    method: 'PUT',
    body: { servers: { mcpServers: { one: broken } } },
    headers: { 'if-match': config.etag },
  })
  const { push: begun } = (await answer.json()) as PushResult
  first.child.kill('SIGKILL')
  await once(first.child, 'exit')
  expect(await readFile(file, 'utf8')).not.toBe(before)

  const second = await startBuiltHub({ folder: folder.path, env: { MCP_HUB_TOKEN: BUILT_HUB_TOKEN } })
  const outcome = await waitFor(async () => {
    const status = (await (await second.request(`/api/admin/config/pushes/${begun?.id}`)).json()) as PushStatus
    return status.state === 'watching' ? undefined : status
  }, 20_000)
  expect(outcome).toMatchObject({ state: 'reverted', failures: [{ server: 'one' }] })
  expect(await readFile(file, 'utf8')).toBe(before)
  await waitFor(() => state(second, 'running'), 20_000)
  await second.end()
  await folder.dispose()
})

it('a push that a hub of before left under watch is taken over, with those that were decided', async () => {
  const folder = await temporaryFolder()
  const { path: dir } = folder
  const texts = { servers: '{}', system: '{}', profiles: '{}' }
  const status: PushStatus = {
    ...{ id: 'old', by: 'ci', reason: null, at: 1, state: 'watching', until: 2, decidedAt: null },
    ...{ failures: [], changes: [] },
  }
  const earlier: PushStatus = { ...status, id: 'earlier', state: 'kept', decidedAt: 1 }
  await writeFile(
    path.join(dir, 'config-push.json'),
    JSON.stringify({ status, before: texts, after: texts, ran: ['one'] }),
  )
  await writeFile(path.join(dir, 'config-pushes.json'), JSON.stringify([earlier]))
  const text = keptText(await openFiles(dir), 'pushes')
  await adoptOldRecord(text, dir)
  await adoptOldRecord(text, dir)
  expect(await readdir(dir)).toEqual(['pushes.json'])
  const record = await openPushRecord(text, 'me')
  expect([record.open?.status.id, record.open?.ran, record.decided]).toEqual(['old', ['one'], [earlier]])
  expect(await record.takeOver(record.pulse)).toBe(true)
  expect(await record.end({ ...status, state: 'not-applied' })).toBe(true)

  // A hub of before was in use once more in between, and ended while it watched another one.
  const another = { status: { ...status, id: 'another', at: 3 }, before: texts, after: texts, ran: [] }
  await writeFile(path.join(dir, 'config-push.json'), JSON.stringify(another))
  await writeFile(path.join(dir, 'config-pushes.json'), JSON.stringify([earlier]))
  await adoptOldRecord(text, dir)
  await record.load()
  expect([record.open?.status.id, record.isMine]).toEqual(['another', false])
  expect(record.decided.map(({ id, state }) => `${id} ${state}`)).toEqual(['old not-applied', 'earlier kept'])
  await folder.dispose()
})

describe('the command line', () => {
  async function run(args: string[], env: Record<string, string>, stdin = '') {
    let [out, err] = ['', '']
    const input = new PassThrough()
    input.end(stdin)
    const code = await runCli(args, {
      stdin: input,
      out: (text) => (out += text),
      err: (text) => (err += text),
      env,
      distDir: hub.dataDir,
      version: '1.2.3',
      signal: new AbortController().signal,
    })
    return { code, out, err }
  }

  it('enrols, pulls, compares and pushes, and does not overwrite what others did', async () => {
    const folder = await temporaryFolder()
    const [keyFile, mine] = [path.join(folder.path, 'key'), path.join(folder.path, 'mine')]
    const at = ['--key-file', keyFile, '--config', mine]
    const there = { CONFIG_DIR: hub.configDir, DATA_DIR: hub.dataDir }
    const { out: code, err } = await run(['deploy-key', 'enrol', '--name', 'cli'], there)
    expect(err).toContain('good once')
    const enrolOptions = ['config', 'enrol', '--hub', hub.url, '--key-file', keyFile]
    await waitFor(async () => ((await run(enrolOptions, {}, code)).code === 0 ? true : undefined), 10_000)
    expect(await run(enrolOptions, {}, code)).toMatchObject({ code: 77 })

    expect(await run(['config', 'pull', '--key-file', keyFile, '--out', mine], {})).toMatchObject({ code: 0 })
    expect(await run(['config', 'diff', ...at], {})).toMatchObject({
      code: 0,
      out: 'The hub runs this configuration.\n',
    })
    const file = path.join(mine, 'servers.json')
    const config = JSON.parse(await readFile(file, 'utf8')) as { mcpServers: Record<string, object> }
    config.mcpServers['six'] = { ...remote, headers: { 'X-Api-Key': SECRET } }
    await writeFile(file, JSON.stringify(config))
    const diff = await run(['config', 'diff', ...at, '--json'], {})
    expect(diff.code).toBe(1)
    expect(JSON.parse(diff.out)).toMatchObject({ differences: [{ name: 'six', kind: 'added' }] })
    const pushed = await run(['config', 'push', ...at, '--reason', 'by hand'], {})
    expect(pushed).toMatchObject({ code: 0, err: expect.stringContaining('SIX_X_API_KEY') as string })
    expect(pushed.out).toContain('everything that ran before runs')
    expect(JSON.stringify([diff, pushed, await files()].flat()).split(SECRET)).toHaveLength(2)

    await hub.api('POST', '/api/servers', { name: 'others', config: remote })
    await writeFile(file, JSON.stringify({ mcpServers: { ...config.mcpServers, seven: remote } }))
    const late = await run(['config', 'push', ...at], {})
    expect(late).toMatchObject({ code: 73, err: expect.stringContaining('MCP_HUB_TOKEN changed it') as string })
    expect(await servers()).not.toHaveProperty('seven')
    await folder.dispose()
  })

  it('agrees to a certificate by its fingerprint only, and to no other afterwards', async () => {
    const folder = await temporaryFolder()
    const authority = await createAuthority(folder.path)
    async function overTls(name: string) {
      const { cert, key } = await authority.issue(name)
      const server = createHttpsServer(
        { cert: await readFile(cert), key: await readFile(key) },
        hub.hub.requestListener('all'),
      )
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      return { server, url: `https://127.0.0.1:${(server.address() as AddressInfo).port}` }
    }
    const [right, wrong] = [await overTls('right'), await overTls('wrong')]
    const keyFile = path.join(folder.path, 'key')
    const enrol = ['config', 'enrol', '--key-file', keyFile, '--hub']
    const code = await codeOf('over tls', {})
    const unknown = await run([...enrol, right.url], {}, `${code}\n`)
    expect(unknown).toMatchObject({ code: 69, err: expect.stringContaining('does not trust') as string })
    const fingerprint = /SHA-256 fingerprint is (\S+)/.exec(unknown.err)?.[1] ?? ''
    const enrolled = await run([...enrol, right.url, '--fingerprint', fingerprint], {}, `${code}\n`)
    expect(enrolled).toMatchObject({ code: 0, err: '' })
    const diff = ['config', 'diff', '--key-file', keyFile, '--config', hub.configDir]
    expect((await run(diff, {})).err).not.toContain('certificate')
    const other = { ...(JSON.parse(await readFile(keyFile, 'utf8')) as object), hub: wrong.url }
    await writeFile(keyFile, JSON.stringify(other))
    expect(await run(diff, {})).toMatchObject({
      code: 69,
      err: expect.stringContaining('another certificate') as string,
    })
    for (const { server } of [right, wrong]) server.close()
    await folder.dispose()
  })

  it('sends no key to a hub that it does not belong to, nor in clear over the network', async () => {
    const folder = await temporaryFolder()
    const keyFile = path.join(folder.path, 'key')
    await writeFile(keyFile, JSON.stringify({ hub: hub.url, key: plainKey, expiresAt: null, fingerprint: null }), {
      mode: 0o600,
    })
    const diff = (url: string) =>
      run(['config', 'diff', '--key-file', keyFile, '--config', hub.configDir, '--hub', url], {})
    expect(await diff('https://other.example.com')).toMatchObject({ code: 64 })
    expect(await diff('http://hub.example.com')).toMatchObject({
      code: 64,
      err: expect.stringContaining('https:') as string,
    })
    await writeFile(keyFile, plainKey, { mode: 0o644 })
    await chmod(keyFile, 0o644)
    expect(await diff(hub.url)).toMatchObject({ code: 77 })
    await folder.dispose()
  })
})
