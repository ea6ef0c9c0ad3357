import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually, openFiles } from '../chaos/processes.ts'
import { openRaw, sendRaw, statusesOf } from './raw-socket.ts'
import { rawRequests, type RawInput } from './raw-requests.ts'
import { inputCount, replay, seed, SHRINK_MS, timeout } from './scale.ts'
import { MAX_WAIT_MS, startTarget, type Target } from './target.ts'
import regressions from './regressions.json' with { type: 'json' }

const ROUND = 32
const SLOW_SOCKETS = 300
/** Those who never finish their head are let go after 10 s, with a look every 2 s. */
const REAPED_MS = 15_000

let target: Target
beforeAll(async () => {
  target = await startTarget()
}, 60_000)
afterAll(() => target.close())

async function faultOf({ pieces, leaving }: RawInput): Promise<string | null> {
  const own = pieces.map((piece) => piece.replaceAll('<token>', target.token))
  try {
    const received = await sendRaw(target.hub.url, own, leaving, MAX_WAIT_MS)
    return statusesOf(received).some((status) => status >= 500) ? received : null
  } catch (error) {
    return String(error)
  }
}

const head = (line: string, ...headers: string[]): string =>
  `${[line, 'Host: localhost', `Authorization: ${target.token}`, 'Content-Type: application/json', ...headers].join('\r\n')}\r\n\r\n`
const ping = (id: number): string => `{"jsonrpc":"2.0","id":${id},"method":"tools/list","params":{}}`

describe('bytes that are no HTTP, or hardly', () => {
  it('what once was not answered is', async () => {
    for (const { why, input } of regressions.filter((one) => one.endpoint === 'raw'))
      expect(await faultOf(input as unknown as RawInput), why).toBeNull()
  })

  it(`${inputCount} connections end in time, and none of them with 5xx`, { timeout }, async () => {
    let sent = 0
    for (let round = 0; sent < inputCount; round++)
      await fc.assert(
        fc.asyncProperty(fc.array(rawRequests, { minLength: 1, maxLength: ROUND, size: 'max' }), async (some) => {
          sent += some.length
          const faults = await Promise.all(some.map(faultOf))
          expect(faults.filter((fault) => fault !== null)).toEqual([])
        }),
        { numRuns: 20, seed: seed + round, ...replay, interruptAfterTimeLimit: SHRINK_MS },
      )
    await target.expectHealthy()
    await target.expectBounded()
  })
})

describe('where a body ends', () => {
  const smuggled = 'GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n'
  it.each([
    ['Content-Length and chunked', ['Content-Length: 6', 'Transfer-Encoding: chunked'], `0\r\n\r\n${smuggled}`],
    ['chunked that is not last', ['Transfer-Encoding: chunked, identity'], `0\r\n\r\n${smuggled}`],
    ['an unknown coding', ['Transfer-Encoding: xchunked'], `0\r\n\r\n${smuggled}`],
    ['a blank before the colon', ['Content-Length: 0', 'Transfer-Encoding : chunked'], `0\r\n\r\n${smuggled}`],
    ['a vertical tab before chunked', ['Content-Length: 0', 'Transfer-Encoding:\x0bchunked'], `0\r\n\r\n${smuggled}`],
    ['a folded coding', ['Content-Length: 0', 'Transfer-Encoding:\r\n chunked'], `0\r\n\r\n${smuggled}`],
    ['two lengths', ['Content-Length: 0', `Content-Length: ${smuggled.length}`], smuggled],
    ['a list of lengths', ['Content-Length: 0, 0'], smuggled],
    ['a signed length', ['Content-Length: +0'], smuggled],
    ['a length that overflows', ['Content-Length: 18446744073709551616'], smuggled],
    ['a bare line feed after a header', ['Content-Length: 0\nTransfer-Encoding: chunked'], `0\r\n\r\n${smuggled}`],
    ['a chunk that says less than it has', ['Transfer-Encoding: chunked'], `2\r\nabc\r\n0\r\n\r\n${smuggled}`],
    ['a chunk size with a bare line feed', ['Transfer-Encoding: chunked'], `2\nab\n0\n\n${smuggled}`],
    ['a negative chunk', ['Transfer-Encoding: chunked'], `-1\r\n\r\n0\r\n\r\n${smuggled}`],
  ])('is not for two readers to see in two ways: %s', async (_what, headers, rest) => {
    const received = await sendRaw(
      target.hub.url,
      [head('POST /mcp HTTP/1.1', ...headers) + rest],
      'finishes',
      MAX_WAIT_MS,
    )
    expect(statusesOf(received)).toEqual([400])
    expect(received).toContain('connection: close')
  })

  it('is known of every message in a pipeline: each is answered, in order, with its own', async () => {
    const ids = Array.from({ length: 50 }, (_, index) => index + 1)
    const init =
      '{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{}}}'
    const opened = await sendRaw(
      target.hub.url,
      [head('POST /mcp/echo HTTP/1.1', `Content-Length: ${init.length}`) + init],
      'finishes',
      MAX_WAIT_MS,
    )
    const session = /mcp-session-id: (\S+)/i.exec(opened)?.[1]
    const all = ids.map((id, index) => {
      const lines = index % 2 === 0 ? `Content-Length: ${ping(id).length}` : 'Transfer-Encoding: chunked'
      const content = index % 2 === 0 ? ping(id) : `${ping(id).length.toString(16)}\r\n${ping(id)}\r\n0\r\n\r\n`
      return head('POST /mcp/echo HTTP/1.1', `Mcp-Session-Id: ${session ?? ''}`, lines) + content
    })
    const received = await sendRaw(target.hub.url, [all.join('')], 'finishes', MAX_WAIT_MS)
    expect([...received.matchAll(/"jsonrpc":"2.0","id":(\d+),"result"/g)].map(([, id]) => Number(id))).toEqual(ids)
  })
})

describe('clients that take their time', () => {
  it('or never end their head, are let go, and keep nobody waiting', { timeout: 60_000 }, async () => {
    const starts = ['', 'P', 'POST /mcp HTTP/1.1\r\n', 'POST /mcp HTTP/1.1\r\nHost: localhost\r\nX: ']
    const sockets = Array.from({ length: SLOW_SOCKETS }, () => openRaw(target.hub.url))
    const startedAt = performance.now()
    const ended = sockets.map(
      (socket) =>
        new Promise((resolve) =>
          socket
            .on('data', () => undefined)
            .once('close', resolve)
            .once('end', resolve),
        ),
    )
    const drip = setInterval(() => {
      for (const [index, socket] of sockets.entries()) if (index % 2 === 0 && socket.writable) socket.write('x')
    }, 500)
    for (const [index, socket] of sockets.entries()) socket.write(starts[index % starts.length]!)
    for (let n = 0; n < 10; n++) {
      const before = performance.now()
      await target.expectHealthy()
      expect(performance.now() - before).toBeLessThan(MAX_WAIT_MS)
    }
    // Who says nothing at all has not begun a request: only keep-alive time limits bound it.
    await Promise.all(ended.filter((_, index) => index % starts.length !== 0))
    clearInterval(drip)
    expect(performance.now() - startedAt).toBeLessThan(REAPED_MS + (MAX_WAIT_MS - 3_000))
    for (const socket of sockets) socket.destroy()
  })

  it('and go in the middle of a body or of an answer leave no handle behind', async () => {
    await target.expectHealthy()
    const before = openFiles(target.hub.pid)
    const content = `{"jsonrpc":"2.0","id":1,"method":"ping"}`
    const full = head('POST /mcp HTTP/1.1', `Content-Length: ${content.length}`) + content
    const sse = head('GET /sse HTTP/1.1', 'Accept: text/event-stream')
    const sent = Array.from({ length: 200 }, (_, index) => [full.slice(0, -5), full, sse][index % 3]!)
    await Promise.all(sent.map((piece) => sendRaw(target.hub.url, [piece], 'resets', MAX_WAIT_MS)))
    await eventually('their handles are closed', MAX_WAIT_MS, () =>
      openFiles(target.hub.pid) <= before + 5 ? true : null,
    )
    await target.expectHealthy()
  })
})
