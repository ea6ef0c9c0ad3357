import { Server as NetServer, type Server } from 'node:net'
import { holderOf, listenOn } from './endpoint.ts'

/** A second way in to a server. */
export interface SecondLoopback {
  /** Settled once it is there, or cannot be. */
  opened: Promise<void>
  /** Nobody can connect this way any more; who has connected stays. */
  close: () => void
}

/** Why there is no second way in, for the log: `warn` where somebody else is there. */
export interface Alone {
  level: 'info' | 'warn'
  message: string
}

/**
 * Takes connections on the same port of ::1 to a server that listens on 127.0.0.1: what a client connects to that is told
 * `localhost` is not the same everywhere. They are the server's own, with its limits and its listeners.
 */
export function openSecondLoopback(server: Server, port: number, onAlone: (why: Alone) => void): SecondLoopback {
  const second = new NetServer({ allowHalfOpen: true, noDelay: true })
  second.maxConnections = server.maxConnections
  second.on('connection', (socket) => server.emit('connection', socket))
  const opened = listenOn(second, port, '::1').then(
    () => undefined,
    async (error: unknown) => onAlone(await whyAlone(error as NodeJS.ErrnoException, port)),
  )
  return { opened, close: () => second.close() }
}

async function whyAlone({ code, message }: NodeJS.ErrnoException, port: number): Promise<Alone> {
  if (code !== 'EADDRINUSE')
    return { level: 'info', message: `IPv6 is off here: the hub listens on 127.0.0.1 only (${message})` }
  const holder = (await holderOf(port, ['/proc/net/tcp6'])) ?? 'another program'
  return {
    level: 'warn',
    message: `Port ${port} of ::1 is in use by ${holder}: clients that resolve localhost to ::1 come to it and not to the hub; name 127.0.0.1 to them`,
  }
}
