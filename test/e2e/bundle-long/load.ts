import https from 'node:https'
import { parseArgs } from 'node:util'

/**
 * Clients that keep their connections and never stop asking, half of them with POST, until a line comes on stdin; then says as JSON
 * what became of each request. A program of its own, so that it runs wherever there is a Node, and steals no turn from who restarts.
 * Only for loopback.
 */
const { values } = parseArgs({
  options: {
    port: { type: 'string' },
    name: { type: 'string' },
    /** Where to POST; the hub refuses it in some way, and nothing but a refused connection or a 5xx counts. */
    post: { type: 'string', default: '/mcp' },
    clients: { type: 'string', default: '50' },
  },
})

export interface LoadResult {
  requests: number
  /** What was not answered, or with a 5xx, by reason. */
  dropped: Record<string, number>
  statuses: Record<string, number>
  /** The longest that a request had to wait. */
  slowestMs: number
  seconds: number
}

const agent = new https.Agent({ keepAlive: true, maxSockets: Number(values.clients) })
const result: LoadResult = { requests: 0, dropped: {}, statuses: {}, slowestMs: 0, seconds: 0 }
const begun = performance.now()
let stopped = false

function once(post: boolean): Promise<void> {
  const sent = performance.now()
  return new Promise((resolve) => {
    const done = (key: string, where: Record<string, number>): void => {
      where[key] = (where[key] ?? 0) + 1
      result.requests++
      result.slowestMs = Math.max(result.slowestMs, performance.now() - sent)
      resolve()
    }
    const request = https.request(
      {
        agent,
        host: '127.0.0.1',
        port: Number(values.port),
        servername: values.name,
        // The site's certificate signs itself; nothing leaves this machine.
        rejectUnauthorized: false,
        path: post ? values.post : '/health',
        method: post ? 'POST' : 'GET',
        headers: { host: values.name, ...(post ? { 'content-type': 'application/json', 'content-length': 2 } : {}) },
      },
      (response) => {
        const status = response.statusCode ?? 0
        response.on('error', (error) => done(error.message, result.dropped))
        response.on('end', () =>
          status >= 500
            ? done(`${post ? 'POST' : 'GET'} ${status}`, result.dropped)
            : done(String(status), result.statuses),
        )
        response.resume()
      },
    )
    request.on('error', (error: NodeJS.ErrnoException) =>
      done(`${post ? 'POST' : 'GET'} ${error.code ?? error.message}`, result.dropped),
    )
    request.end(post ? '{}' : undefined)
  })
}

const clients = Array.from({ length: Number(values.clients) }, async (_, at) => {
  while (!stopped) await once(at % 2 === 0)
})
// One line each time it is asked how far it is; the end of stdin ends it.
process.stdin.on('data', () => process.stdout.write(`${result.requests}\n`))
await new Promise((resolve) => process.stdin.once('end', resolve))
stopped = true
await Promise.all(clients)
agent.destroy()
result.seconds = (performance.now() - begun) / 1_000
process.stdout.write(`${JSON.stringify(result)}\n`)
