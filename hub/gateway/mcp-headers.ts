/** Values of `Mcp-Name` and `Mcp-Param-*` headers (2026-07-28, "Standard request headers"). */

const SENTINEL = /^=\?base64\?(.*)\?=$/
// Strict: only the alphabet, padded to a multiple of four.
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** Text outside printable ASCII, padded, or that looks encoded already travels as `=?base64?…?=`. */
export function encodeHeaderValue(value: string): string {
  const plain = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(value) && !value.startsWith('=?base64?')
  return plain ? value : `=?base64?${Buffer.from(value).toString('base64')}?=`
}

/** The text of a header value, or null when its Base64 or its UTF-8 is not valid. */
export function decodeHeaderValue(value: string): string | null {
  const encoded = SENTINEL.exec(value)?.[1]
  if (encoded === undefined) return value
  if (!BASE64.test(encoded)) return null
  const bytes = Buffer.from(encoded, 'base64')
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return null
  }
}

export interface HeaderParam {
  header: string
  path: string[]
  type: string
}

/**
 * The arguments of a tool that also travel as headers: schema properties with `x-mcp-header`, reached through `properties`
 * only. Null when an annotation is not valid; such a tool must be left out of lists (2026-07-28, "Custom headers").
 */
export function headerParams(inputSchema: unknown): HeaderParam[] | null {
  const found: HeaderParam[] = []
  const seen = new Set<string>()
  const faults: string[] = []

  function visit(schema: unknown, path: string[], reachable: boolean): void {
    if (typeof schema !== 'object' || schema === null || faults.length > 0) return
    if (Array.isArray(schema)) {
      for (const item of schema) visit(item, path, false)
      return
    }
    const record = schema as Record<string, unknown>
    if (path.length > 0 && Object.hasOwn(record, 'x-mcp-header')) {
      const header = record['x-mcp-header']
      const type = record['type']
      const name = typeof header === 'string' ? header.toLowerCase() : ''
      const ok =
        reachable &&
        /^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name) &&
        (type === 'string' || type === 'integer' || type === 'boolean') &&
        !seen.has(name)
      if (!ok) {
        faults.push(path.join('.'))
        return
      }
      seen.add(name)
      found.push({ header: `mcp-param-${name}`, path, type })
    }
    for (const [key, value] of Object.entries(record)) {
      if (key === 'properties' && typeof value === 'object' && value !== null && !Array.isArray(value)) {
        for (const [property, child] of Object.entries(value)) visit(child, [...path, property], reachable)
      } else if (
        typeof value === 'object' &&
        value !== null &&
        key !== 'default' &&
        key !== 'examples' &&
        key !== 'const' &&
        key !== 'enum'
      ) {
        visit(value, [...path, key], false)
      }
    }
  }

  visit(inputSchema, [], true)
  return faults.length === 0 ? found : null
}

function valueAt(args: unknown, path: string[]): unknown {
  let at = args
  for (const key of path)
    at =
      typeof at === 'object' && at !== null && Object.hasOwn(at, key) ? (at as Record<string, unknown>)[key] : undefined
  return at
}

/** The `Mcp-Param-*` headers that a call's arguments ask for; absent and null arguments have none. */
export function paramHeaders(params: readonly HeaderParam[], args: unknown): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const param of params) {
    const value = valueAt(args, param.path)
    if (value === undefined || value === null) continue
    headers[param.header] = encodeHeaderValue(typeof value === 'string' ? value : JSON.stringify(value))
  }
  return headers
}

/**
 * The `Mcp-Param-*` headers for a server: those that the arguments ask for, and whatever others the client sent. The server
 * may know of annotations that the hub has not read yet. Undefined where there are none.
 */
export function outgoingParamHeaders(
  params: readonly HeaderParam[] | undefined,
  args: unknown,
  given: Record<string, string | string[] | undefined> | null,
): Record<string, string> | undefined {
  let headers = params === undefined ? undefined : paramHeaders(params, args)
  for (const name in given) {
    const value = given[name]
    if (!name.startsWith('mcp-param-') || typeof value !== 'string') continue
    if (params?.some(({ header }) => header === name) !== true) (headers ??= {})[name] = value
  }
  return headers
}

/** What is wrong with a call's `Mcp-Param-*` headers, or null. Integers compare as numbers. */
export function checkParamHeaders(
  params: readonly HeaderParam[],
  args: unknown,
  headers: Record<string, string | string[] | undefined>,
): string | null {
  for (const param of params) {
    const value = valueAt(args, param.path)
    const raw = headers[param.header]
    const header = Array.isArray(raw) ? raw.join(', ') : raw
    if (value === undefined || value === null) {
      if (header !== undefined) return `${param.header} is there, but the argument ${param.path.join('.')} is not`
      continue
    }
    if (header === undefined) return `${param.header} is missing for the argument ${param.path.join('.')}`
    const decoded = decodeHeaderValue(header)
    if (decoded === null) return `${param.header} is not valid Base64`
    const equal =
      typeof value === 'number'
        ? decoded.trim() !== '' && Number(decoded) === value
        : decoded === (typeof value === 'string' ? value : JSON.stringify(value))
    if (!equal) return `${param.header} differs from the argument ${param.path.join('.')}`
  }
  return null
}
