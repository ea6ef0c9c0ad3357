import { randomUUID } from 'node:crypto'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { LoggingMessageNotificationSchema } from '@modelcontextprotocol/sdk/types.js'
import { afterEach, describe, expect, it } from 'vitest'
import { z } from 'zod'

const TOKEN = 'a-token-for-this-test'
const open: { close(): unknown }[] = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
})

describe('mcp-hub connect', () => {
  it('joins a client over stdio to an endpoint over HTTP', async () => {
    const { url } = await endpoint()
    const client = await connect(url)
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['echo', 'slow'])
    const many = await Promise.all(
      Array.from({ length: 50 }, (_, n) => client.callTool({ name: 'echo', arguments: { text: `${n} – ünï\n` } })),
    )
    expect(many.map(({ content }) => (content as { text: string }[])[0]?.text)).toEqual(
      Array.from({ length: 50 }, (_, n) => `${n} – ünï\n`),
    )
  })

  it('passes on progress, cancellation and what the server says by itself', async () => {
    const hub = await endpoint()
    const client = await connect(hub.url)
    const said: unknown[] = []
    client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => void said.push(params.data))
    const progress: number[] = []
    const cancel = new AbortController()
    const call = client.callTool({ name: 'slow', arguments: {} }, undefined, {
      signal: cancel.signal,
      onprogress: (update) => progress.push(update.progress),
    })
    await until(() => progress.length > 2)
    cancel.abort()
    await expect(call).rejects.toThrow()
    await until(() => hub.cancelled() === 1)
    await until(async () => {
      await hub.say('hello').catch(() => null)
      return said.includes('hello')
    })
  })

  it('opens a new session by itself after the hub was started again', async () => {
    const first = await endpoint()
    const client = await connect(first.url)
    await first.close()
    await endpoint(Number(new URL(first.url).port))
    expect(await client.callTool({ name: 'echo', arguments: { text: 'again' } })).toMatchObject({
      content: [{ text: 'again' }],
    })
  })

  it('says what is wrong when the token is', async () => {
    const { url } = await endpoint()
    await expect(connect(url, 'wrong')).rejects.toThrow('does not know this token')
  })
})

async function connect(url: string, token = TOKEN): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' })
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [path.resolve('hub/cli.ts'), 'connect', '--url', url],
    env: { MCP_HUB_TOKEN: token },
  })
  open.push(client)
  await client.connect(transport)
  return client
}

interface Endpoint {
  url: string
  cancelled: () => number
  say: (text: string) => Promise<void>
  close: () => Promise<void>
}

/** A server with sessions, as hubs of the older era have them. */
async function endpoint(port = 0): Promise<Endpoint> {
  const sessions = new Map<string, { transport: StreamableHTTPServerTransport; server: McpServer }>()
  let cancelled = 0
  const listener = http.createServer((request, response) => {
    void (async () => {
      if (request.headers.authorization !== `Bearer ${TOKEN}`) return response.writeHead(401).end('{}')
      const id = request.headers['mcp-session-id']
      const known = typeof id === 'string' ? sessions.get(id) : undefined
      if (known !== undefined) return known.transport.handleRequest(request, response)
      if (id !== undefined) return response.writeHead(404).end()
      const server = createServer(() => cancelled++)
      const transport: StreamableHTTPServerTransport = new StreamableHTTPServerTransport({
        sessionIdGenerator: () => randomUUID(),
        onsessioninitialized: (created) => void sessions.set(created, { transport, server }),
      })
      await server.connect(transport)
      return transport.handleRequest(request, response)
    })()
  })
  await new Promise<void>((resolve) => listener.listen(port, '127.0.0.1', resolve))
  const close = async (): Promise<void> => {
    listener.closeAllConnections()
    await new Promise((resolve) => listener.close(resolve))
  }
  const self: Endpoint = {
    url: `http://127.0.0.1:${(listener.address() as AddressInfo).port}/mcp`,
    cancelled: () => cancelled,
    say: async (text) => {
      for (const { server } of sessions.values()) await server.server.sendLoggingMessage({ level: 'info', data: text })
    },
    close,
  }
  open.push({ close: () => close().catch(() => null) })
  return self
}

function createServer(onCancel: () => void): McpServer {
  const server = new McpServer({ name: 'stand-in', version: '1' }, { capabilities: { logging: {} } })
  server.registerTool('echo', { inputSchema: { text: z.string() } }, ({ text }) => ({
    content: [{ type: 'text', text }],
  }))
  server.registerTool('slow', { inputSchema: {} }, async (_, extra) => {
    const progressToken = extra._meta?.progressToken
    for (let progress = 1; !extra.signal.aborted; progress++) {
      if (progressToken !== undefined)
        await extra.sendNotification({ method: 'notifications/progress', params: { progressToken, progress } })
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    onCancel()
    return { content: [] }
  })
  return server
}

async function until(condition: () => boolean | Promise<boolean>, deadlineMs = 10_000): Promise<void> {
  const end = Date.now() + deadlineMs
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('The condition was not met in time')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
