import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fixtureServer, startHub, TOKEN, type TestHub } from '../fixtures/hub.ts'
import { ask, person } from '../fixtures/people.ts'

const CONSOLE = 'https://console.example.com'

describe('pages of other origins', () => {
  let hub: TestHub
  beforeAll(async () => {
    hub = await startHub({}, { server: { cors: { origin: [CONSOLE], credentials: true } } }, { users: [person('ann')] })
  })
  afterAll(() => hub.close())

  const preflight = (path: string, origin: string, headers: Record<string, string> = {}) =>
    ask<object>(hub, `OPTIONS ${path}`, { headers: { origin, 'access-control-request-method': 'POST', ...headers } })

  it('that are listed may ask, with the headers of MCP and no others', async () => {
    const { status, headers } = await preflight('/mcp', CONSOLE, {
      'access-control-request-headers':
        'authorization,content-type,mcp-protocol-version,mcp-param-city,x-forwarded-for',
    })
    expect(status).toBe(204)
    expect(headers.get('access-control-allow-origin')).toBe(CONSOLE)
    expect(headers.get('access-control-allow-credentials')).toBe('true')
    expect(headers.get('access-control-allow-methods')).toBe('GET, POST, DELETE')
    expect(headers.get('access-control-allow-headers')).toBe(
      'authorization, content-type, mcp-protocol-version, mcp-param-city',
    )
    expect(Number(headers.get('access-control-max-age'))).toBeGreaterThan(0)
    expect(headers.get('vary')).toBe('Origin')
    const api = await preflight('/api/servers', CONSOLE, { 'access-control-request-method': 'DELETE' })
    expect(api.headers.get('access-control-allow-methods')).toContain('DELETE')
  })

  it('that are listed may read answers and refusals', async () => {
    for (const token of [TOKEN, undefined]) {
      const { status, headers } = await ask(hub, 'GET /api/servers', { token, headers: { origin: CONSOLE } })
      expect([status, headers.get('access-control-allow-origin')]).toEqual([token === undefined ? 401 : 200, CONSOLE])
      expect(headers.get('access-control-expose-headers')).toContain('Mcp-Session-Id')
    }
  })

  it.each(['https://evil.example', 'https://console.example.com.evil.example', 'http://console.example.com', 'null'])(
    'that are not listed may neither ask nor act: %s',
    async (origin) => {
      for (const path of ['/mcp', '/mcp/one', '/sse', '/messages', '/api/servers', '/api/auth/login', '/']) {
        const refused = await preflight(path, origin)
        expect([path, refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([path, 403, null])
        const posted = await ask(hub, `POST ${path}`, { token: TOKEN, body: {}, headers: { origin } })
        expect([path, posted.status]).toEqual([path, 403])
      }
    },
  )

  it('a hub without a list allows no other origin', async () => {
    const closed = await startHub({})
    const answer = await ask(closed, 'OPTIONS /mcp', {
      headers: { origin: CONSOLE, 'access-control-request-method': 'POST' },
    })
    expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([403, null])
    const own = await ask(closed, 'GET /api/auth/me', { headers: { origin: closed.url } })
    expect([own.status, own.headers.get('access-control-allow-origin')]).toEqual([200, null])
    await closed.close()
  })
})

it('cors.origin takes exact origins only', async () => {
  for (const origin of ['*', 'console.example.com', 'https://*.example.com', 'https://console.example.com/']) {
    const hub = await startHub({}, { server: { cors: { origin: [origin] } } })
    expect(hub.hub.faults.map(({ path }) => path)).toEqual(['server.cors.origin[0]'])
    await hub.close()
  }
})

describe('slow clients and too many of them', () => {
  const opened: Socket[] = []
  afterAll(() => opened.forEach((socket) => socket.destroy()))

  /** Opens a connection and sends something; resolves with what came back when it was ended by the hub. */
  function dribble(hub: TestHub, text: string, localAddress = '127.0.0.1'): Promise<string> {
    return new Promise((resolve) => {
      const port = Number(new URL(hub.url).port)
      const socket = connect({ port, host: '127.0.0.1', localAddress }, () => socket.write(text))
      opened.push(socket)
      let answer = ''
      socket.on('data', (chunk) => (answer += String(chunk)))
      socket.on('error', () => undefined)
      socket.on('close', () => resolve(answer))
    })
  }

  it('slowloris: connections that never finish their headers or their body end, and others are served meanwhile', async () => {
    const hub = await startHub(
      { one: fixtureServer('echo.ts') },
      { limits: { headersTimeoutMs: 400, requestTimeoutMs: 800 } },
    )
    const half = `POST /mcp HTTP/1.1\r\nhost: 127.0.0.1:${new URL(hub.url).port}\r\n`
    const withBody = `${half}authorization: Bearer ${TOKEN}\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{`
    const slow = [
      ...Array.from({ length: 100 }, () => dribble(hub, half)),
      ...Array.from({ length: 20 }, () => dribble(hub, withBody)),
    ]
    expect((await ask(hub, 'GET /api/servers', { token: TOKEN })).status).toBe(200)
    const answers = await Promise.all(slow)
    expect(answers.every((answer) => answer.startsWith('HTTP/1.1 408'))).toBe(true)
    await hub.close()
  })

  it('limits.maxConnections: whoever comes beyond is hung up on, and gets in when there is room', async () => {
    const hub = await startHub({}, { limits: { maxConnections: 3 } })
    const port = Number(new URL(hub.url).port)
    const held = await Promise.all(
      [1, 2, 3].map(
        () =>
          new Promise<Socket>((resolve) => {
            const socket = connect(port, '127.0.0.1', () => resolve(socket))
            opened.push(socket)
          }),
      ),
    )
    expect(await dribble(hub, 'GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n')).toBe('')
    held[0]?.destroy()
    await expect
      .poll(() => dribble(hub, 'GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n'))
      .toContain('200 OK')
    await hub.close()
  })

  const health = 'GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n'
  const hold = (hub: TestHub): Promise<Socket> =>
    new Promise((resolve) => {
      const socket = connect(Number(new URL(hub.url).port), '127.0.0.1', () => resolve(socket))
      opened.push(socket)
    })

  it('limits.maxConnectionsPerAddress: whoever comes beyond is told so, others are served, and there is room again when one leaves', async () => {
    const hub = await startHub({}, { limits: { maxConnectionsPerAddress: 2 } })
    const held = await Promise.all([hold(hub), hold(hub)])
    for (const request of [
      health,
      `POST /mcp HTTP/1.1\r\nhost: x\r\ncontent-length: 9000\r\n\r\n${'x'.repeat(9_000)}`,
    ]) {
      const [head = '', body = ''] = (await dribble(hub, request)).split('\r\n\r\n')
      expect(head).toMatch(/^HTTP\/1\.1 429 Too Many Requests\r\n(?:.*\r\n)*retry-after: 1/)
      expect(JSON.parse(body)).toMatchObject({ id: null, error: { code: -31003 } })
      expect(body).toContain('More than 2 connections from this address are open (limits.maxConnectionsPerAddress)')
    }
    // All of 127.0.0.0/8 is this computer; to the hub it is another address.
    expect(await dribble(hub, health, '127.0.0.2')).toContain('200 OK')
    held[0].destroy()
    await expect.poll(() => dribble(hub, health)).toContain('200 OK')
    await hub.close()
  })

  it('limits.maxConnectionsPerAddress does not hold for a proxy of ours', async () => {
    const hub = await startHub({}, { limits: { maxConnectionsPerAddress: 1 }, server: { trustProxy: ['loopback'] } })
    await Promise.all([hold(hub), hold(hub), hold(hub)])
    expect(await dribble(hub, health)).toContain('200 OK')
    await hub.close()
  })
})

describe('batches (GHSA-f897-62hf-6gxq)', () => {
  it('of more than 100 messages are refused with 400, and of 100 are answered', async () => {
    const hub = await startHub({})
    const post = (body: unknown, session?: string) =>
      ask<unknown>(hub, 'POST /mcp', {
        token: TOKEN,
        body,
        headers: { accept: 'application/json', ...(session === undefined ? {} : { 'mcp-session-id': session }) },
      })
    const opening = await post({
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: { protocolVersion: '2025-03-26', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
    })
    const session = opening.headers.get('mcp-session-id') ?? ''
    const batch = (length: number) => Array.from({ length }, (_, id) => ({ jsonrpc: '2.0', id, method: 'ping' }))
    const refused = await post(batch(101), session)
    expect(refused.status).toBe(400)
    expect(JSON.stringify(refused.body)).toContain('limits.maxBatchMessages')
    expect((await post(batch(100), session)).status).toBe(200)
    await hub.close()
  })
})
