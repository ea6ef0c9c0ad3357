import { randomBytes } from 'node:crypto'
import { createServer, type Socket } from 'node:net'
import { createHttpReader, type Head } from '../wire/http-reader.ts'
import { progressNotes, wantsProgress, type Era, type Pieces, type Request } from './answers.ts'

export interface HttpUpstreamOptions {
  era: Era
  /** 0 takes a free one; the one taken is printed. */
  port: number
}

/** Streamable HTTP on raw sockets: JSON answers, or an event stream for a call that reports progress. */
export function serveHttp(answer: (request: Request) => Pieces, options: HttpUpstreamOptions): void {
  const sessions = new Set<string>()

  function onRequest(socket: Socket, head: Head, body: string): void {
    if (!head.startLine.startsWith('POST ')) {
      socket.write(emptyAnswer('405 Method Not Allowed'))
      return
    }
    const request = JSON.parse(body) as Request
    let headers = ''
    if (options.era === 'legacy') {
      const session = head.header('mcp-session-id')
      if (request.method === 'initialize') {
        const opened = randomBytes(16).toString('hex')
        sessions.add(opened)
        headers = `mcp-session-id: ${opened}\r\n`
      } else if (session === null || !sessions.has(session)) {
        socket.write(emptyAnswer(session === null ? '400 Bad Request' : '404 Not Found'))
        return
      }
    }
    if (request.id === undefined || request.method === undefined) socket.write(emptyAnswer('202 Accepted'))
    else if (wantsProgress(request)) streamProgress(socket, request, answer(request))
    else sendJson(socket, headers, answer(request))
  }

  const server = createServer({ noDelay: true }, (socket) => {
    let head: Head | null = null
    let body: Buffer[] = []
    socket.on(
      'data',
      createHttpReader({
        head: (next) => (head = next),
        part: (bytes) => body.push(bytes),
        end: () => {
          const text = body.length === 1 ? String(body[0]) : Buffer.concat(body).toString()
          body = []
          if (head !== null) onRequest(socket, head, text)
        },
      }),
    )
    socket.on('error', () => socket.destroy())
  })
  server.listen(options.port, '127.0.0.1', () => {
    const address = server.address()
    if (address !== null && typeof address === 'object') console.log(`listening on ${address.port}`)
  })
}

function emptyAnswer(status: string): string {
  return `HTTP/1.1 ${status}\r\ncontent-length: 0\r\n\r\n`
}

function sendJson(socket: Socket, headers: string, pieces: Pieces): void {
  let length = 0
  for (const piece of pieces) length += Buffer.byteLength(piece)
  const head = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n${headers}content-length: ${length}\r\n\r\n`
  const [first] = pieces
  if (pieces.length === 1 && typeof first === 'string') {
    socket.write(head + first)
    return
  }
  socket.cork()
  socket.write(head)
  for (const piece of pieces) socket.write(piece)
  socket.uncork()
}

function streamProgress(socket: Socket, request: Request, result: Pieces): void {
  const gapMs = request.params?.arguments?.gapMs ?? 0
  const events = [...progressNotes(request), result.map(String).join('')].map(
    (data) => `event: message\ndata: ${data}\n\n`,
  )
  const chunk = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`
  const head = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n'
  if (gapMs === 0) {
    socket.write(head + chunk(events.join('')) + chunk(''))
    return
  }
  socket.write(head)
  events.forEach((event, step) => {
    setTimeout(() => {
      if (!socket.destroyed) socket.write(step === events.length - 1 ? chunk(event) + chunk('') : chunk(event))
    }, step * gapMs)
  })
}
