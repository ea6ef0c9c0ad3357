import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { temporaryFolder } from '../fixtures/built-program.ts'
import { fixtureServer } from '../fixtures/hub.ts'
import { waitFor } from '../fixtures/wire.ts'

const root = path.join(import.meta.dirname, '..', '..')
const TOKEN = 'token-of-the-first-client-of-a-start'

/** Runs the built hub up to its first answer from a server; the files that it has loaded by then. */
async function filesOfStart(): Promise<string[]> {
  const folder = await temporaryFolder()
  const config = path.join(folder.path, 'config')
  await mkdir(config)
  await writeFile(path.join(config, 'servers.json'), JSON.stringify({ mcpServers: { a: fixtureServer('echo.ts') } }))
  const recorder = path.join(root, 'test', 'fixtures', 'record-modules.mjs')
  const hub = spawn(process.execPath, ['--import', recorder, path.join(root, 'dist', 'hub', 'server.js')], {
    env: {
      PATH: process.env['PATH'] ?? '',
      PORT: '0',
      CONFIG_DIR: config,
      DATA_DIR: path.join(folder.path, 'data'),
      MCP_HUB_TOKEN: TOKEN,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  for (const stream of [hub.stdout, hub.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()))
  try {
    const url = await waitFor(() => /listening on (\S+)/.exec(said)?.[1], 20_000)
    await waitFor(() => said.includes('"state":"running"'), 20_000)
    const response = await fetch(`${url}/mcp/a`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${TOKEN}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'initialize',
        params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'first', version: '1' } },
      }),
    })
    expect(await response.text()).toContain('"serverInfo"')
    return said.match(/(?<=^LOADED )\S+/gm)?.map((file) => fileURLToPath(file)) ?? []
  } finally {
    hub.kill()
    await once(hub, 'exit')
    await folder.dispose()
  }
}

it('loads for the first answer only what it needs for that', async () => {
  const files = (await filesOfStart()).filter((file) => file.endsWith('.js'))
  const sources = await Promise.all(
    files.map(async (file) => {
      const map = await readFile(`${file}.map`, 'utf8').catch(() => '{"sources":[]}')
      return (JSON.parse(map) as { sources: string[] }).sources.map((source) =>
        path.resolve(path.dirname(file), source),
      )
    }),
  )
  const loaded = sources.flat().map((source) => path.relative(root, source))
  const packages = loaded.flatMap((source) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(source)?.[1] ?? [])
  // Whoever needs more than this at the start makes every start slower, and every hub larger: load it when it is used.
  expect([...new Set(packages)].sort()).toEqual(['ipaddr.js', 'jsonc-parser'])
  for (const late of [
    'hub/api/app.ts',
    'hub/publish/index.ts',
    'hub/history/kysely-store.ts',
    'hub/upstream/http-channel.ts',
    'hub/contract/servers.ts',
  ])
    expect(loaded).not.toContain(late)
  for (const file of files) expect(await readFile(file, 'utf8'), file).not.toMatch(/^import .* from "node:/m)
  const bytes = await Promise.all(files.map(async (file) => (await stat(file)).size))
  expect(bytes.reduce((sum, size) => sum + size, 0)).toBeLessThan(620_000)
})
