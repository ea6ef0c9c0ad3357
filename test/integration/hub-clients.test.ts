import path from 'node:path'
import { createRequire } from 'node:module'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js'
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client'
import { ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startHub, type TestHub } from '../fixtures/hub.ts'

const require = createRequire(import.meta.url)
const packaged = (name: string): string =>
  path.join(path.dirname(require.resolve(`${name}/package.json`)), 'dist', 'index.js')

let hub: TestHub
beforeAll(async () => {
  hub = await startHub({
    everything: { command: process.execPath, args: [packaged('@modelcontextprotocol/server-everything')] },
    memory: { command: process.execPath, args: [packaged('@modelcontextprotocol/server-memory')] },
    context7: { command: process.execPath, args: [packaged('@upstash/context7-mcp')] },
    missing: { command: 'no-such-command-anywhere' },
  })
  await Promise.all(['everything', 'memory', 'context7'].map((name) => hub.until(name, 'running')))
})
afterAll(() => hub.close())

async function legacy(endpoint: string, capabilities = {}): Promise<Client> {
  const client = new Client({ name: 'legacy-test', version: '1' }, { capabilities })
  await client.connect(
    new StreamableHTTPClientTransport(new URL(hub.url + endpoint), { requestInit: { headers: hub.headers } }),
  )
  return client
}

async function modern(endpoint: string): Promise<ModernClient> {
  const client = new ModernClient(
    { name: 'modern-test', version: '1' },
    { capabilities: {}, versionNegotiation: { mode: { pin: '2026-07-28' } } },
  )
  await client.connect(new ModernTransport(new URL(hub.url + endpoint), { requestInit: { headers: hub.headers } }))
  return client
}

describe.each([
  ['/mcp', 'everything__'],
  ['/mcp/everything', ''],
])('on %s', (endpoint, prefix) => {
  it('a legacy client calls tools, with progress in order and before the result', async () => {
    const client = await legacy(endpoint)
    const { tools } = await client.listTools()
    expect(tools.map((tool) => tool.name)).toContain(`${prefix}echo`)
    const answer = await client.callTool({ name: `${prefix}echo`, arguments: { message: 'over the hub' } })
    expect(answer.content).toEqual([{ type: 'text', text: 'Echo: over the hub' }])
    const steps: number[] = []
    await client.callTool(
      { name: `${prefix}trigger-long-running-operation`, arguments: { duration: 0.4, steps: 4 } },
      undefined,
      { onprogress: ({ progress }) => steps.push(progress) },
    )
    expect(steps.slice(0, 3)).toEqual([1, 2, 3])
    await client.close()
  })

  it('a modern client calls the same tools', async () => {
    const client = await modern(endpoint)
    expect((await client.listTools()).tools.map((tool) => tool.name)).toContain(`${prefix}echo`)
    const answer = await client.callTool({ name: `${prefix}echo`, arguments: { message: 'stateless' } })
    expect(answer.content).toEqual([{ type: 'text', text: 'Echo: stateless' }])
    await client.close()
  })

  it('prompts and resources come through', async () => {
    const client = await legacy(endpoint)
    const { prompts } = await client.listPrompts()
    expect(prompts.length).toBeGreaterThan(0)
    const prompt = await client.getPrompt({ name: `${prefix}simple-prompt` })
    expect(prompt.messages).toHaveLength(1)
    const { resources } = await client.listResources()
    const { contents } = await client.readResource({ uri: resources[0]?.uri ?? '' })
    expect(contents[0]?.uri).toBe(resources[0]?.uri)
    await client.close()
  })

  it('cancelling a call reaches the server and leaves the session usable', async () => {
    const client = await legacy(endpoint)
    const abort = new AbortController()
    const call = client.callTool(
      { name: `${prefix}trigger-long-running-operation`, arguments: { duration: 20, steps: 2 } },
      undefined,
      { signal: abort.signal },
    )
    setTimeout(() => abort.abort('enough'), 100)
    await expect(call).rejects.toThrow(/enough|abort/i)
    const answer = await client.callTool({ name: `${prefix}echo`, arguments: { message: 'still here' } })
    expect(answer.content).toEqual([{ type: 'text', text: 'Echo: still here' }])
    await client.close()
  })
})

it('an old client works over /sse', async () => {
  const client = new Client({ name: 'old', version: '1' })
  await client.connect(
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- old clients are what this is about
    new SSEClientTransport(new URL(`${hub.url}/sse`), {
      requestInit: { headers: hub.headers },
      eventSourceInit: {
        fetch: (url, init) =>
          fetch(url, { ...init, headers: { ...(init.headers as Record<string, string>), ...hub.headers } }),
      },
    }),
  )
  const answer = await client.callTool({ name: 'everything__echo', arguments: { message: 'sse' } })
  expect(answer.content).toEqual([{ type: 'text', text: 'Echo: sse' }])
  await client.close()
})

it('a server of the modern era serves a legacy client', async () => {
  const client = await legacy('/mcp/context7')
  const { tools } = await client.listTools()
  expect(tools.length).toBeGreaterThan(0)
  expect((await hub.until('context7', 'running')).era).toBe('modern')
  await client.close()
})

it('a server that cannot start says why, and hurts nobody else', async () => {
  const status = await hub.until('missing', 'failed')
  expect(status.reason?.code).toBe('command-not-found')
  const client = await legacy('/mcp')
  await expect(client.callTool({ name: 'missing__anything', arguments: {} })).rejects.toThrow(
    /no-such-command-anywhere was not found/,
  )
  await client.close()
})

it('servers that come and go change the lists of connected clients', async () => {
  const client = await legacy('/mcp')
  const changed = new Promise<void>((resolve) =>
    client.setNotificationHandler(ToolListChangedNotificationSchema, () => resolve()),
  )
  await hub.api('POST', '/api/servers', {
    name: 'second',
    config: { command: process.execPath, args: [packaged('@modelcontextprotocol/server-memory')] },
  })
  await hub.until('second', 'running')
  await changed
  expect((await client.listTools()).tools.some((tool) => tool.name.startsWith('second__'))).toBe(true)
  const removed = await hub.api('DELETE', '/api/servers/second')
  expect(removed.status).toBe(200)
  await client.close()
})

it('a killed server is back without anyone’s help', async () => {
  const { pid } = await hub.until('memory', 'running')
  process.kill(pid ?? 0, 'SIGKILL')
  const client = await legacy('/mcp')
  await hub.until('memory', 'backoff', 'starting')
  await hub.until('memory', 'running')
  const answer = await client.callTool({ name: 'memory__read_graph', arguments: {} })
  expect(answer.isError).not.toBe(true)
  await client.close()
})
