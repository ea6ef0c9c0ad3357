import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import net, { type AddressInfo } from 'node:net'
import path from 'node:path'
import { mkdir, symlink } from 'node:fs/promises'
import tls from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { targetSchema } from '../../hub/contract/publish.ts'
import { createPublisher } from '../../hub/publish/index.ts'
import { findTool } from '../../hub/publish/run-tool.ts'
import { temporaryFolder, writeBuiltProgram } from '../fixtures/built-program.ts'

/** The generated configuration in a real nginx, before two servers that answer as hubs would. */
const nginx = await findTool('nginx')
const openssl = await findTool('openssl')
const DOMAIN = 'hub.example.com'

describe.skipIf(nginx === null || openssl === null)('nginx with the generated configuration', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  let process_: ChildProcess
  let hubs: http.Server[]
  let httpPort: number
  let httpsPort: number
  let ca: Buffer

  beforeAll(async () => {
    folder = await temporaryFolder()
    // nginx's workers are another user when it is started by root.
    chmodSync(folder.path, 0o755)
    await writeBuiltProgram(path.join(folder.path, 'dist'))
    hubs = await startHubs()
    ;[httpPort, httpsPort] = await freePorts()
    const installDir = path.join(folder.path, 'install')
    const publisher = createPublisher({
      loadServers: () => ({ mcpServers: {} }),
      loadSystem: () => ({}),
      distDir: path.join(folder.path, 'dist'),
      version: '1.0.0',
    })
    const basePort = (hubs[0]?.address() as AddressInfo).port
    const target = targetSchema.parse({
      domain: DOMAIN,
      installDir,
      listenAddress: '127.0.0.1',
      httpPort,
      httpsPort,
      basePort,
      instances: 2,
      services: ['database'],
    })
    await publisher.exportTo(target, path.join(installDir, 'releases/one'), false)
    await symlink('releases/one', path.join(installDir, 'current'))
    await mkdir(path.join(installDir, 'tls'))
    const certificate = path.join(installDir, 'tls/fullchain.pem')
    execFileSync(
      openssl ?? '',
      [
        ...[
          'req',
          '-x509',
          '-newkey',
          'ec',
          '-pkeyopt',
          'ec_paramgen_curve:P-256',
          '-nodes',
          '-days',
          '1',
          '-subj',
          `/CN=${DOMAIN}`,
        ],
        ...[
          '-addext',
          `subjectAltName=DNS:${DOMAIN}`,
          '-keyout',
          path.join(installDir, 'tls/privkey.pem'),
          '-out',
          certificate,
        ],
      ],
      { stdio: 'ignore' },
    )
    ca = readFileSync(certificate)
    await mkdir(path.join(folder.path, 'run'))
    process_ = spawn(
      nginx ?? '',
      [
        '-p',
        path.join(folder.path, 'run/'),
        '-c',
        path.join(installDir, 'current/nginx/nginx.conf'),
        '-e',
        'error.log',
        '-g',
        'daemon off;',
      ],
      { stdio: 'inherit' },
    )
    await until(() => connects(httpsPort))
  })

  afterAll(async () => {
    if (process_.exitCode === null) {
      process_.kill('SIGTERM')
      await new Promise((resolve) => process_.once('exit', resolve))
    }
    for (const hub of hubs) hub.close().closeAllConnections()
    await folder.dispose()
  })

  function request(
    url: string,
    options: https.RequestOptions = {},
    body = '',
  ): Promise<{ status: number; headers: http.IncomingHttpHeaders; raw: string[]; text: string }> {
    return new Promise((resolve, reject) => {
      const ask = https.request(
        {
          host: '127.0.0.1',
          port: httpsPort,
          path: url,
          servername: DOMAIN,
          ca,
          ...options,
          headers: { host: `${DOMAIN}:${httpsPort}`, ...(options.headers as object) },
        },
        (answer) => {
          let text = ''
          answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
          answer.on('end', () =>
            resolve({ status: answer.statusCode ?? 0, headers: answer.headers, raw: answer.rawHeaders, text }),
          )
        },
      )
      ask.on('error', reject).end(body)
    })
  }

  it('sends what a stream says at once, over both POST and GET', async () => {
    for (const [method, url] of [
      ['POST', '/mcp'],
      ['POST', '/mcp/github'],
      ['GET', '/api/events'],
      ['GET', '/sse'],
    ] as const) {
      const lag = await new Promise<number>((resolve, reject) => {
        https
          .request(
            {
              host: '127.0.0.1',
              port: httpsPort,
              path: `${url}?stream`,
              method,
              servername: DOMAIN,
              ca,
              headers: { host: DOMAIN },
            },
            (answer) => {
              answer.once('data', (chunk: Buffer) => {
                resolve(Date.now() - Number(/at (\d+)/.exec(chunk.toString())?.[1]))
                answer.destroy()
              })
            },
          )
          .on('error', reject)
          .end('{}')
      })
      expect(lag, url).toBeLessThan(100)
    }
  })

  it('closes the stream at the hub when the client closes it, which cancels the call', async () => {
    const before = closedStreams
    await new Promise<void>((resolve, reject) => {
      const ask = https.request(
        {
          host: '127.0.0.1',
          port: httpsPort,
          path: '/mcp?stream',
          method: 'POST',
          servername: DOMAIN,
          ca,
          headers: { host: DOMAIN },
        },
        (answer) => {
          answer.once('data', () => {
            ask.destroy()
            resolve()
          })
        },
      )
      ask.on('error', reject).end('{}')
    })
    await until(() => closedStreams > before)
  })

  it('keeps POST a POST, with and without a slash at the end', async () => {
    for (const url of [
      '/mcp',
      '/mcp/',
      '/mcp/some-server',
      '/api',
      '/api/servers',
      '/api/servers/x',
      '/api/tools/call',
      '/health',
      '/sse',
      '/.well-known/x',
    ]) {
      const { status, text } = await request(url, { method: 'POST' }, '{}')
      expect([status, JSON.parse(text)]).toMatchObject([200, { method: 'POST', url }])
    }
    expect((await request('/mcpx')).headers['content-type']).toContain('text/html')
  })

  it('replaces what the client claims about itself', async () => {
    const { text } = await request('/api/me', {
      headers: {
        'x-forwarded-for': '6.6.6.6',
        'x-forwarded-host': 'evil.com',
        'x-forwarded-proto': 'http',
        'x-real-ip': '6.6.6.6',
      },
    })
    expect(JSON.parse(text)).toMatchObject({
      headers: {
        host: `${DOMAIN}:${httpsPort}`,
        'x-forwarded-for': '127.0.0.1',
        'x-real-ip': '127.0.0.1',
        'x-forwarded-proto': 'https',
        'x-forwarded-host': `${DOMAIN}:${httpsPort}`,
      },
    })
    expect((JSON.parse(text) as { headers: Record<string, string> }).headers['connection']).not.toBe('upgrade')
  })

  it('answers the second user with the second user’s data', async () => {
    const alice = await request('/api/me', { headers: { authorization: 'Bearer alice' } })
    const mallory = await request('/api/me', { headers: { authorization: 'Bearer mallory' } })
    expect(alice.text).toContain('alice')
    expect(mallory.text).toContain('mallory')
    expect(mallory.text).not.toContain('alice')
  })

  it('keeps all requests of a client at one hub, and uses both', async () => {
    const hubOf = async (token: string): Promise<string> =>
      (
        JSON.parse(
          (await request('/mcp', { method: 'POST', headers: { authorization: `Bearer ${token}` } }, '{}')).text,
        ) as { hub: string }
      ).hub
    const used = new Set<string>()
    for (let client = 0; client < 20; client++) {
      const answers = await Promise.all([1, 2, 3].map(() => hubOf(`client-${client}`)))
      expect(new Set(answers).size).toBe(1)
      used.add(answers[0] ?? '')
    }
    expect(used.size).toBe(2)
  })

  it('gives the page a nonce that is new each time and the same in header and text', async () => {
    const pages = await Promise.all([request('/'), request('/servers/github'), request('/index.html')])
    const nonces = pages.map(({ headers, text }) => {
      const nonce = /nonce="([0-9a-f]{32})"/.exec(text)?.[1] ?? ''
      expect(headers['content-security-policy']).toContain(`style-src 'self' 'nonce-${nonce}'`)
      expect(headers['cache-control']).toBe('no-cache')
      return nonce
    })
    expect(new Set(nonces).size).toBe(3)
  })

  it('sends every protecting header once, with files, with answers of the hub, and with its own errors', async () => {
    for (const url of ['/', '/assets/app-1a2b.js', '/assets/missing.js', '/api/me', '/.git/config']) {
      const { raw } = await request(url)
      const names = raw.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase())
      for (const name of [
        'strict-transport-security',
        'x-content-type-options',
        'x-frame-options',
        'referrer-policy',
        'content-security-policy',
      ])
        expect(names.filter((other) => other === name).length, `${name} of ${url}`).toBe(1)
    }
  })

  it('lets only files with a hash in their name be kept', async () => {
    expect((await request('/assets/app-1a2b.js')).headers['cache-control']).toBe('public, max-age=31536000, immutable')
    const missing = await request('/assets/missing.js')
    expect([missing.status, missing.headers['cache-control']]).toEqual([404, undefined])
    expect((await request('/api/me')).raw.filter((name) => name.toLowerCase() === 'cache-control').length).toBe(1)
    expect((await request('/.env')).status).toBe(404)
  })

  it('answers nobody who asks for another name', async () => {
    await expect(request('/', { servername: 'other.example.com' })).rejects.toThrow(/handshake|unrecognized|alert/i)
    await expect(request('/', { headers: { host: 'evil.com' } })).rejects.toThrow()
    await expect(plain('/', 'evil.com')).rejects.toThrow()
  })

  it('sends http to https without losing the method, but answers the certificate authority', async () => {
    expect(await plain('/mcp?x=1', DOMAIN)).toMatchObject({
      status: 308,
      location: `https://${DOMAIN}:${httpsPort}/mcp?x=1`,
    })
    const challenge = path.join(folder.path, 'install/acme/.well-known/acme-challenge')
    await mkdir(challenge, { recursive: true })
    writeFileSync(path.join(challenge, 'token'), 'proof')
    expect(await plain('/.well-known/acme-challenge/token', DOMAIN)).toMatchObject({ status: 200, text: 'proof' })
  })

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('speaks %s', async (version) => {
    expect(await handshake(version)).toBe(version)
  })

  it('refuses older TLS', async () => {
    await expect(handshake('TLSv1.1')).rejects.toThrow()
  })

  it('slows down a guesser of passwords', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => request('/api/auth/login', { method: 'POST' }, '{}')),
    )
    const statuses = answers.map(({ status }) => status)
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThanOrEqual(8)
    expect(statuses).toContain(200)
  })

  it('takes a request of 10 MB and refuses a larger one', async () => {
    expect((await request('/mcp', { method: 'POST' }, 'x'.repeat(10_485_760))).status).toBe(200)
    expect((await request('/api/servers', { method: 'POST' }, 'x'.repeat(10_485_761))).status).toBe(413)
  })

  it('writes neither token nor query into its log', async () => {
    await request('/api/me?token=in-the-query', { headers: { authorization: 'Bearer in-the-header' } })
    const log = path.join(folder.path, 'run/access.log')
    await until(() => existsSync(log) && readFileSync(log, 'utf8').includes('/api/me'))
    const lines = readFileSync(log, 'utf8')
    expect(lines).not.toContain('in-the-query')
    expect(lines).not.toContain('in-the-header')
    for (const line of lines.trim().split('\n')) JSON.parse(line)
  })

  function plain(url: string, host: string): Promise<{ status: number; location: string | undefined; text: string }> {
    return new Promise((resolve, reject) => {
      http
        .get({ host: '127.0.0.1', port: httpPort, path: url, headers: { host } }, (answer) => {
          let text = ''
          answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
          answer.on('end', () => resolve({ status: answer.statusCode ?? 0, location: answer.headers.location, text }))
        })
        .on('error', reject)
    })
  }

  function handshake(version: tls.SecureVersion): Promise<string | null> {
    return new Promise((resolve, reject) => {
      const socket = tls.connect(
        {
          host: '127.0.0.1',
          port: httpsPort,
          servername: DOMAIN,
          ca,
          minVersion: version,
          maxVersion: version,
          ciphers: 'DEFAULT@SECLEVEL=0',
        },
        () => {
          resolve(socket.getProtocol())
          socket.destroy()
        },
      )
      socket.on('error', reject)
    })
  }
})

let closedStreams = 0

/** Two servers on neighbouring ports that tell what arrived, or stream the time every 50 ms. */
async function startHubs(): Promise<http.Server[]> {
  const create = (name: string): http.Server =>
    http.createServer((request, response) => {
      if (request.url?.includes('stream') === true) {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        const timer = setInterval(() => response.write(`data: at ${Date.now()}\n\n`), 50)
        response.on('close', () => {
          clearInterval(timer)
          closedStreams++
        })
        return
      }
      request.resume().on('end', () => {
        response.writeHead(200, {
          'content-type': 'application/json',
          'cache-control': 'no-store',
          'content-security-policy': `default-src 'none'`,
          'x-content-type-options': 'nosniff',
          'strict-transport-security': 'max-age=1',
        })
        response.end(JSON.stringify({ hub: name, method: request.method, url: request.url, headers: request.headers }))
      })
    })
  for (;;) {
    const first = await listen(create('one'), 0)
    const second = await listen(create('two'), (first.address() as AddressInfo).port + 1).catch(() => null)
    if (second !== null) return [first, second]
    first.close()
  }
}

function listen(server: http.Server, port: number): Promise<http.Server> {
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', () => resolve(server))
  })
}

async function freePorts(): Promise<[number, number]> {
  const servers = await Promise.all([listen(http.createServer(), 0), listen(http.createServer(), 0)])
  const [a = 0, b = 0] = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return [a, b]
}

function connects(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

async function until(condition: () => boolean | Promise<boolean>, deadlineMs = 10_000): Promise<void> {
  const end = Date.now() + deadlineMs
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('The condition was not met in time')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
