import { describe, expect, it, vi } from 'vitest'
import { parseExactly } from '../../hub/contract/exact-json.ts'
import { createAppTransport, type AppTransportOptions } from '../../renderer/features/tools/app/app-transport.ts'

describe('messages of a frame', () => {
  const page = new EventTarget()
  const sent: unknown[] = []
  const frame = { postMessage: (message: unknown) => sent.push(message) } as unknown as Window
  function open(options: Partial<AppTransportOptions> = {}) {
    const heard: unknown[] = []
    const onExcess = vi.fn()
    const transport = createAppTransport({
      frame: () => frame,
      page,
      record: () => undefined,
      onExcess,
      now: () => 0,
      ...options,
    })
    transport.onmessage = (message) => heard.push(message)
    void transport.start()
    return { transport, heard, onExcess }
  }
  const say = (data: unknown, source: unknown = frame) =>
    page.dispatchEvent(Object.assign(new Event('message'), { data, source }))
  const ping = { jsonrpc: '2.0', id: 1, method: 'ping' }

  it('are heard from its own window alone, and only as JSON-RPC', () => {
    const { heard, transport } = open()
    say(ping)
    say(ping, { postMessage: () => undefined })
    say(ping, null)
    for (const other of ['ping', { source: 'devtools' }, { jsonrpc: '2.0' }, null]) say(other)
    expect(heard).toEqual([ping])
    void transport.close()
    say(ping)
    expect(heard).toHaveLength(1)
  })

  it('are heard no longer once they are too many or too large', () => {
    const flooded = open()
    for (let n = 0; n < 1_000; n++) say(ping)
    expect(flooded.onExcess.mock.calls).toEqual([['flood']])
    const count = flooded.heard.length
    say(ping)
    expect(flooded.heard).toHaveLength(count)
    void flooded.transport.close()

    const large = open()
    say({ ...ping, params: { data: 'x'.repeat(5_000_000) } })
    expect(large.onExcess.mock.calls).toEqual([['message']])
    expect(large.heard).toEqual([])
    void large.transport.close()
  })

  it('are plain data on their way to it, also with numbers that a double cannot hold', async () => {
    const { transport } = open()
    await transport.send({ jsonrpc: '2.0', method: 'x', params: { big: parseExactly('12345678901234567890') } })
    expect(structuredClone(sent.at(-1))).toMatchObject({ params: { big: 12345678901234567000 } })
  })
})
