import { connect } from 'node:net'
import { deadline } from '../lib/waiting.ts'
import { createHttpReader } from '../wire/http-reader.ts'
import { createSseReader } from '../wire/sse-reader.ts'
import { requestHead, type Header } from './http-connection.ts'

const OPEN_MS = 10_000

export interface EventStream {
  /** Where messages are posted, as the stream's first event says. */
  messagesPath: string
  close: () => void
}

/** Opens the stream of the old HTTP+SSE transport. */
export async function openEventStream(
  port: number,
  path: string,
  headers: Header,
  events: { onMessage: (bytes: Buffer) => void; onBroken: (error: Error) => void },
): Promise<EventStream> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true })
  const endpoint = new Promise<string>((resolve, reject) => {
    const read = createSseReader((data, event) => {
      if (event === 'endpoint') resolve(data.toString())
      else events.onMessage(data)
    })
    const onChunk = createHttpReader({ head: () => undefined, part: read, end: () => socket.destroy() })
    const fail = (error: Error): void => {
      socket.destroy()
      reject(error)
      events.onBroken(error)
    }
    socket.on('data', (chunk: Buffer) => {
      try {
        onChunk(chunk)
      } catch (error) {
        fail(error as Error)
      }
    })
    socket.on('error', fail)
    socket.on('close', () => fail(new Error('The event stream was closed')))
  })
  socket.write(`${requestHead('GET', path, { ...headers, accept: 'text/event-stream' })}\r\n`)
  const messagesPath = await deadline(OPEN_MS, () => 'The event stream names no endpoint', endpoint)
  return { messagesPath, close: () => socket.destroy() }
}
