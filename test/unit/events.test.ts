import { once } from 'node:events'
import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createEvents, type StreamOptions } from '../../hub/observe/events.ts'
import { createRedactor } from '../../hub/observe/redactor.ts'

const all: StreamOptions = {
  lastEventId: undefined,
  logsOf: null,
  usage: true,
  narrowed: false,
  sees: () => true,
  may: () => true,
}

/** A response on a real connection, and what its client got of it. */
async function connect(): Promise<{ response: ServerResponse; message: Promise<IncomingMessage>; close: () => void }> {
  const server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const asked = once(server, 'request') as Promise<[IncomingMessage, ServerResponse]>
  const client = get({ host: '127.0.0.1', port: (server.address() as AddressInfo).port })
  const message = once(client, 'response').then(([answer]) => answer as IncomingMessage)
  message.catch(() => undefined)
  client.on('error', () => undefined)
  const [, response] = await asked
  const close = (): void => {
    client.destroy()
    server.close()
  }
  return { response, message, close }
}

describe('the event stream', () => {
  afterEach(() => vi.useRealTimers())

  it('says every 15 seconds that it is alive', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const events = createEvents(createRedactor())
    const { response, message, close } = await connect()
    events.stream(response, all)
    const write = vi.spyOn(response, 'write')
    vi.advanceTimersByTime(14_999)
    expect(write).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(write.mock.calls).toEqual([[': keep-alive\n\n']])
    vi.advanceTimersByTime(15_000)
    events.close()
    const text = (await (await message).toArray()).join('')
    expect(text).toBe('retry: 1000\n\n: keep-alive\n\n: keep-alive\n\n')
    close()
  })

  it('keeps no reader that left before it began', async () => {
    const events = createEvents(createRedactor())
    const { response, close } = await connect()
    const closed = once(response, 'close')
    close()
    await closed
    events.stream(response, all)
    expect([events.readers, events.isUsageWatched]).toEqual([0, false])
    events.close()
  })
})
