import { afterEach, expect, it } from 'vitest'
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
