import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { request as httpRequest } from 'node:http'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { temporaryFolder } from '../fixtures/built-program.ts'
import { startHub, type TestHub } from '../fixtures/hub.ts'
import type { HubStatus, Problem } from '../../hub/contract/index.ts'

const built = path.join(import.meta.dirname, '..', '..', 'dist', 'hub')
const serverEntry = path.join(built, 'server.js')

/** Runs the built hub until it ends; what it wrote on stderr. */
async function runToEnd(
  files: Record<string, string>,
  env: Record<string, string> = {},
  {
    data = {},
    args = [serverEntry],
    socket,
    ...as
  }: { uid?: number; gid?: number; data?: Record<string, string>; args?: string[]; socket?: number } = {},
): Promise<{ code: number | null; stderr: string }> {
  const folder = await temporaryFolder()
  await mkdir(path.join(folder.path, 'config'))
  // Others must find the way to their own folders.
  await chmod(folder.path, 0o755)
  for (const [name, text] of Object.entries(files)) await writeFile(path.join(folder.path, 'config', name), text)
  await mkdir(path.join(folder.path, 'data'))
  for (const [name, text] of Object.entries(data)) await writeFile(path.join(folder.path, 'data', name), text)
  // As a service manager passes a socket on.
  const command = 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" "$@"'
  const passing = socket === undefined ? [] : ['-c', command, process.execPath]
  const child = spawn(socket === undefined ? process.execPath : 'sh', [...passing, ...args], {
    env: {
      PATH: process.env['PATH'] ?? '',
      PORT: '0',
      CONFIG_DIR: path.join(folder.path, 'config'),
      DATA_DIR: path.join(folder.path, 'data'),
      MCP_HUB_TOKEN: 'token-for-a-bad-start',
      ...env,
    },
    stdio: ['ignore', 'ignore', 'pipe', ...(socket === undefined ? [] : [socket])],
    ...as,
  })
  let stderr = ''
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve))
  await folder.dispose()
  return { code, stderr }
}

describe('a start with bad configuration ends with 78 and one line per fault', () => {
  it('names file, line and column of invalid JSON', async () => {
    const { code, stderr } = await runToEnd({
      'servers.json': '{\n  "mcpServers": {\n    "a": { "command": "node", }}\n  "x"\n}',
    })
    expect(code).toBe(78)
    expect(stderr).toMatch(/servers\.json:4:3.*Not valid JSON/)
  })

  it('names an unknown key and the one that was meant', async () => {
    const { code, stderr } = await runToEnd({
      'servers.json': '{\n  "mcpServers": {\n    "a": { "comand": "node", "command": "node" }\n  }\n}',
    })
    expect(code).toBe(78)
    expect(stderr).toMatch(/servers\.json:3:\d+ mcpServers\.a\.comand: Unknown key comand\. Did you mean command\?/)
  })

  it('names the environment variable', async () => {
    const { code, stderr } = await runToEnd({}, { JWT_SECRET: 'short' })
    expect(code).toBe(78)
    expect(stderr).toMatch(/environment JWT_SECRET: must have at least 32 characters/)
  })

  it('names the port that is in use, and by whom', async () => {
    const holder = createServer()
    const port = await new Promise<number>((resolve) =>
      holder.listen(0, '127.0.0.1', () => resolve((holder.address() as { port: number }).port)),
    )
    const { code, stderr } = await runToEnd({}, { PORT: String(port) })
    holder.close()
    expect(code).toBe(98)
    expect(stderr).toMatch(new RegExp(`Port ${port} is in use by .+ \\(pid ${process.pid}\\)`))
  })

  it('names a folder that is none, or that it may not use', async () => {
    const { code, stderr } = await runToEnd({}, { DATA_DIR: '/dev/null/data' })
    expect([code, stderr]).toEqual([78, expect.stringContaining('ENOTDIR') as string])
    const folder = await temporaryFolder()
    await chmod(folder.path, 0o555)
    const env = { DATA_DIR: folder.path, JWT_SECRET: 'k'.repeat(40) }
    const closed = await runToEnd({}, env, process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {})
    await folder.dispose()
    expect(closed.code).toBe(77)
    expect(closed.stderr).toMatch(
      new RegExp(`^${folder.path}: The hub’s user may not use it: EACCES.*Let that user own`),
    )
  })

  it('refuses MCP without a token beyond loopback', async () => {
    const { code, stderr } = await runToEnd({ 'system.json': '{ "auth": { "mcp": "none" } }' }, { HOST: '0.0.0.0' })
    expect(code).toBe(78)
    expect(stderr).toContain('"none" is for loopback only')
  })

  it.runIf(process.platform === 'linux')('refuses it on a socket that a service manager holds elsewhere', async () => {
    const socket = createServer().listen(0, '127.0.0.2')
    await once(socket, 'listening')
    const { fd } = (socket as unknown as { _handle: { fd: number } })._handle
    const files = { 'system.json': '{ "auth": { "mcp": "none" } }' }
    const { code, stderr } = await runToEnd(files, {}, { socket: fd })
    socket.close()
    expect(code).toBe(78)
    expect(stderr).toContain('"none" is for loopback only, but the hub listens on 127.0.0.2')
  })
})

/** What `utility.js` is started by on the desktop, with the folders of `DATA_DIR` and `CONFIG_DIR`; prints what main is told. */
const asMain = `
  const { DATA_DIR: dataDir, CONFIG_DIR: configDir } = process.env
  const token = 't'.repeat(40)
  const data = { type: 'hello', protocol: 1, bootToken: token, clientToken: token, secrets: {}, appVersion: '1.0.0',
    paths: { configDir, dataDir, webDir: dataDir, logDir: dataDir }, vault: { quality: 'file', location: '' } }
  const port = { on() {}, start() {}, postMessage: (message) => console.error('told main', JSON.stringify(message)) }
  process.parentPort = { once: (_event, listen) => setImmediate(listen, { data, ports: [port] }) }
`

describe('a broken file of the hub’s own', () => {
  const pins = { 'pins.json': '{' }
  const broken = /pins\.json is broken: .*Restore it from a backup, or move it away/

  it('ends a start with 78 and its cure', async () => {
    const { code, stderr } = await runToEnd({}, {}, { data: pins })
    expect(code).toBe(78)
    expect(stderr).toMatch(new RegExp(`^\\S*${broken.source}`))
  })

  it('ends the hub of the app with 78 at once, its cure told to the app and in the last line', async () => {
    const main = `data:text/javascript,${encodeURIComponent(asMain)}`
    const start = { data: pins, args: ['--import', main, path.join(built, 'utility.js')] }
    const { code, stderr } = await runToEnd({}, {}, start)
    expect(code).toBe(78)
    const [told, last] = stderr.trim().split('\n').slice(-2)
    expect(told).toMatch(/^told main {"type":"fatal"/)
    for (const line of [told, last]) expect(line).toMatch(broken)
  })
})

describe('a running hub', () => {
  let hub: TestHub
  beforeAll(async () => {
    hub = await startHub({
      silent: {
        command: process.execPath,
        args: ['-e', 'process.stdin.resume()'],
        hub: { startTimeoutMs: 600, maxStartAttempts: 1 },
      },
    })
  })
  afterAll(() => hub.close())

  const ping = {
    jsonrpc: '2.0',
    id: 1,
    method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } },
  }
  async function post(body: string, headers: Record<string, string>): Promise<{ status: number; body: string }> {
    const url = new URL(`${hub.url}/mcp`)
    return new Promise((resolve, reject) => {
      // node:http, because fetch does not let a test choose Host.
      const request = httpRequest(
        {
          host: url.hostname,
          port: url.port,
          path: '/mcp',
          method: 'POST',
          headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
        },
        (response) => {
          let text = ''
          response.on('data', (chunk: Buffer) => (text += chunk.toString()))
          response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }))
        },
      )
      request.on('error', reject)
      request.end(body)
    })
  }

  it.each([
    ['no token', {}, 401],
    ['a wrong token', { authorization: 'Bearer wrong' }, 401],
    ['a foreign Origin', { origin: 'https://evil.example' }, 403],
    ['an Origin of null', { origin: 'null' }, 403],
    ['a foreign Host', { host: 'evil.example' }, 403],
    ['another content type', { 'content-type': 'text/plain' }, 415],
  ])('answers it: %s', async (_what, extra: Record<string, string>, status) => {
    const headers = 'authorization' in extra || status === 401 ? extra : { ...hub.headers, ...extra }
    expect((await post(JSON.stringify(ping), headers)).status).toBe(status)
  })

  it('says what is wrong with a message', async () => {
    expect(await post('{"jsonrpc":', hub.headers)).toMatchObject({
      status: 400,
      body: expect.stringContaining('-32700') as string,
    })
    expect(await post('{"id":1}', hub.headers)).toMatchObject({
      status: 400,
      body: expect.stringContaining('jsonrpc must be') as string,
    })
    expect(
      await post(
        JSON.stringify({ ...ping, params: { deep: JSON.parse('['.repeat(2_000) + ']'.repeat(2_000)) as unknown } }),
        hub.headers,
      ),
    ).toMatchObject({
      status: 400,
      body: expect.stringContaining('limits.maxNestingDepth') as string,
    })
    expect(await post(`"${'x'.repeat(5 * 1_048_576)}"`, hub.headers)).toMatchObject({
      status: 413,
      body: expect.stringContaining('limits.maxRequestBytes') as string,
    })
  })

  it('gives up on a server that never answers, with cause and cure', async () => {
    const status = await hub.until('silent', 'failed')
    expect(status.reason).toMatchObject({ code: 'start-timeout', message: 'The server did not answer within 0.6 s' })
    expect(status.reason?.cure).toContain('startTimeoutMs')
  })

  it('keeps the last good configuration while the file is broken, and refuses to write into it', async () => {
    const file = path.join(hub.configDir, 'servers.json')
    const good = await readFile(file, 'utf8')
    await writeFile(file, '{ "mcpServers": { ')
    let status: HubStatus | undefined
    for (const deadline = Date.now() + 5_000; Date.now() < deadline && (status?.configFaults.length ?? 0) === 0;) {
      status = (await hub.api('GET', '/api/hub')).body as HubStatus
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    expect(status?.configFaults[0]).toMatchObject({
      file,
      line: 1,
      message: expect.stringContaining('Not valid JSON') as string,
    })
    expect((await hub.api('GET', '/api/servers')).body).toHaveLength(1)
    const refused = await hub.api('POST', '/api/servers', { name: 'new', config: { command: 'node' } })
    expect(refused).toMatchObject({ status: 409, body: { code: 'HUB_CONFIG_FILE_BROKEN' } })
    expect(await readFile(file, 'utf8')).toBe('{ "mcpServers": { ')
    await writeFile(file, good)
  })

  it.each([
    ['an unknown key', { name: 'a', config: { command: 'node', comand: 'x' } }, 400, 'Unknown key comand'],
    ['a name with a slash', { name: 'a/b', config: { command: 'node' } }, 400, 'name'],
    ['a URL that is none', { name: 'a', config: { url: 'nonsense' } }, 400, 'url must be'],
    ['a URL with credentials', { name: 'a', config: { url: 'https://user:pass@x.example/mcp' } }, 400, 'Authorization'],
    [
      'a variable with =',
      { name: 'a', config: { command: 'node', env: { 'A=B': 'c' } } },
      400,
      'may not be empty or hold =',
    ],
    ['a NUL in an argument', { name: 'a', config: { command: 'node', args: ['a\0b'] } }, 400, 'NUL'],
    ['a name that is taken', { name: 'silent', config: { command: 'node' } }, 409, 'already'],
  ])('refuses %s in the API', async (_what, body, status, text) => {
    const answer = await hub.api('POST', '/api/servers', body)
    expect(answer.status).toBe(status)
    expect((answer.body as Problem).detail).toContain(text)
  })

  it('a dry run shows why a command does not work and saves nothing', async () => {
    const answer = await hub.api('POST', '/api/servers/dry-run', {
      config: { command: process.execPath, args: ['-e', 'console.error("no API key"); process.exit(3)'] },
    })
    expect(answer.body).toMatchObject({
      ok: false,
      reason: { code: 'exited', message: 'The server process exited with code 3: it has no valid key or token' },
      stderr: expect.arrayContaining(['no API key']) as unknown,
    })
    expect((await hub.api('GET', '/api/servers')).body).toHaveLength(1)
  })
})
