import { StringDecoder } from 'node:string_decoder'
import type { Dispatcher } from 'undici'
import { parseExactly } from '../contract/exact-json.ts'
import type { Reason } from '../contract/index.ts'
import { Reply, isObject, rpc, type JsonRpcMessage } from '../gateway/json-rpc.ts'
import { say, told } from '../say.ts'
import { UpstreamFailure, type Channel, type ChannelHandlers } from './channel.ts'
import { createEventReader } from './event-reader.ts'
import { bodyText, failureReason, statusReason } from './http-failures.ts'
import type { HttpOptions } from './http-channel.ts'
import { createHttpRequester, type HttpTarget } from './http-requester.ts'
import { tellOversize } from './message-ends.ts'
import { isMessage } from './unasked-stream.ts'

/** HTTP+SSE of 2024-11-05: one stream brings everything; messages are posted to the address that it names first. */
export function createSseChannel(target: HttpTarget, handlers: ChannelHandlers, options: HttpOptions): Channel {
  const url = new URL(target.url)
  const requester = createHttpRequester(target)
  let stream: Dispatcher.DispatchController | null = null
  let messages: URL | null = null
  let closed = false

  function receive(text: string): void {
    const bytes = Buffer.from(text)
    const quick = Reply.fromBytes(bytes)
    if (quick !== null) {
      handlers.onReply(quick.hopId as number, quick)
      return
    }
    let message: unknown
    try {
      message = parseExactly(text)
    } catch {
      handlers.onLog('hub', 'warn', 'The server sent something that is not JSON')
      return
    }
    if (!isObject(message)) return
    if (typeof message['method'] === 'string') handlers.onMessage(message as unknown as JsonRpcMessage, null)
    else if (typeof message['id'] === 'number') {
      const reply = Reply.fromMessage(message, message['id'])
      if (reply !== null) handlers.onReply(message['id'], reply)
    }
  }

  async function open(): Promise<void> {
    await requester.open()
    await openStream()
  }

  function openStream(): Promise<void> {
    return new Promise((resolve, reject) => {
      let status = 0
      let body = ''
      const decoder = new StringDecoder('utf8')
      const lost = (error: unknown): void => {
        const reason = failureReason(error, target.url)
        if (messages === null) reject(new UpstreamFailure(reason))
        else if (!closed) handlers.onClose(reason)
      }
      const feed = createEventReader({
        maxSize: options.maxResponseBytes,
        onEvent: (event) => {
          if (event.event !== 'endpoint') {
            if (isMessage(event)) receive(event.data)
            return
          }
          // Only the first one counts: on an open connection messages do not go elsewhere all of a sudden.
          if (messages !== null) return
          if (!URL.canParse(event.data, url.href)) {
            stream?.abort(new Error(`the server names no usable endpoint: ${event.data.slice(0, 200)}`))
            return
          }
          const address = new URL(event.data, url)
          // A server that names another origin would have us post elsewhere what is meant for it.
          if (address.origin !== url.origin) {
            stream?.abort(new Error('foreign endpoint'))
            reject(
              new UpstreamFailure(
                told({
                  code: 'protocol-error',
                  message: say`The server names an endpoint of another origin: ${address.origin}`,
                  cure: say`Correct the configuration of the server.`,
                }),
                true,
              ),
            )
            return
          }
          messages = address
          resolve()
        },
        onOverflow: (head, tail) => {
          const limit = { setting: 'limits.maxResponseBytes', bytes: options.maxResponseBytes }
          tellOversize({ head, tail }, limit, handlers, answer)
        },
      })
      requester.send(
        { method: 'GET', headers: { accept: 'text/event-stream' } },
        {
          onRequestStart: (controller) => (stream = controller),
          onResponseStart: (_controller, statusCode) => (status = statusCode),
          onResponseData: (_controller, chunk) => {
            if (status === 200) feed(decoder.write(chunk))
            else body += bodyText(chunk)
          },
          onResponseEnd: () => {
            if (status !== 200) reject(new UpstreamFailure(statusReason(status, body, target.url)))
            else lost(new Error('the server closed the stream'))
          },
          onResponseError: (_controller, error) => lost(error),
          onRefused: (reason) => reject(new UpstreamFailure(reason)),
        },
      )
    })
  }

  function post(text: string, failed: (message: string, reason: Reason | null) => void): void {
    if (messages === null) {
      failed('The stream is not open', null)
      return
    }
    let status = 0
    requester.send(
      {
        method: 'POST',
        path: messages.pathname + messages.search,
        headers: { 'content-type': 'application/json' },
        body: text,
      },
      {
        onRequestStart: () => undefined,
        onResponseStart: (_controller, statusCode) => (status = statusCode),
        onResponseData: () => undefined,
        onResponseEnd: () => {
          if (status < 400) return
          failed(`The server answered with HTTP status ${status}`, null)
          // It forgot the session, though the stream is open: only a new one helps.
          if (status === 404) stream?.abort(new Error('the server forgot the session'))
        },
        onResponseError: (_controller, error) => failed(error.message, null),
        onRefused: (reason, refusal) => {
          failed(`${reason.message}. ${reason.cure}`, reason)
          if (reason.code === 'needs-auth' && refusal === 401 && !closed) handlers.onSignedOut(reason)
        },
      },
    )
  }

  function answer(text: string): void {
    post(text, (message) => handlers.onLog('hub', 'warn', `An answer could not be delivered: ${message}`))
  }

  return {
    pid: null,
    get openStreams() {
      return messages === null || closed ? 0 : 1
    },
    isShared: true,
    open,
    send: (hop, text) =>
      post(text, (message, reason) => handlers.onFailure(hop, { code: rpc.serverUnavailable, message }, false, reason)),
    notify: (text, method) =>
      post(text, (message) => handlers.onLog('hub', 'warn', `${method} could not be delivered: ${message}`)),
    answer: (_id, text) => answer(text),
    abort: () => false,
    established: () => undefined,
    resetSession: () => undefined,
    close: () => {
      closed = true
      requester.close()
      return Promise.resolve()
    },
  }
}
