import { createRequire } from 'node:module'
import path from 'node:path'
import { mkdir, realpath } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { temporaryFolder } from '../fixtures/built-program.ts'
import { startHub, type TestHub } from '../fixtures/hub.ts'
import { LegacyWire, textOf } from '../fixtures/wire.ts'

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
  hub = await startHub({ files: { command: process.execPath, args: [filesystem, folders['configured']] } })
  await hub.until('files', 'running')
})
afterAll(async () => {
  await hub.close()
  await folder.dispose()
})

/** The real server asks for roots when it has started and whenever they change, outside of any call. */
describe('the roots of a client', () => {
  async function open(start: string) {
    const named = (name: string): object => ({ uri: pathToFileURL(folders[name]!).href, name })
    let now = start
    const client = await LegacyWire.open(`${hub.url}/mcp/files`, {
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
})
