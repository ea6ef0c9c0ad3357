import { afterAll, beforeAll, expect, it } from 'vitest'
import { TOKEN, fixtureServer, startHub, type TestHub } from '../fixtures/hub.ts'
import { startHttpFixture, type HttpFixture } from '../fixtures/mcp-servers/fixtures.ts'
import { createPoster } from '../fixtures/raw-post.ts'
import { LegacyWire, ModernWire, type Message } from '../fixtures/wire.ts'

const CLIENTS = 50
/** Of each client. The whole test, with 1,000, takes minutes: `CROSS_TALK_CALLS=1000`. */
const CALLS = Number(process.env['CROSS_TALK_CALLS'] ?? 200)
/** Calls of one client that run at the same time. */
const WIDTH = 4
const servers = ['legacy-stdio', 'modern-stdio', 'legacy-http', 'modern-http']

let hub: TestHub
let fixtures: HttpFixture[]
let poster: ReturnType<typeof createPoster>
beforeAll(async () => {
  fixtures = await Promise.all(
    ['legacy', 'modern'].map((era) => startHttpFixture('canary', '--http', '--era', era, '--replies', 'json')),
  )
  hub = await startHub({
    'legacy-stdio': fixtureServer('canary.ts', '--era', 'legacy'),
    'modern-stdio': fixtureServer('canary.ts', '--era', 'modern'),
    'legacy-http': { type: 'http', url: fixtures[0]?.url },
    'modern-http': { type: 'http', url: fixtures[1]?.url },
  })
  poster = createPoster(hub.url)
  await Promise.all(servers.map((name) => hub.until(name, 'running')))
})
afterAll(async () => {
  poster.close()
  await hub.close()
  await Promise.all(fixtures.map((fixture) => fixture.stop()))
})

interface Asked {
  method: string
  params: Record<string, unknown>
  /** What must be found in the answer besides the canary, if anything. */
  expected?: string
}

const tool = (name: string, args: object, token?: string): Asked => ({
  method: 'tools/call',
  params: { name, arguments: args, ...(token === undefined ? {} : { _meta: { progressToken: token } }) },
})

/** Calls of every kind, each with a text that no other call has. */
const kinds: ((canary: string) => Asked)[] = [
  (canary) => tool('echo', { text: canary }),
  (canary) => tool('echo', { text: canary }),
  (canary) => tool('slow', { ms: 2, steps: 2 }, canary),
  (canary) => tool('fail', { message: canary }),
  (canary) => tool('log', { level: 'error', message: canary }),
  (canary) => ({ method: 'resources/read', params: { uri: `upper://${canary}` } }),
  (canary) => ({ method: 'prompts/get', params: { name: 'greeting', arguments: { tone: canary } } }),
  () => ({ method: 'tools/list', params: {} }),
]
const ask = (canary: string): Asked => ({
  ...tool('ask', { text: canary }),
  expected: `{\\"answer\\":\\"re ${canary}\\"}`,
})

interface Seen {
  messages: Message[]
  answer: Message | undefined
}

/** One client: 1,000 calls to four servers, several at a time; everything that it sees must be of its own calls. */
abstract class Client {
  readonly name: string
  readonly isInteractive: boolean
  readonly faults: string[] = []
  made = 0

  constructor(index: number) {
    this.name = `c${index}`
    this.isInteractive = index < 8
  }

  /** Whether it names a level; what comes to the others is as a server likes. */
  abstract readonly asksForLogs: boolean
  abstract call(server: string, id: string, asked: Asked): Promise<Seen>

  async run(): Promise<void> {
    await Promise.all(
      Array.from({ length: WIDTH }, async (_, lane) => {
        for (let n = lane; n < CALLS; n += WIDTH) await this.#one(n)
      }),
    )
  }

  async #one(n: number): Promise<void> {
    const server = servers[n % servers.length] as string
    const canary = `canary-${this.name}-${n}-x`
    const make = this.isInteractive && n % 40 < 4 ? ask : kinds[(n >> 2) % kinds.length]
    const asked = (make as (canary: string) => Asked)(canary)
    const { messages, answer } = await this.call(server, canary, asked)
    this.made++
    const text = JSON.stringify(messages)
    const foreign = [...text.toLowerCase().matchAll(/canary-c\d+-\d+-x/g)].filter(([found]) => found !== canary)
    if (foreign.length > 0) this.faults.push(`${canary} on ${server} saw ${foreign.map(([found]) => found).join(', ')}`)
    if (answer?.id !== canary)
      this.faults.push(`${canary} (${asked.method}) on ${server} got ${JSON.stringify(answer)}`)
    const found = JSON.stringify(answer ?? null).toLowerCase()
    const echoes = !['slow', 'log'].includes(String(asked.params['name'])) && asked.method !== 'tools/list'
    if (answer?.error !== undefined || (echoes && !found.includes(asked.expected ?? canary)))
      this.faults.push(`${canary} on ${server} got another answer: ${found.slice(0, 300)}`)
    const logs = messages.filter(({ method: told }) => told === 'notifications/message').length
    if (asked.params['name'] === 'log' && this.asksForLogs && logs !== 1)
      this.faults.push(`${canary} on ${server} saw ${logs} log messages`)
    const progress = messages.filter(({ method }) => method === 'notifications/progress')
    const steps = progress.map(({ params }) => `${String(params?.['progressToken'])} ${String(params?.['progress'])}`)
    if (asked.params['name'] === 'slow' && steps.join() !== `${canary} 1,${canary} 2`)
      this.faults.push(`${canary} on ${server} saw the progress ${steps.join()}`)
  }
}

const elicitation = { elicitation: { form: {} } }
const answerOf = (question: Message | undefined): object => ({
  action: 'accept',
  content: { answer: `re ${String(question?.params?.['message'])}` },
})
const tokenOf = (index: number): Record<string, string> => ({
  authorization: `Bearer ${index % 2 === 0 ? TOKEN : `${TOKEN}-other`}`,
})

class LegacyClient extends Client {
  readonly asksForLogs = false
  readonly #sessions = new Map<string, LegacyWire>()
  readonly #index: number

  constructor(index: number) {
    super(index)
    this.#index = index >> 1
  }

  async open(): Promise<this> {
    for (const server of servers) {
      const options = { headers: tokenOf(this.#index), name: this.name }
      const capabilities = this.isInteractive ? elicitation : {}
      this.#sessions.set(server, await LegacyWire.open(`${hub.url}/mcp/${server}`, { ...options, capabilities }))
    }
    return this
  }

  async call(server: string, id: string, { method, params }: Asked): Promise<Seen> {
    const session = this.#sessions.get(server) as LegacyWire
    const headers = {
      ...session.headers,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    }
    const seen: Seen = { messages: [], answer: undefined }
    await poster.post(`/mcp/${server}`, headers, JSON.stringify({ jsonrpc: '2.0', id, method, params }), (message) => {
      seen.messages.push(message)
      if (message.method === undefined) seen.answer = message
      else if (message.id !== undefined)
        void poster.post(
          `/mcp/${server}`,
          headers,
          JSON.stringify({ jsonrpc: '2.0', id: message.id, result: answerOf(message) }),
          () => undefined,
        )
    })
    return seen
  }
}

class ModernClient extends Client {
  readonly asksForLogs = this.isInteractive
  readonly #wire: ModernWire

  constructor(index: number) {
    super(index)
    const capabilities = index < 8 ? elicitation : {}
    this.#wire = new ModernWire(hub.url, { headers: tokenOf(index >> 1), name: this.name, capabilities })
  }

  async call(server: string, id: string, { method, params }: Asked, more: object = {}): Promise<Seen> {
    const meta = this.#wire.envelope({
      // Some ask for logs; only those of their own calls may come.
      ...(this.isInteractive ? { 'io.modelcontextprotocol/logLevel': 'error' } : {}),
      ...(params['_meta'] as object | undefined),
    })
    const seen: Seen = { messages: [], answer: undefined }
    await poster.post(
      `/mcp/${server}`,
      this.#wire.headersFor(method, params),
      JSON.stringify({ jsonrpc: '2.0', id, method, params: { ...params, ...more, _meta: meta } }),
      (message) => {
        seen.messages.push(message)
        if (message.method === undefined) seen.answer = message
      },
    )
    const result = seen.answer?.result
    if (result?.['resultType'] !== 'input_required') return seen
    const requests = Object.entries(result['inputRequests'] as Record<string, Message>)
    const inputResponses = Object.fromEntries(requests.map(([key, request]) => [key, answerOf(request)]))
    const state = 'requestState' in result ? { requestState: result['requestState'] } : {}
    const next = await this.call(server, id, { method, params }, { inputResponses, ...state })
    return { messages: [...seen.messages, ...next.messages], answer: next.answer }
  }
}

it(
  `${CLIENTS} clients of both eras and two keys, four servers, ${CALLS} interleaved calls each: nothing crosses`,
  { timeout: 180_000 },
  async () => {
    const clients: Client[] = await Promise.all(
      Array.from({ length: CLIENTS }, (_, index) =>
        index % 2 === 0 ? new LegacyClient(index).open() : Promise.resolve(new ModernClient(index)),
      ),
    )
    await Promise.all(clients.map((client) => client.run()))
    expect(clients.flatMap(({ faults }) => faults).slice(0, 10)).toEqual([])
    expect(clients.reduce((sum, { made }) => sum + made, 0)).toBe(CLIENTS * CALLS)
  },
)
