import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { filledIn, hostileAnswer, type Emit } from '../../fixtures/mcp-servers/lib/hostile.ts'
import type { Message } from '../../fixtures/mcp-servers/lib/types.ts'

/** Where in an answer over HTTP the bytes stand. */
export type Where = 'body' | 'stream' | 'connection'
export const places: Where[] = ['body', 'stream', 'connection']

export interface HostileRemote {
  url: string
  close: () => Promise<void>
}

/** The server of `hostile.ts` over Streamable HTTP and over HTTP+SSE; the argument `where` says how the bytes go out. */
export async function startHostileRemote(form: 'legacy' | 'modern' | 'sse'): Promise<HostileRemote> {
  /** HTTP+SSE: each client has a stream of its own. */
  const streams = new Map<string, ServerResponse>()
  const era = form === 'modern' ? 'modern' : 'legacy'
  const eventOf = (body: object): string => `event: message\ndata: ${JSON.stringify(body)}\n\n`

  function emit(message: Message, response: ServerResponse, stream: ServerResponse | undefined): void {
    const { bytes, answers, where } = message.params?.['arguments'] as Emit & { where: Where }
    const written = Buffer.from(filledIn(bytes, message), 'latin1')
    const answer = hostileAnswer(message, era)
    if (form === 'sse') {
      response.writeHead(202).end()
      stream?.write(written)
      if (answers) stream?.write(`\n\n${eventOf(answer)}`)
    } else if (where === 'connection') response.socket?.end(written)
    else if (where === 'body') response.writeHead(200, { 'content-type': 'application/json' }).end(written)
    else {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(written)
      response.end(answers ? `\n\n${eventOf(answer)}` : '')
    }
  }

  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      if (request.method === 'GET' && form === 'sse') {
        const path = `/messages?session=${streams.size}`
        streams.set(path, response)
        response.writeHead(200, { 'content-type': 'text/event-stream' }).write(`event: endpoint\ndata: ${path}\n\n`)
        return
      }
      const stream = streams.get(request.url ?? '')
      if (request.method !== 'POST' || (form === 'sse' ? stream === undefined : request.url !== '/mcp')) {
        response.writeHead(request.method === 'DELETE' ? 200 : 405).end()
        return
      }
      const message = JSON.parse(Buffer.concat(chunks).toString()) as Message
      if (message.id === undefined || message.method === undefined) response.writeHead(202).end()
      else if (message.method === 'tools/call') emit(message, response, stream)
      else if (form === 'sse') {
        response.writeHead(202).end()
        stream?.write(eventOf(hostileAnswer(message, era)))
      } else {
        const answer = hostileAnswer(message, era)
        const isFault = message.method === 'server/discover' && 'error' in answer
        response.writeHead(isFault ? 400 : 200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}${form === 'sse' ? '/sse' : '/mcp'}`,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
