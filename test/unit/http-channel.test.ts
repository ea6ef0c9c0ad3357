import type { Dispatcher } from 'undici'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { ChannelHandlers } from '../../hub/upstream/channel.ts'
import { createHttpChannel } from '../../hub/upstream/http-channel.ts'
import { createServerNetwork } from '../../hub/upstream/network/network.ts'
import { openStream, startScripted } from '../fixtures/scripted-server.ts'

const opened: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

const ignore = (): void => undefined
const handlers: ChannelHandlers = {
  onReply: ignore,
  onFailure: ignore,
  onMessage: ignore,
  onSessionLost: ignore,
  onGap: ignore,
  onOversize: ignore,
  onClose: ignore,
  onSignedOut: ignore,
  onLog: ignore,
}

it('an answer that a call waits for is delivered, however many calls keep their streams open', async () => {
  const server = await startScripted(({ response }) => openStream(response))
  const network = createServerNetwork({ env: () => undefined, configDir: '' })
  opened.push(server.close, network.close)
  const { url } = server
  const target = { url, proxy: undefined, tls: undefined, allowPrivateAddresses: false, internetOnly: false }
  const channel = createHttpChannel(
    { url, headers: {}, connect: () => network.dispatcher(target), authorization: null },
    handlers,
    { maxResponseBytes: 1_000 },
  )
  await channel.open()
  for (let id = 1; id <= 300; id++)
    channel.send(id, JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call' }), { method: 'tools/call' } as never)
  channel.answer('q', JSON.stringify({ jsonrpc: '2.0', id: 'q', result: {} }))
  await expect.poll(() => server.requests.some(({ message }) => message?.id === 'q')).toBe(true)
})

describe('the stream for messages that belong to no request', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  interface Asked {
    method: string
    headers: Record<string, string>
  }
  interface Sent extends Asked {
    end: (status: number | null, type?: string) => void
    say: (text: string) => void
  }

  /** A legacy session whose server answers, or breaks (null), as the test decides. */
  async function session() {
    const sent: Sent[] = []
    const dispatch = ({ method, headers }: Asked, handler: Dispatcher.DispatchHandler): boolean => {
      const abort = (error: Error): void => handler.onResponseError?.(control, error)
      const control = { abort } as unknown as Dispatcher.DispatchController
      const end = (status: number | null, type = 'text/plain'): void => {
        if (status === null) {
          abort(new Error('broken'))
          return
        }
        handler.onResponseStart?.(control, status, { 'content-type': type })
        if (method === 'POST') handler.onResponseEnd?.(control, {})
      }
      const say = (text: string): void => handler.onResponseData?.(control, Buffer.from(text))
      sent.push({ method, headers, end, say })
      handler.onRequestStart?.(control, {})
      return true
    }
    let gaps = 0
    const oversized: unknown[] = []
    const dispatcher = { dispatch } as unknown as Dispatcher
    const channel = createHttpChannel(
      { url: 'http://s/mcp', headers: {}, connect: () => Promise.resolve(dispatcher), authorization: null },
      { ...handlers, onGap: () => gaps++, onOversize: (...what) => oversized.push(what) },
      { maxResponseBytes: 1_000 },
    )
    await channel.open()
    channel.established('2025-11-25', false)
    channel.notify('{}', 'notifications/initialized')
    return { sent, oversized, gaps: () => gaps }
  }

  it.each([null, 429, 500, 503])('is asked for until it is there, if the first answer is %s', async (first) => {
    const { sent, gaps } = await session()
    sent[0]?.end(202)
    sent[1]?.end(first)
    vi.advanceTimersByTime(1_000)
    sent[2]?.end(first)
    vi.advanceTimersByTime(2_000)
    expect(sent.map(({ method }) => method)).toEqual(['POST', 'GET', 'GET', 'GET'])
    expect(gaps()).toBe(0)
    sent[3]?.end(200, 'text/event-stream')
    // What was told before nobody heard.
    expect(gaps()).toBe(1)
  })

  it.each([200, 400, 404, 405, 501])('is not asked for again where the answer is %i', async (status) => {
    const { sent } = await session()
    sent[0]?.end(202)
    sent[1]?.end(503)
    vi.advanceTimersByTime(1_000)
    sent[2]?.end(status)
    vi.advanceTimersByTime(60_000)
    expect(sent.map(({ method }) => method)).toEqual(['POST', 'GET', 'GET'])
  })

  it('is asked for although it is not known whether the server heard of the end of the handshake', async () => {
    const { sent } = await session()
    sent[0]?.end(null)
    expect(sent.map(({ method }) => method)).toEqual(['POST', 'GET'])
  })

  it('is asked for anew after a message over the limit, which is no call’s answer and does not come again', async () => {
    const { sent, gaps, oversized } = await session()
    sent[0]?.end(202)
    sent[1]?.end(200, 'text/event-stream')
    sent[1]?.say('id: e1\ndata: {}\n\n')
    sent[1]?.say(`id: e2\ndata: ${'x'.repeat(2_000)}`)
    vi.advanceTimersByTime(1_000)
    expect(oversized).toEqual([])
    expect(sent.at(-1)).toMatchObject({ method: 'GET' })
    expect(sent.at(-1)?.headers).not.toHaveProperty('last-event-id')
    sent.at(-1)?.end(200, 'text/event-stream')
    expect([sent.length, gaps()]).toEqual([3, 1])
  })
})
