import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PassThrough } from 'node:stream'
import { createInterface } from 'node:readline'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { runBridge } from '../../hub/cli/bridge.ts'

interface Message {
  id?: number
  method?: string
  result?: unknown
  error?: { message: string }
}
type Answer = (response: ServerResponse, message: Message) => void

const open: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of open.splice(0)) await close()
})

describe('mcp-hub connect', () => {
  it('asks no more for the answer of a call that was cancelled', async () => {
    const hub = await standIn()
    let call: ServerResponse | undefined
    hub.answers.set('tools/call', (response) => {
      call = response
      events(response, 'id: 1\ndata: {"jsonrpc":"2.0","method":"notifications/progress"}\n\n')
    })
    hub.answers.set('notifications/cancelled', (response) => {
      call?.end()
      response.writeHead(202).end()
    })
    const client = await connect(hub.url)
    client.send({ id: 2, method: 'tools/call' })
    await vi.waitFor(() => expect(client.heard('notifications/progress')).toBe(true))
    client.send({ method: 'notifications/cancelled', params: { requestId: 2 } })
    await client.ask(3, 'ping')
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(hub.resumed).toEqual([])
    expect(client.got.some(({ id }) => id === 2)).toBe(false)
  })

  it('does not read on in another session', async () => {
    const hub = await standIn()
    hub.answers.set('tools/call', (response) => {
      events(response, 'id: 1\ndata: {"jsonrpc":"2.0","method":"notifications/progress"}\n\n')
      hub.forget()
      // By the time that the stream ends, another request has had the session renewed.
      hub.answers.set('ping', (other, { id }) => {
        json(other, { id, result: {} })
        response.end()
      })
    })
    const client = await connect(hub.url)
    client.send({ id: 2, method: 'tools/call' })
    await vi.waitFor(() => expect(client.heard('notifications/progress')).toBe(true))
    expect(await client.ask(3, 'ping')).toMatchObject({ result: {} })
    expect((await client.answer(2)).error?.message).toContain('before it was complete')
    expect(hub.resumed).toEqual([])
  })

  it('tries again to renew the session when that failed', async () => {
    const hub = await standIn()
    const client = await connect(hub.url)
    hub.forget()
    hub.answers.set('initialize', (response) => response.writeHead(503).end())
    expect(await client.ask(2, 'ping')).toHaveProperty('error')
    hub.answers.delete('initialize')
    // Several at once: one of them renews it.
    const before = hub.opened()
    const both = await Promise.all([client.ask(3, 'ping'), client.ask(4, 'ping')])
    expect(both).toEqual([expect.objectContaining({ result: {} }), expect.objectContaining({ result: {} })])
    expect(hub.opened() - before).toBe(1)
  })

  it('opens the stream of what servers say by themselves again after a hub that was busy or away', async () => {
    const hub = await standIn()
    const client = await connect(hub.url)
    client.send({ method: 'notifications/initialized' })
    await vi.waitFor(() => expect(hub.stream()).toBeDefined())
    hub.refusals.push(
      (response) => response.writeHead(503).end(),
      (response) => response.writeHead(429).end(),
      (response) => response.destroy(),
    )
    hub.stream()?.end()
    await vi.waitFor(() => expect(hub.refusals).toEqual([]))
    await vi.waitFor(() => {
      hub.stream()?.write('data: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n\n')
      expect(client.heard('notifications/tools/list_changed')).toBe(true)
    })
  })
})

/** A client of the older era that has its session. */
async function connect(url: string) {
  const input = new PassThrough()
  const got: Message[] = []
  const end = new AbortController()
  const running = runBridge({
    url,
    token: undefined,
    lines: createInterface({ input }),
    write: (line) => void got.push(JSON.parse(line) as Message),
    log: () => undefined,
    signal: end.signal,
    reopenMs: 5,
  })
  open.unshift(async () => {
    input.end()
    end.abort()
    await running
  })
  const send = (message: Message & { params?: unknown }): boolean =>
    input.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
  const answer = (id: number): Promise<Message> =>
    vi.waitFor(() => {
      const found = got.find((message) => message.id === id)
      if (found === undefined) throw new Error(`No answer to ${id}`)
      return found
    })
  const ask = (id: number, method: string): Promise<Message> => {
    send({ id, method })
    return answer(id)
  }
  expect(await ask(1, 'initialize')).toHaveProperty('result')
  const heard = (name: string): boolean => got.some(({ method }) => method === name)
  return { got, heard, send, answer, ask }
}

/** A hub that answers as a test wants. */
async function standIn() {
  const answers = new Map<string, Answer>()
  const refusals: ((response: ServerResponse) => void)[] = []
  const resumed: string[] = []
  let [opened, session] = [0, '']
  let stream: ServerResponse | undefined
  const server = createServer((request, response) => {
    void (async () => {
      if (request.method === 'DELETE') return void response.writeHead(204).end()
      const known = request.headers['mcp-session-id'] === session
      const last = request.headers['last-event-id']
      if (request.method === 'GET') {
        const refuse = refusals.shift()
        if (refuse !== undefined) {
          refuse(response)
          return
        }
        if (last !== undefined) resumed.push(String(last))
        if (!known) return void response.writeHead(404).end()
        stream = response
        events(response, ': here\n\n')
        return
      }
      const message = JSON.parse(await textOf(request)) as Message
      const answer = answers.get(message.method ?? '')
      if (message.method !== 'initialize' && request.headers['mcp-session-id'] === undefined)
        return void response.writeHead(400).end()
      if (message.method !== 'initialize' && !known) return void response.writeHead(404).end()
      if (answer !== undefined) {
        answer(response, message)
        return
      }
      if (message.method === 'initialize') {
        session = `session-${++opened}`
        response.setHeader('mcp-session-id', session)
      }
      if (message.id === undefined) return void response.writeHead(202).end()
      json(response, { id: message.id, result: {} })
    })()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  open.push(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    answers,
    refusals,
    /** Event ids from which a stream was asked for. */
    resumed,
    forget: () => void (session = 'forgotten'),
    opened: () => opened,
    stream: () => stream,
  }
}

function events(response: ServerResponse, text: string): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write(text)
}

function json(response: ServerResponse, message: object): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ jsonrpc: '2.0', ...message }))
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  return text
}
