import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { parse } from 'jsonc-parser'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { runCli } from '../../hub/cli/main.ts'
import type { PortableConfig, PushConfig, PushResult, PushStatus } from '../../hub/contract/index.ts'
import { temporaryFolder } from '../fixtures/built-program.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let config: string
let hub: Server
/** What the hub was asked with, and what it answers. */
let sent: PushConfig[]
let answer: PushResult | PortableConfig

beforeEach(async () => {
  folder = await temporaryFolder()
  config = path.join(folder.path, 'config')
  sent = []
  await mkdir(config)
  await writeFile(path.join(config, 'servers.json'), '{ "mcpServers": {} }')
  await writeFile(path.join(folder.path, 'key'), 'mcphub_0123456789ab_x', { mode: 0o600 })
  hub = createServer((request, response) => {
    void text(request).then((body) => {
      if (body !== '') sent.push(JSON.parse(body) as PushConfig)
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
    })
  })
  await new Promise<void>((resolve) => hub.listen(0, '127.0.0.1', resolve))
})
afterEach(async () => {
  hub.close()
  await folder.dispose()
})

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const url = `http://127.0.0.1:${(hub.address() as AddressInfo).port}`
  let [out, err] = ['', '']
  const code = await runCli(['config', ...args, '--hub', url, '--key-file', path.join(folder.path, 'key')], {
    stdin: new PassThrough(),
    out: (said) => (out += said),
    err: (said) => (err += said),
    env: {},
    distDir: folder.path,
    version: '1.2.3',
    signal: new AbortController().signal,
  })
  return { code, out, err }
}

it('config diff sends a hub no setting that it would not take, above all no key', async () => {
  answer = { dryRun: true, differences: [], kept: [], missing: [], refusal: null, push: null, etag: '"1"' }
  await writeFile(
    path.join(config, 'system.json'),
    JSON.stringify({
      auth: { jwtSecret: 'a-signing-key-that-is-written-in-the-clear' },
      pinning: { onChange: 'hold' },
      monitoring: { sentryDsn: 'https://hidden@sentry.example.com/1', healthCheckInterval: 60_000 },
    }),
  )
  const { code, out, err } = await run('diff', '--config', config)
  expect([code, err]).toEqual([0, ''])
  expect(sent).toMatchObject([
    { system: { pinning: { onChange: 'hold' }, monitoring: { healthCheckInterval: 60_000 } } },
  ])
  expect(JSON.stringify(sent)).not.toMatch(/a-signing-key|hidden/)
  expect(out).toContain('Settings that stay as they are at the hub: auth.jwtSecret, monitoring.sentryDsn')
})

it('config pull --force leaves no setting of before that a push would bring back, and all that belong to this machine', async () => {
  const system = path.join(config, 'system.json')
  const pulled: PortableConfig = {
    ...{ etag: '"1"', version: null, servers: { mcpServers: {} }, profiles: { profiles: {} } },
    system: { logging: { level: 'debug' } },
  }
  answer = { ...pulled, system: {} }
  const own = `{
  // Signs every session here.
  "auth": { "jwtSecret": "a-signing-key-of-this-machine" },
  "logging": { "level": "error", "file": "/var/log/hub.log" },
  "pinning": { "onChange": "hold" }
}`
  await writeFile(system, own)
  expect(await run('pull', '--out', config, '--force')).toMatchObject({ code: 0, err: '' })
  expect(parse(await readFile(system, 'utf8'))).toEqual({
    auth: { jwtSecret: 'a-signing-key-of-this-machine' },
    logging: { file: '/var/log/hub.log' },
    pinning: {},
  })
  answer = pulled
  expect(await run('pull', '--out', config, '--force')).toMatchObject({ code: 0, err: '' })
  const text = await readFile(system, 'utf8')
  expect(text).toContain('// Signs every session here.')
  expect(parse(text)).toEqual({
    auth: { jwtSecret: 'a-signing-key-of-this-machine' },
    logging: { level: 'debug', file: '/var/log/hub.log' },
    pinning: {},
  })
  // A file that cannot be read is not replaced, nor is anything else.
  await writeFile(system, '{ "auth": ')
  await writeFile(path.join(config, 'servers.json'), 'mine')
  expect(await run('pull', '--out', config, '--force')).toMatchObject({ code: 78, out: '' })
  expect(await readFile(path.join(config, 'servers.json'), 'utf8')).toBe('mine')
  // Where there was none, none is made.
  answer = { ...pulled, system: {} }
  await rm(system)
  expect(await run('pull', '--out', config, '--force')).toMatchObject({ code: 0, err: '' })
  expect(await readdir(config)).not.toContain('system.json')
})

it('config push waits by its own clock for a hub whose clock is another', async () => {
  const status: PushStatus = {
    ...{ id: 'a', by: 'ci', reason: null, at: 0, until: 1, decidedAt: null, failures: [], changes: [] },
    state: 'watching',
  }
  const asked: string[] = []
  hub.removeAllListeners('request')
  hub.on('request', (request, response) => {
    asked.push(`${request.method} ${request.url}`)
    request.resume()
    const present = { etag: '"0"', version: null, servers: { mcpServers: {} }, profiles: { profiles: {} }, system: {} }
    const push = { dryRun: false, differences: [], kept: [], missing: [], refusal: null, push: status, etag: '"1"' }
    const outcome = { ...status, state: 'kept', decidedAt: 2 }
    const said = request.method === 'PUT' ? push : request.url === '/api/admin/config' ? present : outcome
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(said))
  })
  const { code, out, err } = await run('push', '--config', config, '--force')
  expect([code, err]).toEqual([0, ''])
  expect(out).toContain('In force; everything that ran before runs.')
  expect(asked.at(-1)).toBe('GET /api/admin/config/pushes/a')
})
