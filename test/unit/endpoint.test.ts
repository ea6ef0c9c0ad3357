import { once } from 'node:events'
import net from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { createEndpointListener, type EndpointListener } from '../../hub/endpoint.ts'

const limits = {
  maxConnections: 10,
  maxConnectionsPerAddress: 10,
  maxHeaderBytes: 16_384,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 10_000,
  isProxy: () => false,
}
const open: { close: () => unknown }[] = []
afterEach(async () => {
  for (const each of open.splice(0)) await each.close()
})

function createListener(): EndpointListener {
  const listener = createEndpointListener({
    host: '127.0.0.1',
    limits,
    listener: (_request, response) => void response.end('answer'),
    onChange: () => undefined,
    onAlone: () => undefined,
  })
  open.push(listener)
  return listener
}
/** A port that another program holds, or held until now. */
async function portOf(isHeld: boolean): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  if (isHeld) open.push(server)
  else await new Promise((resolve) => server.close(resolve))
  return port
}
const answers = (port: number): Promise<boolean> =>
  fetch(`http://127.0.0.1:${port}/`).then(
    () => true,
    () => false,
  )

it('moves to another port, and leaves the present one', async () => {
  const listener = createListener()
  const { port } = await listener.listen(0)
  const next = await portOf(false)
  expect(await listener.listen(next)).toMatchObject({ state: 'listening', port: next })
  expect(listener.endpoint).toMatchObject({ state: 'listening', port: next })
  expect([await answers(port), await answers(next)]).toEqual([false, true])
})

it('stays where it is when the other port is taken', async () => {
  const listener = createListener()
  const { port } = await listener.listen(0)
  const taken = await portOf(true)
  expect(await listener.listen(taken)).toMatchObject({ state: 'port-in-use', port: taken })
  expect(listener.endpoint).toMatchObject({ state: 'listening', port })
  expect(await answers(port)).toBe(true)
})

it('tells of the port that it was to start on, and takes no other for it that it does not get', async () => {
  const listener = createListener()
  const [first, second] = [await portOf(true), await portOf(true)]
  await listener.listen(first)
  expect(listener.endpoint).toMatchObject({ state: 'port-in-use', port: first })
  expect(await listener.listen(second)).toMatchObject({ state: 'port-in-use', port: second })
  expect(listener.endpoint).toMatchObject({ state: 'port-in-use', port: first })
})

it('takes a port once, also when it is told twice', async () => {
  const listener = createListener()
  await listener.listen(0)
  const next = await portOf(false)
  const both = await Promise.all([listener.listen(next), listener.listen(next)])
  expect(both.map(({ state }) => state)).toEqual(['listening', 'listening'])
  expect(await answers(next)).toBe(true)
})
