import { connect, type Socket } from 'node:net'

/** How the client leaves once it has sent what it has to send. */
export type Leaving = 'finishes' | 'resets'

/** A connection on which a test writes whatever bytes it likes; of a text one character is one byte. */
export function openRaw(url: string): Socket {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true })
  // The other side may hang up at any byte.
  socket.on('error', () => undefined)
  return socket
}

/** Sends pieces one by one and leaves; what came back until the other side hung up. Rejects when it does not in time. */
export async function sendRaw(url: string, pieces: string[], leaving: Leaving, withinMs: number): Promise<string> {
  const socket = openRaw(url)
  let received = ''
  socket.setEncoding('latin1').on('data', (text: string) => (received += text))
  const closed = new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      socket.destroy()
      reject(new Error(`still open after ${withinMs} ms; so far ${JSON.stringify(received.slice(0, 500))}`))
    }, withinMs)
    const done = (): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve()
    }
    socket.once('close', done).once('end', done)
  })
  for (const piece of pieces) {
    if (socket.writable) socket.write(piece, 'latin1')
    // Otherwise all of them arrive as one.
    await new Promise((resolve) => setImmediate(resolve))
  }
  if (leaving === 'resets') socket.resetAndDestroy()
  else socket.end()
  await closed
  return received
}

/** The statuses of the answers in what came back. */
export function statusesOf(received: string): number[] {
  return [...received.matchAll(/(?:^|\r\n|\})HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status))
}
