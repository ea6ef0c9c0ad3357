import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createOpenAnswers } from '../../hub/auth/open-answers.ts'
import type { Caller } from '../../hub/auth/caller.ts'
import { fixtureServer, startHub, TOKEN, type TestHub } from '../fixtures/hub.ts'
import { addKey, ask, person, tokenOf } from '../fixtures/people.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await startHub(
    { one: fixtureServer('echo.ts') },
    { auth: { bcryptRounds: 10 } },
    {
      users: ['out', 'ended', 'signed-out', 'disabled', 'narrowed', 'owner', 'bystander'].map((name) => person(name)),
    },
  )
  await hub.until('one', 'running')
})
afterAll(() => hub.close())

interface Stream {
  /** Resolves when the hub ended it. */
  ended: Promise<void>
  isOpen: () => boolean
  close: () => void
}

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
}

async function open(
  path: string,
  token: string,
  init: Omit<RequestInit, 'headers'> & { headers?: Record<string, string> } = {},
): Promise<Stream> {
  const abort = new AbortController()
  const response = await fetch(hub.url + path, {
    ...init,
    headers: { authorization: `Bearer ${token}`, accept: 'application/json, text/event-stream', ...init.headers },
    signal: abort.signal,
  })
  expect(response.status).toBe(200)
  let isOpen = true
  const over = (): void => {
    isOpen = false
  }
  const ended = (async () => {
    const reader = response.body?.getReader()
    while ((await reader?.read())?.done === false);
  })().then(over, over)
  return { ended, isOpen: () => isOpen, close: () => abort.abort() }
}

const json = { 'content-type': 'application/json' }
const initialize = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
})

async function legacySession(token: string): Promise<string> {
  const response = await fetch(`${hub.url}/mcp`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, accept: 'application/json', ...json },
    body: initialize,
  })
  await response.text()
  return response.headers.get('mcp-session-id') ?? ''
}

/** One of every kind of stream that a client may have open. */
async function openAll(token: string): Promise<Stream[]> {
  return Promise.all([
    open('/mcp', token, { headers: { 'mcp-session-id': await legacySession(token) } }),
    open('/sse', token),
    open('/mcp', token, {
      method: 'POST',
      headers: { ...json, 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'subscriptions/listen' },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'subscriptions/listen',
        params: { notifications: { toolsListChanged: true }, _meta: META },
      }),
    }),
    open('/api/events', token),
  ])
}

const sessionOf = async (token: string): Promise<string> => {
  const sessions = (await ask<{ id: string; current: boolean }[]>(hub, 'GET /api/sessions', { token })).body
  return sessions.find(({ current }) => current)?.id ?? ''
}

const countSessions = async (): Promise<number> =>
  ((await hub.api('GET', '/api/hub')).body as { sessions: number }).sessions

describe('every open stream ends when', () => {
  it.each<[string, string, (token: string) => Promise<{ status: number }>]>([
    ['its user signs out', 'out', (token) => ask(hub, 'POST /api/auth/logout', { token })],
    [
      'the session is ended from elsewhere',
      'ended',
      async (token) => ask(hub, `DELETE /api/sessions/${await sessionOf(token)}`, { token: TOKEN }),
    ],
    ['an administrator signs the user out', 'signed-out', () => hub.api('POST', '/api/users/signed-out/sign-out')],
    ['the user is disabled', 'disabled', () => hub.api('PUT', '/api/users/disabled', { disabled: true })],
    ['the user is narrowed', 'narrowed', () => hub.api('PUT', '/api/users/narrowed', { scope: { servers: [] } })],
  ])('%s', async (_why, user, revoke) => {
    const token = await tokenOf(hub, user)
    const others = await openAll(await tokenOf(hub, 'bystander'))
    const streams = await openAll(token)
    expect((await revoke(token)).status).toBeLessThan(300)
    await Promise.all(streams.map(({ ended }) => ended))
    expect(others.every(({ isOpen }) => isOpen())).toBe(true)
    for (const stream of others) stream.close()
  })

  it.each<[string, (id: string) => Promise<{ status: number }>]>([
    ['the key is deleted', (id) => hub.api('DELETE', `/api/keys/${id}`)],
    ['the key is narrowed', (id) => hub.api('PUT', `/api/keys/${id}`, { scope: { servers: [] } })],
    ['the key’s owner is gone', () => hub.api('DELETE', '/api/users/owner')],
  ])('%s', async (_why, revoke) => {
    const made = await addKey(hub, await tokenOf(hub, 'owner'), { permissions: ['mcp:connect', 'hub:read'] })
    const before = await countSessions()
    const streams = await openAll(made.body.secret)
    expect((await revoke(made.body.id)).status).toBeLessThan(300)
    await Promise.all(streams.map(({ ended }) => ended))
    // Its legacy sessions are gone with it.
    expect(await countSessions()).toBe(before)
  })

  it('without one, a session has what its key is good for now', async () => {
    const made = await addKey(hub, await tokenOf(hub, 'bystander'), { permissions: ['mcp:connect'] })
    const call = async (session: string): Promise<number> => {
      const body = { jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'one__echo', arguments: {} } }
      const headers = { 'mcp-session-id': session, accept: 'application/json' }
      return (await ask(hub, 'POST /mcp', { token: made.body.secret, body, headers })).status
    }
    const session = await legacySession(made.body.secret)
    expect(await call(session)).toBe(200)
    const narrowed = await hub.api('PUT', `/api/keys/${made.body.id}`, { scope: { servers: [] } })
    expect(narrowed.status).toBe(200)
    // As one that ended: its client opens another.
    expect(await call(session)).toBe(404)
    expect(await legacySession(made.body.secret)).not.toBe('')
  })

  it('a new name of the key leaves them open', async () => {
    const permissions: ('mcp:connect' | 'hub:read')[] = ['mcp:connect', 'hub:read']
    const [renamed, other] = [await addKey(hub, TOKEN, { permissions }), await addKey(hub, TOKEN, { permissions })]
    const [streams, others] = [await openAll(renamed.body.secret), await openAll(other.body.secret)]
    expect((await hub.api('PUT', `/api/keys/${renamed.body.id}`, { name: 'another' })).status).toBe(200)
    expect((await hub.api('DELETE', `/api/keys/${other.body.id}`)).status).toBe(204)
    await Promise.all(others.map(({ ended }) => ended))
    expect(streams.every(({ isOpen }) => isOpen())).toBe(true)
    for (const stream of streams) stream.close()
  })
})

describe('what this hub is not told of', () => {
  const caller = (id: string): Caller => ({ id, session: null }) as Caller

  it('is noticed by looking again, and a store that is away ends nobody', async () => {
    const answers = new Map<string, ServerResponse>()
    const good = new Map<string, () => boolean | Promise<boolean>>([
      ['key:stays', () => true],
      ['key:unknown', () => Promise.reject(new Error('Redis is down'))],
      ['key:goes', () => true],
    ])
    const revoked: string[] = []
    const open = createOpenAnswers({
      isCurrent: ({ id }) => good.get(id)?.() ?? false,
      onRevoked: (principals) => revoked.push(...principals),
      lookMs: 20,
    })
    const server = createServer((request, response) => {
      const id = (request.url ?? '').slice(1)
      answers.set(id, response)
      open.add(response, caller(id))
      response.writeHead(200).write('begun')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const connect = (id: string): Promise<IncomingMessage> =>
      new Promise((resolve) => get(`http://127.0.0.1:${port}/${id}`, resolve))
    const streams = await Promise.all([...good.keys()].map(connect))
    const closed = new Promise<void>((resolve) => {
      streams[2]?.on('error', () => undefined)
      streams[2]?.once('close', resolve)
      streams[2]?.resume()
    })
    expect(open.size).toBe(3)
    good.set('key:goes', () => false)
    await closed
    expect(revoked).toEqual(['key:goes'])
    await expect.poll(() => open.size).toBe(2)
    open.dispose()
    server.closeAllConnections()
    server.close()
  })
})
