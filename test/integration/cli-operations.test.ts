import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { PassThrough } from 'node:stream'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCli } from '../../hub/cli/main.ts'
import type { StatusReport } from '../../hub/cli/status.ts'
import type { AuditEntry, ConfigVersion } from '../../hub/contract/index.ts'
import { temporaryFolder } from '../fixtures/built-program.ts'
import { fixtureServer, startHub, TOKEN, type TestHub } from '../fixtures/hub.ts'

async function run(
  args: string[],
  env: Record<string, string> = {},
  signal = new AbortController().signal,
): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', '']
  const code = await runCli(args, {
    stdin: new PassThrough(),
    out: (text) => (out += text),
    err: (text) => (err += text),
    env,
    distDir: '/nowhere',
    version: '1.2.3',
    signal,
  })
  return { code, out, err }
}

describe('status', () => {
  let hub: TestHub
  beforeAll(async () => {
    hub = await startHub({ echo: fixtureServer('echo.ts'), off: { command: 'x', disabled: true } })
    await hub.until('echo', 'running', 'idle')
  })
  afterAll(() => hub.close())
  const status = (env: Record<string, string> = {}, ...args: string[]) =>
    run(['status', ...args], { CONFIG_DIR: hub.configDir, DATA_DIR: hub.dataDir, PORT: new URL(hub.url).port, ...env })

  it('0 for a hub that runs and whose servers work, found by its settings', async () => {
    const { code, out } = await status({ MCP_HUB_TOKEN: TOKEN }, '--json')
    const report = JSON.parse(out) as StatusReport
    expect(code).toBe(0)
    expect(report).toMatchObject({
      url: hub.url,
      running: true,
      ready: true,
      hub: { version: '0.0.0-test', pid: process.pid },
      servers: { disabled: 1 },
      broken: [],
    })
    expect((await status({ MCP_HUB_TOKEN: TOKEN })).out).toMatch(
      /^MCP Hub 0\.0\.0-test runs at .*, ready: .*\nServers: /,
    )
  })

  it('without a token tells only that it runs; with a wrong one it is refused, 77', async () => {
    expect(await status()).toMatchObject({ code: 0, out: expect.stringContaining('With a token') as string })
    expect(await status({ MCP_HUB_TOKEN: `${TOKEN}-wrong` })).toMatchObject({ code: 77, out: '' })
  })

  it('75 for one that runs and is not ready', async () => {
    const ending = await startHub({})
    await ending.hub.drain(0)
    const { code, out } = await run(['status', '--url', ending.url])
    await ending.close()
    expect([code, out]).toEqual([75, expect.stringContaining('not ready') as string])
  })

  it('1 where a server does not work, with its cure', async () => {
    await hub.api('POST', '/api/servers', { name: 'broken', config: { command: 'no-such-runtime' } })
    await hub.until('broken', 'failed')
    const { code, out } = await status({ MCP_HUB_TOKEN: TOKEN })
    expect(code).toBe(1)
    expect(out).toMatch(/✗ broken, failed: The command no-such-runtime was not found\. Check its spelling/)
    await hub.api('DELETE', '/api/servers/broken')
  })

  it('69 where none runs, 78 or 64 where it is not known where to look', async () => {
    expect(await status({ PORT: '9' })).toMatchObject({
      code: 69,
      out: expect.stringContaining('No hub runs') as string,
    })
    expect(await status({ PORT: '0' })).toMatchObject({ code: 64, err: expect.stringContaining('--url') as string })
    expect(await status({}, '--url', 'ftp://x')).toMatchObject({ code: 64 })
    const folder = await temporaryFolder()
    await writeFile(path.join(folder.path, 'system.json'), '{ broken')
    const env = { CONFIG_DIR: folder.path, DATA_DIR: folder.path }
    expect(await run(['status'], env)).toMatchObject({
      code: 78,
      err: expect.stringContaining('system.json:1') as string,
    })
    await folder.dispose()
  })
})

describe('audit and config reset', () => {
  let hub: TestHub
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  let env: Record<string, string>
  beforeAll(async () => {
    folder = await temporaryFolder()
    hub = await startHub({ a: { command: 'x', disabled: true } }, { server: { port: 4_000 } }, { folder: folder.path })
    env = { CONFIG_DIR: hub.configDir, DATA_DIR: hub.dataDir }
    for (const name of ['b', 'c'])
      await hub.api('POST', '/api/servers', { name, config: { command: 'x', disabled: true } })
  })
  afterAll(async () => {
    await hub.close()
    await folder.dispose()
  })

  it('exports as the API does, into a file that only its owner reads, and verifies', async () => {
    // What is done is written a moment later.
    await expect.poll(async () => (await run(['audit', 'verify'], env)).out).toMatch(/ [2-9] entries/)
    const { code, out } = await run(['audit', 'export'], env)
    const entries = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as AuditEntry)
    expect(code).toBe(0)
    const page = (await hub.api('GET', '/api/audit')).body as { items: AuditEntry[] }
    expect(entries.filter(({ action }) => action === 'POST /api/servers').map(({ hash }) => hash)).toEqual(
      page.items.filter(({ action }) => action === 'POST /api/servers').map(({ hash }) => hash),
    )
    const file = path.join(folder.path, 'audit.csv')
    await writeFile(file, 'yesterday’s')
    expect((await run(['audit', 'export', '--format', 'csv', '--out', file], env)).code).toBe(0)
    expect(await readFile(file, 'utf8')).toMatch(/^seq,at,actor,.*,hash\r\n\d+,/)
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    // Half of it is no log.
    const ended = await run(['audit', 'export', '--out', `${file}.half`], env, AbortSignal.abort())
    expect(ended).toMatchObject({ code: 130, err: '' })
    expect(await readdir(path.dirname(file))).not.toContain(`${path.basename(file)}.half`)
    expect((await run(['audit', 'export'], env, AbortSignal.abort())).code).toBe(130)
    expect((await run(['audit', 'export', '--to', '2020-01-01T00:00:00Z'], env)).out).toBe('')
    expect((await run(['audit', 'verify'], env)).out).toMatch(
      /^Whole: \d+ entries, 1 to \d+\. The last hash is [0-9a-f]{64}\n$/,
    )
  })

  it.each([
    [['export', '--format', 'xml'], {}, 64, '--format is ndjson or csv'],
    [['export', '--from', 'yesterday'], {}, 64, '--from is a time such as'],
    [['export', '--out', '/nowhere/audit.csv'], {}, 73, '/nowhere/audit.csv cannot be written'],
    [['verify'], { DATA_DIR: '/nowhere' }, 78, 'There is no audit log in /nowhere'],
    [['verify'], { DATABASE_URL: 'postgres://hub@127.0.0.1:9/hub' }, 69, 'ECONNREFUSED'],
  ])('%j %j ends with %d and the cause', async (args, more, code, message) => {
    expect(await run(['audit', ...args], { ...env, ...more })).toMatchObject({
      code,
      err: expect.stringContaining(message) as string,
    })
    expect((await readdir(folder.path)).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })

  it('resets to the defaults only with --yes, and goes back to what was', async () => {
    const file = path.join(hub.configDir, 'servers.json')
    const before = await readFile(file, 'utf8')
    const asked = await run(['config', 'reset'], env)
    expect(asked).toMatchObject({ code: 64, err: expect.stringContaining('Give --yes') as string })
    expect(asked.out).toContain('servers: a removed')
    expect(await readFile(file, 'utf8')).toBe(before)

    const { code, out } = await run(['config', 'reset', '--yes'], env)
    expect(code).toBe(0)
    const [, id = ''] = /config reset --yes --to (\d+)\n$/.exec(out) ?? []
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ mcpServers: {} })
    expect(JSON.parse(await readFile(path.join(hub.configDir, 'system.json'), 'utf8'))).toEqual({})
    // The hub that runs goes along.
    await expect.poll(async () => (await hub.api('GET', '/api/servers')).body).toEqual([])
    const { versions } = (await hub.api('GET', '/api/config/versions')).body as { versions: ConfigVersion[] }
    expect(versions[0]).toMatchObject({ reason: 'Reset to the defaults' })

    expect(await run(['config', 'reset', '--yes', '--to', '999'], env)).toMatchObject({
      code: 65,
      err: expect.stringContaining(`There are: ${String(versions[0]?.id)}, `) as string,
    })
    expect((await run(['config', 'reset', '--yes', '--to', id], env)).code).toBe(0)
    expect(await readFile(file, 'utf8')).toBe(before)
    expect((await run(['config', 'reset', '--yes', '--to', id], env)).out).toContain('nothing was done')
    await expect.poll(async () => (await hub.api('GET', '/api/servers')).body).toHaveLength(3)
  })

  it('resets a configuration that is broken, and keeps it', async () => {
    const broken = await temporaryFolder()
    const [config, data] = [path.join(broken.path, 'config'), path.join(broken.path, 'data')]
    await mkdir(config)
    await writeFile(path.join(config, 'servers.json'), '{ "mcpServers": { "a": ')
    const own = { CONFIG_DIR: config, DATA_DIR: data }
    expect((await run(['config', 'reset', '--yes'], own)).out).toMatch(/--to 1\n$/)
    expect((await run(['config', 'check'], own)).code).toBe(0)
    expect(await readFile(path.join(data, 'versions', '000001.json'), 'utf8')).toContain('{ \\"mcpServers\\"')
    await broken.dispose()
  })

  it('tells where the audit log of a hub that is down was changed, 65', async () => {
    await hub.hub.stop()
    const database = new DatabaseSync(path.join(hub.dataDir, 'audit.db'))
    const { seq } = database.prepare('SELECT min(seq) + 1 AS seq FROM hub_audit').get() as { seq: number }
    database.prepare(`UPDATE hub_audit SET target = 'someone else' WHERE seq = ?`).run(seq)
    database.close()
    const { code, out, err } = await run(['audit', 'verify'], env)
    expect([code, out]).toEqual([65, ''])
    expect(err).toContain(`Entry ${seq}: The entry was changed`)
    expect(JSON.parse((await run(['audit', 'verify', '--json'], env)).out)).toMatchObject({
      ok: false,
      broken: { seq },
    })
  })
})
