import type { ServerResponse } from 'node:http'
import { Pool, type Dispatcher } from 'undici'
import type { Forwarder } from './rawproxy.ts'
import type { UpstreamConfig } from './upstream-config.ts'

const ACCEPT = 'application/json, text/event-stream'
const PASSED_HEADERS = ['mcp-protocol-version', 'mcp-method', 'mcp-name']

/** Bodies are passed on as bytes in both directions; every call has its own exchange, so no id changes. */
export function createHttpForwarder(config: Extract<UpstreamConfig, { kind: 'http' }>): Forwarder {
  const url = new URL(config.url)
  const pool = new Pool(url.origin, { connections: 256, pipelining: 1 })
  let session: Record<string, string> = {}

  const common = (): Record<string, string> => ({ 'content-type': 'application/json', accept: ACCEPT, ...session })

  async function ask(message: object): Promise<{ headers: Record<string, unknown>; body: unknown }> {
    const { headers, body } = await pool.request({
      path: url.pathname,
      method: 'POST',
      headers: common(),
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...message }),
    })
    return { headers, body: await body.json() }
  }

  async function open(): Promise<void> {
    if (config.era === 'modern') return
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'rawproxy', version: '1' } }
    const { headers } = await ask({ method: 'initialize', params })
    session = { 'mcp-session-id': String(headers['mcp-session-id']) }
  }

  return {
    ready: open(),
    forward: (_message, body, given, response) => {
      const headers = common()
      for (const name of PASSED_HEADERS) {
        const value = given[name]
        if (value !== undefined) headers[name] = value
      }
      pool.dispatch({ path: url.pathname, method: 'POST', headers, body }, relayTo(response))
    },
    tools: async () => {
      const { body } = await ask({ method: 'tools/list' })
      return (body as { result: { tools: { name: string }[] } }).result.tools
    },
  }
}

function relayTo(response: ServerResponse): Dispatcher.DispatchHandler {
  let length = -1
  return {
    onRequestStart: () => undefined,
    onResponseStart: (_controller, status, headers) => {
      length = Number(headers['content-length'] ?? -1)
      response.writeHead(status, {
        'content-type': String(headers['content-type'] ?? 'application/json'),
        ...(length < 0 ? {} : { 'content-length': length }),
      })
    },
    onResponseData: (_controller, chunk) => {
      // A body that came whole leaves in one write with the head.
      if (chunk.length === length) response.end(chunk.toString('latin1'), 'latin1')
      else response.write(chunk)
    },
    onResponseEnd: () => {
      if (!response.writableEnded) response.end()
    },
    onResponseError: () => {
      if (response.headersSent) response.destroy()
      else response.writeHead(502, { 'content-length': 0 }).end()
    },
  }
}
