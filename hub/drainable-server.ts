import type { Cluster } from 'node:cluster'
import type { RequestListener, Server } from 'node:http'
import { Server as NetServer } from 'node:net'
import { promisify } from 'node:util'
import { createHttpServer, listenOn, type ConnectionLimits } from './endpoint.ts'
import { openSecondLoopback, type Alone, type SecondLoopback } from './second-loopback.ts'

/** The first descriptor that a service manager passes on: SD_LISTEN_FDS_START of sd_listen_fds(3). */
const FIRST_PASSED = 3
/** How often is looked whether anybody is still connected. */
const LOOK_MS = 50
/** What was connected while the listener closed sends its request within this time. */
const ARRIVING_MS = 250
/** Somebody connects in each turn of the event loop: then it is closed all the same. */
const MAX_TURNS = 1_000

/** An HTTP server that ends without losing a request of a client or a proxy that does not know yet. */
export interface DrainableServer {
  readonly server: Server
  /**
   * On the socket that the service manager holds, if it passed one, else on its own; for 127.0.0.1 on ::1 as well, unless another
   * program holds the socket and so names the address. Resolves with the address.
   */
  listen: (port: number, host: string) => Promise<{ host: string; port: number }>
  /**
   * Says for `announceMs` that it ends: not ready, and every connection closes with its answer, while all work is still done.
   * Then nobody can connect any more, and whoever had just connected is heard. Where another program holds the socket, who
   * connects later is served by the next hub: then that ends as soon as nobody is connected.
   */
  announceEnd: (announceMs: number) => Promise<void>
}

/**
 * @param onAlone Told why it does not listen on ::1 beside 127.0.0.1.
 * @param isHeld Whether another program holds the socket: PM2's daemon in cluster mode. One that was passed on is as well.
 */
export function createDrainableServer(
  limits: ConnectionLimits,
  listener: RequestListener,
  onAlone: (why: Alone) => void,
  isHeld = isClusterWorker(),
): DrainableServer {
  let ending = false
  let second: SecondLoopback | null = null
  const server = createHttpServer(limits, (request, response) => {
    if (ending) {
      response.setHeader('connection', 'close')
      if (request.url === '/health/ready') {
        response.writeHead(503, { 'content-type': 'application/json' }).end('{"status":"draining"}')
        return
      }
    }
    listener(request, response)
  })

  async function listen(port: number, host: string): Promise<{ host: string; port: number }> {
    if (!takePassedSocket()) {
      const bound = await listenOn(server, port, host)
      // Not waited for: whoever connects first must be served.
      if (host === '127.0.0.1' && !isHeld) second = openSecondLoopback(server, bound, onAlone)
      return { host, port: bound }
    }
    isHeld = true
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ fd: FIRST_PASSED }, () => {
        server.off('error', reject)
        resolve()
      })
    })
    const address = server.address()
    return typeof address === 'object' && address !== null
      ? { host: address.address, port: address.port }
      : { host, port }
  }

  return {
    server,
    listen,
    announceEnd: async (announceMs) => {
      ending = true
      if (isHeld) await nobodyConnected(server, announceMs)
      else await delay(announceMs)
      await closeListener(server, () => second?.close())
      await delay(ARRIVING_MS)
    },
  }
}

async function nobodyConnected(server: Server, atMostMs: number): Promise<void> {
  const connections = promisify(server.getConnections.bind(server))
  const until = performance.now() + atMostMs
  while ((await connections()) > 0 && performance.now() < until) await delay(LOOK_MS)
}

/**
 * Who has connected and was not accepted yet is reset by the system when the listener closes, and a proxy does not send again
 * what it has sent. So it is closed right after a look at the listener that found nobody.
 */
async function closeListener(server: Server, closeSecond: () => void): Promise<void> {
  let connected = true
  const note = (): void => {
    connected = true
  }
  server.on('connection', note)
  for (let turn = 0; connected && turn < MAX_TURNS; turn++) {
    connected = false
    // Runs directly after the event loop has taken what had come.
    await new Promise(setImmediate)
  }
  // That of HTTP would also cut off connections whose first request is on its way.
  NetServer.prototype.close.call(server)
  closeSecond()
  server.off('connection', note)
}

/** Only a process with a channel to another can be one; Node's cluster is loaded for nothing else. */
function isClusterWorker(): boolean {
  if (process.channel === undefined) return false
  const { isWorker } = process.getBuiltinModule('node:cluster') as unknown as Cluster
  return isWorker
}

/** Whether a socket was passed on to this very process. It is not passed on to processes that this one starts. */
function takePassedSocket(): boolean {
  const { LISTEN_PID, LISTEN_FDS } = process.env
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) Reflect.deleteProperty(process.env, name)
  return LISTEN_PID === String(process.pid) && Number(LISTEN_FDS) >= 1
}

const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
