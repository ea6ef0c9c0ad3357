import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { runCli } from '../../hub/cli/main.ts'
import type { DoctorReport } from '../../hub/contract/index.ts'
import { temporaryFolder } from '../fixtures/built-program.ts'
import { fixtureServer, startHub, TOKEN, type TestHub } from '../fixtures/hub.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let hub: TestHub
const broken = { command: 'no-such-runtime' }
beforeAll(async () => {
  folder = await temporaryFolder()
  await mkdir(path.join(folder.path, 'config'))
  const mcpServers = { echo: fixtureServer('echo.ts'), broken, off: { ...broken, disabled: true } }
  await writeFile(path.join(folder.path, 'config', 'servers.json'), JSON.stringify({ mcpServers }))
  hub = await startHub({ remote: fixtureServer('echo.ts') })
})
afterAll(async () => {
  await hub.close()
  await folder.dispose()
})

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', '']
  const code = await runCli(['doctor', ...args], {
    stdin: new PassThrough(),
    out: (text) => (out += text),
    err: (text) => (err += text),
    env: {
      ...process.env,
      CONFIG_DIR: path.join(folder.path, 'config'),
      DATA_DIR: path.join(folder.path, 'data'),
      PORT: '0',
      MCP_HUB_TOKEN: TOKEN,
    },
    distDir: folder.path,
    version: '1.2.3',
    signal: new AbortController().signal,
  })
  return { code, out, err }
}

it('one server that works: every step with its time, exit 0', async () => {
  const { code, out } = await run('echo')
  expect(code).toBe(0)
  expect(out).toContain('echo: works')
  expect(out).toMatch(/✓ tools +\d+ ms {2}10 tools/)
})

it('all that are enabled, with the runtimes that there are: the cure of the one that fails, exit 69', async () => {
  const { code, out } = await run()
  expect(code).toBe(69)
  expect(out).toMatch(/^The hub: would start\n[^]*^PATH from .*: \d+ folders/m)
  expect(out).toMatch(/✓ node +\d+\.\d+/)
  expect(out).toContain('broken: fails at executable')
  expect(out).toContain('→ Check its spelling, install it, or give its full path.')
  expect(out).not.toContain('off:')
})

it('gives servers the secrets that a hub here would give them, and never the hub’s own', async () => {
  const config = path.join(folder.path, 'with-secrets')
  const data = path.join(config, 'data')
  await mkdir(data, { recursive: true })
  await writeFile(path.join(data, 'kept'), 'by the hub')
  await writeFile(path.join(config, 'secrets.json'), '{ "GITHUB_TOKEN": "a-token-of-the-vault" }')
  const says = { command: process.execPath, args: ['-e', 'console.error(process.env.A); process.exit(3)'] }
  const mcpServers = {
    works: { ...fixtureServer('echo.ts'), env: { A: '${secret:GITHUB_TOKEN}' } },
    tells: { ...says, env: { A: '${secret:GITHUB_TOKEN}' } },
    steals: { ...says, env: { A: '${env:MCP_HUB_TOKEN}' } },
    reads: { ...says, env: { A: `\${file:${path.join(data, 'kept')}}` } },
  }
  await writeFile(path.join(config, 'servers.json'), JSON.stringify({ mcpServers }))
  const there = ['--config', config, '--data', config]
  expect(await run('works', ...there)).toMatchObject({ code: 0, err: '' })
  const told = await run('tells', ...there)
  expect(told.out).toContain('[secret]')
  expect(told.out).not.toContain('a-token-of-the-vault')
  const refused = await run('steals', ...there)
  expect(refused.out).toContain('MCP_HUB_TOKEN')
  expect(refused.out).not.toContain(TOKEN)
  expect(refused.out).toContain('fails at configuration')
  const kept = await run('reads', '--config', config, '--data', data)
  expect(kept.out).toContain('is a file of the hub itself')
})

it('as JSON for programs', async () => {
  const { code, out } = await run('broken', '--json')
  expect(code).toBe(69)
  expect((JSON.parse(out) as DoctorReport[])[0]).toMatchObject({ server: 'broken', failed: 'executable' })
})

it('asks a hub that runs', async () => {
  expect(await run('--url', hub.url)).toMatchObject({
    code: 0,
    out: expect.stringContaining('remote: works') as string,
  })
  expect(await run('none', '--url', hub.url)).toMatchObject({
    code: 69,
    err: expect.stringContaining('no server named none') as string,
  })
  expect(await run('--url', 'http://127.0.0.1:9')).toMatchObject({
    code: 69,
    err: expect.stringContaining('cannot be reached') as string,
  })
})

it('says what it does not understand', async () => {
  expect(await run('none')).toMatchObject({
    code: 64,
    err: expect.stringContaining('There are: echo, broken, off.') as string,
  })
  expect(await run('echo', 'broken')).toMatchObject({
    code: 64,
    err: expect.stringContaining("Unexpected argument 'broken'") as string,
  })
  expect((await run('--help')).out).toContain('Usage: mcp-hub doctor [SERVER]')
})
