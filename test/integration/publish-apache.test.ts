import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, writeFile } from 'node:fs/promises'
import http from 'node:http'
import https from 'node:https'
import net, { type AddressInfo } from 'node:net'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { targetSchema, type TargetInput } from '../../hub/contract/publish.ts'
import { createBundle, type Bundle } from '../../hub/publish/bundle.ts'
import { APACHE_MODULES, apacheAround, checkApache } from '../../hub/publish/checks/apache.ts'
import { findTool } from '../../hub/publish/run-tool.ts'
import { temporaryFolder, writeBuiltProgram } from '../fixtures/built-program.ts'
import { waitFor } from '../fixtures/wire.ts'

const apache = await findTool('apache2')
const modules = APACHE_MODULES.find((folder) => existsSync(path.join(folder, 'mod_ssl.so')))
const DOMAIN = 'hub.example.com'

describe.skipIf(apache === null || modules === undefined)('Apache with the generated site', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  let bundle: Bundle
  let server: ChildProcess
  let httpsPort: number
  let hub: http.Server
  let second: http.Server

  beforeAll(async () => {
    folder = await temporaryFolder()
    await chmod(folder.path, 0o755)
    await writeBuiltProgram(path.join(folder.path, 'dist'))
    // In the place of a hub: tells what it was sent, and then one piece more only when somebody asks for it.
    let release = (): void => undefined
    hub = http.createServer((request, response) => {
      if (request.url === '/release') release()
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(JSON.stringify({ method: request.method, headers: request.headers }))
      if (request.url === '/mcp') release = () => response.end('the end')
      else response.end()
    })
    second = http.createServer((request, response) => {
      let body = ''
      request.setEncoding('utf8').on('data', (piece: string) => (body += piece))
      request.on('end', () => response.end(`second: ${request.method} ${request.url} ${body}`))
    })
    await listenSideBySide(hub, second)
    const [httpPort, secure] = [await freePort(), await freePort()]
    httpsPort = secure
    const [certificate, key] = [path.join(folder.path, 'cert.pem'), path.join(folder.path, 'key.pem')]
    const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1']
    execFileSync('openssl', [...request, '-subj', `/CN=${DOMAIN}`, '-keyout', key, '-out', certificate], {
      stdio: 'ignore',
    })
    bundle = await make({
      basePort: portOf(hub),
      instances: 2,
      services: ['database'],
      listenAddress: '127.0.0.1',
      tls: { certificate, key },
      ...{ httpPort, httpsPort },
    })
    const site = bundle.files.find((file) => file.path === 'apache/mcp-hub.conf')?.text ?? ''
    const file = path.join(folder.path, 'apache.conf')
    const user = process.getuid?.() === 0 ? 'User nobody\nGroup nogroup\n' : ''
    await writeFile(file, `${apacheAround(folder.path, modules ?? '')}${user}${site}`)
    server = spawn(apache ?? '', ['-D', 'FOREGROUND', '-f', file], { stdio: ['ignore', 'ignore', 'inherit'] })
    await waitFor(
      () =>
        ask('/health').then(
          () => true,
          () => false,
        ),
      20_000,
    )
  }, 60_000)

  afterAll(async () => {
    server.kill('SIGTERM')
    await once(server, 'exit')
    for (const one of [hub, second]) {
      one.closeAllConnections()
      one.close()
    }
    await folder.dispose()
  })

  function make(options: Partial<TargetInput>): Promise<Bundle> {
    const target = targetSchema.parse({ domain: DOMAIN, installDir: path.join(folder.path, 'install'), ...options })
    const distDir = path.join(folder.path, 'dist')
    return createBundle({ servers: {}, system: {}, target, distDir, version: '1.0.0' })
  }

  interface Answer {
    status: number
    headers: http.IncomingHttpHeaders
    text: string
  }

  /** Resolves with the whole answer, or with what it was when `until` was in it. */
  function ask(
    url: string,
    { method = 'GET', host = DOMAIN, headers = {}, body = '', until = '' } = {},
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port: httpsPort, servername: host, rejectUnauthorized: false, agent: false }
      const request = https.request({ ...options, path: url, method, headers: { host, ...headers } }, (response) => {
        let text = ''
        const done = (): void => resolve({ status: response.statusCode ?? 0, headers: response.headers, text })
        response.setEncoding('utf8')
        response.on('data', (piece: string) => {
          text += piece
          if (until !== '' && text.includes(until)) done()
        })
        response.on('end', done)
        response.on('error', reject)
      })
      request.on('error', reject)
      request.end(body)
    })
  }

  it('is accepted by apache2 -t, and a word that Apache does not know is named with its line', async () => {
    for (const made of [bundle, await make({ instances: 1 })])
      expect(await checkApache(made, folder.path)).toMatchObject({ outcome: 'passed' })
    const files = bundle.files.map((file) =>
      file.text === null ? file : { ...file, text: file.text.replace('ProxyRequests Off', 'ProxyRequestz Off') },
    )
    const line = (files.find((file) => file.path === 'apache/mcp-hub.conf')?.text ?? '')
      .split('\n')
      .findIndex((text) => text.includes('ProxyRequestz'))
    expect(await checkApache({ ...bundle, files }, folder.path)).toMatchObject({
      outcome: 'failed',
      message: expect.stringContaining('ProxyRequestz') as string,
      fault: { line: line + 1 },
    })
  })

  it('holds back nothing of a stream', async () => {
    // The hub ends it only after the beginning has arrived here.
    const begun = await ask('/mcp', { method: 'POST', until: '"method":"POST"' })
    expect(begun.text).not.toContain('the end')
    expect((await ask('/release')).status).toBe(200)
  })

  it('passes on nothing of what a client says about itself, and answers for one name', async () => {
    const claims = { 'x-forwarded-for': '6.6.6.6', 'x-real-ip': '6.6.6.6', 'x-forwarded-proto': 'http' }
    const { text, headers } = await ask('/api/servers', { headers: claims })
    expect((JSON.parse(text) as { headers: object }).headers).toMatchObject({
      host: DOMAIN,
      'x-forwarded-for': '127.0.0.1',
      'x-real-ip': '127.0.0.1',
      'x-forwarded-proto': 'https',
    })
    expect(headers['strict-transport-security']).toContain('max-age=31536000')
    expect((await ask('/api/servers', { host: 'other.example.com' })).status).toBe(403)
  })

  it('sends what is in a session to the hub of it, and whatever was for a hub that is gone to the next', async () => {
    const inSession = (server: http.Server): { headers: Record<string, string> } => ({
      headers: { 'mcp-session-id': `${portOf(server)}.session` },
    })
    expect((await ask('/mcp/a?b=%2Fc', inSession(second))).text).toBe('second: GET /mcp/a?b=%2Fc ')
    expect((await ask(`/messages?sessionId=${portOf(second)}.x`)).text).toContain('second: GET /messages?sessionId')
    expect((await ask('/api/servers', inSession(hub))).text).toContain('"method":"GET"')

    const port = portOf(hub)
    hub.closeAllConnections()
    await new Promise((resolve) => hub.close(resolve))
    const sent = { method: 'POST', headers: { 'mcp-session-id': `${port}.session` }, body: '{"jsonrpc":"2.0"}' }
    for (let times = 0; times < 3; times++)
      expect(await ask('/mcp', sent)).toMatchObject({ status: 200, text: 'second: POST /mcp {"jsonrpc":"2.0"}' })
    await once(hub.listen(port, '127.0.0.1'), 'listening')
    await waitFor(async () => (await ask('/api/servers')).text.includes('"method":"GET"'), 20_000)
  })
})

const portOf = (server: http.Server): number => (server.address() as AddressInfo).port

/** On ports that follow each other, as publish numbers them. */
async function listenSideBySide(first: http.Server, second: http.Server): Promise<void> {
  for (;;) {
    await once(first.listen(0, '127.0.0.1'), 'listening')
    const taken = await once(second.listen(portOf(first) + 1, '127.0.0.1'), 'listening').then(
      () => false,
      () => true,
    )
    if (!taken) return
    await new Promise((resolve) => first.close(resolve))
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}
