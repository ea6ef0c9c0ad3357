import { isUtf8 } from 'node:buffer'
import type { ServerResponse } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fixtureServer, startHub, type TestHub } from '../fixtures/hub.ts'
import {
  answerBasics,
  openStream,
  sendEvent,
  sendJson,
  startScripted,
  type ScriptedServer,
} from '../fixtures/scripted-server.ts'
import { LegacyWire, ModernWire, textOf, type Answer } from '../fixtures/wire.ts'

const CALL_TIMEOUT_MS = 3_000
const names = ['echo', 'slow', 'hang', 'twice', 'garbage', 'cut']

/** The sessions of the legacy server that it has not forgotten. */
let generation = 1

/** Over HTTP the same faults as `faulty.ts` has on a pipe. */
function startFaulty(era: 'legacy' | 'modern'): Promise<ScriptedServer> {
  return startScripted((asked) => {
    const { response, message, request } = asked
    const known = request.headers['mcp-session-id']
    if (era === 'legacy' && known !== undefined && known !== `s${generation}`) {
      sendJson(response, { jsonrpc: '2.0', id: null, error: { code: -32001, message: 'Session not found' } }, 404)
      return
    }
    if (answerBasics(asked, { era, tools: names, session: `s${generation}` })) return
    if (message === null) {
      response.writeHead(405).end()
      return
    }
    const { name, arguments: args } = message.params ?? {}
    const text = (args as { text?: string } | undefined)?.text ?? ''
    const body = {
      jsonrpc: '2.0',
      id: message.id,
      result: { ...(era === 'modern' ? { resultType: 'complete' } : {}), content: [{ type: 'text', text }] },
    }
    if (name === 'echo') sendJson(response, body)
    else if (name === 'slow') setTimeout(() => sendJson(response, body), 300)
    else if (name === 'garbage') response.writeHead(200, { 'content-type': 'application/json' }).end('<html>502</html>')
    else if (name === 'twice') {
      openStream(response)
      sendEvent(response, body)
      sendEvent(response, { ...body, result: { content: [{ type: 'text', text: 'again' }] } })
      response.end()
    } else if (name === 'cut') {
      const whole = JSON.stringify(body)
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': whole.length })
      response.write(whole.slice(0, -20), () => response.destroy())
    } else if (name !== 'hang')
      sendJson(response, { jsonrpc: '2.0', id: message.id, error: { code: -32601, message: 'no' } })
  })
}

/** The same over HTTP+SSE, where all answers of a session come on its one stream. */
function startFaultySse(): Promise<ScriptedServer> {
  const streams = new Map<string, ServerResponse>()
  return startScripted(({ request, response, message }) => {
    if (message === null) {
      const path = `/messages?session=${streams.size}`
      streams.set(path, response)
      openStream(response)
      response.write(`event: endpoint\ndata: ${path}\n\n`)
      return
    }
    const stream = streams.get(request.url ?? '')
    response.writeHead(stream === undefined || stream.destroyed ? 404 : 202).end()
    if (stream === undefined || message.id === undefined) return
    const { name, arguments: args } = message.params ?? {}
    const say = (body: object): void => sendEvent(stream, { jsonrpc: '2.0', id: message.id, ...body })
    const answer = (text = (args as { text?: string } | undefined)?.text ?? ''): void =>
      say({ result: { content: [{ type: 'text', text }] } })
    if (message.method === 'initialize')
      say({
        result: { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 's', version: '1' } },
      })
    else if (message.method === 'tools/list')
      say({ result: { tools: names.map((tool) => ({ name: tool, inputSchema: { type: 'object' } })) } })
    else if (message.method === 'ping') say({ result: {} })
    else if (message.method !== 'tools/call') say({ error: { code: -32601, message: 'Method not found' } })
    else if (name === 'echo') answer()
    else if (name === 'slow') setTimeout(answer, 300)
    else if (name === 'garbage') stream.write('data: <html>502 Bad Gateway</html>\n\n')
    else if (name === 'twice') {
      answer()
      answer('again')
    } else if (name === 'cut') stream.write(`data: {"jsonrpc":"2.0","id":`, () => stream.destroy())
  })
}

let hub: TestHub
let remote: Record<'legacy' | 'modern' | 'sse', ScriptedServer>
beforeAll(async () => {
  remote = { legacy: await startFaulty('legacy'), modern: await startFaulty('modern'), sse: await startFaultySse() }
  const options = { hub: { callTimeoutMs: CALL_TIMEOUT_MS } }
  const servers = {
    'legacy-stdio': { ...fixtureServer('faulty.ts'), ...options },
    'modern-stdio': { ...fixtureServer('faulty.ts', '--era', 'modern'), ...options },
    'legacy-http': { type: 'http', url: remote.legacy.url, ...options },
    'modern-http': { type: 'http', url: remote.modern.url, ...options },
    'legacy-sse': { type: 'sse', url: remote.sse.url, ...options },
    other: fixtureServer('echo.ts'),
  }
  hub = await startHub(servers)
  await Promise.all(Object.keys(servers).map((name) => hub.until(name, 'running')))
})
afterAll(async () => {
  await hub.close()
  await Promise.all(Object.values(remote).map((server) => server.close()))
})

interface Peer {
  request: (method: string, params: Record<string, unknown>) => Promise<Answer>
}
const clients: Record<string, (path: string) => Promise<Peer>> = {
  legacy: (path) => LegacyWire.open(hub.url + path, { headers: hub.headers }),
  modern: (path) => Promise.resolve(new ModernWire(hub.url + path, { headers: hub.headers })),
}
const forms = ['legacy-stdio', 'modern-stdio', 'legacy-http', 'modern-http', 'legacy-sse']
const cases = forms.flatMap((form) => Object.keys(clients).map((era) => ({ form, era })))

/** Calls of others while something goes wrong; each must be answered with its own text. */
async function bystanders(peer: Peer, tool: string, count: number): Promise<void> {
  const texts = Array.from({ length: count }, (_, n) => `${tool} ${n} ${Math.random()}`)
  const answers = await Promise.all(
    texts.map((text) => peer.request('tools/call', { name: tool, arguments: { text } })),
  )
  expect(answers.map(textOf)).toEqual(texts)
}

describe.each(cases)('a $form server with a $era client', ({ form, era }) => {
  let mine: Peer
  let other: Peer
  beforeAll(async () => {
    const open = clients[era] as (path: string) => Promise<Peer>
    ;[mine, other] = await Promise.all([open(`/mcp/${form}`), open('/mcp/other')])
  })
  const call = (name: string): Promise<Answer> =>
    mine.request('tools/call', { name, arguments: { text: `of ${name}` } })

  it('that never answers a call, or answers with garbage: an error in bounded time, and everything else goes on', async () => {
    const startedAt = performance.now()
    const faults = Promise.all([call('hang'), call('garbage')])
    await Promise.all([bystanders(mine, 'echo', 50), bystanders(mine, 'slow', 5), bystanders(other, 'echo', 20)])
    for (const { error } of await faults) expect(error?.message).toMatch(/No answer to tools\/call|not JSON/)
    expect(performance.now() - startedAt).toBeLessThan(CALL_TIMEOUT_MS + 3_500)
    await bystanders(mine, 'echo', 1)
  })

  it('that answers twice: the first answer counts', async () => {
    const [answers] = await Promise.all([
      Promise.all(Array.from({ length: 20 }, () => call('twice'))),
      bystanders(mine, 'echo', 20),
    ])
    expect(answers.map(textOf)).toEqual(Array(20).fill('of twice'))
  })

  it.runIf(form.endsWith('stdio'))('that writes what is no message: every call gets its own answer', async () => {
    const [answers] = await Promise.all([Promise.all([call('noise'), call('noise')]), bystanders(mine, 'slow', 5)])
    expect(answers.map(textOf)).toEqual(['of noise', 'of noise'])
    await bystanders(mine, 'echo', 1)
  })

  it.runIf(form.endsWith('stdio'))('that writes bytes that JSON cannot have: their call alone is told', async () => {
    const path = `${hub.url}/mcp/${form}`
    const [latin1, nul] = await Promise.all([call('latin1'), call('nul'), bystanders(mine, 'echo', 20)])
    expect(textOf(latin1)).toBe('\ufffdber \ufffd latin1')
    expect(nul.error?.message).toContain('not JSON')
    // As bytes: a strict client takes nothing but UTF-8.
    const client = new ModernWire(path, { headers: hub.headers })
    const params = { name: 'latin1', arguments: { text: 'of latin1' }, _meta: client.envelope() }
    const response = await fetch(path, {
      method: 'POST',
      headers: client.headersFor('tools/call', params),
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }),
    })
    expect(isUtf8(new Uint8Array(await response.arrayBuffer()))).toBe(true)
    await bystanders(mine, 'echo', 1)
  })

  it.runIf(form.endsWith('stdio'))(
    'that writes half an answer and no more: that call fails, and the next works',
    async () => {
      for (const name of ['half', 'sorted']) {
        const half = call(name)
        await bystanders(other, 'echo', 20)
        // What comes next stands on the same line.
        await bystanders(mine, 'slow', 5)
        expect((await half).error?.message).toContain('not JSON')
        await bystanders(mine, 'echo', 5)
      }
    },
  )

  it('that breaks off in the middle of its answer: that call fails, others’ do not, and the next one works', async () => {
    const fault = call('cut')
    // A pipe or the one stream of HTTP+SSE has ended with its answer: only other servers' calls can go on.
    await Promise.all([bystanders(other, 'echo', 20), ...(form.endsWith('http') ? [bystanders(mine, 'echo', 20)] : [])])
    expect((await fault).error?.message).toMatch(/exited with code 1|failed|closed|connection/)
    // After the second crash within a minute it is given a moment; nobody has to start it.
    await hub.until(form, 'running')
    await bystanders(mine, 'echo', 5)
  })

  it('that is killed and comes back with its sessions forgotten: calls work again without anyone’s help', async () => {
    if (form.endsWith('http')) {
      const server = remote[form.startsWith('legacy') ? 'legacy' : 'modern']
      await server.down()
      generation++
      const next = bystanders(mine, 'echo', 5)
      await bystanders(other, 'echo', 10)
      await server.up()
      await next
    } else if (form.endsWith('sse')) {
      const inFlight = call('hang')
      await bystanders(mine, 'echo', 1)
      await remote.sse.down()
      await bystanders(other, 'echo', 10)
      expect((await inFlight).error?.message).toBeDefined()
      await remote.sse.up()
      await hub.until(form, 'running')
      await bystanders(mine, 'echo', 5)
    } else {
      const inFlight = call('hang')
      await bystanders(mine, 'echo', 1)
      process.kill((await hub.until(form, 'running')).pid ?? 0, 'SIGKILL')
      await bystanders(other, 'echo', 10)
      expect((await inFlight).error?.message).toContain('SIGKILL')
      await hub.until(form, 'running')
      await bystanders(mine, 'echo', 5)
    }
  })
})

it.each(['legacy-stdio', 'modern-stdio'])(
  'progress that came in one write with the answer is told before it (%s)',
  async (form) => {
    for (const open of Object.values(clients)) {
      const peer = await open(`/mcp/${form}`)
      const params = { name: 'coalesced', arguments: { text: 'end' }, _meta: { progressToken: 'mine' } }
      const answer = await peer.request('tools/call', params)
      expect(answer.before.map(({ params: told }) => told)).toEqual([
        { progressToken: 'mine', progress: 1 },
        { progressToken: 'mine', progress: 2 },
      ])
      expect(textOf(answer)).toBe('end')
    }
  },
)
