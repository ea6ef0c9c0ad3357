import { connect, type Socket } from 'node:net'
import { createHttpReader, type Head } from '../wire/http-reader.ts'
import { createSseReader } from '../wire/sse-reader.ts'
import { HUNG_MS, Hung } from './lane.ts'

export interface HttpAnswer {
  status: number
  head: Head
}

/** A keep-alive connection on a raw socket, with one request open at a time. */
export interface HttpConnection {
  /** `onMessage` is given each JSON-RPC message of the answer as it comes: the body, or the events of a stream. */
  send: (head: string, body: string, onMessage: (bytes: Buffer) => void) => Promise<HttpAnswer>
  close: () => void
}

interface Exchange {
  onMessage: (bytes: Buffer) => void
  resolve: (answer: HttpAnswer) => void
  reject: (error: Error) => void
}

export type Header = Record<string, string>

const HOST = '127.0.0.1'
/** Servers close a connection that is idle for longer: Node after 5 s. */
const REUSE_MS = 3_000

/** The request line and the headers that a client sends with each request; the length is added by `send`. */
export function requestHead(method: string, path: string, headers: Header): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}`
}

export function openConnection(port: number): HttpConnection {
  let exchange: Exchange | null = null
  let usedAt = performance.now()
  let socket = openSocket()

  function openSocket(): Socket {
    const opened = connect({ host: HOST, port, noDelay: true })
    const read = createAnswerReader({
      onMessage: (bytes) => exchange?.onMessage(bytes),
      onEnd: (answer) => {
        const done = exchange
        exchange = null
        usedAt = performance.now()
        done?.resolve(answer)
      },
    })
    const fail = (error: Error): void => {
      opened.destroy()
      if (opened !== socket) return
      const open = exchange
      exchange = null
      open?.reject(error)
    }
    opened.on('data', (chunk: Buffer) => {
      try {
        read(chunk)
      } catch (error) {
        fail(error as Error)
      }
    })
    opened.on('error', fail)
    opened.on('close', () => fail(new Error('The connection was closed')))
    return opened
  }

  const watch = setInterval(() => {
    if (exchange === null || performance.now() - usedAt < HUNG_MS) return
    exchange.reject(new Hung(`No answer in ${HUNG_MS} ms`))
    exchange = null
    socket.destroy()
  }, 500)
  watch.unref()

  return {
    send: (head, body, onMessage) =>
      new Promise((resolve, reject) => {
        const now = performance.now()
        if (now - usedAt > REUSE_MS) {
          socket.destroy()
          socket = openSocket()
        }
        usedAt = now
        exchange = { onMessage, resolve, reject }
        if (socket.destroyed) reject(new Error('The connection was closed'))
        else socket.write(`${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
      }),
    close: () => {
      clearInterval(watch)
      socket.destroy()
    },
  }
}

function createAnswerReader(events: {
  onMessage: (bytes: Buffer) => void
  onEnd: (answer: HttpAnswer) => void
}): (chunk: Buffer) => void {
  let answer: HttpAnswer | null = null
  let onPart: (bytes: Buffer) => void = () => undefined
  let onEnd: () => void = () => undefined
  return createHttpReader({
    head: (head) => {
      answer = { status: Number(head.startLine.slice(9, 12)), head }
      if (head.header('content-type')?.startsWith('text/event-stream')) {
        onPart = createSseReader(events.onMessage)
        onEnd = () => undefined
        return
      }
      const parts: Buffer[] = []
      onPart = (bytes) => void parts.push(bytes)
      onEnd = () => {
        const [only] = parts
        if (only !== undefined) events.onMessage(parts.length === 1 ? only : Buffer.concat(parts))
      }
    },
    part: (bytes) => onPart(bytes),
    end: () => {
      onEnd()
      if (answer !== null) events.onEnd(answer)
    },
  })
}
