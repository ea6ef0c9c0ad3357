import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Key } from '../../hub/contract/index.ts'
import { fixtureServer, startHub, TOKEN, type TestHub } from '../fixtures/hub.ts'
import { addKey, ask } from '../fixtures/people.ts'

const META_TOOLS = ['search_tools', 'describe_tool', 'call_tool', 'hub_status']

let hub: TestHub
beforeAll(async () => {
  hub = await startHub({ one: fixtureServer('echo.ts'), two: fixtureServer('modern-echo.ts') }, {})
  await Promise.all([hub.until('one', 'running'), hub.until('two', 'running')])
  await hub.api('PUT', '/api/profiles/searched', { config: { servers: { one: {}, two: {} }, toolSearch: true } })
})
afterAll(() => hub.close())

type AnyClient = Client | LegacyClient

async function legacy(endpoint: string, token: string): Promise<LegacyClient> {
  const client = new LegacyClient({ name: 'test', version: '1' })
  const headers = { authorization: `Bearer ${token}` }
  await client.connect(new LegacyTransport(new URL(hub.url + endpoint), { requestInit: { headers } }))
  return client
}

async function modern(endpoint: string, token: string): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode: 'auto' } })
  const headers = { authorization: `Bearer ${token}` }
  await client.connect(new StreamableHTTPClientTransport(new URL(hub.url + endpoint), { requestInit: { headers } }))
  return client
}

const namesOf = async (client: AnyClient): Promise<string[]> => (await client.listTools()).tools.map(({ name }) => name)

/** What a client of each era is offered on an endpoint. */
async function offered(endpoint: string, token: string): Promise<string[][]> {
  const clients = await Promise.all([legacy(endpoint, token), modern(endpoint, token)])
  const names = await Promise.all(clients.map(namesOf))
  await Promise.all(clients.map((client) => client.close()))
  return names
}

async function keyWith(toolSearch?: boolean | null): Promise<{ id: string; secret: string }> {
  return (await addKey(hub, TOKEN, toolSearch === undefined ? {} : { toolSearch })).body
}

const edit = (id: string, body: object): Promise<{ status: number; body: Key }> =>
  ask<Key>(hub, `PUT /api/keys/${id}`, { token: TOKEN, body })

describe('a key with tool search on', () => {
  it.each(['/mcp', '/mcp/one', '/mcp/searched'])('is offered the four tools and no other on %s', async (endpoint) => {
    const { secret } = await keyWith(true)
    expect(await offered(endpoint, secret)).toEqual([META_TOOLS, META_TOOLS])
  })

  it('finds, reads and calls the others with them, on several servers and on one', async () => {
    const { secret } = await keyWith(true)
    for (const [endpoint, tool, servers] of [
      ['/mcp', 'two__echo', ['one', 'two']],
      ['/mcp/one', 'echo', ['one']],
    ] as const)
      for (const client of [await legacy(endpoint, secret), await modern(endpoint, secret)]) {
        expect(client.getInstructions()).toContain('search_tools')
        const found = await client.callTool({ name: 'search_tools', arguments: { query: 'echo a text back' } })
        const { tools } = found.structuredContent as { tools: { name: string }[] }
        expect(tools.map(({ name }) => name)).toContain(tool)
        const described = await client.callTool({ name: 'describe_tool', arguments: { name: tool } })
        expect(described.structuredContent).toMatchObject({ name: tool, inputSchema: { type: 'object' } })
        const called = await client.callTool({
          name: 'call_tool',
          arguments: { name: tool, arguments: { text: 'hi' } },
        })
        expect(JSON.stringify(called.content)).toContain('hi')
        const status = await client.callTool({ name: 'hub_status', arguments: {} })
        const states = status.structuredContent as { servers: { name: string }[] }
        expect(states.servers.map(({ name }) => name)).toEqual(servers)
        await client.close()
      }
  })

  it('leaves what other keys are offered at the same address as it is', async () => {
    const [searching, plain] = [await keyWith(true), await keyWith()]
    expect(await offered('/mcp', searching.secret)).toEqual([META_TOOLS, META_TOOLS])
    const lists = await offered('/mcp', plain.secret)
    for (const names of lists) {
      expect(names).toEqual(expect.arrayContaining(['one__echo', 'two__echo']))
      expect(names).not.toContain('search_tools')
    }
    const client = await modern('/mcp', plain.secret)
    await expect(client.callTool({ name: 'search_tools', arguments: { query: 'x' } })).rejects.toThrow(/Unknown tool/)
    // Who may be shown another list at the same address must not get this one from a cache.
    expect(await client.listTools()).toMatchObject({ cacheScope: 'private' })
    await client.close()
  })
})

it('a key with tool search off is offered all tools of a profile that has it on', async () => {
  const { secret } = await keyWith(false)
  for (const names of await offered('/mcp/searched', secret))
    expect(names).toEqual(expect.arrayContaining(['one__echo', 'two__echo']))
  const other = await keyWith()
  expect(await offered('/mcp/searched', other.secret)).toEqual([META_TOOLS, META_TOOLS])
})

it('a narrowed key finds by search what is in its scope and nothing else', async () => {
  const { secret } = (await addKey(hub, TOKEN, { toolSearch: true, scope: { servers: ['two'] } })).body
  const client = await modern('/mcp', secret)
  expect(await namesOf(client)).toEqual(META_TOOLS)
  const found = await client.callTool({ name: 'search_tools', arguments: { query: 'echo a text back', limit: 50 } })
  const { tools } = found.structuredContent as { tools: { name: string }[] }
  expect(tools.length).toBeGreaterThan(0)
  expect(tools.every(({ name }) => name.startsWith('two__'))).toBe(true)
  const beyond = await client.callTool({ name: 'call_tool', arguments: { name: 'one__echo', arguments: {} } }).then(
    () => 'answered',
    (error: unknown) => String(error),
  )
  expect(beyond).toContain('Unknown tool')
  await client.close()
})

describe('a change of a key', () => {
  it('tells its open sessions that their list is another one, and nobody else', async () => {
    const [mine, other] = [await keyWith(), await keyWith()]
    const [client, bystander] = [await legacy('/mcp', mine.secret), await legacy('/mcp', other.secret)]
    const told: string[] = []
    const changed = new Promise<void>((resolve) => {
      for (const [name, listener] of Object.entries({ client, bystander }))
        listener.fallbackNotificationHandler = async ({ method }) => {
          told.push(`${name} ${method}`)
          if (name === 'client') resolve()
          await Promise.resolve()
        }
    })
    expect(await namesOf(client)).toContain('one__echo')
    expect(await namesOf(bystander)).toContain('one__echo')
    expect(await edit(mine.id, { toolSearch: true })).toMatchObject({ status: 200, body: { toolSearch: true } })
    await changed
    expect(await namesOf(client)).toEqual(META_TOOLS)
    expect(await namesOf(bystander)).toContain('one__echo')
    expect(told).toEqual(['client notifications/tools/list_changed'])
    await edit(mine.id, { toolSearch: null })
    await expect.poll(() => namesOf(client), { timeout: 10_000 }).toContain('one__echo')
    await Promise.all([client.close(), bystander.close()])
  })

  it('of its name leaves the setting, and one that never had any is written without the field', async () => {
    const [mine, bare] = [await keyWith(true), await keyWith(null)]
    expect((await edit(mine.id, { name: 'renamed' })).body).toMatchObject({ name: 'renamed', toolSearch: true })
    const { body } = await ask<Key[]>(hub, 'GET /api/keys', { token: TOKEN })
    expect(body.find(({ id }) => id === bare.id)?.toolSearch).toBe(null)
    const file = JSON.parse(await readFile(path.join(hub.configDir, 'users.json'), 'utf8')) as {
      keys: { id: string }[]
    }
    expect(file.keys.find(({ id }) => id === mine.id)).toHaveProperty('toolSearch', true)
    // As a hub wrote it that did not know of the setting.
    expect(file.keys.find(({ id }) => id === bare.id)).not.toHaveProperty('toolSearch')
  })
})
