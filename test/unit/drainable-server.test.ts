import { once } from 'node:events'
import net from 'node:net'
import { describe, expect, it } from 'vitest'
import { createDrainableServer, type DrainableServer } from '../../hub/drainable-server.ts'

const limits = {
  maxConnections: 10,
  maxConnectionsPerAddress: 10,
  maxHeaderBytes: 16_384,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 10_000,
  isProxy: () => false,
}
/** Longer than a test may take. */
const FOREVER = 600_000

async function start(isHeld: boolean): Promise<{ service: DrainableServer; port: number }> {
  const service = createDrainableServer(limits, (_request, response) => void response.end('answer'), isHeld)
  const { port } = await service.listen(0, '127.0.0.1')
  return { service, port }
}

async function connect(port: number): Promise<net.Socket> {
  const client = net.connect(port, '127.0.0.1')
  await once(client, 'connect')
  return client
}

/** Asks on a connection that is kept, and answers all that came. */
async function ask(client: net.Socket, route: string): Promise<string> {
  client.write(`GET ${route} HTTP/1.1\r\nHost: hub\r\n\r\n`)
  const [data] = (await once(client, 'data')) as [Buffer]
  return data.toString()
}

describe('an end where another program holds the socket', () => {
  it('does not wait when nobody is connected', async () => {
    const { service, port } = await start(true)
    await service.announceEnd(FOREVER)
    await expect(connect(port)).rejects.toThrow('ECONNREFUSED')
  })

  it('waits for a connection that is kept, and closes it with the next answer', async () => {
    const { service, port } = await start(true)
    const client = await connect(port)
    expect(await ask(client, '/')).toContain('Connection: keep-alive')
    const ended = service.announceEnd(FOREVER)
    expect(await Promise.race([ended.then(() => 'ended'), ask(client, '/health/ready')])).toContain('503')
    await ended
  })

  it('waits no longer than it is given', async () => {
    const { service, port } = await start(true)
    const client = await connect(port)
    await service.announceEnd(10)
    client.destroy()
  })
})

it('an end of a hub that holds its socket itself is announced for as long as was asked', async () => {
  const { service, port } = await start(false)
  const ended = service.announceEnd(300)
  expect(await ask(await connect(port), '/health/ready')).toContain('503')
  await ended
  await expect(connect(port)).rejects.toThrow('ECONNREFUSED')
})
