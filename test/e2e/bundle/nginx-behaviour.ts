import { readdir } from 'node:fs/promises'
import http from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import net from 'node:net'
import path from 'node:path'
import tls from 'node:tls'
import { expect, type TestType } from '@playwright/test'
import { DOMAIN, type Deployment } from './deployment.ts'

/** What was measured, for a table. */
export type Note = (what: string, measured: string) => void

/** With nothing in between: what a server sent, to the last header, and when. */
interface Answer {
  status: number
  headers: [string, string][]
  /** The body's pieces, each with the milliseconds since the request. */
  pieces: { at: number; text: string }[]
}

interface Request {
  method?: string
  headers?: Record<string, string>
  body?: string
  /** In the `Host` header; the name in the handshake stays that of the site. */
  host?: string
}

/** nginx ends a request after 60 s unless it is told otherwise. */
const SILENT_SECONDS = 70

/** What every answer of the site must carry, once. */
const ONCE = [
  'strict-transport-security',
  'x-content-type-options',
  'x-frame-options',
  'referrer-policy',
  'cache-control',
]

/**
 * The site as a client meets it, and nothing that disturbs the hub. In full it also waits for a call that is silent for longer than
 * nginx would by itself, and uses up the sign-ins of a minute.
 */
export function describeNginx<Fixtures extends { deployment: Deployment }>(
  test: TestType<object, Fixtures>,
  { full, note }: { full: boolean; note: Note },
): void {
  test('nginx speaks HTTP/2, TLS 1.2 and 1.3, and nothing older', async ({ deployment }) => {
    expect((await handshake(deployment, { ALPNProtocols: ['h2', 'http/1.1'] })).alpn).toBe('h2')
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
      expect((await handshake(deployment, { minVersion: version, maxVersion: version })).protocol).toBe(version)
    for (const version of ['TLSv1', 'TLSv1.1'] as const)
      // Where this client may still offer it, so that it is the server that refuses.
      await expect(
        handshake(deployment, { minVersion: version, maxVersion: version, ciphers: 'DEFAULT:@SECLEVEL=0' }),
      ).rejects.toThrow(/alert protocol version/i)
    note('HTTP/2; TLS 1.0, 1.1 / 1.2 / 1.3', 'yes; refused / ok / ok')
  })

  test('nginx answers for no other name', async ({ deployment }) => {
    await expect(handshake(deployment, { servername: 'other.test' })).rejects.toThrow(/unrecognized name/i)
    await expect(handshake(deployment, { servername: '' })).rejects.toThrow(/unrecognized name/i)
    await expect(ask(deployment, '/health', { host: 'other.test' })).rejects.toThrow(/socket hang up|ECONNRESET/)
    expect(await plainHttp(deployment, 'other.test')).toBe('')
    expect(await plainHttp(deployment, DOMAIN)).toMatch(
      /^HTTP\/1\.1 308 [^]*\nlocation: https:\/\/hub\.test:\d+\/x\?y/i,
    )
    note('another name in the handshake / none / in Host / over http', 'TLS alert / TLS alert / closed / closed')
  })

  test('nginx sends each header with every answer, and once', async ({ deployment }) => {
    const assets = await readdir(path.join(deployment.root, 'current/web/assets'))
    const script = assets.find((name) => name.endsWith('.js')) ?? ''
    const expected: [string, number, RegExp][] = [
      ['/', 200, /^no-cache$/],
      ['/servers', 200, /^no-cache$/],
      [`/assets/${script}`, 200, /immutable/],
      ['/health', 200, /^no-store$/],
      ['/api/servers', 401, /^no-store$/],
      ['/mcp', 401, /^no-store$/],
      ['/api/nothing', 401, /^no-store$/],
    ]
    for (const [url, status, cache] of expected) {
      const answer = await ask(deployment, url)
      expect(answer.status, url).toBe(status)
      for (const name of ONCE) expect(valuesOf(answer, name), `${name} of ${url}`).toHaveLength(1)
      expect(valuesOf(answer, 'cache-control')[0], url).toMatch(cache)
      if (!url.startsWith('/api/') && url !== '/mcp' && url !== '/health') {
        const [policy = ''] = valuesOf(answer, 'content-security-policy')
        expect(policy, url).toContain("frame-ancestors 'none'")
        expect(policy, url).not.toContain('unsafe-inline')
      }
      expect(valuesOf(answer, 'server').join(), url).not.toMatch(/\d/)
    }
    for (const url of ['/assets/none.js', '/.git/config', '/.env']) {
      const answer = await ask(deployment, url)
      expect(answer.status, url).toBe(404)
      for (const name of ONCE.slice(0, 4)) expect(valuesOf(answer, name), `${name} of ${url}`).toHaveLength(1)
    }
    note('headers on pages, assets, API, MCP, errors', `${ONCE.join(', ')}: each once`)
  })

  test('nginx passes on large requests up to its limit', async ({ deployment }) => {
    const send = async (bytes: number): Promise<number> => {
      const headers = { ...authorized(deployment), 'content-type': 'application/json' }
      const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping', params: { padding: 'x'.repeat(bytes) } })
      return (await ask(deployment, '/mcp', { method: 'POST', headers, body })).status
    }
    expect(await send(2_000_000)).not.toBe(413)
    expect(await send(11_000_000)).toBe(413)
    note('body of 2 MB / 11 MB', 'taken / 413')
  })

  test('nginx holds back nothing of a stream, over HTTP/1.1 and HTTP/2', async ({ deployment }) => {
    const progress = { duration: 2, steps: 10 }
    const [direct = [], first = [], second = []] = await Promise.all(
      [
        callTool(deployment, progress, { direct: true }),
        callTool(deployment, progress),
        callTool(deployment, progress, { over: 'h2' }),
      ].map(async (answer) => lags(await answer, 200)),
    )
    note(
      'ten notices, 200 ms apart, latest: hub itself / HTTP/1.1 / HTTP/2',
      [direct, first, second].map((lag) => `${Math.max(...lag)} ms`).join(' / '),
    )
    // Held back until the end, the first would be 1.8 s late. A busy machine may take its time.
    for (const lag of [first, second]) expect(Math.max(...lag)).toBeLessThan(1_000)
  })

  test('nginx never gives one user what it gave another', async ({ deployment }) => {
    const admin = authorized(deployment)
    const password = 'correct horse battery staple of a viewer'
    await ask(deployment, '/api/users', {
      method: 'POST',
      headers: { ...admin, 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'vera', role: 'viewer', password }),
    })
    const vera = await logIn(deployment, 'vera', password)
    expect(vera.status, textOf(vera)).toBe(200)
    const { accessToken } = JSON.parse(textOf(vera)) as { accessToken: string }
    const callers = [admin, { authorization: `Bearer ${accessToken}` }, {}]
    const names = await Promise.all(
      Array.from({ length: 90 }, async (_, at) => {
        const answer = await ask(deployment, '/api/auth/me', { headers: callers[at % 3] ?? {} })
        return (JSON.parse(textOf(answer)) as { user: { name: string } | null }).user?.name ?? null
      }),
    )
    const own = (which: number): Set<string | null> => new Set(names.filter((_, at) => at % 3 === which))
    expect(own(0).size).toBe(1)
    expect(own(0)).not.toContain('vera')
    expect([...own(1)]).toEqual(['vera'])
    expect([...own(2)]).toEqual([null])
    note('two users and a stranger, the same URL 90 times', 'each their own answer')
  })

  if (full) describeAtLength(test, note)
}

function describeAtLength<Fixtures extends { deployment: Deployment }>(
  test: TestType<object, Fixtures>,
  note: Note,
): void {
  test(`nginx lets a call be silent for ${SILENT_SECONDS} s`, async ({ deployment }) => {
    test.setTimeout((SILENT_SECONDS + 60) * 1_000)
    const { pieces, status } = await callTool(deployment, { duration: SILENT_SECONDS, steps: 1 }, { silent: true })
    expect(status).toBe(200)
    expect(pieces.map(({ text }) => text).join('')).toContain('operation completed')
    const seconds = (pieces.at(-1)?.at ?? 0) / 1_000
    expect(seconds).toBeGreaterThanOrEqual(SILENT_SECONDS)
    note(`a call that is silent for ${SILENT_SECONDS} s`, `answered after ${seconds.toFixed(2)} s`)
  })

  test('nginx slows down whoever guesses passwords', async ({ deployment }) => {
    // Names that differ, so that it is not the hub that locks one.
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, at) => logIn(deployment, `nobody-${at}`, 'wrong password of nobody')),
    )
    const refused = answers.filter(({ status }) => status === 429).length
    expect(answers.every(({ status }) => status === 401 || status === 429)).toBe(true)
    // Ten at once and one in six seconds; those of the tests before are counted.
    expect(refused).toBeGreaterThanOrEqual(9)
    expect(refused).toBeLessThan(20)
    note('20 sign-ins at once', `${20 - refused} passed on, ${refused} × 429`)
  })
}

const authorized = ({ environment }: Deployment): Record<string, string> => ({
  authorization: `Bearer ${environment['MCP_HUB_TOKEN'] ?? ''}`,
})
const valuesOf = ({ headers }: Answer, wanted: string): string[] =>
  headers.flatMap(([name, value]) => (name.toLowerCase() === wanted ? [value] : []))
export const textOf = ({ pieces }: Answer): string => pieces.map(({ text }) => text).join('')

function logIn(deployment: Deployment, username: string, password: string): Promise<Answer> {
  const headers = { 'content-type': 'application/json' }
  return ask(deployment, '/api/auth/login', { method: 'POST', headers, body: JSON.stringify({ username, password }) })
}

/** Calls the tool that takes its time. With `silent` it says nothing on the way. */
function callTool(
  deployment: Deployment,
  args: { duration: number; steps: number },
  { direct = false, silent = false, over = 'h1' }: { direct?: boolean; silent?: boolean; over?: 'h1' | 'h2' } = {},
): Promise<Answer> {
  const version = '2026-07-28'
  const body = JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: {
      name: 'everything__trigger-long-running-operation',
      arguments: args,
      _meta: {
        ...(silent ? {} : { progressToken: 'p' }),
        'io.modelcontextprotocol/protocolVersion': version,
        'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
        'io.modelcontextprotocol/clientCapabilities': {},
      },
    },
  })
  const headers = {
    ...authorized(deployment),
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': version,
    'mcp-method': 'tools/call',
    'mcp-name': 'everything__trigger-long-running-operation',
  }
  const request = { method: 'POST', headers, body }
  if (direct) return askPlain(deployment.hubUrl, request)
  return over === 'h2' ? askHttp2(deployment, '/mcp', request) : ask(deployment, '/mcp', request)
}

/** How late each notice came, in whole milliseconds. */
function lags({ pieces }: Answer, everyMs: number): number[] {
  const notices = pieces.flatMap(({ at, text }) =>
    Array.from(text.matchAll(/"progress":(\d+)/g), ([, step]) => Math.round(at - Number(step) * everyMs)),
  )
  expect(notices.length).toBeGreaterThanOrEqual(9)
  return notices
}

function ask({ origin, ca }: Deployment, url: string, request: Request = {}): Promise<Answer> {
  const options = { host: '127.0.0.1', port: new URL(origin).port, servername: DOMAIN, ca, agent: false }
  return collect((done) => https.request({ ...options, path: url, ...http1(request) }, done), request.body)
}

function askPlain(url: string, request: Request): Promise<Answer> {
  const { hostname, port, pathname } = new URL(url)
  const { method, headers } = request
  return collect((done) => http.request({ host: hostname, port, path: pathname, method, headers }, done), request.body)
}

function http1({ method = 'GET', headers = {}, host }: Request): { method: string; headers: Record<string, string> } {
  return { method, headers: { host: host ?? DOMAIN, ...headers } }
}

function collect(
  open: (done: (response: http.IncomingMessage) => void) => http.ClientRequest,
  body = '',
): Promise<Answer> {
  const begun = performance.now()
  return new Promise((resolve, reject) => {
    const sent = open((response) => {
      const pieces: Answer['pieces'] = []
      const raw = response.rawHeaders
      const headers = raw.flatMap((name, at): [string, string][] => (at % 2 === 0 ? [[name, raw[at + 1] ?? '']] : []))
      response.setEncoding('utf8')
      response.on('data', (text: string) => pieces.push({ at: performance.now() - begun, text }))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers, pieces }))
      response.on('error', reject)
    })
    // Who is refused before all was sent has the answer nonetheless.
    let answered = false
    sent.on('response', () => (answered = true))
    sent.on('error', (error) => {
      if (!answered) reject(error)
    })
    sent.end(body)
  })
}

async function askHttp2({ origin, ca }: Deployment, url: string, { method, headers, body }: Request): Promise<Answer> {
  const session = http2.connect(origin, {
    createConnection: () =>
      tls.connect({
        host: '127.0.0.1',
        port: Number(new URL(origin).port),
        servername: DOMAIN,
        ca,
        ALPNProtocols: ['h2'],
      }),
  })
  try {
    const begun = performance.now()
    return await new Promise<Answer>((resolve, reject) => {
      session.on('error', reject)
      const stream = session.request({ ':method': method, ':path': url, ...headers })
      const pieces: Answer['pieces'] = []
      let status = 0
      stream.setEncoding('utf8')
      stream.on('response', (answer) => (status = answer[':status'] ?? 0))
      stream.on('data', (text: string) => pieces.push({ at: performance.now() - begun, text }))
      stream.on('end', () => resolve({ status, headers: [], pieces }))
      stream.on('error', reject)
      stream.end(body)
    })
  } finally {
    session.close()
  }
}

function handshake(
  { origin, ca }: Deployment,
  options: tls.ConnectionOptions,
): Promise<{ protocol: string | null; alpn: string | false | null }> {
  return new Promise((resolve, reject) => {
    const port = Number(new URL(origin).port)
    const socket = tls.connect({ host: '127.0.0.1', port, servername: DOMAIN, ca, ...options }, () => {
      resolve({ protocol: socket.getProtocol(), alpn: socket.alpnProtocol })
      socket.destroy()
    })
    socket.once('error', reject)
  })
}

/** All that comes before nginx closes the connection. */
function plainHttp({ httpPort }: Deployment, host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(httpPort, '127.0.0.1')
    let all = ''
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => (all += text))
    socket.on('end', () => resolve(all))
    socket.on('error', reject)
    socket.write(`POST /x?y HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`)
  })
}
