import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import { networkInterfaces } from 'node:os'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { BUILT_HUB_TOKEN, startBuiltHub } from '../fixtures/built-hub.ts'
import { temporaryFolder } from '../fixtures/built-program.ts'
import { fixtureServer, startHub, TOKEN } from '../fixtures/hub.ts'
import { waitFor } from '../fixtures/wire.ts'

/** How a hub ends: DEPLOY's drain contract, step by step; what it does under load is in three-hubs.test.ts. */

const hasIpv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === '::1'))
const program = path.join(import.meta.dirname, '..', '..', 'dist', 'hub', 'server.js')
const accept = { accept: 'application/json, text/event-stream' }
const initialize = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'drained', version: '1' } },
}
const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'drained', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
}

async function sessionOf({ url }: { url: string }, token: string): Promise<string> {
  const response = await fetch(`${url}/mcp`, {
    method: 'POST',
    headers: { ...accept, authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(initialize),
  })
  await response.text()
  return response.headers.get('mcp-session-id') ?? ''
}

/** Its answer begins with the first step, when the call is under way. */
const slow = (ms: number): object => ({
  jsonrpc: '2.0',
  id: 2,
  method: 'tools/call',
  params: { name: 'a__slow', arguments: { ms, steps: 10 }, _meta: { progressToken: 'p' } },
})

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describe('a hub that is told to end', () => {
  it('ends its streams so that clients come again, finishes what was asked of it, and leaves no process', async () => {
    // Long enough that nothing here ends before the hub drains.
    const hub = await startBuiltHub({ servers: { a: fixtureServer('echo.ts') }, env: { NODE_ENV: 'production' } })
    const pid = await waitFor(async () => {
      const [server] = (await (await hub.request('/api/servers')).json()) as { state: string; pid: number }[]
      return server?.state === 'running' ? server.pid : null
    }, 10_000)
    const onIpv6 = hub.url.replace('127.0.0.1', '[::1]')
    if (hasIpv6) {
      const headers = { authorization: `Bearer ${BUILT_HUB_TOKEN}` }
      expect((await fetch(`${onIpv6}/api/hub`, { headers })).status).toBe(200)
      expect((await fetch(`${onIpv6}/api/hub`, { headers: { ...headers, origin: hub.url } })).status).toBe(403)
    }
    const [idle, busy] = [await sessionOf(hub, BUILT_HUB_TOKEN), await sessionOf(hub, BUILT_HUB_TOKEN)]
    const streams = await Promise.all([
      hub.request('/mcp', { headers: { ...accept, 'mcp-session-id': idle } }),
      hub.request('/sse', { headers: accept }),
      hub.request('/api/events', { headers: accept }),
      hub.request('/mcp', {
        method: 'POST',
        headers: { ...accept, 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'subscriptions/listen' },
        body: {
          jsonrpc: '2.0',
          id: 3,
          method: 'subscriptions/listen',
          params: { notifications: { toolsListChanged: true }, _meta: META },
        },
      }),
    ])
    expect(streams.map(({ status }) => status)).toEqual([200, 200, 200, 200])
    const overApi = hub.request('/api/tools/call', {
      method: 'POST',
      body: { server: 'a', tool: 'slow', arguments: { ms: 4_500 } },
    })
    const overMcp = await hub.request('/mcp', {
      method: 'POST',
      body: slow(4_500),
      headers: { ...accept, 'mcp-session-id': busy },
    })

    const ended = hub.end()
    for (const stream of streams) expect(await stream.text()).toContain('retry: 1000\n\n')
    for (const answer of [await overApi, overMcp]) {
      expect(answer.status).toBe(200)
      expect(await answer.text()).toContain('slept 4500 ms')
    }
    expect(await ended).toBe(0)
    await expect(hub.request('/health')).rejects.toThrow()
    expect(isAlive(pid)).toBe(false)
  })

  it('waits for a call no longer than it is given', async () => {
    const hub = await startHub({ a: fixtureServer('echo.ts') })
    await hub.until('a', 'running')
    const call = await fetch(`${hub.url}/mcp`, {
      method: 'POST',
      headers: {
        ...hub.headers,
        ...accept,
        'content-type': 'application/json',
        'mcp-session-id': await sessionOf(hub, TOKEN),
      },
      body: JSON.stringify(slow(20_000)),
    })
    let isOpen = true
    const over = call.text().finally(() => (isOpen = false))
    const start = performance.now()
    await hub.hub.drain(300)
    const waited = performance.now() - start
    expect(isOpen).toBe(true)
    // A timer may fire a millisecond early.
    expect(waited).toBeGreaterThan(295)
    expect(waited).toBeLessThan(2_000)
    await hub.close()
    await over.catch(() => undefined)
    expect(isOpen).toBe(false)
  })
})

/** A hub in a process of its own, started by `script` (its program is "$0" "$1"), with a fourth descriptor. */
async function startProcess(
  script: string,
  fourth: number | 'ipc',
): Promise<{ child: ChildProcess; said: () => string; dispose: () => Promise<void> }> {
  const folder = await temporaryFolder()
  const child = spawn('/bin/sh', ['-c', script, process.execPath, program], {
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: folder.path,
      CONFIG_DIR: path.join(folder.path, 'config'),
      DATA_DIR: path.join(folder.path, 'data'),
      PORT: '0',
      MCP_HUB_TOKEN: BUILT_HUB_TOKEN,
    },
    stdio: ['pipe', 'pipe', 'pipe', fourth],
  })
  const gone = once(child, 'exit')
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (said += chunk.toString()))
  return {
    child,
    said: () => said,
    dispose: async () => {
      child.kill('SIGTERM')
      await gone
      await folder.dispose()
    },
  }
}

describe('a hub that is started', () => {
  it('tells PM2 that it is ready, once it is', async () => {
    const hub = await startProcess('exec "$0" "$1"', 'ipc')
    const [message] = (await once(hub.child, 'message')) as [unknown]
    expect(message).toBe('ready')
    const url = /listening on (http:\S+)/.exec(hub.said())?.[1] ?? ''
    expect((await fetch(`${url}/health/ready`)).status).toBe(200)
    await hub.dispose()
  })

  it('takes the socket of the service manager, which holds what comes while no hub is there', async () => {
    const socket = net.createServer().listen(0, '127.0.0.1')
    await once(socket, 'listening')
    const { port } = socket.address() as net.AddressInfo
    const { fd } = (socket as unknown as { _handle: { fd: number } })._handle
    // What systemd does for a socket unit: it holds the socket, and starts a hub with it, here at each line that it reads.
    const start = `sh -c 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" "$1"' "$0" "$1" < /dev/null`
    const manager = await startProcess(`while read -r _; do ${start}; echo ended; done`, fd)
    socket.close()
    const ask = (route: string): Promise<Response> =>
      fetch(`http://127.0.0.1:${port}${route}`, { headers: { authorization: `Bearer ${BUILT_HUB_TOKEN}` } })
    const pidOf = async (): Promise<number> => ((await (await ask('/api/hub')).json()) as { pid: number }).pid

    // Before there is any hub.
    const early = ask('/health')
    manager.child.stdin?.write('start\n')
    expect((await early).status).toBe(200)
    expect(manager.said()).toContain(`listening on http://127.0.0.1:${port}`)
    const first = await pidOf()
    process.kill(first, 'SIGTERM')
    await waitFor(() => manager.said().includes('ended'), 10_000)

    const between = pidOf()
    manager.child.stdin?.write('start\n')
    const second = await between
    expect(second).not.toBe(first)
    process.kill(second, 'SIGTERM')
    await waitFor(() => manager.said().split('ended').length === 3, 10_000)
    await manager.dispose()
  })
})
