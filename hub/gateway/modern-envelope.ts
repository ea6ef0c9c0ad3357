import type { IncomingHttpHeaders } from 'node:http'
import type { Limits } from '../contract/index.ts'
import { memoize } from '../memo.ts'
import { nameOf } from '../upstream/envelope.ts'
import { checkClient, hasProfile, logLevels, type LogLevel } from './call.ts'
import type { HttpRequest } from './context.ts'
import { clientLabel } from './exchange.ts'
import { META, MODERN_VERSIONS, McpError, isObject, rpc, type Params } from './json-rpc.ts'
import { checkParamHeaders, decodeHeaderValue } from './mcp-headers.ts'
import type { Route, Viewer } from './view.ts'

/** A request claims the modern era by its `_meta` version key, or by a version header of that era. */
export function isModern(message: unknown, headers: IncomingHttpHeaders): boolean {
  const meta = isObject(message) && isObject(message['params']) ? message['params']['_meta'] : undefined
  if (isObject(meta) && META.version in meta) return true
  const header = headers['mcp-protocol-version']
  return typeof header === 'string' && isModernVersion(header)
}

const isModernVersion = memoize((version) => /^\d{4}-\d{2}-\d{2}$/.test(version) && version >= MODERN_VERSIONS[0])

/** The client as a person knows it, by what the request says of it. */
export function clientOf(message: Params): string | null {
  const params = message['params']
  const meta = isObject(params) ? params['_meta'] : undefined
  return isObject(meta) ? clientLabel(meta[META.clientInfo]) : null
}

/** Whose a request is. Only where a server can ask or log it has to be known whose request is whose. */
export function ownerOf({ principal, capabilities }: Viewer, meta: Params): string {
  return !hasProfile(capabilities) && meta[META.logLevel] === undefined
    ? 'modern'
    : `modern ${principal} ${JSON.stringify(meta[META.clientInfo])}`
}

/** A fault of the envelope itself, which is a 400 where the same code in an answer is a 200. */
export class BadEnvelope extends McpError {}

/** The HTTP status of an error, as long as nothing has been streamed. */
export function statusOf(code: number, badEnvelope: boolean): number {
  if (code === rpc.methodNotFound) return 404
  if (badEnvelope || code === rpc.headerMismatch || code === rpc.missingCapability || code === rpc.unsupportedVersion)
    return 400
  return 200
}

/** What the request says of itself, checked in the order of PROTOCOL §3.3; throws McpError. */
export function checkEnvelope(http: HttpRequest, message: Params, limits: Limits): Viewer {
  const header = http.request.headers['mcp-protocol-version']
  const params = message['params']
  const meta = isObject(params) ? params['_meta'] : undefined
  const version = isObject(meta) ? meta[META.version] : undefined
  checkVersionHeader(version, header)
  if (!isObject(meta) || typeof version !== 'string')
    throw new BadEnvelope(rpc.invalidParams, `params._meta["${META.version}"] is missing`)
  checkVersion(version)
  const capabilities = meta[META.capabilities]
  if (!isObject(capabilities))
    throw new BadEnvelope(rpc.invalidParams, `params._meta["${META.capabilities}"] must be an object`)
  const level = meta[META.logLevel]
  // What is kept of a client, where it is; hardly a request is so large that it can be too much.
  if (http.body.length > limits.maxClientBytes && (hasProfile(capabilities) || level !== undefined))
    checkClient(Buffer.byteLength(JSON.stringify([capabilities, meta[META.clientInfo]])), limits)
  if (level !== undefined && !logLevels.includes(level as LogLevel))
    throw new BadEnvelope(rpc.invalidParams, `params._meta["${META.logLevel}"] is no log level`)
  return { principal: http.principal.id, capabilities, era: 'modern' }
}

/** Throws McpError when the header is another one than what the body says. */
function checkVersionHeader(version: unknown, header: string | string[] | undefined): void {
  if (version === undefined || version === header) return
  throw new McpError(
    rpc.headerMismatch,
    header === undefined
      ? 'The header MCP-Protocol-Version is missing'
      : `MCP-Protocol-Version is ${String(header)}, but _meta says ${JSON.stringify(version)}`,
  )
}

function checkVersion(version: string): void {
  if ((MODERN_VERSIONS as readonly string[]).includes(version)) return
  throw new McpError(rpc.unsupportedVersion, `Protocol version ${version} is not supported`, {
    supported: [...MODERN_VERSIONS],
    requested: version,
  })
}

/**
 * Who sends a notification; throws McpError when it contradicts its headers. It need not say anything of itself, and the official
 * SDK sends it without `Mcp-Method`.
 */
export function checkNotification(http: HttpRequest, message: Params): Viewer {
  const { headers } = http.request
  const params = message['params']
  const meta = isObject(params) ? params['_meta'] : undefined
  const version = isObject(meta) ? meta[META.version] : undefined
  checkVersionHeader(version, headers['mcp-protocol-version'])
  checkVersion(String(headers['mcp-protocol-version']))
  if (headers['mcp-method'] !== undefined) checkMethodHeader(http, message)
  const capabilities = isObject(meta) ? meta[META.capabilities] : undefined
  return { principal: http.principal.id, capabilities: isObject(capabilities) ? capabilities : {}, era: 'modern' }
}

function checkMethodHeader(http: HttpRequest, message: Params): void {
  const header = http.request.headers['mcp-method']
  const method = message['method'] as string
  if (header === undefined) throw new McpError(rpc.headerMismatch, 'The header Mcp-Method is missing')
  if (header !== method)
    throw new McpError(rpc.headerMismatch, `Mcp-Method is ${String(header)}, but the message is ${method}`)
}

/** The headers that repeat the method and the name of what is asked for; throws McpError. */
export function checkMethodHeaders(http: HttpRequest, message: Params): void {
  checkMethodHeader(http, message)
  const { headers } = http.request
  const method = message['method'] as string
  const name = nameOf(method, message['params'] as Params)
  if (name === undefined) return
  const given = headers['mcp-name']
  if (typeof given !== 'string') throw new McpError(rpc.headerMismatch, 'The header Mcp-Name is missing')
  const decoded = decodeHeaderValue(given)
  if (decoded === null) throw new McpError(rpc.headerMismatch, 'The header Mcp-Name is not valid Base64')
  if (decoded !== name) throw new McpError(rpc.headerMismatch, `Mcp-Name is ${decoded}, but the request names ${name}`)
}

/** The headers that repeat arguments, of a call and of each retry of it; throws McpError. */
export function checkToolHeaders(http: HttpRequest, { catalog, renamed, params }: Route): void {
  const expected = renamed ? undefined : catalog.headerParams.get(String(params?.['name']))
  if (expected === undefined) return
  const wrong = checkParamHeaders(expected, params?.['arguments'], http.request.headers)
  if (wrong !== null) throw new McpError(rpc.headerMismatch, wrong)
}
