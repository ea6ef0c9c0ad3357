import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startHub, type TestHub } from '../fixtures/hub.ts'
import { answerBasics, sendJson, startScripted, type ScriptedServer } from '../fixtures/scripted-server.ts'
import { LegacyWire, ModernWire, textOf } from '../fixtures/wire.ts'

type Era = 'legacy' | 'modern'
const SKILLS = 'io.modelcontextprotocol/skills'
const UI = 'io.modelcontextprotocol/ui'
const eras: Era[] = ['legacy', 'modern']

const skill = (server: string, name: string): object => ({
  uri: `skill://${name}/SKILL.md`,
  frontmatter: { name: name.split('/').at(-1), description: `of ${server}`, vendorField: [1] },
  resources: [{ uri: `skill://${name}/SKILL.md`, digest: `sha256:${'0'.repeat(64)}`, size: 1 }],
})

/** A server with skills, of which one is not listed, and with a tool that has a page. */
function startExtended(name: string, era: Era, extensions: object): Promise<ScriptedServer> {
  const listed = ['shared', `${name}/first`, `${name}/second`]
  const served = [...listed, `${name}/unlisted`]
  const say = (method: string, params: Record<string, unknown>): object | null => {
    const uri = String(params['uri'])
    const owns = served.some((path) => uri === `skill://${path}` || uri.startsWith(`skill://${path}/`))
    if (method === 'skills/list') {
      const page = params['cursor'] === undefined ? listed.slice(0, 2) : listed.slice(2)
      const nextCursor = params['cursor'] === undefined ? { nextCursor: '' } : {}
      return { skills: page.map((path) => skill(name, path)), ttlMs: 1, cacheScope: 'public', ...nextCursor }
    }
    if (method === 'skills/get') {
      const path = served.find((known) => uri === `skill://${known}/SKILL.md`)
      return path === undefined ? null : { skill: skill(name, path), ttlMs: 1, cacheScope: 'public' }
    }
    if (method === 'resources/directory/read')
      return owns ? { resources: [{ uri: `${uri}/SKILL.md`, name: 'SKILL.md', description: name }] } : null
    if (method === 'resources/read')
      return owns || uri === `ui://${name}/page` ? { contents: [{ uri, text: `of ${name}` }] } : null
    if (method === 'tools/call') return { content: [{ type: 'text', text: `${name} ran ${String(params['name'])}` }] }
    if (method === 'tools/list') return { tools: toolsOf(name) }
    if (method === 'resources/templates/list') return { resourceTemplates: [] }
    return method === 'resources/list' ? { resources: [] } : null
  }
  return startScripted((asked) => {
    const { message, response } = asked
    if (message?.method === undefined || message.id === undefined || /^(initialize|server)/.test(message.method)) {
      answerBasics(asked, { era, tools: [], capabilities: { tools: {}, resources: {}, extensions } })
      return
    }
    const result = say(message.method, message.params ?? {})
    const body =
      result === null
        ? { error: { code: -32602, message: `${name} has none` } }
        : { result: era === 'modern' ? { resultType: 'complete', ...result } : result }
    sendJson(response, { jsonrpc: '2.0', id: message.id, ...body })
  })
}

const toolsOf = (name: string): object[] => [
  {
    name: 'show',
    inputSchema: { type: 'object' },
    _meta: { ui: { resourceUri: `ui://${name}/page`, visibility: ['model', 'app'] }, 'com.example/key': 'show' },
  },
  { name: `${name}-data`, inputSchema: { type: 'object' }, _meta: { ui: { visibility: ['app'] } } },
]

let hub: TestHub
let servers: ScriptedServer[]
beforeAll(async () => {
  servers = await Promise.all([
    startExtended('alpha', 'modern', { [SKILLS]: { directoryRead: true }, [UI]: { mimeTypes: ['a'] } }),
    startExtended('beta', 'legacy', { [SKILLS]: {}, [UI]: { mimeTypes: ['b'] }, 'com.example/vendor': { v: 1 } }),
    startExtended('gamma', 'modern', {}),
  ])
  const [alpha, beta, gamma] = servers.map(({ url }) => ({ type: 'http', url }))
  hub = await startHub({ alpha, beta, gamma })
  await Promise.all(['alpha', 'beta', 'gamma'].map((name) => hub.until(name, 'running')))
})
afterAll(async () => {
  await hub.close()
  await Promise.all(servers.map((server) => server.close()))
})

const extensions = { [UI]: { mimeTypes: ['text/html;profile=mcp-app'] }, 'com.example/vendor': { client: true } }
async function connect(era: Era, path: string): Promise<LegacyWire | ModernWire> {
  const options = { headers: hub.headers, capabilities: { extensions } }
  return era === 'legacy' ? LegacyWire.open(hub.url + path, options) : new ModernWire(hub.url + path, options)
}
const capabilitiesSeen = async (wire: LegacyWire | ModernWire): Promise<unknown> => {
  const greeting = wire instanceof LegacyWire ? wire.hello : await wire.request('server/discover')
  return greeting?.result?.['capabilities']
}
const names = (skills: unknown): string[] => (skills as { uri: string }[]).map(({ uri }) => uri)

describe.each(eras)('extensions for a %s client', (era) => {
  it('are declared as the server declares them, and for several servers together', async () => {
    for (const [name, declared] of [
      ['alpha', { [SKILLS]: { directoryRead: true }, [UI]: { mimeTypes: ['a'] } }],
      ['beta', { [SKILLS]: {}, [UI]: { mimeTypes: ['b'] }, 'com.example/vendor': { v: 1 } }],
    ] as const)
      expect(await capabilitiesSeen(await connect(era, `/mcp/${name}`))).toMatchObject({ extensions: declared })
    expect(await capabilitiesSeen(await connect(era, '/mcp'))).toMatchObject({
      extensions: {
        [SKILLS]: { directoryRead: true },
        [UI]: { mimeTypes: ['a', 'b'] },
        'com.example/vendor': { v: 1 },
      },
    })
  })

  it.each(['alpha', 'beta'])('that the client has are told to %s', async (name) => {
    await (await connect(era, `/mcp/${name}`)).request('tools/call', { name: 'show' })
    const server = servers[name === 'alpha' ? 0 : 1]
    const method = name === 'alpha' ? 'tools/call' : 'initialize'
    const params = server?.requests.findLast(({ message }) => message?.method === method)?.message?.params
    const meta = params?.['_meta'] as Record<string, object> | undefined
    expect(meta?.['io.modelcontextprotocol/clientCapabilities'] ?? params?.['capabilities']).toMatchObject({
      extensions,
    })
  })

  it('with pages (MCP Apps): their addresses can be read wherever a tool names one', async () => {
    for (const path of ['/mcp', '/mcp/alpha', '/mcp/beta']) {
      const wire = await connect(era, path)
      const { result } = await wire.request('tools/list')
      const tools = result?.['tools'] as { name: string; _meta: { ui: { resourceUri?: string } } }[]
      const shown = tools.filter(({ name, _meta }) => !name.startsWith('gamma') && _meta.ui.resourceUri !== undefined)
      expect(shown).toHaveLength(path === '/mcp' ? 2 : 1)
      for (const { _meta } of shown) {
        expect(_meta).toMatchObject({ ui: { visibility: ['model', 'app'] }, 'com.example/key': 'show' })
        const read = await wire.request('resources/read', { uri: _meta.ui.resourceUri })
        expect(read.result?.['contents']).toMatchObject([{ uri: _meta.ui.resourceUri }])
      }
    }
  })

  it('with pages: one calls the tools of its server by their own names', async () => {
    const wire = await connect(era, '/mcp')
    expect(textOf(await wire.request('tools/call', { name: 'beta-data' }))).toBe('beta ran beta-data')
    // Every server has this one, and a page does not say whose it means.
    expect((await wire.request('tools/call', { name: 'show' })).error?.code).toBe(-32602)
  })

  it('with skills: they pass as they are on the endpoint of their server', async () => {
    for (const name of ['alpha', 'beta']) {
      const wire = await connect(era, `/mcp/${name}`)
      const { result } = await wire.request('skills/list')
      expect(result).toMatchObject({ skills: [skill(name, 'shared'), skill(name, `${name}/first`)], nextCursor: '' })
      if (era === 'modern')
        expect(result).toMatchObject({ resultType: 'complete', cacheScope: expect.any(String) as string })
      const got = await wire.request('skills/get', { uri: `skill://${name}/unlisted/SKILL.md` })
      expect(got.result?.['skill']).toEqual(skill(name, `${name}/unlisted`))
    }
  })

  it('with skills: several servers list them together, the first configured one first', async () => {
    const { result } = await (await connect(era, '/mcp')).request('skills/list')
    expect(names(result?.['skills'])).toEqual(
      ['shared', 'alpha/first', 'alpha/second', 'beta/first', 'beta/second'].map((path) => `skill://${path}/SKILL.md`),
    )
    expect((result?.['skills'] as object[])[0]).toEqual(skill('alpha', 'shared'))
    expect(Object.keys(result ?? {}).sort()).toEqual(
      era === 'legacy' ? ['skills'] : ['_meta', 'cacheScope', 'resultType', 'skills', 'ttlMs'],
    )
  })

  it.each([
    ['skill://beta/unlisted/SKILL.md', 'beta'],
    ['skill://alpha/second/SKILL.md', 'alpha'],
    ['skill://shared/SKILL.md', 'alpha'],
  ])('with skills: %s is got, and its files are read, from %s', async (uri, name) => {
    const wire = await connect(era, '/mcp')
    const { result } = await wire.request('skills/get', { uri })
    expect(result).toMatchObject({ skill: { uri, frontmatter: { description: `of ${name}` } } })
    if (era === 'modern') expect(result).toMatchObject({ resultType: 'complete', ttlMs: expect.any(Number) as number })
    const file = uri.replace('SKILL.md', 'templates/a.md')
    const read = await wire.request('resources/read', { uri: file })
    expect(read.result?.['contents']).toEqual([{ uri: file, text: `of ${name}` }])
    const folder = await wire.request('resources/directory/read', { uri: uri.replace('/SKILL.md', '') })
    expect(folder.result?.['resources']).toMatchObject([{ uri, description: name }])
  })

  it('with skills: the second owner of a URI is meant with a mark, and is told that no list has it', async () => {
    const wire = await connect(era, '/mcp')
    await wire.request('skills/list')
    const marked = (path: string): { uri: string } => ({ uri: `skill://shared${path}#server=beta` })
    const { result } = await wire.request('skills/get', marked('/SKILL.md'))
    expect(result?.['skill']).toEqual(skill('beta', 'shared'))
    const read = await wire.request('resources/read', marked('/templates/a.md'))
    expect(read.result?.['contents']).toEqual([{ uri: 'skill://shared/templates/a.md', text: 'of beta' }])
    const folder = await wire.request('resources/directory/read', marked(''))
    expect(folder.result?.['resources']).toMatchObject([{ description: 'beta' }])
    for (const uri of ['skill://shared/SKILL.md#server=gamma', 'skill://shared/SKILL.md#server=nobody'])
      expect((await wire.request('skills/get', { uri })).error?.code).toBe(-32602)
    const { lines } = (await hub.api('GET', '/api/servers/beta/logs')).body as { lines: { text: string }[] }
    expect(lines.filter(({ text }) => text.includes('skill://shared/SKILL.md#server=beta'))).toHaveLength(1)
  })

  it('with skills: one that nobody has is refused', async () => {
    const wire = await connect(era, '/mcp')
    for (const method of ['skills/get', 'resources/read'])
      expect((await wire.request(method, { uri: 'skill://nobody/SKILL.md' })).error?.code).toBe(-32602)
  })
})

it('a file of a skill is found by a hub that has not listed any', async () => {
  const [alpha, beta] = servers.map(({ url }) => ({ type: 'http', url }))
  const fresh = await startHub({ alpha, beta })
  await Promise.all(['alpha', 'beta'].map((name) => fresh.until(name, 'running')))
  const wire = new ModernWire(`${fresh.url}/mcp`, { headers: fresh.headers })
  const { result } = await wire.request('resources/read', { uri: 'skill://beta/second/a.md' })
  expect(result?.['contents']).toEqual([{ uri: 'skill://beta/second/a.md', text: 'of beta' }])
  await fresh.close()
})
