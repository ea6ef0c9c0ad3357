import { readFile, readdir, readlink } from 'node:fs/promises'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { Server as NetServer } from 'node:net'
import { limitByAddress } from './address-limit.ts'
import type { Endpoint, Limits } from './contract/index.ts'
import { rpc } from './gateway/json-rpc.ts'
import { HubError } from './hub-error.ts'
import { HubResponse } from './http-answers.ts'
import { say, told, wordsFrom, type Said } from './say.ts'
import { openSecondLoopback, type Alone, type SecondLoopback } from './second-loopback.ts'

/** The listener that MCP clients use. It never moves by itself: clients hold its URL. */
export interface EndpointListener {
  readonly endpoint: Endpoint
  /**
   * Listens on a port, and answers what came of it. Until it has the new port it serves on the present one, and it goes on
   * there when the new one is not to be had.
   */
  listen: (port: number) => Promise<Endpoint>
  /** Nobody can connect any more; what is under way goes on. */
  stopListening: () => void
  close: () => Promise<void>
}

export function createEndpointListener(options: {
  host: string
  limits: ConnectionLimits
  listener: RequestListener
  onChange: () => void
  /** Told why it does not listen on ::1 as well. */
  onAlone: (why: Alone) => void
}): EndpointListener {
  let server: Server | null = null
  let second: SecondLoopback | null = null
  let endpoint: Endpoint = { state: 'starting', url: '', port: 0, takenBy: null, message: null }

  function set(next: Endpoint): void {
    endpoint = next
    options.onChange()
  }

  async function close(): Promise<void> {
    const closing = server
    server = null
    second?.close()
    if (closing === null) return
    await new Promise<void>((resolve) => {
      closing.close(() => resolve())
      closing.closeAllConnections()
    })
  }

  async function take(port: number): Promise<Endpoint> {
    if (server !== null && endpoint.port === port) return endpoint
    const next = createHttpServer(options.limits, options.listener)
    const url = (bound: number): string => `http://${options.host}:${bound}/mcp`
    try {
      const bound = await listenOn(next, port, options.host)
      const closed = close()
      server = next
      second = openSecondLoopback(next, bound, options.onAlone)
      set({ state: 'listening', url: url(bound), port: bound, takenBy: null, message: null })
      await closed
      return endpoint
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      const takenBy = code === 'EADDRINUSE' ? await holderOf(port) : null
      const refused = told({
        state: code === 'EADDRINUSE' ? ('port-in-use' as const) : ('failed' as const),
        url: url(port),
        port,
        takenBy,
        message: causeOf(code, message, port, takenBy),
      })
      // That another port is not to be had changes nothing about this one.
      if (endpoint.state === 'starting' || endpoint.port === port) set(refused)
      return refused
    }
  }

  let taking: Promise<unknown> = Promise.resolve()
  return {
    get endpoint() {
      return endpoint
    },
    // One after the other: two at once would each take the other's port for a stranger's.
    listen: (port) => {
      const taken = taking.then(() => take(port))
      taking = taken.catch(() => undefined)
      return taken
    },
    stopListening: () => {
      second?.close()
      server?.close()
    },
    close,
  }
}

function causeOf(code: string | undefined, message: string, port: number, takenBy: string | null): Said {
  if (code === 'EADDRINUSE')
    return takenBy === null ? say`Port ${port} is in use` : say`Port ${port} is in use by ${takenBy}`
  if (code === 'EACCES') return say`The system does not let this account use port ${port}: ${message}`
  return say`The system refuses port ${port}: ${message}`
}

/** Why an endpoint was not moved. */
export const portRefused = (tried: Endpoint): HubError =>
  new HubError('HUB_CONFLICT', wordsFrom(tried, 'message') ?? '', {
    cure: say`Choose another port, or end the program that holds it.`,
  })

/** What one connection may take, and how many there may be. */
export type ConnectionLimits = Pick<
  Limits,
  'maxConnections' | 'maxConnectionsPerAddress' | 'maxHeaderBytes' | 'headersTimeoutMs' | 'requestTimeoutMs'
> & {
  /** Whether an address is that of a proxy of ours. */
  isProxy: (address: string) => boolean
}

/** An HTTP server with the time limits that a proxy in front expects (DEPLOY §2.2). */
export function createHttpServer(limits: ConnectionLimits, listener: RequestListener): Server {
  const { maxHeaderBytes, headersTimeoutMs, requestTimeoutMs } = limits
  const server = createServer(
    {
      keepAliveTimeout: 75_000,
      headersTimeout: headersTimeoutMs,
      // For what a client sends, not for the answer: who sends its body drop by drop is let go.
      requestTimeout: Math.max(headersTimeoutMs, requestTimeoutMs),
      connectionsCheckingInterval: Math.min(2_000, Math.ceil(headersTimeoutMs / 4)),
      maxHeaderSize: maxHeaderBytes,
      noDelay: true,
      ServerResponse: HubResponse,
    },
    listener,
  )
  // Whoever opens more is hung up on, so that the hub keeps file handles for its own work.
  server.maxConnections = limits.maxConnections
  const { maxConnectionsPerAddress: max, isProxy } = limits
  const tooMany = `More than ${max} connections from this address are open (limits.maxConnectionsPerAddress); close some, or name a proxy of yours in server.trustProxy`
  const refusal = rawAnswer('429 Too Many Requests', rpc.limitExceeded, tooMany, 'retry-after: 1\r\n')
  limitByAddress(server, { max, isProxy, refusal })
  // What is no HTTP request never comes to the listener; its sender is told here what is wrong with it.
  server.on('clientError', ({ code }: NodeJS.ErrnoException, socket) => {
    if (code === 'ECONNRESET' || !socket.writable) {
      socket.destroy()
      return
    }
    const [status, message] =
      code === 'HPE_HEADER_OVERFLOW'
        ? [
            '431 Request Header Fields Too Large',
            `The headers are larger than ${maxHeaderBytes} bytes (limits.maxHeaderBytes)`,
          ]
        : code === 'ERR_HTTP_REQUEST_TIMEOUT'
          ? ['408 Request Timeout', 'The request did not arrive in time']
          : ['400 Bad Request', 'This is no HTTP/1.1 request']
    socket.end(rawAnswer(status, rpc.invalidRequest, message))
  })
  return server
}

/** An answer to what never became a request, as it goes over the wire. */
function rawAnswer(status: string, code: number, message: string, headers = ''): string {
  const body = JSON.stringify({ jsonrpc: '2.0', id: null, error: { code, message } })
  return `HTTP/1.1 ${status}\r\nconnection: close\r\n${headers}content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
}

/**
 * So many may wait to be accepted, where the system allows it. Whoever comes beyond that is not told by Linux, and tries again
 * after a second.
 */
const BACKLOG = 4_096

/** Resolves with the port that was bound; port 0 takes a free one. */
export function listenOn(server: NetServer, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, BACKLOG, () => {
      server.off('error', reject)
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : port)
    })
  })
}

/** Who listens on a port, as `name (pid 4711)`. Linux tells by /proc; elsewhere, and for other users' processes, null. */
export async function holderOf(port: number, tables = ['/proc/net/tcp', '/proc/net/tcp6']): Promise<string | null> {
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  const texts = await Promise.all(tables.map((file) => readFile(file, 'utf8').catch(() => '')))
  const inode = texts
    .flatMap((table) => table.split('\n').slice(1))
    .map((line) => line.trim().split(/\s+/))
    .find((fields) => fields[1]?.endsWith(`:${hex}`) === true && fields[3] === '0A')?.[9]
  if (inode === undefined) return null
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const handles = await readdir(`/proc/${pid}/fd`).catch(() => [])
    for (const handle of handles) {
      if ((await readlink(`/proc/${pid}/fd/${handle}`).catch(() => '')) !== `socket:[${inode}]`) continue
      return `${(await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => 'a process')).trim()} (pid ${pid})`
    }
  }
  return null
}

/** Where a browser on this computer reaches the hub; null when it listens elsewhere, or not at all. */
export function loopbackOrigin({ state, url }: Endpoint): string | null {
  if (state !== 'listening') return null
  const { origin, hostname } = new URL(url)
  return ['127.0.0.1', 'localhost', '[::1]'].includes(hostname) ? origin : null
}
