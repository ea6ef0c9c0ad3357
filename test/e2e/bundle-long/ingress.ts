import { readFile } from 'node:fs/promises'
import http from 'node:http'
import https from 'node:https'

/** Ends TLS on a loopback address, as the ingress of a cluster does, and says who the client is. Nothing is held back. */
export async function startIngress(
  place: { address: string; port: number },
  to: { host: string; port: number },
  { certificate, key }: { certificate: string; key: string },
): Promise<{ close: () => void }> {
  const server = https.createServer(
    { cert: await readFile(certificate), key: await readFile(key) },
    (request, response) => {
      const headers = { ...request.headers, 'x-forwarded-for': request.socket.remoteAddress }
      const onward = http.request({ ...to, method: request.method, path: request.url, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers)
        response.flushHeaders()
        answer.pipe(response)
      })
      onward.on('error', () => (response.headersSent ? response.destroy() : response.writeHead(502).end()))
      response.on('close', () => onward.destroy())
      request.pipe(onward)
    },
  )
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(place.port, place.address, resolve))
  return {
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}
