// A crowd of clients in a thread of its own, so that its work does not delay whoever measures beside it: some send their headers
// drop by drop, some say nothing, and one sends headers without end. Tells when the last of the first was hung up on, in ms.
import { connect, type Socket } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'

const { host, port, drops, idle } = workerData as { host: string; port: number; drops: number; idle: number }
const sockets: Socket[] = []

function open(): Socket {
  const socket = connect(port, host)
  // What is answered must be read, or its end is never seen.
  socket.on('error', () => undefined).resume()
  sockets.push(socket)
  return socket
}

const closed = (socket: Socket): Promise<void> => new Promise((resolve) => socket.once('close', () => resolve()))

async function dropByDrop(): Promise<void> {
  const socket = open()
  socket.write('GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n')
  const drop = setInterval(() => socket.write(`x-drop: ${Math.random()}\r\n`), 300)
  await closed(socket)
  clearInterval(drop)
}

const started = performance.now()
const slow = Array.from({ length: drops }, dropByDrop)
for (let n = 0; n < idle; n++) open()
const bomb = open()
bomb.write(`GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n${`x-bomb: ${'y'.repeat(1_000)}\r\n`.repeat(200)}\r\n`)
await Promise.all([...slow, closed(bomb)])
parentPort?.postMessage(performance.now() - started)
// The idle ones stay until the thread is ended.
