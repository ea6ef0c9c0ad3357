import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { ConfigVersion, Fault, HubStatus } from '../../hub/contract/index.ts'
import { fixtureServer, startHub, VIEWER_TOKEN, type TestHub } from '../fixtures/hub.ts'
import { ask, login, person } from '../fixtures/people.ts'

const good = { auth: { bcryptRounds: 10 }, limits: { maxBatchMessages: 50 } }
const ORIGIN = 'https://console.example.com'
let hub: TestHub
let client: Client
let pid: number | null
const lines: { level: string; message: string; data: Record<string, unknown> }[] = []

beforeAll(async () => {
  hub = await startHub({ one: fixtureServer('echo.ts') }, good, {
    users: [person('ann', 'admin')],
    hub: { log: (level, message, data = {}) => void lines.push({ level, message, data }) },
  })
  pid = (await hub.until('one', 'running')).pid
  client = new Client({ name: 'live-settings', version: '1' })
  await client.connect(
    new StreamableHTTPClientTransport(new URL(`${hub.url}/mcp`), { requestInit: { headers: hub.headers } }),
  )
})
afterAll(async () => {
  await client.close()
  await hub.close()
})
beforeEach(() => {
  lines.length = 0
})

const write = (text: string): Promise<void> => writeFile(path.join(hub.configDir, 'system.json'), text)
const set = (more: object): Promise<void> => write(JSON.stringify({ ...good, ...more }))
const status = async (): Promise<HubStatus> => (await hub.api('GET', '/api/hub')).body as HubStatus
/** On a quiet machine it is a fifth of a second; the bench holds it to one (R6). */
const soon = { timeout: 5_000, interval: 20 }

async function goesOn(): Promise<void> {
  // The same session: a new one would have asked again who there is.
  expect((await client.callTool({ name: 'one__echo', arguments: { text: 'still here' } })).isError).not.toBe(true)
  expect((await hub.until('one', 'running')).pid).toBe(pid)
}

const options = (headers: Record<string, string>): Promise<Response> =>
  fetch(`${hub.url}/api/hub`, { headers: { ...hub.headers, ...headers } })

describe('a change of system.json', () => {
  it('lets the pages of another origin in, and out again, while everything else goes on', async () => {
    expect((await options({ origin: ORIGIN })).status).toBe(403)
    await set({ server: { cors: { origin: [ORIGIN], credentials: true } } })
    await vi.waitFor(async () => {
      const answer = await options({ origin: ORIGIN })
      expect(answer.status).toBe(200)
      expect(answer.headers.get('access-control-allow-origin')).toBe(ORIGIN)
      expect(answer.headers.get('access-control-allow-credentials')).toBe('true')
    }, soon)
    expect(lines).toContainEqual({
      level: 'info',
      message: 'Settings of system.json are in force',
      data: { settings: ['server.cors.origin', 'server.cors.credentials'] },
    })
    await goesOn()
    await set({})
    await vi.waitFor(async () => expect((await options({ origin: ORIGIN })).status).toBe(403), soon)
    expect((await status()).restartNeeded).toEqual([])
  })

  it('sets rate limits; who was counted by another one goes on being counted', async () => {
    const limit = async (): Promise<string | null> =>
      (await ask(hub, 'GET /api/hub', { token: VIEWER_TOKEN })).headers.get('ratelimit')
    expect(await limit()).toBe('"apiRead";r=1199;t=60')
    await set({ rateLimit: { apiWrite: { maxRequests: 7 } } })
    await vi.waitFor(
      () => expect(lines.map(({ data }) => data['settings'])).toContainEqual(['rateLimit.apiWrite']),
      soon,
    )
    expect(await limit()).toMatch(/^"apiRead";r=1198;/)
    await set({ rateLimit: { apiRead: { maxRequests: 1, windowMs: 60_000 } } })
    await vi.waitFor(async () => expect(await limit()).toMatch(/^"apiRead";r=0;/), soon)
    expect((await ask(hub, 'GET /api/hub', { token: VIEWER_TOKEN })).status).toBe(429)
    await set({})
    await vi.waitFor(async () => expect(await limit()).toMatch(/^"apiRead";r=11/), soon)
    await goesOn()
  })

  it('sets the lockout and the life of tokens, and ends no session', async () => {
    const before = await login(hub, 'ann')
    expect(before.body.expiresIn).toBe(15 * 60)
    await set({ auth: { ...good.auth, maxLoginAttempts: 1, jwtExpiresIn: '2m' } })
    await vi.waitFor(async () => expect((await login(hub, 'ann')).body.expiresIn).toBe(120), soon)
    expect((await ask(hub, 'GET /api/hub', { token: before.body.accessToken })).status).toBe(200)
    expect((await login(hub, 'bob', 'wrong once')).status).toBe(401)
    expect((await login(hub, 'bob', 'wrong twice')).status).toBe(429)
    await set({})
    await vi.waitFor(async () => expect((await login(hub, 'ann')).body.expiresIn).toBe(15 * 60), soon)
  })

  it('sets limits of requests', async () => {
    const body = { username: 'ann', password: 'x'.repeat(2_000) }
    expect((await ask(hub, 'POST /api/auth/login', { body })).status).not.toBe(413)
    await set({ limits: { maxRequestBytes: 1_000, maxBatchMessages: 50 } })
    await vi.waitFor(async () => expect((await ask(hub, 'POST /api/auth/login', { body })).status).toBe(413), soon)
    await set({})
    await vi.waitFor(async () => expect((await ask(hub, 'POST /api/auth/login', { body })).status).not.toBe(413), soon)
  })

  it('that a running hub cannot take over is named until it is started anew, or taken back', async () => {
    await set({ server: { host: '127.0.0.2', port: 1 }, auth: { ...good.auth, mcp: 'none' } })
    await vi.waitFor(async () => {
      expect((await status()).restartNeeded).toEqual(['server.port', 'server.host', 'auth.mcp'])
    }, soon)
    expect((await status()).mcpAuth).toBe('token')
    expect(lines).toContainEqual({
      level: 'warn',
      message: 'Settings of system.json take effect after a restart of the hub',
      data: { settings: ['server.port', 'server.host', 'auth.mcp'] },
    })
    expect((await fetch(`${hub.url}/mcp`, { method: 'POST' })).status).toBe(401)
    await set({})
    await vi.waitFor(async () => expect((await status()).restartNeeded).toEqual([]), soon)
    await goesOn()
  })

  it('with a fault changes nothing, and is told with file, line, column, key and cure', async () => {
    await write(
      '{\n  "server": { "cors": { "origin": ["https://console.example.com"] } },\n  "auth": { "maxLoginAttemps": 1 } }',
    )
    const fault: Fault = {
      file: path.join(hub.configDir, 'system.json'),
      path: 'auth.maxLoginAttemps',
      line: 3,
      column: 13,
      message: 'Unknown key maxLoginAttemps',
      cure: 'Did you mean maxLoginAttempts?',
    }
    await vi.waitFor(async () => expect((await status()).configFaults).toMatchObject([fault]), soon)
    expect(lines).toContainEqual({ level: 'error', message: 'Configuration fault', data: fault })
    // Also what is right in it.
    expect((await options({ origin: ORIGIN })).status).toBe(403)
    await set({ server: { cors: { origin: [ORIGIN] } } })
    await vi.waitFor(async () => expect((await options({ origin: ORIGIN })).status).toBe(200), soon)
    expect((await status()).configFaults).toEqual([])
  })

  it('is undone by going back to the version before', async () => {
    const { versions } = (await hub.api('GET', '/api/config/versions')).body as { versions: ConfigVersion[] }
    const first = versions.at(-1)!
    await hub.api('POST', `/api/config/versions/${first.id}/restore`, {})
    expect((await options({ origin: ORIGIN })).status).toBe(403)
    await goesOn()
  })
})
