/** What the fixture server answers: the same over stdio and HTTP, written by hand so that it costs close to nothing. */

export type Era = 'legacy' | 'modern'

export interface Request {
  id?: string | number
  method?: string
  params?: {
    name?: string
    protocolVersion?: string
    arguments?: { text?: string; tag?: string; bytes?: number; steps?: number; gapMs?: number }
    _meta?: { progressToken?: string | number }
  }
}

/** One message in the pieces that are written one after the other. */
export type Pieces = (string | Buffer)[]

export interface AnswererOptions {
  era: Era
  /** How many tools the list has. */
  tools: number
}

const MODERN_VERSION = '2026-07-28'
const FILLER_LINE = '{"at": "2026-01-01T00:00:00Z", "level": "info", "message": "a line of a log — 42 °C"}\n'

export function createAnswerer(options: AnswererOptions): (request: Request) => Pieces {
  const modern = options.era === 'modern'
  const opening = modern ? '{"result":{"resultType":"complete",' : '{"result":{'
  const cached = modern ? ',"ttlMs":0,"cacheScope":"private"' : ''
  const tools = toolList(options.tools)
  const fillers = new Map<number, Buffer>()

  // The order of keys that servers on the TypeScript SDK send.
  const result = (id: string, body: string): Pieces => [`${opening}${body}},"jsonrpc":"2.0","id":${id}}`]
  const text = (id: string, value: string): Pieces =>
    result(id, `"content":[{"type":"text","text":${JSON.stringify(value)}}]`)

  function big(id: string, tag: string, bytes: number): Pieces {
    let filler = fillers.get(bytes)
    if (filler === undefined) {
      filler = fillerOf(bytes)
      fillers.set(bytes, filler)
    }
    return [`${opening}"content":[{"type":"text","text":"${tag}`, filler, `"}]},"jsonrpc":"2.0","id":${id}}`]
  }

  function callTool(id: string, params: NonNullable<Request['params']>): Pieces {
    const given = params.arguments ?? {}
    if (params.name === 'echo') return text(id, given.text ?? '')
    if (params.name === 'big') return big(id, given.tag ?? '', given.bytes ?? 0)
    if (params.name === 'progress') return text(id, 'done')
    if (params.name === 'pid') return text(id, String(process.pid))
    return [`{"jsonrpc":"2.0","id":${id},"error":{"code":-32602,"message":"Unknown tool"}}`]
  }

  return (request) => {
    const id = JSON.stringify(request.id)
    if (request.method === 'tools/call') return callTool(id, request.params ?? {})
    if (request.method === 'tools/list') return result(id, `"tools":${tools}${cached}`)
    if (request.method === 'ping' && !modern) return result(id, '')
    if (request.method === 'initialize' && !modern) {
      const version = JSON.stringify(request.params?.protocolVersion)
      return result(
        id,
        `"protocolVersion":${version},"capabilities":{"tools":{}},"serverInfo":{"name":"fixture","version":"1"}`,
      )
    }
    if (request.method === 'server/discover' && modern) {
      return result(id, `"supportedVersions":["${MODERN_VERSION}"],"capabilities":{"tools":{}}${cached}`)
    }
    return [`{"jsonrpc":"2.0","id":${id},"error":{"code":-32601,"message":"Method not found"}}`]
  }
}

/** The notifications of a call that reports progress, in order. */
export function progressNotes(request: Request): string[] {
  const token = JSON.stringify(request.params?._meta?.progressToken)
  const steps = request.params?.arguments?.steps ?? 0
  return Array.from(
    { length: steps },
    (_, step) =>
      `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":${token},"progress":${step + 1},"total":${steps}}}`,
  )
}

export function wantsProgress(request: Request): boolean {
  return request.params?.name === 'progress' && request.params._meta?.progressToken !== undefined
}

/** JSON string content of about `bytes` bytes, with the quotes, line ends and non-ASCII characters of a real log. */
export function fillerOf(bytes: number): Buffer {
  const line = JSON.stringify(FILLER_LINE).slice(1, -1)
  return Buffer.from(line.repeat(Math.ceil(bytes / Buffer.byteLength(line))))
}

/** Tools with schemas of a usual size, about 650 bytes each. */
function toolList(count: number): string {
  const named = ['echo', 'big', 'progress', 'pid']
  const names = Array.from({ length: Math.max(count, named.length) }, (_, index) => named[index] ?? `tool_${index}`)
  const property = (description: string): object => ({ type: 'string', description: description.repeat(3) })
  return JSON.stringify(
    names.map((name) => ({
      name,
      description: `The tool ${name} of the fixture. `.repeat(4),
      inputSchema: {
        type: 'object',
        properties: {
          text: property('The text that comes back. '),
          path: property('Where it is. '),
          query: property('What to look for. '),
          limit: { type: 'integer', minimum: 1, maximum: 1000, default: 50 },
        },
      },
    })),
  )
}
