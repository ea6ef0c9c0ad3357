import type { IncomingHttpHeaders } from 'node:http'
import type { Exchange } from './exchange.ts'
import { isObject, type Params } from './json-rpc.ts'

/** Makes the hub's own part of a trace. */
export interface Traces {
  /** A span under the caller's; returns what the server continues it by. */
  begin: (exchange: Exchange, parent: TraceContext | null) => string
  end: (exchange: Exchange) => void
  /** Sends what is left. */
  dispose: () => Promise<void>
}

export interface TraceContext {
  traceId: string
  spanId: string
  flags: number
}

/** W3C Trace Context, version 00 and whatever later versions begin like it; null for what is none. */
export function parseTraceparent(value: unknown): TraceContext | null {
  if (typeof value !== 'string') return null
  const match = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-|$)/.exec(value)
  const [, traceId = '', spanId = '', flags = ''] = match ?? []
  if (match === null || /^0+$/.test(traceId) || /^0+$/.test(spanId)) return null
  return { traceId, spanId, flags: Number.parseInt(flags, 16) }
}

/**
 * Notes the trace that a request belongs to, by its `_meta` (2026-07-28, "Trace context") or its HTTP header. Where the hub
 * traces, the params come back under its own span; else they stay as they are.
 */
export function traced(
  traces: Traces | null,
  exchange: Exchange,
  headers: IncomingHttpHeaders,
  params: Params | undefined,
): Params | undefined {
  const meta = isObject(params?.['_meta']) ? params['_meta'] : undefined
  const given = meta?.['traceparent'] ?? headers['traceparent']
  if (traces === null && given === undefined) return params
  const parent = parseTraceparent(given)
  if (parent !== null) exchange.traceId = parent.traceId
  if (traces === null) return params
  const traceparent = traces.begin(exchange, parent)
  const { tracestate: _state, ...rest } = meta ?? {}
  // The state belongs to the trace that is continued; of a broken one it means nothing.
  const state = parent === null ? undefined : (meta?.['tracestate'] ?? headers['tracestate'])
  return { ...params, _meta: { ...rest, traceparent, ...(typeof state === 'string' ? { tracestate: state } : {}) } }
}

/** The trace headers for a server over HTTP: the same that its `_meta` has. */
export function traceHeaders(params: Params | undefined): Record<string, string> | undefined {
  const meta = params?.['_meta']
  if (!isObject(meta) || parseTraceparent(meta['traceparent']) === null) return undefined
  const state = meta['tracestate']
  const carried = typeof state === 'string' && /^[\x20-\x7e]{1,512}$/.test(state) ? { tracestate: state } : {}
  return { traceparent: meta['traceparent'] as string, ...carried }
}
