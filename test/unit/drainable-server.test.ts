import { once } from 'node:events'
import type { RequestListener } from 'node:http'
import net from 'node:net'
import { networkInterfaces } from 'node:os'
import { describe, expect, it, vi } from 'vitest'
import { createDrainableServer, type DrainableServer } from '../../hub/drainable-server.ts'
import { createHttpServer, listenOn } from '../../hub/endpoint.ts'
import { openSecondLoopback, type Alone } from '../../hub/second-loopback.ts'

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
  const service = createDrainableServer(
    limits,
    (_request, response) => void response.end('answer'),
    () => undefined,
    isHeld,
  )
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

const hasIpv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === '::1'))

describe.runIf(hasIpv6)('beside 127.0.0.1', () => {
  const connectTo = async (port: number, host: string): Promise<net.Socket> => {
    const client = net.connect(port, host)
    await once(client, 'connect')
    return client
  }

  it('serves the same port of ::1, and lets go of both at its end without losing who has connected', async () => {
    const told: Alone[] = []
    const listener: RequestListener = ({ socket }, response) => void response.end(socket.remoteAddress)
    const service = createDrainableServer(limits, listener, (why) => void told.push(why), false)
    const { port } = await service.listen(0, '127.0.0.1')
    const client = await vi.waitUntil(() => connectTo(port, '::1').catch(() => null))
    expect(await ask(client, '/')).toMatch(/\r\n::1$/)
    expect(await ask(await connectTo(port, '127.0.0.1'), '/')).toMatch(/127\.0\.0\.1$/)
    const ended = service.announceEnd(50)
    expect(await ask(client, '/health/ready')).toContain('503')
    await ended
    await expect(connectTo(port, '::1')).rejects.toThrow('ECONNREFUSED')
    await expect(connectTo(port, '127.0.0.1')).rejects.toThrow('ECONNREFUSED')
    expect(told).toEqual([])
    service.server.closeAllConnections()
  })

  it('counts connections of ::1 as any others', async () => {
    const server = createHttpServer(
      { ...limits, maxConnectionsPerAddress: 1 },
      (_request, response) => void response.end(),
    )
    const port = await listenOn(server, 0, '127.0.0.1')
    const second = openSecondLoopback(server, port, () => undefined)
    await second.opened
    const [first, beyond] = [await connectTo(port, '::1'), await connectTo(port, '::1')]
    expect(await ask(first, '/')).toContain('200 OK')
    expect(await ask(beyond, '/')).toContain('429 Too Many Requests')
    first.destroy()
    second.close()
    server.close()
  })

  it('tells who has that port, and serves 127.0.0.1 alone', async () => {
    const other = net.createServer().listen({ port: 0, host: '::1', ipv6Only: true })
    await once(other, 'listening')
    const { port } = other.address() as net.AddressInfo
    const why = Promise.withResolvers<Alone>()
    const service = createDrainableServer(
      limits,
      (_request, response) => void response.end('answer'),
      why.resolve,
      false,
    )
    await service.listen(port, '127.0.0.1')
    expect(await why.promise).toEqual({
      level: 'warn',
      message: expect.stringMatching(
        process.platform === 'linux'
          ? new RegExp(`^Port ${port} of ::1 is in use by .* \\(pid ${process.pid}\\): clients that resolve localhost`)
          : /in use by another program/,
      ) as string,
    })
    expect(await ask(await connectTo(port, '127.0.0.1'), '/')).toContain('answer')
    other.close()
    service.server.close()
    service.server.closeAllConnections()
  })
})
