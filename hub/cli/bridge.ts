import { EventSourceParserStream } from 'eventsource-parser/stream'
import { parseExactly } from '../contract/exact-json.ts'
import { META, type JsonRpcId, type JsonRpcMessage } from '../gateway/json-rpc.ts'
import { encodeHeaderValue, headerParams, paramHeaders, type HeaderParam } from '../gateway/mcp-headers.ts'
import { nameOf } from '../upstream/envelope.ts'

export interface BridgeOptions {
  url: string
  token: string | undefined
  /** Messages of the client, one a line. */
  lines: AsyncIterable<string>
  /** Writes one message to the client. */
  write: (line: string) => void
  log: (text: string) => void
  signal: AbortSignal
  /** How long a hub may refuse connections, because it is being started again, before a request fails. */
  patienceMs?: number
  /** Pause before a stream that ended is opened again; it grows while the hub refuses. */
  reopenMs?: number
}

interface Pending {
  method: string
  abort: AbortController
  modern: boolean
}

const INTERNAL_ERROR = -32603
const PARSE_ERROR = -32700
const MAX_REOPEN_MS = 30_000

/** Joins a client that speaks over standard input and output to a hub's HTTP endpoint, in both eras. Ends with its input. */
export async function runBridge(options: BridgeOptions): Promise<void> {
  const { url, token, write, log, patienceMs = 15_000, reopenMs = 1_000 } = options
  const end = new AbortController()
  const signal = AbortSignal.any([end.signal, options.signal])
  const pending = new Map<JsonRpcId, Pending>()
  /** Arguments that also travel as headers, by tool; learnt from the lists that pass by. */
  const toolHeaders = new Map<string, HeaderParam[]>()
  let session: { id: string; version: string } | null = null
  /** The client's own handshake, to repeat when the hub has forgotten the session. */
  let initialize: JsonRpcMessage | null = null
  let initialised: Promise<unknown> = Promise.resolve()
  /** The session that is being replaced. */
  let renewing: string | null = null
  let listening: string | null = null

  function headersFor(message: JsonRpcMessage | null): Record<string, string> {
    const headers: Record<string, string> = { accept: 'application/json, text/event-stream' }
    if (token !== undefined) headers['authorization'] = `Bearer ${token}`
    const meta = message?.params?.['_meta'] as Record<string, unknown> | undefined
    const version = meta?.[META.version]
    if (message !== null && typeof version === 'string') {
      headers['mcp-protocol-version'] = version
      if (message.method !== undefined) {
        headers['mcp-method'] = message.method
        const name = nameOf(message.method, message.params)
        if (name !== undefined) headers['mcp-name'] = encodeHeaderValue(name)
        if (message.method === 'tools/call' && name !== undefined)
          Object.assign(headers, paramHeaders(toolHeaders.get(name) ?? [], message.params?.['arguments']))
      }
    } else if (session !== null && message?.method !== 'initialize') {
      headers['mcp-session-id'] = session.id
      headers['mcp-protocol-version'] = session.version
    }
    return headers
  }

  /** A hub that is being started refuses connections for a moment; nothing was sent then, so trying again is safe. */
  async function request(init: RequestInit): Promise<Response> {
    const giveUp = Date.now() + patienceMs
    for (let pause = 100; ; pause = Math.min(pause * 2, 1_000)) {
      try {
        return await fetch(url, init)
      } catch (error) {
        if (init.signal?.aborted === true || !refused(error) || Date.now() + pause > giveUp) throw error
        await sleep(pause, init.signal ?? signal)
      }
    }
  }

  async function post(message: JsonRpcMessage, abort: AbortSignal): Promise<void> {
    const stale = session?.id
    const response = await request({
      method: 'POST',
      headers: { ...headersFor(message), 'content-type': 'application/json' },
      body: JSON.stringify(message),
      signal: abort,
    })
    const id = response.headers.get('mcp-session-id')
    if (message.method === 'initialize' && id !== null) session = { id, version: '' }
    if (response.status === 404 && stale !== undefined && !isModern(message) && message.method !== 'initialize') {
      await response.body?.cancel()
      await renewSession(stale, abort)
      await post(message, abort)
      return
    }
    await deliver(message, response, abort, message.method === 'initialize' ? session?.id : stale)
  }

  /**
   * Several requests may learn at once that the session is gone; one of them opens the new one. Until it is there the old one
   * stays: when this fails, the next request learns the same and tries again.
   */
  async function renewSession(stale: string, abort: AbortSignal): Promise<void> {
    if (session?.id === stale && renewing !== stale && initialize !== null) {
      renewing = stale
      const again = initialize
      initialised = (async () => {
        const headers = { ...headersFor(again), 'content-type': 'application/json' }
        const response = await request({ method: 'POST', headers, body: JSON.stringify(again), signal: abort })
        const answer = await firstMessage(response, again.id)
        const id = response.headers.get('mcp-session-id')
        if (id === null || answer?.result === undefined) throw new Error('The hub does not open a new session.')
        session = { id, version: negotiated(answer) }
        const notification: JsonRpcMessage = { jsonrpc: '2.0', method: 'notifications/initialized' }
        await deliver(
          notification,
          await request({
            method: 'POST',
            headers: { ...headersFor(notification), 'content-type': 'application/json' },
            body: JSON.stringify(notification),
            signal: abort,
          }),
          abort,
          id,
        )
        log('The hub was started again; the session is renewed.')
        void listen()
      })().finally(() => (renewing = null))
    }
    await initialised
  }

  /** Passes on what the hub answers to one message, which was sent in the session `sentIn`. */
  async function deliver(
    message: JsonRpcMessage,
    response: Response,
    abort: AbortSignal,
    sentIn: string | undefined,
  ): Promise<void> {
    const type = response.headers.get('content-type') ?? ''
    if (type.startsWith('text/event-stream')) {
      let last = await passEvents(response)
      // A legacy stream that broke can be read on from where it broke, in its own session.
      while (expects(message) && !isModern(message) && last !== null && !abort.aborted) {
        await sleep(reopenMs, abort)
        if (!expects(message) || session?.id !== sentIn) break
        const next = await request({ headers: { ...headersFor(null), 'last-event-id': last }, signal: abort })
        if (!next.ok) break
        last = (await passEvents(next)) ?? last
      }
    } else {
      const text = await response.text()
      if (type.startsWith('application/json') && text !== '') {
        const answer = parseExactly(text) as Partial<JsonRpcMessage>
        // A refusal may come without the request's id; the client waits for one that has it.
        if (answer.jsonrpc === '2.0')
          pass({ ...answer, jsonrpc: '2.0', ...(answer.id === null && message.id !== undefined && { id: message.id }) })
      }
      if (expects(message) && response.status >= 400) throw new Error(explain(response.status, text))
    }
    if (expects(message)) throw new Error('The hub ended the answer before it was complete.')
  }

  /** The id of the last event, or null when events have none. */
  async function passEvents(response: Response): Promise<string | null> {
    let last: string | null = null
    if (response.body === null) return last
    try {
      for await (const event of response.body
        .pipeThrough(new TextDecoderStream())
        .pipeThrough(new EventSourceParserStream())) {
        if (event.id !== undefined && event.id !== '') last = event.id
        if (event.data !== '') pass(parseExactly(event.data) as JsonRpcMessage)
      }
    } catch (error) {
      if (!signal.aborted && error instanceof SyntaxError)
        log(`The hub sent something that is not JSON: ${error.message}`)
    }
    return last
  }

  function pass(message: JsonRpcMessage): void {
    if (message.id !== undefined && message.id !== null && message.method === undefined) {
      const request_ = pending.get(message.id)
      pending.delete(message.id)
      if (request_?.method === 'initialize' && session !== null) session.version = negotiated(message)
      if (request_?.method === 'tools/list') learn(message)
    }
    write(JSON.stringify(message))
  }

  function learn(message: JsonRpcMessage): void {
    const tools = (message.result as { tools?: unknown } | undefined)?.tools
    for (const tool of Array.isArray(tools) ? (tools as { name: string; inputSchema?: unknown }[]) : []) {
      const params = headerParams(tool.inputSchema)
      if (params !== null && params.length > 0) toolHeaders.set(tool.name, params)
    }
  }

  /** The stream on which the hub of an older era speaks first. One per session; hubs without it answer 405. */
  async function listen(): Promise<void> {
    const mine = session?.id
    if (mine === undefined || listening === mine) return
    listening = mine
    let last: string | null = null
    let pause = reopenMs
    while (!signal.aborted && session?.id === mine) {
      // A network that is away, as after a laptop's sleep, is as good as a hub that is busy.
      const response: Response | null = await request({
        headers: { ...headersFor(null), ...(last !== null && { 'last-event-id': last }) },
        signal,
      }).catch(() => null)
      if (response?.ok === true) {
        pause = reopenMs
        last = (await passEvents(response)) ?? last
      } else {
        await response?.body?.cancel()
        if (response !== null && response.status < 500 && response.status !== 429) break
      }
      await sleep(pause, signal)
      if (response?.ok !== true) pause = Math.min(pause * 2, MAX_REOPEN_MS)
    }
    if (listening === mine) listening = null
  }

  function expects(message: JsonRpcMessage): message is JsonRpcMessage & { id: JsonRpcId } {
    return message.method !== undefined && message.id !== undefined && message.id !== null && pending.has(message.id)
  }

  async function handle(message: JsonRpcMessage): Promise<void> {
    const abort = new AbortController()
    const own = AbortSignal.any([signal, abort.signal])
    if (message.method === 'notifications/cancelled') {
      const id = message.params?.['requestId'] as JsonRpcId
      const running = pending.get(id)
      // Nobody waits for an answer any more, and none may come: its stream is not opened again.
      pending.delete(id)
      if (running?.modern === true) {
        // In the modern era a closed answer is the cancellation.
        running.abort.abort()
        return
      }
    }
    if (message.method !== undefined && message.id !== undefined && message.id !== null)
      pending.set(message.id, { method: message.method, abort, modern: isModern(message) })
    try {
      if (message.method === 'initialize') {
        initialize = message
        const opening = post(message, own)
        initialised = opening.catch(() => null)
        await opening
      } else {
        await initialised.catch(() => null)
        await post(message, own)
        if (message.method === 'notifications/initialized') void listen()
      }
    } catch (error) {
      if (own.aborted || !expects(message)) return
      pending.delete(message.id)
      const reason = refused(error)
        ? `MCP Hub does not answer at ${url}. Start it, or give its address with --url.`
        : error instanceof Error
          ? error.message
          : String(error)
      write(JSON.stringify({ jsonrpc: '2.0', id: message.id, error: { code: INTERNAL_ERROR, message: reason } }))
    }
  }

  try {
    for await (const line of options.lines) {
      if (signal.aborted) break
      if (line.trim() === '') continue
      const messages = parse(line)
      if (messages === null)
        write(JSON.stringify({ jsonrpc: '2.0', id: null, error: { code: PARSE_ERROR, message: 'Not valid JSON' } }))
      else for (const message of messages) void handle(message)
    }
  } finally {
    end.abort()
    const open = session as { id: string } | null
    if (open !== null)
      await fetch(url, { method: 'DELETE', headers: headersFor(null), signal: AbortSignal.timeout(2_000) }).catch(
        () => null,
      )
  }
}

function parse(line: string): JsonRpcMessage[] | null {
  try {
    const value = parseExactly(line) as JsonRpcMessage | JsonRpcMessage[]
    return Array.isArray(value) ? value : [value]
  } catch {
    return null
  }
}

function isModern(message: JsonRpcMessage): boolean {
  const meta = message.params?.['_meta'] as Record<string, unknown> | undefined
  return typeof meta?.[META.version] === 'string'
}

function negotiated(message: JsonRpcMessage): string {
  return (message.result as { protocolVersion?: string } | undefined)?.protocolVersion ?? ''
}

async function firstMessage(response: Response, id: unknown): Promise<JsonRpcMessage | null> {
  if (response.body === null || !response.ok) return null
  if (response.headers.get('content-type')?.startsWith('text/event-stream') !== true)
    return (await response.json()) as JsonRpcMessage
  for await (const event of response.body
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(new EventSourceParserStream())) {
    const message = event.data === '' ? null : (parseExactly(event.data) as JsonRpcMessage)
    if (message?.id === id) return message
  }
  return null
}

/** True when no connection was made, so that nothing can have been done. */
function refused(error: unknown): boolean {
  const cause =
    error instanceof Error ? (error.cause as { code?: string; errors?: { code?: string }[] } | undefined) : undefined
  return [cause?.code, ...(cause?.errors ?? []).map(({ code }) => code)].some(
    (code) => code === 'ECONNREFUSED' || code === 'ENOTFOUND',
  )
}

function explain(status: number, text: string): string {
  if (status === 401) return 'The hub does not know this token. Copy it again from the app into MCP_HUB_TOKEN.'
  if (status === 404) return 'The hub has no such endpoint. Check the address.'
  return `The hub answered ${status}: ${text.slice(0, 200)}`
}

function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, milliseconds)
    signal.addEventListener('abort', done)
  })
}
