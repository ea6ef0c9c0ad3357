/** JSON-RPC 2.0 as MCP uses it: shapes, error codes, and replies that are passed on as bytes. */

import { isUtf8 } from 'node:buffer'
import { parseExactly } from '../contract/exact-json.ts'

export type JsonRpcId = string | number
export type Params = Record<string, unknown>
export interface RpcError {
  code: number
  message: string
  data?: unknown
}
export interface JsonRpcResponse {
  jsonrpc: '2.0'
  id: JsonRpcId | null
  result?: unknown
  error?: RpcError
}
/** Any object that came over the wire; which kind it is shows in its keys. */
export interface JsonRpcMessage {
  jsonrpc: '2.0'
  id?: JsonRpcId | null
  method?: string
  params?: Params
  result?: unknown
  error?: RpcError
}

export const LEGACY_VERSIONS = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'] as const
export const MODERN_VERSIONS = ['2026-07-28'] as const
/** The only one with batches. */
export const BATCH_VERSION = '2025-03-26'
export const LATEST_LEGACY: string = LEGACY_VERSIONS[0]
export const LATEST_MODERN: string = MODERN_VERSIONS[0]

/** Keys of the modern `_meta` envelope (2026-07-28, "Per-request metadata"). */
export const META = {
  version: 'io.modelcontextprotocol/protocolVersion',
  clientInfo: 'io.modelcontextprotocol/clientInfo',
  capabilities: 'io.modelcontextprotocol/clientCapabilities',
  logLevel: 'io.modelcontextprotocol/logLevel',
  serverInfo: 'io.modelcontextprotocol/serverInfo',
  subscriptionId: 'io.modelcontextprotocol/subscriptionId',
} as const

export const rpc = {
  parseError: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internalError: -32603,
  headerMismatch: -32020,
  missingCapability: -32021,
  unsupportedVersion: -32022,
  legacyResourceNotFound: -32002,
  /** 2025-11-25 only: the user has to open pages before the request can succeed. */
  legacyUrlElicitation: -32042,
  /** The hub's own, outside the range that JSON-RPC and MCP reserve. */
  serverUnavailable: -31001,
  timeout: -31002,
  limitExceeded: -31003,
  shuttingDown: -31004,
  noOwner: -31005,
} as const

/** An error that becomes a JSON-RPC error answer. */
export class McpError extends Error {
  readonly code: number
  readonly data: unknown
  constructor(code: number, message: string, data?: unknown) {
    super(message)
    this.code = code
    this.data = data
  }
  toRpc(): RpcError {
    return this.data === undefined
      ? { code: this.code, message: this.message }
      : { code: this.code, message: this.message, data: this.data }
  }
}

export function toRpcError(error: unknown): RpcError {
  if (error instanceof McpError) return error.toRpc()
  return { code: rpc.internalError, message: error instanceof Error ? error.message : String(error) }
}

function asRpcError(error: unknown): RpcError {
  const { code, message } = isObject(error) ? error : {}
  return Number.isInteger(code) && typeof message === 'string'
    ? (error as RpcError)
    : { code: rpc.internalError, message: 'The answer is an error that is none of JSON-RPC', data: error }
}

export function isObject(value: unknown): value is Params {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function isRequest(message: JsonRpcMessage): boolean {
  return typeof message.method === 'string' && message.id !== undefined && message.id !== null
}

declare const coding: unique symbol
/** Bytes as a string of one character each, which leave in one write with the head of a response. Never mere text. */
export type Latin1 = string & { readonly [coding]: 'latin1' }
/** A JSON message on its way out: pieces of its bytes, or a short one whole as a string. */
export type Body = Latin1 | Buffer[]

/** Replies up to this size are put together as one string: cheaper than pieces, and one write with the head. */
const SHORT_BYTES = 16_000
const NOT_ASCII = /[^\x00-\x7f]/

const HEAD = Buffer.from('{"jsonrpc":"2.0","id":')
const TAIL = ',"jsonrpc":"2.0","id":'
const IS_ERROR = Buffer.from('"isError"')
/** Where a tool's result says that it failed: before its content or after it. */
const IS_ERROR_WINDOW = 1_024
/** With the brace of the result. */
const OPEN = '{"result":{'
const OPEN_RESULT = Buffer.from('{"result":')
const NEXT_RESULT = Buffer.from(',"result":')

/** The name of a field of a result, also as it is looked for in bytes. */
export interface FieldName {
  readonly name: string
  readonly quoted: Buffer
}

export function fieldName(name: string): FieldName {
  return { name, quoted: Buffer.from(JSON.stringify(name)) }
}

/**
 * The answer to one request. When it came as bytes whose envelope has one of the two common orders of keys it is not
 * parsed: only the place of its result is known, and that is copied. `message` parses when somebody must look inside.
 */
export class Reply {
  readonly bytes: Buffer | null
  readonly isError: boolean
  readonly hopId: JsonRpcId | null
  /** Where the value of `result` begins and the last key of the envelope ends, when the reply is bytes. */
  readonly #resultStart: number
  readonly #resultEnd: number
  #message: JsonRpcResponse | null

  private constructor(
    bytes: Buffer | null,
    resultStart: number,
    resultEnd: number,
    hopId: JsonRpcId | null,
    isError: boolean,
    message: JsonRpcResponse | null,
  ) {
    this.bytes = bytes
    this.#resultStart = resultStart
    this.#resultEnd = resultEnd
    this.hopId = hopId
    this.isError = isError
    this.#message = message
  }

  static result(result: unknown): Reply {
    return Reply.of({ jsonrpc: '2.0', id: null, result })
  }

  static error(error: RpcError): Reply {
    return Reply.of({ jsonrpc: '2.0', id: null, error })
  }

  static of(message: JsonRpcResponse): Reply {
    return new Reply(null, 0, 0, message.id, message.error !== undefined, message)
  }

  /**
   * Recognises a response whose envelope is `{"jsonrpc":"2.0","id":N,"result":{…}}` or `{"result":{…},"jsonrpc":"2.0","id":N}`
   * with an integer id. Both tests are exact: a number right before the last brace cannot be inside a string. Null for
   * anything else, errors too, which must then be parsed: `"error":null` behind a result, which clients' SDKs refuse, as well.
   */
  static fromBytes(bytes: Buffer): Reply | null {
    let length = bytes.length
    // Some end what they write with a line.
    while ((bytes[length - 1] ?? 0x7d) <= 0x20) length--
    if (length < 30 || bytes[0] !== 0x7b || bytes[length - 1] !== 0x7d) return null
    // Clients read JSON more strictly than text: such bytes are not passed on to them.
    if (!isUtf8(bytes) || bytes.includes(0)) return null
    if (startsWith(bytes, HEAD, 0)) {
      const idEnd = endOfDigits(bytes, HEAD.length)
      if (idEnd === HEAD.length || !startsWith(bytes, NEXT_RESULT, idEnd)) return null
      return Reply.#fromResult(bytes, idEnd + NEXT_RESULT.length, length - 1, numberIn(bytes, HEAD.length, idEnd))
    }
    if (!startsWith(bytes, OPEN_RESULT, 0)) return null
    let idStart = length - 1
    while (idStart > 0 && isDigit(bytes[idStart - 1])) idStart--
    const end = idStart - TAIL.length
    if (idStart === length - 1 || end < 0 || bytes.toString('latin1', end, idStart) !== TAIL) return null
    return Reply.#fromResult(bytes, OPEN_RESULT.length, end, numberIn(bytes, idStart, length - 1))
  }

  /** Only what begins and ends as an object can be one; behind a space fields cannot be put without a look. */
  static #fromResult(bytes: Buffer, start: number, end: number, hopId: number): Reply | null {
    if (bytes[start] !== 0x7b || bytes[end - 1] !== 0x7d || (bytes[start + 1] ?? 0) <= 0x20) return null
    return new Reply(bytes, start, end, hopId, false, null)
  }

  /**
   * What a server's message answers to the request of that id; null when it is no answer. Clients drop an error that is
   * none of JSON-RPC and then wait for another answer, so it becomes one.
   */
  static fromMessage({ error, result, method: _none, ...rest }: Params, id: JsonRpcId): Reply | null {
    if (error !== undefined && error !== null)
      return Reply.of({ ...rest, jsonrpc: '2.0', id, error: asRpcError(error) })
    return result === undefined ? null : Reply.of({ ...rest, jsonrpc: '2.0', id, result })
  }

  /** What is no JSON beyond its envelope is an error to whoever looks inside: nobody's reading may fail on what a server wrote. */
  get message(): JsonRpcResponse {
    this.#message ??= parsed(this.bytes ?? Buffer.alloc(0), this.hopId)
    return this.#message
  }

  /** Whether a tool says that it failed. Of a large result only both ends are looked at. */
  get isToolError(): boolean {
    const { bytes } = this
    if (this.isError) return false
    if (bytes === null) return isObject(this.message.result) && this.message.result['isError'] === true
    if (bytes.length <= 2 * IS_ERROR_WINDOW) return saysIsError(bytes)
    return saysIsError(bytes.subarray(0, IS_ERROR_WINDOW)) || saysIsError(bytes.subarray(-IS_ERROR_WINDOW))
  }

  get size(): number {
    return this.bytes?.length ?? 0
  }

  /**
   * The reply under another id. `fields` (ASCII, ending in a comma) go first into the result. The id comes last, where it
   * counts: whatever else a server wrote for one behind its result would be taken for it.
   */
  render(idText: string, fields = ''): Body {
    const { bytes } = this
    if (bytes === null) return [Buffer.from(JSON.stringify(this.#withFields(JSON.parse(idText) as JsonRpcId, fields)))]
    const at = this.#resultStart + 1
    const end = this.#resultEnd
    const inserted = fields !== '' && bytes[at] === 0x7d ? fields.slice(0, -1) : fields
    if (bytes.length <= SHORT_BYTES) {
      const id = NOT_ASCII.test(idText) ? Buffer.from(idText).toString('latin1') : idText
      return `${OPEN}${inserted}${bytes.toString('latin1', at, end)}${TAIL}${id}}` as Latin1
    }
    return [Buffer.from(OPEN + inserted), bytes.subarray(at, end), Buffer.from(`${TAIL}${idText}}`)]
  }

  #withFields(id: JsonRpcId, fields: string): JsonRpcResponse {
    const { result } = this.message
    if (fields === '' || !isObject(result)) return { ...this.message, id }
    return { ...this.message, id, result: { ...(JSON.parse(`{${fields.replace(/,$/, '')}}`) as Params), ...result } }
  }

  /** Whether the result may have this field; of bytes it is only known that they hold the name. */
  mayHave({ name, quoted }: FieldName): boolean {
    if (this.bytes !== null) return this.bytes.includes(quoted)
    return isObject(this.message.result) && name in this.message.result
  }
}

function parsed(bytes: Buffer, id: JsonRpcId | null): JsonRpcResponse {
  try {
    const { error, ...message } = parseExactly(bytes.toString()) as Omit<JsonRpcResponse, 'error'> & { error?: unknown }
    return error === undefined || error === null ? message : { ...message, error: asRpcError(error) }
  } catch (error) {
    return { jsonrpc: '2.0', id, error: unreadable(error).toRpc() }
  }
}

/** An answer that cannot be read, or not written again, e.g. because it is nested too deep: the call's fault alone. */
export function unreadable(error: unknown): McpError {
  const cause = error instanceof Error ? error.message : String(error)
  return new McpError(rpc.internalError, `The server’s answer cannot be passed on: ${cause}`)
}

const CLOSE = Buffer.from('}')

/** The answer with a result that is JSON already; the result is not copied. */
export function resultBody(id: JsonRpcId, result: Buffer): Buffer[] {
  return [Buffer.from(`{"jsonrpc":"2.0","id":${idText(id)},"result":`), result, CLOSE]
}

function startsWith(bytes: Buffer, part: Buffer, at: number): boolean {
  if (at + part.length > bytes.length) return false
  for (let i = 0; i < part.length; i++) if (bytes[at + i] !== part[i]) return false
  return true
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39
}

function endOfDigits(bytes: Buffer, from: number): number {
  let at = from
  while (isDigit(bytes[at])) at++
  return at
}

function numberIn(bytes: Buffer, start: number, end: number): number {
  let value = 0
  for (let at = start; at < end; at++) value = value * 10 + (bytes[at] ?? 0) - 0x30
  return value
}

/** The id of a client as JSON. */
export function idText(id: JsonRpcId): string {
  return typeof id === 'number' ? String(id) : JSON.stringify(id)
}

/** The key cannot be text inside a string: there its quotes would be escaped. */
function saysIsError(bytes: Buffer): boolean {
  const at = bytes.indexOf(IS_ERROR)
  return at !== -1 && /^\s*:\s*true/.test(bytes.toString('latin1', at + IS_ERROR.length, at + IS_ERROR.length + 16))
}
