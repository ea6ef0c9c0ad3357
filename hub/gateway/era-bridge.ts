import { randomUUID } from 'node:crypto'
import type { Item } from '../upstream/catalog.ts'
import { META, Reply, isObject, rpc, type Params, type RpcError } from './json-rpc.ts'

/** What went wrong between the hub and its server is not the client's fault. */
export function withoutHopErrors(error: RpcError): RpcError {
  return error.code === rpc.headerMismatch || error.code === rpc.unsupportedVersion
    ? { code: rpc.internalError, message: `The hub and the server disagree: ${error.message}` }
    : error
}

/** A tool of a modern server for a legacy client, whose SDK rejects a whole list for one output schema that is no object. */
export function forLegacyClient(tool: Item): Item {
  const schema = tool['outputSchema']
  if (schema === undefined || (isObject(schema) && schema['type'] === 'object')) return tool
  return { ...tool, outputSchema: { type: 'object', properties: { result: schema }, required: ['result'] } }
}

/** The answer of a modern server for a legacy client. */
export function legacyReply(reply: Reply, method: string): Reply {
  const { result, error } = reply.message
  if (error !== undefined) {
    if (error.code === rpc.missingCapability && method === 'tools/call') {
      return Reply.result({ content: [{ type: 'text', text: error.message }], isError: true })
    }
    return Reply.error(withoutHopErrors(error))
  }
  if (!isObject(result)) return Reply.result(result)
  const { resultType: _type, ttlMs: _ttl, cacheScope: _scope, ...rest } = result
  const meta = rest['_meta']
  if (isObject(meta) && META.serverInfo in meta) {
    const { [META.serverInfo]: _info, ...kept } = meta
    if (Object.keys(kept).length > 0) rest['_meta'] = kept
    else delete rest['_meta']
  }
  if (method === 'tools/call' && 'structuredContent' in rest && !isObject(rest['structuredContent'])) {
    rest['structuredContent'] = { result: rest['structuredContent'] }
  }
  return Reply.result(rest)
}

/** The pages that a legacy server's error sends the user to (2025-11-25, "URL elicitation required"). */
export function pagesOf(error: RpcError | undefined): Params[] {
  if (error?.code !== rpc.legacyUrlElicitation || !isObject(error.data)) return []
  const { elicitations } = error.data
  return Array.isArray(elicitations) ? elicitations.filter(isObject) : []
}

/**
 * What a modern server asks, for a legacy client that has no stream to be asked on: when it is pages alone, the client can
 * still be told to open them and to call again, as a server of its era would. Null for anything else.
 */
export function pagesRequired(requests: Params): RpcError | null {
  const elicitations = Object.values(requests).flatMap((request) => {
    if (!isObject(request) || request['method'] !== 'elicitation/create' || !isObject(request['params'])) return []
    const page = legacyQuestion('elicitation/create', request['params'])
    return page?.['mode'] === 'url' ? [page] : []
  })
  if (elicitations.length === 0 || elicitations.length < Object.keys(requests).length) return null
  const message = 'The user has to open a page before the server goes on: call again when that is done'
  return { code: rpc.legacyUrlElicitation, message, data: { elicitations } }
}

/** A question of a modern server as a legacy client expects it: there each visit of a page has an id. */
export function legacyQuestion(method: string, params: Params | undefined): Params | undefined {
  if (method === 'elicitation/create' && params?.['mode'] === 'url' && params['elicitationId'] === undefined)
    return { ...params, elicitationId: randomUUID() }
  return params
}
