import type { Era } from '../contract/index.ts'
import { WITH_INPUT, canAnswer, type ClientCapabilities } from './call.ts'
import { pagesOf, withoutHopErrors } from './era-bridge.ts'
import { META, McpError, Reply, fieldName, isObject, rpc, type Body, type Params, type RpcError } from './json-rpc.ts'

/** Methods whose complete results carry caching fields in the modern era (2026-07-28, "Caching"). */
const CACHEABLE = new Set([
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
  'resources/read',
  'server/discover',
  'skills/list',
  'skills/get',
])

const RESULT_TYPE = fieldName('resultType')
const META_FIELD = fieldName('_meta')
const ONLY_SERVER_INFO = Buffer.from(`"_meta":{"${META.serverInfo}":`)
/** What stands behind the name then, in either order of the envelope. */
const LAST_FIELD = /^\}\}(?:,"jsonrpc":"2\.0","id":\d+)?\}$/
const MAX_TAIL = 64
const COMPLETE = '"resultType":"complete",'
const NOT_CACHED = '"ttlMs":0,"cacheScope":"private",'

/** How a result for a modern client comes to be one. */
export interface ResultOrigin {
  era: Era | undefined
  method: string
  /** Who the result is from; null where the server says so itself. */
  serverInfo: Params | null
}

/** The answer of a server as a modern client gets it: the result says its type, how long it holds, and who it is from. */
export function modernBody(reply: Reply, idText: string, origin: ResultOrigin): Body {
  const { era, method, serverInfo } = origin
  const fields =
    (era === 'legacy' || !reply.mayHave(RESULT_TYPE) ? COMPLETE : '') +
    (era === 'legacy' && CACHEABLE.has(method) ? NOT_CACHED : '')
  if (serverInfo === null) return reply.render(idText, fields)
  const isPlain = !reply.mayHave(META_FIELD) && (era !== 'legacy' || !reply.mayHave(RESULT_TYPE))
  if (isPlain) return reply.render(idText, fields + metaText(serverInfo))
  const restamped = era === 'legacy' ? null : withServerInfo(reply, serverInfo)
  return restamped === null ? stamped(reply, origin).render(idText) : restamped.render(idText, fields)
}

const metaTexts = new WeakMap<Params, string>()

/** The field `_meta` of a result that has none, as ASCII; made once for each server, because every call asks. */
function metaText(serverInfo: Params): string {
  const known = metaTexts.get(serverInfo)
  if (known !== undefined) return known
  const text = `"_meta":${ascii(JSON.stringify({ [META.serverInfo]: serverInfo }))},`
  metaTexts.set(serverInfo, text)
  return text
}

function ascii(json: string): string {
  return json.replace(/[\u0080-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/**
 * The answer under another name, without being parsed; null when the place of the name is not sure: what a tool returned may
 * have one, too. It is the answer's own where a `_meta` that has nothing else is the last field of the result.
 */
function withServerInfo({ bytes }: Reply, serverInfo: Params): Reply | null {
  const at = bytes?.indexOf(ONLY_SERVER_INFO) ?? -1
  if (bytes === null || at === -1) return null
  const start = at + ONLY_SERVER_INFO.length
  const end = endOfObject(bytes, start)
  if (end === -1 || bytes.length - end > MAX_TAIL || !LAST_FIELD.test(bytes.toString('latin1', end))) return null
  return Reply.fromBytes(
    Buffer.concat([bytes.subarray(0, start), Buffer.from(ascii(JSON.stringify(serverInfo))), bytes.subarray(end)]),
  )
}

/** Where the object that begins at `start` ends; -1 when none begins there. */
function endOfObject(bytes: Buffer, start: number): number {
  let depth = 0
  for (let at = start; at < bytes.length; at++) {
    const byte = bytes[at]
    if (byte === 0x22) {
      at = bytes.indexOf(0x22, at + 1)
      while (at !== -1 && isEscaped(bytes, at)) at = bytes.indexOf(0x22, at + 1)
      if (at === -1) return -1
    } else if (byte === 0x7b) depth++
    else if (byte === 0x7d) depth--
    if (depth === 0) return byte === 0x7d ? at + 1 : -1
  }
  return -1
}

function isEscaped(bytes: Buffer, quote: number): boolean {
  let slashes = 0
  while (bytes[quote - 1 - slashes] === 0x5c) slashes++
  return slashes % 2 === 1
}

/** The same for an answer that has to be looked into. */
function stamped(reply: Reply, { era, method, serverInfo }: ResultOrigin): Reply {
  const { result, error } = reply.message
  if (error !== undefined) return Reply.error(error)
  if (!isObject(result)) return reply
  return Reply.result({
    resultType: 'complete',
    ...(era === 'legacy' && CACHEABLE.has(method) ? { ttlMs: 0, cacheScope: 'private' } : {}),
    ...result,
    // In the legacy era the name means nothing; a client of this one would act on it.
    ...(era === 'legacy' ? { resultType: 'complete' } : {}),
    _meta: { ...(isObject(result['_meta']) ? result['_meta'] : {}), [META.serverInfo]: serverInfo },
  })
}

/** Codes that mean something in the modern era alone, and so nothing when a legacy server uses them. */
const MODERN_CODES = new Set<number>([rpc.headerMismatch, rpc.missingCapability, rpc.unsupportedVersion])

/** The error of a server as a modern client gets it: what its era does not have is translated. */
export function modernError(
  reply: Reply,
  era: Era | undefined,
  method: string,
  capabilities: ClientCapabilities,
): Reply {
  const error = reply.message.error ?? { code: rpc.internalError, message: 'The server sent an empty error' }
  if (era !== 'legacy') return Reply.error(withoutHopErrors(error))
  if (error.code === rpc.legacyResourceNotFound) return Reply.error({ ...error, code: rpc.invalidParams })
  if (MODERN_CODES.has(error.code)) return Reply.error({ ...error, code: rpc.internalError })
  return error.code === rpc.legacyUrlElicitation ? pagesToOpen(error, method, capabilities) : Reply.error(error)
}

/** Begins the keys of pages that the hub asks for in a legacy server's name. */
const PAGE = 'url-elicitation-'

/**
 * A legacy server fails a request until its user has opened some pages (2025-11-25, "URL elicitation required"); a modern
 * one asks for it. The server keeps no state of the request, so the client's retry needs no `requestState`.
 */
function pagesToOpen(error: RpcError, method: string, capabilities: ClientCapabilities): Reply {
  const pages = pagesOf(error)
  if (pages.length === 0 || !WITH_INPUT.has(method)) return Reply.error({ ...error, code: rpc.internalError })
  if (!canAnswer(capabilities, 'elicitation/create', { mode: 'url' }))
    return Reply.error({
      code: rpc.missingCapability,
      message: error.message,
      data: { requiredCapabilities: { elicitation: { url: {} } } },
    })
  return Reply.result({
    resultType: 'input_required',
    inputRequests: Object.fromEntries(
      pages.map((page, at) => [`${PAGE}${at + 1}`, modernQuestion('elicitation/create', { ...page, mode: 'url' })]),
    ),
  })
}

/** Whether a retry says that the user did not want to open a page that the hub asked for: then it is not made. */
export function refusesPages(params: Params | undefined): boolean {
  const responses = params?.['inputResponses']
  return (
    isObject(responses) &&
    Object.entries(responses).some(
      ([key, answer]) => key.startsWith(PAGE) && !(isObject(answer) && answer['action'] === 'accept'),
    )
  )
}

export function pagesRefused(method: string): Reply {
  const text = 'The user did not open the page that the server needs first'
  if (method === 'tools/call') return Reply.result({ content: [{ type: 'text', text }], isError: true })
  throw new McpError(rpc.internalError, text)
}

/** A question of a legacy server as an input request: the visit of a page has no id of its own there. */
export function modernQuestion(method: string, params: Params | undefined): Params {
  if (params === undefined) return { method }
  if (method !== 'elicitation/create') return { method, params }
  const { elicitationId: _visit, ...rest } = params
  return { method, params: rest }
}
