import { afterAll, beforeAll, expect, it } from 'vitest'
import { TOKEN, fixtureServer, startHub, type TestHub } from '../fixtures/hub.ts'
import { startHttpFixture, type HttpFixture } from '../fixtures/mcp-servers/fixtures.ts'
import { createPoster } from '../fixtures/raw-post.ts'
import { LegacyWire, ModernWire, waitFor, type Listening, type Message } from '../fixtures/wire.ts'

const CLIENTS = 50
/** Of each client. With 1,000 it takes a minute or two: `CROSS_TALK_CALLS=1000`. */
const CALLS = Number(process.env['CROSS_TALK_CALLS'] ?? 100)
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
  const system = { rateLimit: { mcp: false } }
  const entries = {
    'legacy-stdio': fixtureServer('canary.ts', '--era', 'legacy'),
    'modern-stdio': fixtureServer('canary.ts', '--era', 'modern'),
    'legacy-http': { type: 'http', url: fixtures[0]?.url },
    'modern-http': { type: 'http', url: fixtures[1]?.url },
  }
  hub = await startHub(entries, system)
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
  /** The client gives it up after the first sign of life. */
  cancelled?: true
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

const think = (canary: string): Asked => ({ ...tool('think', { text: canary }), expected: `thought ${canary}` })
const giveUp = (canary: string): Asked => ({
  ...tool('slow', { ms: 400_000, steps: 10_000 }, canary),
  cancelled: true,
})

interface Seen {
  messages: Message[]
  answer: Message | undefined
}

/** One client: many calls to four servers, several at a time; everything that it sees must be of its own calls. */
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
  /** Hears of changes of one resource at a server. */
  abstract subscribe(server: string, uri: string): Promise<Listening>

  async run(): Promise<void> {
    // Who can be asked has processes of its own on a pipe: there a change and who waits for it need not be in the same one.
    const uri = this.isInteractive ? null : `note://of-${this.name}`
    const server = servers[Number(this.name.slice(1)) % servers.length] as string
    const updates = uri === null ? null : await this.subscribe(server, uri)
    await Promise.all(
      Array.from({ length: WIDTH }, async (_, lane) => {
        for (let n = lane; n < CALLS; n += WIDTH) await this.#one(n)
      }),
    )
    if (updates === null) return
    // What it writes to it is told of, and of nothing that others write.
    await this.call(server, `${this.name} writes`, tool('write', { uri, text: 'x' }))
    const told = (): unknown[] =>
      updates.messages
        .filter(({ method }) => method === 'notifications/resources/updated')
        .map(({ params }) => params?.['uri'])
    await waitFor(() => told().length > 0, 20_000).catch(() => this.faults.push(`${this.name} heard of no change`))
    if (told().some((changed) => changed !== uri)) this.faults.push(`${this.name} heard of ${told().join(', ')}`)
    updates.close()
  }

  #kind(n: number): (canary: string) => Asked {
    if (n % 32 >= 28) return giveUp
    if (this.isInteractive && n % 40 < 4) return ask
    if (this.isInteractive && n % 40 < 8) return think
    return kinds[(n >> 2) % kinds.length] as (canary: string) => Asked
  }

  async #one(n: number): Promise<void> {
    const server = servers[n % servers.length] as string
    const canary = `canary-${this.name}-${n}-x`
    const asked = this.#kind(n)(canary)
    const { messages, answer } = await this.call(server, canary, asked)
    this.made++
    const text = JSON.stringify(messages)
    const foreign = [...text.toLowerCase().matchAll(/canary-c\d+-\d+-x/g)].filter(([found]) => found !== canary)
    if (foreign.length > 0) this.faults.push(`${canary} on ${server} saw ${foreign.map(([found]) => found).join(', ')}`)
    if (asked.cancelled === true) {
      if (answer !== undefined)
        this.faults.push(`${canary} on ${server} was given up and got ${JSON.stringify(answer)}`)
      return
    }
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

const interactive = { elicitation: { form: {} }, sampling: {} }
function answerOf(question: Message | undefined): object {
  const { message, messages } = (question?.params ?? {}) as {
    message?: string
    messages?: { content: { text: string } }[]
  }
  return messages === undefined
    ? { action: 'accept', content: { answer: `re ${String(message)}` } }
    : { role: 'assistant', model: 'm', content: { type: 'text', text: `thought ${String(messages[0]?.content.text)}` } }
}
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
      const capabilities = this.isInteractive ? interactive : {}
      this.#sessions.set(server, await LegacyWire.open(`${hub.url}/mcp/${server}`, { ...options, capabilities }))
    }
    return this
  }

  async subscribe(server: string, uri: string): Promise<Listening> {
    const session = this.#sessions.get(server) as LegacyWire
    const listening = await session.listen()
    await session.request('resources/subscribe', { uri })
    return listening
  }

  async call(server: string, id: string, { method, params, cancelled }: Asked): Promise<Seen> {
    const session = this.#sessions.get(server) as LegacyWire
    const headers = {
      ...session.headers,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    }
    const seen: Seen = { messages: [], answer: undefined }
    await poster.post(`/mcp/${server}`, headers, JSON.stringify({ jsonrpc: '2.0', id, method, params }), (message) => {
      seen.messages.push(message)
      if (cancelled && seen.messages.length === 1) {
        const body = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id } }
        void poster.post(`/mcp/${server}`, headers, JSON.stringify(body), () => undefined)
      }
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
  readonly #headers: Record<string, string>

  constructor(index: number) {
    super(index)
    const capabilities = index < 8 ? interactive : {}
    this.#headers = tokenOf(index >> 1)
    this.#wire = new ModernWire(hub.url, { headers: this.#headers, name: this.name, capabilities })
  }

  subscribe(server: string, uri: string): Promise<Listening> {
    const wire = new ModernWire(`${hub.url}/mcp/${server}`, { headers: this.#headers, name: this.name })
    return wire.listen({ resourceSubscriptions: [uri] })
  }

  async call(server: string, id: string, { method, params, cancelled }: Asked, more: object = {}): Promise<Seen> {
    const meta = this.#wire.envelope({
      // Some ask for logs; only those of their own calls may come.
      ...(this.isInteractive ? { 'io.modelcontextprotocol/logLevel': 'error' } : {}),
      ...(params['_meta'] as object | undefined),
    })
    const seen: Seen = { messages: [], answer: undefined }
    const abort = new AbortController()
    const posted = poster.post(
      `/mcp/${server}`,
      this.#wire.headersFor(method, params),
      JSON.stringify({ jsonrpc: '2.0', id, method, params: { ...params, ...more, _meta: meta } }),
      (message) => {
        seen.messages.push(message)
        if (message.method === undefined) seen.answer = message
        if (cancelled) abort.abort()
      },
      abort.signal,
    )
    await (cancelled ? posted.catch(() => undefined) : posted)
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
  `${CLIENTS} clients of both eras and two keys, four servers, ${CALLS} interleaved calls each: nothing crosses (CVE-2026-25536)`,
  { timeout: 60_000 + CALLS * 500 },
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
