import { randomUUID } from 'node:crypto'
import { createServer, type ServerResponse } from 'node:http'
import type { Request } from './answers.ts'
import { readConfig, type UpstreamConfig } from './upstream-config.ts'

/**
 * The yardstick: what forwarding costs in Node when nothing else is done. It knows no names and checks nothing; a request
 * is parsed once, an answer never.
 */
export type Message = Request & { jsonrpc?: string }

export interface Forwarder {
  ready: Promise<void>
  /** Passes the request on; the answer goes to `response`. */
  forward: (message: Message, body: Buffer, headers: Record<string, string>, response: ServerResponse) => void
  /** The tools of the server, for the joined list. */
  tools: () => Promise<{ name: string }[]>
}

const config = readConfig()
const forwarders = new Map<string, Forwarder>()
for (const upstream of config.upstreams) forwarders.set(upstream.name, await createForwarder(upstream))
const first = [...forwarders.values()][0]
let joined: Buffer | null = null

/** Only what is used is loaded, as its start and its memory are measured too. */
async function createForwarder(upstream: UpstreamConfig): Promise<Forwarder> {
  if (upstream.kind === 'stdio') return (await import('./rawproxy-stdio.ts')).createStdioForwarder(upstream)
  return (await import('./rawproxy-http.ts')).createHttpForwarder(upstream)
}

async function joinLists(): Promise<void> {
  const lists = await Promise.all(
    [...forwarders].map(async ([server, { tools }]) =>
      (await tools()).map((tool) => ({ ...tool, name: `${server}__${tool.name}` })),
    ),
  )
  joined = Buffer.from(`{"result":{"tools":${JSON.stringify(lists.flat())}},"jsonrpc":"2.0","id":`)
}

function sendJson(response: ServerResponse, text: string, headers: Record<string, string> = {}): void {
  response
    .writeHead(200, { ...headers, 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
    .end(text)
}

function sendList(response: ServerResponse, list: Buffer, id: string): void {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': list.length + id.length + 1 })
  response.cork()
  response.write(list)
  response.end(`${id}}`)
  response.uncork()
}

function onMessage(path: string, body: Buffer, headers: Record<string, string>, response: ServerResponse): void {
  const message = JSON.parse(body.toString()) as Message
  const id = JSON.stringify(message.id)
  if (message.method === 'initialize') {
    const result = {
      protocolVersion: message.params?.protocolVersion,
      capabilities: { tools: {} },
      serverInfo: { name: 'rawproxy', version: '1' },
    }
    const text = `{"result":${JSON.stringify(result)},"jsonrpc":"2.0","id":${id}}`
    sendJson(response, text, { 'mcp-session-id': randomUUID() })
  } else if (message.id === undefined) {
    response.writeHead(202, { 'content-length': 0 }).end()
  } else if (message.method === 'tools/list' && path === '/mcp' && joined !== null) {
    sendList(response, joined, id)
  } else {
    const forwarder = forwarders.get(path.slice('/mcp/'.length)) ?? first
    forwarder?.forward(message, body, headers, response)
  }
}

const server = createServer((request, response) => {
  if (request.method !== 'POST') {
    response.writeHead(405, { 'content-length': 0 }).end()
    return
  }
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const [only] = chunks
    const body = chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks)
    onMessage(request.url ?? '/', body, request.headers as Record<string, string>, response)
  })
})

await Promise.all([...forwarders.values()].map(({ ready }) => ready))
if (config.joinLists) await joinLists()
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') console.log(`listening on ${address.port}`)
})
