import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fixtureServer, startHub, type TestHub } from '../fixtures/hub.ts'
import { startHttpFixture, type HttpFixture } from '../fixtures/mcp-servers/fixtures.ts'
import { LegacyWire, ModernWire, textOf, waitFor, type Answer, type Answers } from '../fixtures/wire.ts'

type Era = 'legacy' | 'modern'
const eras: Era[] = ['legacy', 'modern']
const transports = ['stdio', 'http'] as const
const combinations = eras.flatMap((client) =>
  eras.flatMap((server) => transports.map((transport) => ({ client, server, transport }))),
)

let hub: TestHub
const remote: HttpFixture[] = []
beforeAll(async () => {
  const servers: Record<string, unknown> = {}
  for (const era of eras)
    for (const file of ['interactive', 'echo']) {
      servers[`${file}-${era}-stdio`] = fixtureServer(`${file}.ts`, '--era', era)
      const fixture = await startHttpFixture(file, '--http', '--era', era)
      remote.push(fixture)
      servers[`${file}-${era}-http`] = { type: 'http', url: fixture.url }
    }
  servers['pages'] = { ...fixtureServer('huge-list.ts'), env: { HUGE_LIST_COUNT: '120', HUGE_LIST_EMPTY_CURSOR: '1' } }
  hub = await startHub(servers)
  await Promise.all(Object.keys(servers).map((name) => hub.until(name, 'running')))
})
afterAll(async () => {
  await hub.close()
  await Promise.all(remote.map((fixture) => fixture.stop()))
})

const everything = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} }
const yes = { action: 'accept', content: { answer: 'blue' } }
const sampled = { role: 'assistant', content: { type: 'text', text: 'a model speaks' }, model: 'm' }
const roots = { roots: [{ uri: 'file:///home', name: 'home' }] }

interface Asked {
  method: string
  params: Record<string, unknown> | undefined
}

/** A client of either era that answers what it is asked, each in its own way. */
interface Talker {
  wire: LegacyWire | ModernWire
  asked: Asked[]
  call: (name: string, args?: object) => Promise<Answer>
}

async function talker(
  era: Era,
  server: string,
  capabilities: Record<string, unknown> = everything,
  answer: (method: string) => unknown = (method) =>
    method === 'roots/list' ? roots : method === 'sampling/createMessage' ? sampled : yes,
): Promise<Talker> {
  const asked: Asked[] = []
  const options = { headers: hub.headers, capabilities, name: `client ${Math.random()}` }
  const url = `${hub.url}/mcp${server === '' ? '' : `/${server}`}`
  const reply = (method: string, params: Asked['params']): unknown => {
    asked.push({ method, params })
    return answer(method)
  }
  if (era === 'legacy') {
    const methods = ['elicitation/create', 'sampling/createMessage', 'roots/list']
    const answers: Answers = Object.fromEntries(
      methods.map((method) => [method, (params: Asked['params']) => reply(method, params)]),
    )
    const wire = await LegacyWire.open(url, { ...options, answers })
    return { wire, asked, call: (name, args = {}) => wire.request('tools/call', { name, arguments: args }) }
  }
  const wire = new ModernWire(url, options)
  const call = async (name: string, args: object = {}): Promise<Answer> => {
    let more: object = {}
    for (;;) {
      const found = await wire.request('tools/call', { name, arguments: args, ...more })
      if (found.result?.['resultType'] !== 'input_required') return found
      const { inputRequests, requestState } = found.result
      const inputResponses = Object.fromEntries(
        Object.entries(inputRequests as Record<string, Asked>).map(([key, request]) => [
          key,
          reply(request.method, request.params),
        ]),
      )
      more = { inputResponses, ...(requestState === undefined ? {} : { requestState }) }
    }
  }
  return { wire, asked, call }
}

const toldBy = (answer: Answer): unknown => JSON.parse(textOf(answer))

describe.each(combinations)(
  'a $client client and a $server server over $transport',
  ({ client, server, transport }) => {
    const interactive = `interactive-${server}-${transport}`
    const echo = `echo-${server}-${transport}`

    describe('what the server asks', () => {
      it('a form', async () => {
        const { call, asked } = await talker(client, interactive)
        expect(toldBy(await call('ask_user', { message: 'Colour?' }))).toEqual({ user: yes })
        expect(asked).toMatchObject([
          { method: 'elicitation/create', params: { message: 'Colour?', requestedSchema: { type: 'object' } } },
        ])
      })

      it.each(['decline', 'cancel'])('a form that the user answers with %s', async (action) => {
        const { call } = await talker(client, interactive, everything, () => ({ action }))
        expect(toldBy(await call('ask_user', { message: 'Colour?' }))).toEqual({ user: { action } })
      })

      it('a page, whose visit has an id of its own in the legacy era alone', async () => {
        const { call, asked } = await talker(client, interactive, everything, () => ({ action: 'accept' }))
        for (const message of ['one', 'two'])
          expect(toldBy(await call('ask_link', { message }))).toEqual({ link: { action: 'accept' } })
        expect(asked).toMatchObject([
          { params: { mode: 'url', url: 'https://example.com/confirm', message: 'one' } },
          { params: { mode: 'url', message: 'two' } },
        ])
        const visits = asked.map(({ params }) => params?.['elicitationId'])
        if (client === 'modern') expect(visits).toEqual([undefined, undefined])
        else if (server === 'legacy') expect(visits).toEqual(['visit-1', 'visit-1'])
        else expect(new Set(visits.filter((visit) => typeof visit === 'string')).size).toBe(2)
      })

      it('a page without which it does nothing', async () => {
        const { call, asked } = await talker(client, interactive, everything, () => ({ action: 'accept' }))
        const message = `needed by ${client}`
        const first = await call('need_page', { message })
        const page = { mode: 'url', url: 'https://example.com/allow', message }
        if (client === 'legacy' && server === 'legacy') {
          expect(first.error).toMatchObject({
            code: -32042,
            data: { elicitations: [{ ...page, elicitationId: 'visit-2' }] },
          })
          expect(textOf(await call('need_page', { message }))).toBe('opened')
        } else {
          expect(textOf(first)).toBe(server === 'legacy' ? 'opened' : '{"page":{"action":"accept"}}')
          expect(asked).toMatchObject([{ method: 'elicitation/create', params: page }])
        }
      })

      it('a page, of whose visit those hear who were sent there, in the legacy era', async () => {
        const [mine, other] = await Promise.all([talker(client, interactive), talker(client, interactive)])
        if (!(mine.wire instanceof LegacyWire && other.wire instanceof LegacyWire)) {
          const { before } = await mine.call('ask_link', { message: 'one' })
          expect(before).toEqual([])
          return
        }
        if (server === 'modern') return
        const [told, untold] = await Promise.all([mine.wire.listen(), other.wire.listen()])
        await mine.call('ask_link', { message: 'one' })
        await mine.call('need_page', { message: `told of ${client} ${server}` })
        const visits = (): unknown[] =>
          told.messages.flatMap(({ method, params }) =>
            method === 'notifications/elicitation/complete' ? [params?.['elicitationId']] : [],
          )
        await expect.poll(visits).toEqual(['visit-1', 'visit-2'])
        expect(untold.messages).toEqual([])
        told.close()
        untold.close()
      })

      it('the model, and for roots', async () => {
        const { call, asked } = await talker(client, interactive)
        expect(toldBy(await call('ask_model', { message: 'Think' }))).toEqual({ model: sampled })
        expect(toldBy(await call('ask_roots'))).toEqual({ roots })
        expect(asked).toMatchObject([
          { method: 'sampling/createMessage', params: { maxTokens: 50, messages: [{ content: { text: 'Think' } }] } },
          { method: 'roots/list' },
        ])
      })

      it('several things at once, and one after the other', async () => {
        const { call, asked } = await talker(client, interactive)
        expect(toldBy(await call('ask_all'))).toEqual({ user: yes, model: sampled, roots })
        expect(toldBy(await call('ask_twice'))).toEqual({ first: yes, second: yes })
        expect(asked).toHaveLength(5)
        expect(asked.at(-1)?.params?.['message']).toContain('blue')
      })

      it('is not asked of a client that cannot answer', async () => {
        const { call, asked } = await talker(client, interactive, {})
        const answer = await call('ask_user', { message: 'Colour?' })
        if (client === 'modern' && server === 'modern')
          expect(answer).toMatchObject({ status: 400, error: { code: -32021 } })
        else expect(answer.result).toMatchObject({ isError: true })
        expect(asked).toEqual([])
      })
    })

    it('log messages come from the level on that the client wants, and not unasked in the modern era', async () => {
      const { wire } = await talker(client, echo, {})
      const logged = async (level: string, wanted?: string): Promise<unknown[]> => {
        const meta = wanted === undefined ? {} : { _meta: { 'io.modelcontextprotocol/logLevel': wanted } }
        const params = { name: 'log', arguments: { level, message: level } }
        const { before } = await wire.request(
          'tools/call',
          wire instanceof ModernWire ? { ...params, ...meta } : params,
        )
        return before
          .filter(({ method }) => method === 'notifications/message')
          .map(({ params: said }) => said?.['data'])
      }
      if (wire instanceof LegacyWire) await wire.request('logging/setLevel', { level: 'warning' })
      expect(await logged('error', 'warning')).toEqual(['error'])
      expect(await logged('info', 'warning')).toEqual([])
      if (client === 'modern') expect(await logged('error')).toEqual([])
    })

    it.each(['token', 7])('progress keeps its order and its token (%s), and comes before the result', async (token) => {
      const { wire } = await talker(client, echo, {})
      const seen: unknown[] = []
      const answer = await wire.request(
        'tools/call',
        { name: 'slow', arguments: { ms: 20, steps: 10 }, _meta: { progressToken: token } },
        { onMessage: ({ method, params }) => seen.push(method === undefined ? 'result' : params) },
      )
      expect(textOf(answer)).toBe('slept 20 ms')
      const steps = Array.from({ length: 10 }, (_, step) => ({ progressToken: token, progress: step + 1, total: 10 }))
      expect(seen).toMatchObject([...steps, 'result'])
    })

    it('no progress comes unasked', async () => {
      const { wire } = await talker(client, echo, {})
      expect((await wire.request('tools/call', { name: 'slow', arguments: { ms: 1, steps: 3 } })).before).toEqual([])
    })

    it('a call that the client cancels is cancelled at the server', async () => {
      const { wire, call } = await talker(client, interactive, {})
      const count = async (): Promise<number> => Number(textOf(await call('cancellations')))
      const before = await count()
      const abort = new AbortController()
      const id = `cancel-${client}-${server}-${transport}`
      let runs = false
      const pending = wire
        .request(
          'tools/call',
          { name: 'wait', _meta: { progressToken: 'p' } },
          { id, signal: abort.signal, onMessage: () => (runs = true) },
        )
        .catch(() => null)
      await waitFor(() => runs)
      if (wire instanceof LegacyWire)
        await wire.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id } })
      else abort.abort()
      await expect.poll(count).toBe(before + 1)
      await pending
    })

    it('a resource that changes is told to those who subscribed, and a list that changes to all who listen', async () => {
      const { wire, call } = await talker(client, echo, {})
      const uri = 'note://first'
      const listening =
        wire instanceof LegacyWire
          ? await wire.listen()
          : await wire.listen({ toolsListChanged: true, resourceSubscriptions: [uri] }, `${client} listens`)
      if (wire instanceof LegacyWire) await wire.request('resources/subscribe', { uri })
      const told = (method: string): unknown =>
        listening.messages.find((message) => message.method === `notifications/${method}`)?.params
      await expect
        .poll(async () => {
          await call('write', { uri: 'note://second', text: 'x' })
          await call('write', { uri, text: 'new' })
          return told('resources/updated')
        })
        .toMatchObject({ uri })
      const updated = listening.messages.filter(({ method }) => method === 'notifications/resources/updated')
      expect(new Set(updated.map(({ params }) => params?.['uri']))).toEqual(new Set([uri]))
      await call('toggle')
      await waitFor(
        () =>
          told('tools/list_changed') ?? listening.messages.some(({ method }) => method?.endsWith('tools/list_changed')),
      )
      const names = ((await wire.request('tools/list')).result?.['tools'] as { name: string }[]).map(({ name }) => name)
      expect(names).toContain('extra')
      await call('toggle')
      await expect.poll(async () => JSON.stringify((await wire.request('tools/list')).result)).not.toContain('"extra"')
      listening.close()
    })

    it('completions, prompts and resource templates', async () => {
      const { wire } = await talker(client, echo, {})
      const argument = { name: 'tone', value: 'c' }
      for (const ref of [
        { type: 'ref/prompt', name: 'greeting' },
        { type: 'ref/resource', uri: 'upper://{word}' },
      ])
        expect((await wire.request('completion/complete', { ref, argument })).result?.['completion']).toEqual({
          values: ['cool', 'curt'],
          total: 2,
          hasMore: false,
        })
      expect(
        (await wire.request('prompts/get', { name: 'greeting', arguments: { tone: 'curt' } })).result,
      ).toMatchObject({
        messages: [{ role: 'user', content: { type: 'text', text: 'Greet me in a curt tone.' } }],
      })
      expect((await wire.request('resources/templates/list')).result?.['resourceTemplates']).toMatchObject([
        { uriTemplate: 'upper://{word}' },
      ])
      expect((await wire.request('resources/read', { uri: 'upper://abc' })).result?.['contents']).toMatchObject([
        { uri: 'upper://abc', text: 'ABC' },
      ])
      const missing = await wire.request('resources/read', { uri: 'note://third' })
      expect(missing.error).toMatchObject({ code: client === 'legacy' && server === 'legacy' ? -32002 : -32602 })
    })
  },
)

describe('a call that waits at a legacy server for what its modern client answers', () => {
  const server = 'interactive-legacy-stdio'
  const overrides = { ask_twice: { name: 'twice' } }
  beforeAll(async () => {
    const renamed = { servers: { [server]: { tools: { overrides } } } }
    const searched = { servers: { [server]: {} }, toolSearch: true }
    for (const [name, config] of Object.entries({ renamed, searched }))
      expect((await hub.api('PUT', `/api/profiles/${name}`, { config })).status).toBe(201)
  })
  it.each([
    ['', `${server}__ask_twice`, {}],
    ['renamed', 'twice', {}],
    ['searched', 'call_tool', { name: `${server}__ask_twice`, arguments: {} }],
  ])('goes on under the name that it was begun with (/mcp/%s, %s)', async (endpoint, name, args) => {
    const { call, asked } = await talker('modern', endpoint)
    expect(toldBy(await call(name, args))).toEqual({ first: yes, second: yes })
    expect(asked).toHaveLength(2)
  })

  const wireAt = async (endpoint: string): Promise<ModernWire> => (await talker('modern', endpoint)).wire as ModernWire
  const args = { message: 'Colour?', topic: 'paint' }
  const topic = { headers: { 'mcp-param-topic': 'paint' } }
  const inputResponses = { 'elicitation-1': yes }

  it('goes on with its tool and at its endpoint only', async () => {
    const [searched, all] = [await wireAt('searched'), await wireAt('')]
    const asUser = { name: `${server}__ask_user`, arguments: args }
    const begun = await searched.request('tools/call', { name: 'call_tool', arguments: asUser })
    const answered = { requestState: begun.result?.['requestState'], inputResponses }
    const retry = (tool: object): Promise<Answer> =>
      searched.request('tools/call', { name: 'call_tool', arguments: tool, ...answered })
    const stale = { error: { code: -32602, message: expect.stringContaining('requestState') as string } }
    expect(await retry({ ...asUser, name: `${server}__ask_link` })).toMatchObject(stale)
    expect(await all.request('tools/call', { ...asUser, ...answered }, topic)).toMatchObject(stale)
    expect(toldBy(await retry(asUser))).toEqual({ user: yes })
    expect(await retry(asUser)).toMatchObject(stale)
  })

  it('goes on with the headers of its arguments only', async () => {
    const wire = await wireAt(server)
    const params = { name: 'ask_user', arguments: args }
    const { result } = await wire.request('tools/call', params, topic)
    const retry = { ...params, requestState: result?.['requestState'], inputResponses }
    for (const headers of [{}, { 'mcp-param-topic': 'ink' }])
      expect(await wire.request('tools/call', retry, { headers })).toMatchObject({
        status: 400,
        error: { code: -32020, message: expect.stringContaining('mcp-param-topic') as string },
      })
    expect(toldBy(await wire.request('tools/call', retry, topic))).toEqual({ user: yes })
  })
})

it.each(eras)('a list in pages, of which one has the empty cursor, comes whole to a %s client', async (era) => {
  const { wire } = await talker(era, 'pages', {})
  const { result } = await wire.request('tools/list')
  expect(result?.['tools']).toHaveLength(120)
  expect(result).not.toHaveProperty('nextCursor')
  expect((await wire.request('tools/list', { cursor: 'page-1' })).error?.code).toBe(-32602)
})
