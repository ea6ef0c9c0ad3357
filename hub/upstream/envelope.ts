import { WITH_INPUT, type Call } from '../gateway/call.ts'
import { META, isObject, type Params } from '../gateway/json-rpc.ts'

const ENVELOPE: ReadonlySet<string> = new Set([META.version, META.clientInfo, META.capabilities, META.logLevel])

/** Params for a legacy server: without the modern envelope, under the hop's own progress token. */
export function legacyParams(params: Params | undefined, call: Call, hop: number): Params | undefined {
  const meta = params?.['_meta']
  if (!isObject(meta)) return params
  const kept: Params = {}
  for (const key of Object.keys(meta)) {
    if (
      key === META.version ||
      key === META.clientInfo ||
      key === META.capabilities ||
      key === META.logLevel ||
      key === 'progressToken'
    )
      continue
    kept[key] = meta[key]
  }
  if (call.progressToken !== undefined) kept['progressToken'] = hop
  const { _meta: _dropped, ...rest } = params ?? {}
  // A legacy server asks on its own; answers to a question that the hub put in its name are the hub's.
  if (call.clientEra === 'modern' && WITH_INPUT.has(call.method)) delete rest['inputResponses']
  return Object.keys(kept).length === 0 ? rest : { ...rest, _meta: kept }
}

/** Params of a notification for a legacy server, which knows no envelope. */
export function withoutEnvelope(params: Params | undefined): Params | undefined {
  if (!isObject(params?.['_meta'])) return params
  const { _meta: meta, ...rest } = params
  const kept = Object.entries(meta).filter(([key]) => !ENVELOPE.has(key))
  return kept.length === 0 ? rest : { ...rest, _meta: Object.fromEntries(kept) }
}

/** Params for a modern server: the caller's own envelope, or one made from what its session declared. */
export function modernParams(params: Params | undefined, call: Call, hop: number, version: string): Params {
  const own = params?.['_meta']
  const meta: Params = isObject(own) ? { ...own } : {}
  meta[META.version] = version
  if (call.clientEra === 'legacy' || meta[META.capabilities] === undefined) meta[META.capabilities] = call.capabilities
  if (call.clientInfo !== undefined) meta[META.clientInfo] = call.clientInfo
  if (call.clientEra === 'legacy' && call.logLevel !== undefined) meta[META.logLevel] = call.logLevel
  if (call.progressToken !== undefined) meta['progressToken'] = hop
  return { ...params, _meta: meta }
}

/** What goes into `Mcp-Name` (2026-07-28, "Standard request headers"; the tasks extension adds `taskId`). */
export function nameOf(method: string, params: Params | undefined): string | undefined {
  let value: unknown
  if (method === 'tools/call' || method === 'prompts/get') value = params?.['name']
  else if (method === 'resources/read') value = params?.['uri']
  else if (method === 'tasks/get' || method === 'tasks/update' || method === 'tasks/cancel') value = params?.['taskId']
  return typeof value === 'string' ? value : undefined
}
