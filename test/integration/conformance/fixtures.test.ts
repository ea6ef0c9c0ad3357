import { Client as ModernClient, StreamableHTTPClientTransport as ModernHttp } from '@modelcontextprotocol/client'
import { StdioClientTransport as ModernStdio } from '@modelcontextprotocol/client/stdio'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js'
import { afterEach, describe, expect, it } from 'vitest'
import { startHttpFixture, stdioFixture } from '../../fixtures/mcp-servers/fixtures.ts'

const opened: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

const capabilities = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} }

async function legacy(transport: unknown): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' }, { capabilities })
  client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'accept', content: { answer: 'yes' } }))
  client.setRequestHandler(CreateMessageRequestSchema, () => ({
    model: 'test',
    role: 'assistant',
    content: { type: 'text', text: 'hello' },
  }))
  client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: 'file:///root' }] }))
  await client.connect(transport as Transport)
  opened.push(() => client.close())
  return client
}

async function modern(transport: Parameters<ModernClient['connect']>[0]): Promise<ModernClient> {
  const options = { capabilities, versionNegotiation: { mode: { pin: '2026-07-28' } } }
  const client = new ModernClient({ name: 'test', version: '1' }, options)
  client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: { answer: 'yes' } }))
  client.setRequestHandler('sampling/createMessage', () => ({
    model: 'test',
    role: 'assistant',
    content: { type: 'text', text: 'hello' },
  }))
  client.setRequestHandler('roots/list', () => ({ roots: [{ uri: 'file:///root' }] }))
  await client.connect(transport)
  opened.push(() => client.close())
  return client
}

const textOf = (result: unknown): string | undefined => (result as { content: { text?: string }[] }).content[0]?.text

async function until(condition: () => boolean): Promise<void> {
  await expect.poll(condition, { timeout: 5_000, interval: 10 }).toBe(true)
}

async function http(name: string, ...args: string[]): Promise<URL> {
  const fixture = await startHttpFixture(name, ...args)
  opened.push(() => fixture.stop())
  return new URL(fixture.url)
}

describe('the echo server', () => {
  const forms = {
    stdio: () => Promise.resolve(new StdioClientTransport(stdioFixture('echo'))),
    'HTTP with streams': async () => new StreamableHTTPClientTransport(await http('echo', '--http')),
    'HTTP with JSON': async () => new StreamableHTTPClientTransport(await http('echo', '--http', '--replies', 'json')),
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- the old transport is what this form is about
    'HTTP+SSE': async () => new SSEClientTransport(await http('echo', '--transport', 'sse')),
  }
  it.each(Object.entries(forms))('answers, reports progress and tells of changes over %s', async (_form, open) => {
    const client = await legacy(await open())
    expect(textOf(await client.callTool({ name: 'echo', arguments: { text: 'ünï\n' } }))).toBe('ünï\n')
    expect(textOf(await client.callTool({ name: 'big', arguments: { bytes: 300_000 } }))).toHaveLength(300_000)
    expect(await client.callTool({ name: 'fail', arguments: {} })).toMatchObject({ isError: true })
    expect(await client.readResource({ uri: 'upper://word' })).toMatchObject({ contents: [{ text: 'WORD' }] })

    const progress: number[] = []
    const call = client.callTool({ name: 'slow', arguments: { ms: 100, steps: 4 } }, undefined, {
      onprogress: (update) => progress.push(update.progress),
    })
    expect(textOf(await call)).toBe('slept 100 ms')
    expect(progress.slice(0, 3)).toEqual([1, 2, 3])

    let changes = 0
    const written: string[] = []
    client.setNotificationHandler(ToolListChangedNotificationSchema, () => {
      changes++
    })
    client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => void written.push(params.uri))
    await client.subscribeResource({ uri: 'note://first' })
    await client.callTool({ name: 'write', arguments: { uri: 'note://second', text: 'new' } })
    await client.callTool({ name: 'write', arguments: { uri: 'note://first', text: 'new' } })
    await client.callTool({ name: 'toggle', arguments: {} })
    await until(() => changes === 1 && written.length === 1)
    expect(written).toEqual(['note://first'])
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain('extra')
  })

  it('forgets a call that is cancelled', async () => {
    const client = await legacy(new StdioClientTransport(stdioFixture('echo')))
    const cancel = new AbortController()
    const call = client.callTool({ name: 'slow', arguments: { ms: 60_000 } }, undefined, { signal: cancel.signal })
    cancel.abort()
    await expect(call).rejects.toThrow()
    expect(textOf(await client.callTool({ name: 'echo', arguments: { text: 'still here' } }))).toBe('still here')
  })
})

describe('the modern echo server', () => {
  it.each([
    ['stdio', () => Promise.resolve(new ModernStdio(stdioFixture('modern-echo')))],
    ['HTTP', async () => new ModernHttp(await http('modern-echo', '--http'))],
  ] as const)('answers a modern client over %s', async (_form, open) => {
    const client = await modern(await open())
    expect(textOf(await client.callTool({ name: 'echo', arguments: { text: 'modern' } }))).toBe('modern')
    expect((await client.listResources()).resources).toHaveLength(2)
  })
})

describe('the interactive server', () => {
  const expected = {
    user: { action: 'accept', content: { answer: 'yes' } },
    model: { role: 'assistant', content: { type: 'text', text: 'hello' } },
    roots: { roots: [{ uri: 'file:///root' }] },
  }
  it('asks a legacy client while its call runs', async () => {
    const client = await legacy(new StdioClientTransport(stdioFixture('interactive')))
    expect(JSON.parse(textOf(await client.callTool({ name: 'ask_all', arguments: {} }))!)).toMatchObject(expected)
  })

  it('asks a modern client between rounds', async () => {
    const client = await modern(new ModernHttp(await http('interactive', '--http')))
    expect(JSON.parse(textOf(await client.callTool({ name: 'ask_all', arguments: {} }))!)).toMatchObject(expected)
    expect(textOf(await client.callTool({ name: 'ask_twice', arguments: {} }))).toContain('second')
  })
})

describe('the servers that misbehave', () => {
  it('garbage still answers', async () => {
    const client = await legacy(new StdioClientTransport({ ...stdioFixture('garbage'), stderr: 'ignore' }))
    expect(textOf(await client.callTool({ name: 'echo', arguments: { text: 'found' } }))).toBe('found')
  })

  it('crash ends when it is told to', async () => {
    const client = await legacy(new StdioClientTransport({ ...stdioFixture('crash'), stderr: 'ignore' }))
    await expect(client.callTool({ name: 'crash', arguments: {} })).rejects.toThrow()
  })

  it('huge-list has 500 tools on ten pages', async () => {
    const client = await legacy(new StdioClientTransport(stdioFixture('huge-list')))
    const names: string[] = []
    let cursor: string | undefined
    do {
      const page = await client.listTools({ cursor })
      names.push(...page.tools.map(({ name }) => name))
      cursor = page.nextCursor
    } while (cursor !== undefined)
    expect(new Set(names).size).toBe(500)
  })

  it('bad-schema makes an SDK client reject its whole list', async () => {
    const client = await legacy(new StdioClientTransport(stdioFixture('bad-schema')))
    await expect(client.listTools()).rejects.toThrow()
  })

  it('slow-start answers in the end', async () => {
    const client = await legacy(new StdioClientTransport(stdioFixture('slow-start', '--delay', '300')))
    expect((await client.listTools()).tools.length).toBeGreaterThan(5)
  })
})
