import express from 'express'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { answers } from './answers.ts'

export interface FixedHub {
  url: string
  /** What the page asked for and got nothing. */
  readonly missing: ReadonlySet<string>
  close: () => void
}

/** The built page over a hub that always answers the same: what a real one says of times, processes and ports differs. */
export async function startFixedHub(page: string): Promise<FixedHub> {
  const missing = new Set<string>()
  const app = express()
  app.get('/api/events', (_request, response) => {
    response.type('text/event-stream').flushHeaders()
  })
  app.use('/api', (request, response) => {
    const answer = answers[request.baseUrl + request.path]
    if (answer === undefined) {
      missing.add(`${request.method} ${request.originalUrl}`)
      response.sendStatus(404)
      return
    }
    response.json(answer)
  })
  app.use(express.static(page, { index: false }))
  app.use((_request, response) => response.sendFile('index.html', { root: page }))
  const server = createServer(app).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    missing,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}
