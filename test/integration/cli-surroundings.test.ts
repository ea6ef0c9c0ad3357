import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import path from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { runCli } from '../../hub/cli/main.ts'
import type { HubReport, HubStepId } from '../../hub/cli/surroundings.ts'
import type { DoctorReport } from '../../hub/contract/index.ts'
import { temporaryFolder } from '../fixtures/built-program.ts'
import { fixtureServer, startHub } from '../fixtures/hub.ts'
import { startRedis, type TestRedis } from '../fixtures/redis.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let config: string
let data: string
beforeEach(async () => {
  folder = await temporaryFolder()
  await chmod(folder.path, 0o755)
  config = path.join(folder.path, 'config')
  data = path.join(folder.path, 'data')
  await mkdir(config)
  return () => folder.dispose()
})

interface Answer {
  code: number
  hub: HubReport
  servers: DoctorReport[]
}

async function doctor(env: Record<string, string> = {}, ...args: string[]): Promise<Answer> {
  const { code, out } = await run(['doctor', '--json', ...args], env)
  return { code, ...(JSON.parse(out) as Omit<Answer, 'code'>) }
}

async function run(args: string[], env: Record<string, string> = {}): Promise<{ code: number; out: string }> {
  let out = ''
  const code = await runCli(args, {
    stdin: new PassThrough(),
    out: (text) => (out += text),
    err: () => undefined,
    env: { PATH: process.env['PATH'], CONFIG_DIR: config, DATA_DIR: data, PORT: '0', ...env },
    distDir: folder.path,
    version: '1.2.3',
    signal: new AbortController().signal,
  })
  return { code, out }
}

const stepOf = ({ hub }: Answer, wanted: HubStepId) => hub.steps.find(({ id }) => id === wanted)
const servers = (mcpServers: object): Promise<void> =>
  writeFile(path.join(config, 'servers.json'), JSON.stringify({ mcpServers }))

/** Root may do everything: then as somebody else. */
async function unprivileged<T>(work: () => Promise<T>): Promise<T> {
  if (process.getuid?.() !== 0) return work()
  process.seteuid?.(65_534)
  return work().finally(() => process.seteuid?.(0))
}

describe('doctor without a server looks at what a start needs', () => {
  it('finds no fault, changes nothing, and goes on with the servers', async () => {
    await servers({ broken: { command: 'no-such-runtime' } })
    const found = await doctor()
    expect(found).toMatchObject({ code: 69, hub: { ok: true, failed: null, exitCode: 0 } })
    expect(found.servers).toMatchObject([{ server: 'broken', failed: 'executable' }])
    expect([await readdir(config), await readdir(folder.path)]).toEqual([['servers.json'], ['config']])
    await servers({})
    const { code, out } = await run(['doctor'])
    expect(code).toBe(0)
    expect(out).toMatch(
      /^The hub: would start\n {2}✓ settings [^]*✓ configuration +\d+ ms {2}.*: 0 servers, no fault\n/,
    )
  })

  it('configuration, 78: names file, line and cure, and examines no server', async () => {
    await servers({ a: { comand: 'node' } })
    const found = await doctor()
    expect(found).toMatchObject({ code: 78, servers: [], hub: { failed: 'configuration' } })
    expect(stepOf(found, 'configuration')?.detail).toMatch(/servers\.json:1:\d+ mcpServers\.a.*comand/)
    await servers({})
    await writeFile(path.join(config, 'users.json'), '{ "users": [{}] }')
    expect(await doctor()).toMatchObject({ code: 78, hub: { failed: 'configuration' } })
  })

  it.each([
    [{ PORT: 'x' }, 'settings', /environment PORT: must be a port number/],
    [{ MCP_HUB_SHARED: 'yes' }, 'settings', /environment DATABASE_URL: is not set/],
    [{ DATA_DIR: '/dev/null/data' }, 'folders', /There is a file where a folder is needed/],
  ])('%j ends with 78, as a start does', async (env, step, message) => {
    const found = await doctor(env)
    expect(found).toMatchObject({ code: 78, hub: { failed: step } })
    expect(stepOf(found, step as HubStepId)).toMatchObject({
      message: expect.stringMatching(message) as string,
      cure: expect.stringMatching(/^Set|Correct/) as string,
    })
  })

  it('MCP without a token beyond loopback, 78', async () => {
    await writeFile(path.join(config, 'system.json'), '{ "auth": { "mcp": "none" } }')
    expect(await doctor()).toMatchObject({ code: 0 })
    expect(await doctor({}, '--host', '0.0.0.0')).toMatchObject({ code: 78, hub: { failed: 'configuration' } })
  })

  it('permissions, 77: a folder that may not be written, a file that may not be read', async () => {
    await mkdir(data)
    await chmod(data, 0o555)
    const closed = await unprivileged(doctor)
    expect(closed).toMatchObject({ code: 77, hub: { failed: 'folders' } })
    expect(stepOf(closed, 'folders')?.message).toContain(`${data}: The hub’s user may not use it: EACCES`)
    expect(stepOf(closed, 'folders')?.cure).toContain('Let that user own')
    // One that is not there yet: the start would have to make it.
    expect(await unprivileged(() => doctor({ DATA_DIR: path.join(data, 'new') }))).toMatchObject({ code: 77 })
    await chmod(data, 0o777)
    await writeFile(path.join(data, 'audit.db'), '')
    await chmod(path.join(data, 'audit.db'), 0o400)
    if (process.getuid?.() === 0)
      expect(stepOf(await unprivileged(doctor), 'folders')?.message).toContain(path.join(data, 'audit.db'))
  })

  it('warns of secrets that everybody on the machine may read', async () => {
    await mkdir(data)
    await chmod(data, 0o755)
    await writeFile(path.join(data, 'jwt-secret'), 'x'.repeat(48), { mode: 0o644 })
    const found = await doctor()
    expect(found.code).toBe(0)
    expect(stepOf(found, 'folders')).toMatchObject({ outcome: 'warning', cure: `chmod 600 ${data}/jwt-secret` })
    await chmod(path.join(data, 'jwt-secret'), 0o600)
    expect(stepOf(await doctor(), 'folders')?.outcome).toBe('ok')
  })

  it('port, 98: by whom it is taken; one that a hub has is no fault', async () => {
    const holder = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => holder.once('listening', resolve))
    const { port } = holder.address() as AddressInfo
    const taken = await doctor({ PORT: String(port) })
    holder.close()
    expect(taken).toMatchObject({ code: 98, hub: { failed: 'port' } })
    expect(stepOf(taken, 'port')?.message).toMatch(new RegExp(`^Port ${port} is in use by .+ \\(pid ${process.pid}\\)`))
    const hub = await startHub({ echo: fixtureServer('echo.ts') })
    const running = await doctor({ PORT: new URL(hub.url).port })
    await hub.close()
    expect(running.code).toBe(0)
    expect(stepOf(running, 'port')?.message).toContain('a hub answers there already')
  })

  it('PostgreSQL that does not answer, 75: what it has is not guessed at', async () => {
    const found = await doctor({ DATABASE_URL: 'postgres://hub@127.0.0.1:9/hub' })
    expect(found).toMatchObject({ code: 75, hub: { failed: 'postgresql' } })
    expect(stepOf(found, 'postgresql')?.message).toContain('ECONNREFUSED')
    expect(stepOf(found, 'configuration')).toMatchObject({
      outcome: 'skipped',
      message: 'not reached, because of postgresql',
    })
  })
})

describe('Redis', () => {
  let redis: TestRedis
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.close())

  it('is reached, is away (75), or refuses the user (78)', async () => {
    expect(stepOf(await doctor({ REDIS_URL: redis.url }), 'redis')).toMatchObject({ outcome: 'ok', message: 'answers' })
    const stranger = await doctor({ REDIS_URL: redis.url.replace('//', '//nobody:wrong@') })
    expect(stranger).toMatchObject({ code: 78, hub: { failed: 'redis' } })
    await redis.kill()
    const away = await doctor({ REDIS_URL: redis.url })
    expect(away).toMatchObject({ code: 75, hub: { failed: 'redis' } })
    expect(stepOf(away, 'redis')?.message).toMatch(/ECONNREFUSED.*lets nobody sign in/)
  })
})
