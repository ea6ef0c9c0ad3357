import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { placeOf } from './auth/client-address.ts'

/** A refused connection is kept for so long, to hear its request and to read the rest of it after the answer. */
const LINGER_MS = 2_000

export interface AddressLimit {
  /** Connections of one address at once; an IPv6 network of 64 bits counts as one. */
  max: number
  /** Proxies of ours bring the connections of many. */
  isProxy: (address: string) => boolean
  /** The whole answer to a request on a connection beyond. */
  refusal: string
}

/** Lets one address not take all the connections: what is beyond its limit never comes to the HTTP parser, and costs no call anything. */
export function limitByAddress(server: Server, { max, isProxy, refusal }: AddressLimit): void {
  const open = new Map<string, number>()
  /** Most come from where the one before came from: this computer, or a proxy. */
  let before = { address: '', place: '' }
  const serve = server.listeners('connection') as ((this: Server, socket: Socket) => void)[]
  server.removeAllListeners('connection')
  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? ''
    if (!isProxy(address)) {
      if (address !== before.address) before = { address, place: placeOf(address) }
      const { place } = before
      const count = open.get(place) ?? 0
      if (count >= max) {
        refuse(socket, refusal)
        return
      }
      open.set(place, count + 1)
      socket.once('close', () => {
        const left = (open.get(place) ?? 1) - 1
        if (left === 0) open.delete(place)
        else open.set(place, left)
      })
    }
    for (const listener of serve) listener.call(server, socket)
  })
}

/** Answers the first that is sent. A connection that is closed while its client sends takes the answer back from it. */
function refuse(socket: Socket, refusal: string): void {
  const timer = setTimeout(() => socket.destroy(), LINGER_MS)
  socket
    .once('data', () => socket.end(refusal))
    .once('close', () => clearTimeout(timer))
    .on('error', () => socket.destroy())
    .resume()
}
