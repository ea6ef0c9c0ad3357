import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startHttpFixture, stdioFixture } from '../fixtures/mcp-servers/fixtures.ts'
import type { HttpFixture } from '../fixtures/mcp-servers/fixtures.ts'
import { startHub, untilRunning } from './conformance/start-hub.ts'
import type { RunningHub } from './conformance/start-hub.ts'

interface Reply {
  result?: { resultType?: string; content?: { text?: string }[] }
  error?: { code: number; message: string }
}

let hub: RunningHub
let running: HttpFixture[]
beforeAll(async () => {
  running = await Promise.all([
    startHttpFixture('interactive', '--http', '--era', 'legacy'),
    startHttpFixture('interactive', '--transport', 'sse'),
  ])
  const servers = {
    http: { type: 'http', url: running[0]!.url },
    sse: { type: 'sse', url: running[1]!.url },
    stdio: stdioFixture('interactive', '--era', 'legacy'),
  }
  hub = await startHub({ servers, system: { auth: { mcp: 'none' } } })
  await untilRunning(hub, Object.keys(servers))
})
afterAll(async () => {
  await hub.stop()
  await Promise.all(running.map((fixture) => fixture.stop()))
})

async function call(server: string, client: string, name: string, args: object): Promise<Reply> {
  const response = await fetch(`${hub.url}/mcp/${server}`, {
    method: 'POST',
    signal: AbortSignal.timeout(5_000),
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': name,
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: {
        name,
        arguments: args,
        _meta: {
          'io.modelcontextprotocol/protocolVersion': '2026-07-28',
          'io.modelcontextprotocol/clientInfo': { name: client, version: '1' },
          'io.modelcontextprotocol/clientCapabilities': { elicitation: { form: {} } },
        },
      },
    }),
  })
  return (await response.json()) as Reply
}

// Nobody has to answer what a server asks. Whoever walks away from a question must not take the server from the others.
describe.each(['http', 'sse', 'stdio'])(
  'a client that leaves a question of a legacy %s server unanswered',
  (server) => {
    it('does not hold up what others call', async () => {
      expect(await call(server, 'leaves', 'ask_user', { message: 'First?' })).toMatchObject({
        result: { resultType: 'input_required' },
      })
      expect(await call(server, 'stays', 'ask_user', { message: 'Second?' })).toMatchObject({
        result: {
          resultType: 'input_required',
          inputRequests: { 'elicitation-1': { method: 'elicitation/create', params: { message: 'Second?' } } },
        },
      })
    })
  },
)
