import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import { CallToolRequestSchema, ListToolsRequestSchema, type Tool } from '@modelcontextprotocol/sdk/types.js'
import { readConfig, type UpstreamConfig } from './upstream-config.ts'

/** A plain hub as one would write it on the official SDK: a `Client` for each server, a `Server` for each session. */
const config = readConfig()
const clients = new Map<string, Client>()
const tools: Tool[] = []

function transportOf(upstream: UpstreamConfig): Transport {
  if (upstream.kind === 'stdio') return new StdioClientTransport({ command: upstream.command, args: upstream.args })
  return new StreamableHTTPClientTransport(new URL(upstream.url))
}

async function connect(upstream: UpstreamConfig): Promise<Tool[]> {
  const client = new Client({ name: 'sdk-hub', version: '1' })
  await client.connect(transportOf(upstream))
  clients.set(upstream.name, client)
  const listed = await client.listTools()
  return listed.tools.map((tool) => ({ ...tool, name: `${upstream.name}__${tool.name}` }))
}

// A hub forwards schemas as they are, which the high-level server cannot: that is what `Server` is for.
/* eslint-disable @typescript-eslint/no-deprecated */
function createSessionServer(): Server {
  const server = new Server({ name: 'sdk-hub', version: '1' }, { capabilities: { tools: {} } })
  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools }))
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, { sendNotification }) => {
    const [name = '', tool = ''] = params.name.split('__')
    const client = clients.get(name)
    if (client === undefined) throw new Error(`There is no server ${name}`)
    const token = params._meta?.progressToken
    const onprogress =
      token === undefined
        ? {}
        : {
            onprogress: (progress: { progress: number; total?: number | undefined }) =>
              void sendNotification({
                method: 'notifications/progress',
                params: { ...progress, progressToken: token },
              }),
          }
    return client.callTool({ name: tool, arguments: params.arguments }, undefined, onprogress)
  })
  return server
}
/* eslint-enable @typescript-eslint/no-deprecated */

const transports = new Map<string, StreamableHTTPServerTransport>()

async function transportFor(request: IncomingMessage): Promise<StreamableHTTPServerTransport> {
  const known = transports.get(String(request.headers['mcp-session-id']))
  if (known !== undefined) return known
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (id) => void transports.set(id, transport),
  })
  await createSessionServer().connect(transport)
  return transport
}

for (const listed of await Promise.all(config.upstreams.map(connect))) tools.push(...listed)
const server = createServer((request, response) => {
  void transportFor(request).then((transport) => transport.handleRequest(request, response))
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') console.log(`listening on ${address.port}`)
})
