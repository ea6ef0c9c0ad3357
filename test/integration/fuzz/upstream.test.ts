import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { temporaryFolder } from '../../fixtures/built-program.ts'
import { fixtureServer } from '../../fixtures/hub.ts'
import { LegacyWire, ModernWire, textOf, type Answer, type Answers } from '../../fixtures/wire.ts'
import { startHubProcess, type HubProcess } from '../chaos/hub-process.ts'
import { eventually, residentBytes } from '../chaos/processes.ts'
import { hostileBytes } from './hostile-bytes.ts'
import { places, startHostileRemote, type HostileRemote } from './hostile-remote.ts'
import { inputCount, isFull, replay, seed, SHRINK_MS, timeout } from './scale.ts'
import regressions from './regressions.json' with { type: 'json' }

/** Bytes of a server cost more than those of a client: each goes through two programs. */
const COUNT = isFull ? inputCount / 10 : inputCount / 2
const ROUND = 128
const CALL_TIMEOUT_MS = 1_000
/** A call that the server never answers ends at its timeout, or a second later. */
const MAX_WAIT_MS = CALL_TIMEOUT_MS + (isFull ? 3_000 : 10_000)
const MAX_GROWTH_BYTES = 200 * 1_048_576
const servers = ['legacy-stdio', 'modern-stdio', 'legacy-http', 'modern-http', 'sse']
const eras = ['legacy', 'modern']

interface HostileCall {
  server: string
  client: string
  bytes: string
  where: string
  answers: boolean
}
const hostileCall: fc.Arbitrary<HostileCall> = fc.record({
  server: fc.constantFrom(...servers),
  client: fc.constantFrom(...eras),
  bytes: hostileBytes,
  where: fc.constantFrom(...places),
  answers: fc.oneof({ weight: 12, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
})

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let remotes: HostileRemote[]
let hub: HubProcess
beforeAll(async () => {
  folder = await temporaryFolder('mcp-hub-fuzz-')
  remotes = await Promise.all([startHostileRemote('legacy'), startHostileRemote('modern'), startHostileRemote('sse')])
  const options = { hub: { callTimeoutMs: CALL_TIMEOUT_MS, healthCheckIntervalMs: 1_000, maxStartAttempts: 1_000 } }
  hub = await startHubProcess(folder.path, {
    'legacy-stdio': { ...fixtureServer('hostile.ts'), ...options },
    'modern-stdio': { ...fixtureServer('hostile.ts', '--era', 'modern'), ...options },
    'legacy-http': { type: 'http', url: remotes[0]?.url, ...options },
    'modern-http': { type: 'http', url: remotes[1]?.url, ...options },
    sse: { type: 'sse', url: remotes[2]?.url, ...options },
    fine: fixtureServer('echo.ts'),
  })
  await hub.until('running')
}, 60_000)
afterAll(async () => {
  await hub.quit()
  await Promise.all(remotes.map((remote) => remote.close()))
  await folder.dispose()
})

type Peer = Pick<ModernWire, 'request'>

/** Clients that answer what they are asked. */
async function connect(server: string, era: string): Promise<Peer> {
  const url = `${hub.url}/mcp/${server}`
  const options = {
    headers: hub.headers,
    capabilities: { elicitation: {}, sampling: {}, roots: {}, extensions: { 'io.modelcontextprotocol/tasks': {} } },
    name: `${era} client`,
  }
  if (era === 'modern') return new ModernWire(url, options)
  const answers: Answers = {
    'elicitation/create': () => ({ action: 'accept', content: {} }),
    'sampling/createMessage': () => ({ role: 'assistant', model: 'm', content: { type: 'text', text: 'x' } }),
    'roots/list': () => ({ roots: [] }),
  }
  // As a client's SDK does, it refuses what it does not know.
  const refuse = (): Promise<never> => Promise.reject(new Error('Method not found'))
  const own = (name: string): Answers[string] | undefined => (Object.hasOwn(answers, name) ? answers[name] : undefined)
  const all = new Proxy<Answers>(answers, { get: (_known, method) => own(String(method)) ?? refuse })
  return LegacyWire.open(url, { ...options, answers: all })
}

const emit = (peer: Peer, args: object): Promise<Answer> => {
  const meta = { progressToken: 'p', 'io.modelcontextprotocol/logLevel': 'debug' }
  return peer.request(
    'tools/call',
    { name: 'emit', arguments: { ...args }, _meta: meta },
    { signal: AbortSignal.timeout(MAX_WAIT_MS) },
  )
}

async function faultsWith(calls: readonly HostileCall[]): Promise<string[]> {
  const peers = new Map<string, Promise<Peer>>()
  const peerOf = ({ server, client }: HostileCall): Promise<Peer> => {
    const key = `${server} ${client}`
    const known = peers.get(key) ?? connect(server, client)
    peers.set(key, known)
    return known
  }
  const outcomes = await Promise.allSettled(
    calls.map(async (call) => {
      const answer = await emit(await peerOf(call), call).catch((error: unknown) => {
        // A result goes on unread: what is no JSON in a good envelope is the client's to find out, and it does at once.
        if (error instanceof SyntaxError && call.bytes.includes('"result":')) return null
        throw error
      })
      if (answer === null) return
      // Whatever the server wrote, a client gets JSON-RPC with a result or an error of its own request.
      if (answer.status >= 500 || (answer.result === undefined) === (answer.error === undefined))
        throw new Error(`got ${JSON.stringify(answer)}`)
    }),
  )
  const fine = await connect('fine', 'modern')
  expect(textOf(await fine.request('tools/call', { name: 'echo', arguments: { text: 'fine' } }))).toBe('fine')
  return outcomes.flatMap((outcome, index) =>
    outcome.status === 'rejected' ? [`${String(outcome.reason)} — with ${JSON.stringify(calls[index])}`] : [],
  )
}

it('what servers wrote that was once too much is not any more', async () => {
  for (const { why, input } of regressions.filter((one) => one.endpoint === 'upstream'))
    expect(await faultsWith([input as unknown as HostileCall]), why).toEqual([])
})

it(
  `${COUNT} calls to servers that write what they like are answered in time, and so are all others`,
  { timeout },
  async () => {
    const before = residentBytes(hub.pid)
    let made = 0
    for (let round = 0; made < COUNT; round++)
      await fc.assert(
        fc.asyncProperty(fc.array(hostileCall, { minLength: 1, maxLength: ROUND, size: 'max' }), async (calls) => {
          made += calls.length
          expect(await faultsWith(calls)).toEqual([])
        }),
        { numRuns: 3, seed: seed + round, ...replay, interruptAfterTimeLimit: SHRINK_MS },
      )
    // Without anyone's help each of them works again for those who ask it for nothing bad.
    for (const server of servers)
      await eventually(`${server} answers`, 20_000, async () => {
        const answer = await emit(await connect(server, 'modern'), {
          bytes: '{"jsonrpc":"2.0","id":"<id>","result":{"content":[]}}\n',
          where: 'body',
          answers: true,
        }).catch(() => null)
        return answer?.result === undefined ? null : true
      })
    expect(residentBytes(hub.pid) - before).toBeLessThan(MAX_GROWTH_BYTES)
  },
)
