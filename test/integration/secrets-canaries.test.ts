import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { extract } from 'tar'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Backup, HistoryPage, Secrets, ServerStatus } from '../../hub/contract/index.ts'
import { startBuiltHub } from '../fixtures/built-hub.ts'
import { temporaryFolder } from '../fixtures/built-program.ts'
import { fixtureServer } from '../fixtures/hub.ts'
import { startPostgres } from '../fixtures/postgres.ts'
import { waitFor } from '../fixtures/wire.ts'

const dist = path.join(import.meta.dirname, '..', '..', 'dist', 'hub')
const run = promisify(execFile)

/** The middle of each secret: no way of writing a secret changes it but base64. */
const core = (name: string): string => `Cnry9${name}7Zq4Wm`
/** With what forms of writing do change around it. */
const canary = (name: string): string => `${core(name)}"/+ &=ü`
const names = [
  'EnvVar',
  'Argument',
  'Header',
  'Query',
  'Password',
  'Vault',
  'OperatorEnv',
  'OperatorFile',
  'PrivateKey',
  'Pasted',
  'Trial',
  'HubToken',
  'JwtSecret',
  'AdminPass',
  'StorePass',
] as const

/** Where a text shows a secret, in the clear or in base64. */
function secretsIn(text: string): string[] {
  return names.filter((name) =>
    [core(name), ...[0, 1, 2].map((shift) => base64Core(core(name), shift))].some((form) => text.includes(form)),
  )
}

function base64Core(text: string, shift: number): string {
  const encoded = Buffer.from(`${'.'.repeat(shift)}${text}`)
    .toString('base64')
    .replace(/=+$/, '')
  return encoded.slice(shift === 0 ? 0 : 4, -2)
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name))
}

describe('a tour of the hub with secrets planted everywhere', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  let hub: ChildProcess
  let remote: Server
  let url: string
  /** What the hub wrote on its terminal, answered over REST, and sent as events. */
  const heard = new Map<string, string>()
  const hear = (what: string, text: string): void => void heard.set(what, `${heard.get(what) ?? ''}${text}`)
  const at = (...parts: string[]): string => path.join(folder.path, ...parts)
  const token = canary('HubToken').replace(/[^\w-]/g, '')

  /** Calls the API and keeps what it said, for the search at the end. */
  async function api(method: string, route: string, body?: unknown, status = /^2/): Promise<unknown> {
    const response = await fetch(url + route, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    hear(`${method} ${route}`, text)
    expect(String(response.status), text).toMatch(status)
    return text === '' ? null : (JSON.parse(text) as unknown)
  }

  /** Has what is no JSON read for the search at the end. */
  async function read(route: string): Promise<string> {
    const response = await fetch(url + route, { headers: { authorization: `Bearer ${token}` } })
    const text = await response.text()
    hear(`GET ${route}`, text)
    expect(response.status, text).toBe(200)
    return text
  }

  /** Fetches an archive and unpacks it into a folder of its name. */
  async function unpack(route: string, name: string): Promise<Headers> {
    const archive = await fetch(url + route, { headers: { authorization: `Bearer ${token}` } })
    await writeFile(at(`${name}.tar.gz`), Buffer.from(await archive.arrayBuffer()))
    await mkdir(at(name))
    await extract({ file: at(`${name}.tar.gz`), cwd: at(name) })
    return archive.headers
  }

  async function until(name: string, ...states: string[]): Promise<void> {
    await expect
      .poll(async () => ((await api('GET', `/api/servers/${name}`)) as ServerStatus).state, { timeout: 15_000 })
      .toMatch(new RegExp(`^(${states.join('|')})$`))
  }

  beforeAll(async () => {
    folder = await temporaryFolder()
    await mkdir(at('config'))
    await mkdir(at('outside'))
    await writeFile(at('config', 'system.json'), JSON.stringify({ history: { payloads: 'full' } }))
    await writeFile(at('outside', 'operator'), `${canary('OperatorFile')}\n`)
    // A server that quotes what it was sent, as some do in their errors.
    remote = createServer((request, response) => {
      const { authorization } = request.headers
      response.writeHead(request.url?.startsWith('/401') ? 401 : 500, { 'content-type': 'text/plain' })
      response.end(`bad credentials: ${authorization ?? ''} for ${request.url ?? ''}`)
    })
    await new Promise<void>((resolve) => remote.listen(0, '127.0.0.1', resolve))
    hub = spawn(process.execPath, [path.join(dist, 'server.js')], {
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: folder.path,
        PORT: '0',
        CONFIG_DIR: at('config'),
        DATA_DIR: at('data'),
        LOG_LEVEL: 'debug',
        LOG_FILE: at('hub.log'),
        MCP_HUB_TOKEN: token,
        JWT_SECRET: canary('JwtSecret').repeat(2),
        MCP_HUB_ADMIN_PASSWORD: canary('AdminPass'),
        OPERATOR_TOKEN: canary('OperatorEnv'),
        OPERATOR_KEY_FILE: at('outside', 'operator'),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    hub.stderr?.on('data', (chunk: Buffer) => hear('terminal', chunk.toString()))
    url = await new Promise<string>((resolve, reject) => {
      hub.stdout?.on('data', (chunk: Buffer) => {
        hear('terminal', chunk.toString())
        const listening = /listening on (\S+)/.exec(heard.get('terminal') ?? '')?.[1]
        if (listening !== undefined) resolve(listening)
      })
      hub.once('exit', () => reject(new Error(heard.get('terminal'))))
    })
    const events = await fetch(`${url}/api/events?logs=leaky`, { headers: { authorization: `Bearer ${token}` } })
    void events.body
      ?.pipeThrough(new TextDecoderStream())
      .pipeTo(new WritableStream({ write: (text) => hear('events', text) }))
      .catch(() => undefined)
  }, 120_000)

  afterAll(async () => {
    hub.kill('SIGKILL')
    remote.close()
    await folder.dispose()
  })

  it('finds them in the vault and nowhere else', async () => {
    const key = `-----BEGIN PRIVATE KEY-----\n${canary('PrivateKey')}\n-----END PRIVATE KEY-----`
    const leaky = fixtureServer('leaky.ts', `--api-key=${canary('Argument')}`)
    const env = {
      LEAK_TOKEN: canary('EnvVar'),
      LEAK_VAULT: 'postgres://me:${secret:FROM_VAULT}@db/x',
      LEAK_OPERATOR: '${secret:OPERATOR_TOKEN}',
      LEAK_FILE: '${secret:OPERATOR_KEY}',
      LEAK_PRIVATE_KEY: key,
    }
    await api('PUT', '/api/secrets/FROM_VAULT', { value: canary('Vault') })
    await api('POST', '/api/servers', { name: 'leaky', config: { ...leaky, env } })
    await until('leaky', 'running')

    // One that dies with a last word, one that refuses and quotes, one that fails at once.
    const port = (remote.address() as AddressInfo).port
    const dying = { ...leaky, args: [...leaky.args, '--die'], env, hub: { maxStartAttempts: 2 } }
    await api('POST', '/api/servers', { name: 'dying', config: dying })
    const query = encodeURIComponent(canary('Query'))
    const headers = { Authorization: `Bearer ${core('Header')}` }
    for (const [name, place] of Object.entries({ refused: '/401', broken: '/500' })) {
      const url = new URL(`http://127.0.0.1:${port}${place}?access_token=${query}`)
      const config = { type: 'http', url: url.href, headers, hub: { maxStartAttempts: 1 } }
      await api('POST', '/api/servers', { name, config })
      url.password = core('Password')
      await api('PUT', `/api/servers/${name}`, { config: { ...config, url: url.href } }, /^400$/)
    }
    await until('dying', 'failed', 'backoff')
    await until('refused', 'needs-auth', 'failed')
    await until('broken', 'failed', 'backoff')
    await api('POST', '/api/servers/dry-run', { config: { ...leaky, env: { LEAK_API_TOKEN: canary('Trial') } } })

    const pasted = { pasted: { ...leaky, env: { LEAK_API_TOKEN: canary('Pasted') } } }
    const found = (await api('POST', '/api/servers/secrets', { name: 'pasted', config: pasted.pasted })) as object
    expect(found).toMatchObject({ secrets: [{ path: 'args[1]' }, { path: 'env.LEAK_API_TOKEN' }] })
    await api('POST', '/api/servers', { name: 'pasted', config: pasted.pasted })
    await until('pasted', 'running')

    await api('POST', '/api/tools/call', { server: 'leaky', tool: 'leak' })
    await api('POST', '/api/tools/call', { server: 'leaky', tool: 'env', arguments: { name: 'LEAK_PRIVATE_KEY' } })
    await api('POST', '/api/tools/call', { server: 'dying', tool: 'leak' }, /^502$/)
    await api('PUT', '/api/secrets/FROM_VAULT', { value: `${canary('Vault')}-rotated` })
    await until('leaky', 'running')
    await api('PUT', '/api/servers/leaky', { config: { ...leaky, env, nonsense: canary('Vault') } }, /^400$/)
    for (const route of ['', '/leaky', '/dying', '/broken', '/leaky/logs', '/dying/logs', '/refused/logs'])
      await api('GET', `/api/servers${route}`)
    await api('POST', '/api/auth/login', { username: 'admin', password: `${canary('AdminPass')}-wrong` }, /^401$/)
    await api('POST', '/api/publish/preview', { target: { domain: 'hub.example.com' } })
    const { secrets } = (await api('GET', '/api/secrets')) as Secrets
    expect(secrets.map(({ name, source }) => `${name} ${source}`)).toEqual(
      expect.arrayContaining([
        'FROM_VAULT vault',
        'LEAKY_LEAK_TOKEN vault',
        'OPERATOR_TOKEN environment',
        'OPERATOR_KEY environment',
      ]),
    )

    expect((await unpack('/api/diagnostics', 'diagnostics')).get('content-disposition')).toMatch(
      /mcp-hub-diagnostics-\d{4}-\d\d-\d\d\.tar\.gz/,
    )
    await expect.poll(() => read('/api/history/export')).toContain('"name":"env"')
    expect(await read('/api/history/export?format=csv')).toContain('leak')
    const { items } = (await api('GET', '/api/history')) as HistoryPage
    const details = await Promise.all(items.map(({ id }) => api('GET', `/api/history/${id}`)))
    expect(JSON.stringify(details)).toMatch(/LEAK_PRIVATE_KEY.*\[secret\]/)
    expect(await read('/api/audit/export')).toContain('POST /api/servers')
    await api('GET', '/api/audit')
    expect(await read('/api/metrics')).toContain('server="leaky"')
    const backup = (await api('POST', '/api/backups')) as Backup
    await api('GET', '/api/backups')
    await api('GET', `/api/backups/${backup.name}/contents`)
    await unpack(`/api/backups/${backup.name}`, 'backup')
    await run(process.execPath, [
      path.join(dist, 'cli.js'),
      ...['publish', '--config', at('config'), '--out', at('bundle'), '--domain', 'hub.example.com'],
    ])

    // Everything that is in memory is on disk once it has ended.
    const ended = new Promise((resolve) => hub.once('exit', resolve))
    hub.kill('SIGTERM')
    await ended

    const places = ['config', 'data', 'diagnostics', 'backup', 'bundle'].map((name) => at(name))
    const files = [at('hub.log'), ...(await Promise.all(places.map(filesBelow))).flat()]
    const hits = new Map<string, string[]>()
    for (const file of files) {
      const shown = secretsIn(await readFile(file, 'utf8'))
      if (shown.length > 0) hits.set(path.relative(folder.path, file), shown)
    }
    for (const [what, text] of heard) {
      const shown = secretsIn(text)
      if (shown.length > 0) hits.set(what, shown)
    }
    const vault = ['EnvVar', 'Argument', 'Header', 'Query', 'Vault', 'PrivateKey', 'Pasted']
    expect(Object.fromEntries(hits)).toEqual({
      'data/secrets.json': vault,
      'backup/mcp-hub-backup/data/secrets.json': vault,
    })

    // The search did look at what matters: the leaks are there, with the values taken out.
    const diagnosed = await readFile(at('diagnostics', 'mcp-hub', 'logs', 'servers', '1-leaky.log'), 'utf8')
    expect(diagnosed).toContain('error: --api-key=[secret]')
    expect(heard.get('events')).toContain('[secret]')
    expect(heard.get('GET /api/servers/dying')).toContain('[secret]')
    expect(files.map((file) => path.relative(folder.path, file))).toEqual(
      expect.arrayContaining([
        'config/servers.json',
        'bundle/config/servers.json',
        'diagnostics/mcp-hub/hub.json',
        'diagnostics/mcp-hub/logs/hub.log',
        'diagnostics/mcp-hub/faults.json',
        'backup/mcp-hub-backup/manifest.json',
        'backup/mcp-hub-backup/config/servers.json',
        'backup/mcp-hub-backup/data/history.db',
        'backup/mcp-hub-backup/data/audit.db',
      ]),
    )
  }, 120_000)
})

it('the password in the address of a database is shown nowhere, also while it is away', async () => {
  const postgres = await startPostgres()
  const withPassword = (address: string, user: string): string => {
    const url = new URL(address)
    url.username = user
    url.password = canary('StorePass')
    return url.href
  }
  const hub = await startBuiltHub({
    servers: { quiet: fixtureServer('echo.ts') },
    env: {
      DATABASE_URL: withPassword(postgres.url, 'hub'),
      // Nothing listens there.
      REDIS_URL: withPassword('redis://127.0.0.1:1', 'hub'),
      JWT_SECRET: 'a secret that is long enough for it',
      LOG_LEVEL: 'debug',
    },
  })
  const heard: string[] = []
  const read = async (route: string, method = 'GET'): Promise<number> => {
    const response = await hub.request(route, { method })
    heard.push(`${route} ${await response.text()}`)
    return response.status
  }
  const routes = [
    '/api/hub',
    '/api/metrics',
    '/api/settings',
    '/api/audit/export',
    '/api/history',
    '/api/config/versions',
  ]
  await waitFor(async () => (await read('/api/servers/quiet')) === 200, 10_000)
  for (const route of routes) expect([route, await read(route)]).toEqual([route, 200])
  await read('/api/backups', 'POST')
  const archive = await hub.request('/api/diagnostics')
  expect(archive.status).toBe(200)
  const diagnostics = path.join(hub.folder, 'diagnostics')
  await mkdir(diagnostics)
  await writeFile(path.join(hub.folder, 'diagnostics.tar.gz'), Buffer.from(await archive.arrayBuffer()))
  await extract({ file: path.join(hub.folder, 'diagnostics.tar.gz'), cwd: diagnostics })

  await postgres.kill()
  await waitFor(async () => (await read('/health/ready')) === 503, 20_000)
  for (const route of [...routes, '/api/backups']) await read(route)
  await read('/api/servers/quiet/disable', 'POST')
  hub.child.kill('SIGTERM')
  await once(hub.child, 'exit')
  const files = await filesBelow(hub.folder)
  for (const file of files) heard.push(`${file} ${await readFile(file, 'utf8')}`)
  expect(heard.concat(hub.said).filter((text) => secretsIn(text).length > 0)).toEqual([])
  expect(hub.said).toMatch(/postgres|database/i)
  await hub.dispose()
  await postgres.stop()
}, 120_000)
