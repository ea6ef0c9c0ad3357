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

const CALL_TIMEOUT_MS = 1_500
const names = ['echo', 'slow', 'hang', 'twice', 'garbage', 'cut']

/** Over HTTP the same faults as `faulty.ts` has on a pipe. */
function startFaulty(era: 'legacy' | 'modern'): Promise<ScriptedServer> {
  return startScripted((asked) => {
    if (answerBasics(asked, { era, tools: names, session: 's' })) return
    const { response, message } = asked
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

let hub: TestHub
let remote: Record<'legacy' | 'modern', ScriptedServer>
beforeAll(async () => {
  remote = { legacy: await startFaulty('legacy'), modern: await startFaulty('modern') }
  const options = { hub: { callTimeoutMs: CALL_TIMEOUT_MS } }
  const servers = {
    'legacy-stdio': { ...fixtureServer('faulty.ts'), ...options },
    'modern-stdio': { ...fixtureServer('faulty.ts', '--era', 'modern'), ...options },
    'legacy-http': { type: 'http', url: remote.legacy.url, ...options },
    'modern-http': { type: 'http', url: remote.modern.url, ...options },
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
const forms = ['legacy-stdio', 'modern-stdio', 'legacy-http', 'modern-http']
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

  it('that breaks off in the middle of its answer: that call fails, others’ do not, and the next one works', async () => {
    const fault = call('cut')
    // On a pipe the process has ended with its answer: only other servers' calls can go on.
    await Promise.all([bystanders(other, 'echo', 20), ...(form.endsWith('http') ? [bystanders(mine, 'echo', 20)] : [])])
    expect((await fault).error?.message).toMatch(/exited with code 1|failed/)
    // After the second crash within a minute it is given a moment; nobody has to start it.
    await hub.until(form, 'running')
    await bystanders(mine, 'echo', 5)
  })

  it('that is killed and comes back: calls work again without anyone’s help', async () => {
    if (form.endsWith('http')) {
      const server = remote[form.startsWith('legacy') ? 'legacy' : 'modern']
      await server.down()
      const next = bystanders(mine, 'echo', 5)
      await bystanders(other, 'echo', 10)
      await server.up()
      await next
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
