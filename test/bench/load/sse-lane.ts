import { openConnection, requestHead, type Header } from './http-connection.ts'
import type { Endpoint } from './http-lane.ts'
import {
  HUNG_MS,
  Hung,
  initializeParams,
  nextId,
  readMessage,
  requestText,
  type Lane,
  type Message,
  type Reply,
} from './lane.ts'
import { deadline } from '../lib/waiting.ts'
import { openEventStream } from './event-stream.ts'

const HOST = '127.0.0.1'

/** A client of the old HTTP+SSE transport: requests are posted, answers come on one stream. */
export async function openSseLane(endpoint: Endpoint): Promise<Lane> {
  const headers: Header = { host: `${HOST}:${endpoint.port}`, ...endpoint.headers }
  let open: { id: number; onNote: ((note: Message) => void) | undefined; resolve: (reply: Reply) => void } | null = null
  let broken: Error | null = null
  let breakOpen: ((error: Error) => void) | null = null

  const stream = await openEventStream(endpoint.port, endpoint.path, headers, {
    onMessage: (bytes) => {
      if (open === null) return
      const reply = readMessage(bytes, open.id, open.onNote)
      if (reply !== null) open.resolve(reply)
    },
    onBroken: (error) => {
      broken = error
      breakOpen?.(error)
    },
  })
  const posts = openConnection(endpoint.port)
  const head = requestHead('POST', stream.messagesPath, { ...headers, 'content-type': 'application/json' })

  async function request(
    method: string,
    params: Record<string, unknown>,
    onNote?: (note: Message) => void,
  ): Promise<Reply> {
    if (broken !== null) throw broken
    const id = nextId()
    const answered = new Promise<Reply>((resolve, reject) => {
      open = { id, onNote, resolve }
      breakOpen = reject
    })
    const posted = posts.send(head, requestText('legacy', id, method, params), () => undefined)
    const [reply] = await Promise.all([
      deadline(HUNG_MS, () => 'hung', answered).catch((error: unknown) => {
        throw (error as Error).message === 'hung' ? new Hung(`No answer in ${HUNG_MS} ms`) : error
      }),
      posted,
    ])
    return reply
  }

  await request('initialize', initializeParams)
  await posts.send(head, '{"jsonrpc":"2.0","method":"notifications/initialized"}', () => undefined)
  return {
    request,
    toolName: endpoint.toolName,
    close: () => {
      stream.close()
      posts.close()
    },
  }
}
