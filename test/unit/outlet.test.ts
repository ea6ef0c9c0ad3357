import { Agent, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it } from 'vitest'
import type { Body } from '../../hub/gateway/json-rpc.ts'
import { Outlet } from '../../hub/gateway/outlet.ts'

/** What a client reads of an answer with this body, and of the next one on the same connection. */
async function read(text: string): Promise<[string, string]> {
  let body = Buffer.from(text).toString('latin1') as Body
  const server = createServer((_request, response) => {
    new Outlet(response, false, { maxBufferedBytes: 1e9 }).finish(body)
    body = [Buffer.from('the next')]
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const ask = (): Promise<string> =>
    new Promise((resolve, reject) => {
      const asked = request({ port, host: '127.0.0.1', agent }, (response) => {
        let found = ''
        response.setEncoding('utf8').on('data', (piece: string) => (found += piece))
        response.on('end', () => resolve(found))
      })
      asked.on('error', reject).end()
    })
  const answers: [string, string] = [await ask(), await ask()]
  agent.destroy()
  server.close()
  return answers
}

it.each([10, 20_000])('an answer of %i characters beyond ASCII arrives as it is', async (length) => {
  expect(await read('é'.repeat(length))).toEqual(['é'.repeat(length), 'the next'])
})
