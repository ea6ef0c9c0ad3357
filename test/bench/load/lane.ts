import type { Era } from '../programs/answers.ts'

/** What came back for one request. */
export interface Reply {
  /** The JSON-RPC message as it came. */
  bytes: Buffer
  /** Parsed when it is small; large answers are compared as bytes. */
  message: Message | null
}

export interface Message {
  id?: number
  method?: string
  params?: Record<string, unknown>
  result?: { content?: { text?: string }[]; isError?: boolean; tools?: { name: string }[] }
  error?: { code: number; message: string }
}

/** One client of a hub, or of the fixture server itself: it has one request open at a time. */
export interface Lane {
  /** Rejects when the connection breaks or nothing comes in time. */
  request: (method: string, params: Params, onNote?: (note: Message) => void) => Promise<Reply>
  /** The name under which a tool of the fixture is called here. */
  toolName: (tool: string) => string
  close: () => void
  /** Another session over the same connection, where the transport knows sessions apart from connections. */
  another?: () => Promise<Lane>
}

export type Params = Record<string, unknown>

/** No answer within this time: the call hangs. */
export const HUNG_MS = 5_000
/** Larger answers are not parsed. */
const PARSED_BYTES = 8_192

export const MODERN_VERSION = '2026-07-28'
export const LEGACY_VERSION = '2025-11-25'

const envelope = {
  'io.modelcontextprotocol/protocolVersion': MODERN_VERSION,
  'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
}

/** Ids of one length, so that answers that differ in nothing else have one length too; nine digits last for any run. */
export const ID_DIGITS = 9
let ids = 10 ** (ID_DIGITS - 1)
export function nextId(): number {
  return ++ids
}

export function requestText(era: Era, id: number, method: string, params: Params): string {
  const full =
    era === 'legacy' ? params : { ...params, _meta: { ...envelope, ...(params['_meta'] as object | undefined) } }
  return `{"jsonrpc":"2.0","id":${id},"method":"${method}","params":${JSON.stringify(full)}}`
}

export const initializeParams: Params = {
  protocolVersion: LEGACY_VERSION,
  capabilities: {},
  clientInfo: { name: 'bench', version: '1' },
}

export class Hung extends Error {}
export class Crossed extends Error {}
/** The request was answered, but only with a status. */
export class NoMessage extends Error {}

/** A message that came for the request with this id: its reply, or null when it is a notification. */
export function readMessage(bytes: Buffer, id: number, onNote?: (note: Message) => void): Reply | null {
  if (bytes.length > PARSED_BYTES) {
    if (!hasId(bytes, id)) throw new Crossed('An answer with the id of another request')
    return { bytes, message: null }
  }
  const message = JSON.parse(bytes.toString()) as Message
  if (message.method !== undefined) {
    onNote?.(message)
    return null
  }
  if (message.id !== id) throw new Crossed('An answer with the id of another request')
  return { bytes, message }
}

/** The id stands before or behind the result in whatever order a server sends its keys. */
function hasId(bytes: Buffer, id: number): boolean {
  const text = `"id":${id}`
  return bytes.toString('latin1', 0, 100).includes(text) || bytes.toString('latin1', bytes.length - 100).includes(text)
}
