import { createRequire } from 'node:module'
import path from 'node:path'
import { mkdir, realpath } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { temporaryFolder } from '../fixtures/built-program.ts'
import { fixtureServer, startHub, type TestHub } from '../fixtures/hub.ts'
import { LegacyWire, ModernWire, textOf } from '../fixtures/wire.ts'

const filesystem = path.join(
  path.dirname(createRequire(import.meta.url).resolve('@modelcontextprotocol/server-filesystem/package.json')),
  'dist',
  'index.js',
)
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let hub: TestHub
const folders: Record<string, string> = {}
beforeAll(async () => {
  folder = await temporaryFolder()
  for (const name of ['configured', 'first', 'second', 'other']) {
    await mkdir(path.join(folder.path, name))
    folders[name] = await realpath(path.join(folder.path, name))
  }
  const files = { command: process.execPath, args: [filesystem, folders['configured']] }
  const roots = [folders['other'], pathToFileURL(folders['second']!).href]
  hub = await startHub({
    files,
    rooted: { ...files, hub: { roots } },
    asking: { ...fixtureServer('interactive.ts', '--era', 'legacy'), hub: { roots } },
  })
  await Promise.all(['files', 'rooted', 'asking'].map((name) => hub.until(name, 'running')))
})
afterAll(async () => {
  await hub.close()
  await folder.dispose()
})

/** The real server asks for roots when it has started and whenever they change, outside of any call. */
describe('the roots of a client', () => {
  async function open(start: string, server = 'files') {
    const named = (name: string): object => ({ uri: pathToFileURL(folders[name]!).href, name })
    let now = start
    const client = await LegacyWire.open(`${hub.url}/mcp/${server}`, {
      headers: hub.headers,
      capabilities: { roots: { listChanged: true } },
      answers: { 'roots/list': () => ({ roots: [named(now)] }) },
    })
    const allowed = async (): Promise<string> =>
      textOf(await client.request('tools/call', { name: 'list_allowed_directories', arguments: {} }))
    const change = (to: string): Promise<number> => {
      now = to
      return client.send({ jsonrpc: '2.0', method: 'notifications/roots/list_changed' })
    }
    return { client, allowed, change }
  }

  it.each(['with', 'without'])(
    'reach the server that serves it, and so do their changes (%s a stream of its own)',
    async (stream) => {
      const { client, allowed, change } = await open('first')
      const listening = stream === 'with' ? await client.listen() : null
      await expect.poll(allowed, { timeout: 10_000 }).toContain(folders['first'])
      await change('second')
      if (listening === null) return
      await expect.poll(allowed, { timeout: 10_000 }).toContain(folders['second'])
      expect(await allowed()).not.toContain(folders['first'])
      listening.close()
    },
  )

  it('do not reach the connection of clients without any', async () => {
    const plain = await LegacyWire.open(`${hub.url}/mcp/files`, { headers: hub.headers })
    const answer = textOf(await plain.request('tools/call', { name: 'list_allowed_directories', arguments: {} }))
    expect(answer).toContain(folders['configured'])
    expect(answer).not.toContain(folders['first'])
  })

  it.each(['legacy', 'modern'])('are those of the entry for a %s client without any', async (era) => {
    const connect = async (server: string): Promise<LegacyWire | ModernWire> => {
      const url = `${hub.url}/mcp/${server}`
      return era === 'legacy' ? LegacyWire.open(url, { headers: hub.headers }) : new ModernWire(url, hub)
    }
    const client = await connect('rooted')
    const allowed = async (): Promise<string> =>
      textOf(await client.request('tools/call', { name: 'list_allowed_directories', arguments: {} }))
    await expect.poll(allowed, { timeout: 10_000 }).toContain(folders['other'])
    expect(await allowed()).toContain(folders['second'])
    expect(await allowed()).not.toContain(folders['configured'])
    // Asked in the course of a call, with names.
    const asked = await (await connect('asking')).request('tools/call', { name: 'ask_roots', arguments: {} })
    expect(JSON.parse(textOf(asked))).toEqual({
      roots: { roots: ['other', 'second'].map((name) => ({ uri: pathToFileURL(folders[name]!).href, name })) },
    })
  })

  it('are its own for a client that has some, whatever the entry says', async () => {
    const { client, allowed } = await open('first', 'rooted')
    const listening = await client.listen()
    await expect.poll(allowed, { timeout: 10_000 }).toContain(folders['first'])
    expect(await allowed()).not.toContain(folders['other'])
    listening.close()
  })
})
