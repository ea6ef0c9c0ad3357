import type { Era } from '../programs/answers.ts'
import { openConnection, requestHead, type Header, type HttpConnection } from './http-connection.ts'
import {
  LEGACY_VERSION,
  MODERN_VERSION,
  NoMessage,
  initializeParams,
  nextId,
  readMessage,
  requestText,
  type Lane,
  type Message,
  type Params,
  type Reply,
} from './lane.ts'

export interface Endpoint {
  port: number
  path: string
  headers: Header
  toolName: (tool: string) => string
}

const HOST = '127.0.0.1'

/** A Streamable HTTP client: with a session of its own in the legacy era, and without any in the modern one. */
export async function openHttpLane(endpoint: Endpoint, era: Era): Promise<Lane> {
  const connection = openConnection(endpoint.port)
  const headers: Header = {
    host: `${HOST}:${endpoint.port}`,
    accept: 'application/json, text/event-stream',
    'content-type': 'application/json',
    ...endpoint.headers,
  }
  const lane =
    era === 'modern' ? modernLane(connection, endpoint, headers) : await legacyLane(connection, endpoint, headers)
  return lane
}

async function exchange(
  connection: HttpConnection,
  head: string,
  era: Era,
  method: string,
  params: Params,
  onNote?: (note: Message) => void,
): Promise<Reply & { session: string | null }> {
  const id = nextId()
  const replies: Reply[] = []
  const { status, head: answered } = await connection.send(head, requestText(era, id, method, params), (bytes) => {
    const reply = readMessage(bytes, id, onNote)
    if (reply !== null) replies.push(reply)
  })
  const [reply] = replies
  if (reply === undefined) throw new NoMessage(`${method} was answered with ${status} and no message`)
  return { ...reply, session: answered.header('mcp-session-id') }
}

async function legacyLane(connection: HttpConnection, endpoint: Endpoint, headers: Header): Promise<Lane> {
  const first = requestHead('POST', endpoint.path, headers)
  const { session } = await exchange(connection, first, 'legacy', 'initialize', initializeParams)
  const head = requestHead('POST', endpoint.path, {
    ...headers,
    'mcp-protocol-version': LEGACY_VERSION,
    ...(session === null ? {} : { 'mcp-session-id': session }),
  })
  await connection.send(head, '{"jsonrpc":"2.0","method":"notifications/initialized"}', () => undefined)
  return {
    request: (method, params, onNote) => exchange(connection, head, 'legacy', method, params, onNote),
    toolName: endpoint.toolName,
    close: () => connection.close(),
    another: () => legacyLane(connection, endpoint, headers),
  }
}

function modernLane(connection: HttpConnection, endpoint: Endpoint, headers: Header): Lane {
  const common = requestHead('POST', endpoint.path, { ...headers, 'mcp-protocol-version': MODERN_VERSION })
  return {
    request: (method, params, onNote) => {
      const name = typeof params['name'] === 'string' ? `mcp-name: ${params['name']}\r\n` : ''
      return exchange(connection, `${common}mcp-method: ${method}\r\n${name}`, 'modern', method, params, onNote)
    },
    toolName: endpoint.toolName,
    close: () => connection.close(),
  }
}
