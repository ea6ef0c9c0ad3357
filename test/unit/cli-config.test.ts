import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCli } from '../../hub/cli/main.ts'
import type { EffectiveSetting } from '../../hub/config/effective-settings.ts'
import { settingEntries } from '../../hub/config/settings.ts'
import { temporaryFolder } from '../fixtures/built-program.ts'

let folder: { path: string; dispose: () => Promise<void> }
let config: string
beforeAll(async () => {
  folder = await temporaryFolder()
  config = path.join(folder.path, 'config')
  await mkdir(config)
  await writeFile(path.join(config, 'servers.json'), '{ "mcpServers": {} }')
})
afterAll(() => folder.dispose())

async function run(
  args: string[],
  env: Record<string, string> = {},
): Promise<{ code: number; out: string; err: string }> {
  let out = ''
  let err = ''
  const code = await runCli(args, {
    stdin: new PassThrough(),
    out: (text) => (out += text),
    err: (text) => (err += text),
    env: { DATA_DIR: path.join(folder.path, 'data'), ...env },
    distDir: path.join(folder.path, 'dist'),
    version: '1.2.3',
    signal: new AbortController().signal,
  })
  return { code, out, err }
}

const system = (text: string): Promise<void> => writeFile(path.join(config, 'system.json'), text)

describe('config show', () => {
  it('shows every setting with its value and where it comes from, and no secret', async () => {
    const secret = 'a-signing-key-that-nobody-may-see-anywhere'
    await writeFile(path.join(folder.path, 'jwt'), secret)
    await system(
      '{\n  // ours\n  "server": { "port": 4000, "publicUrl": "${secret:WHERE}" },\n  "auth": {\n    "jwtSecret": "${JWT_SECRET}",\n    "maxLoginAttempts": 3 },\n  "rateLimit": { "maxRequests": 50 },\n  "logging": { "level": "${LEVEL:-warn}" } }',
    )
    const { code, out, err } = await run(
      ['config', 'show', '--json', '--config', config, '--log-file', '/tmp/hub.log'],
      {
        HOST: '::1',
        JWT_SECRET_FILE: path.join(folder.path, 'jwt'),
        WHERE: 'https://hidden.example.com',
        REDIS_URL: 'redis://:hunter2@cache',
        CONFIG_DIR: '/somewhere/else',
      },
    )
    expect(err).toBe('')
    expect(code).toBe(0)
    for (const hidden of [secret, 'hidden.example.com', 'hunter2']) expect(out).not.toContain(hidden)
    const found = JSON.parse(out) as EffectiveSetting[]
    expect(found.map(({ name }) => name)).toEqual(settingEntries.map(([name]) => name))
    const of = (name: string) => {
      const { value, origin } = found.find((setting) => setting.name === name) ?? {}
      return [value, origin]
    }
    const file = path.join(config, 'system.json')
    expect(of('CONFIG_DIR')).toEqual([config, { from: 'option', name: '--config' }])
    expect(of('logging.file')).toEqual(['/tmp/hub.log', { from: 'option', name: '--log-file' }])
    expect(of('server.host')).toEqual(['::1', { from: 'environment', name: 'HOST' }])
    expect(of('auth.jwtSecret')).toEqual(['[redacted]', { from: 'environment', name: 'JWT_SECRET_FILE' }])
    expect(of('REDIS_URL')).toEqual(['[redacted]', { from: 'environment', name: 'REDIS_URL' }])
    expect(of('server.port')).toEqual([4000, { from: 'file', file, line: 3 }])
    expect(of('server.publicUrl')).toEqual(['[redacted]', { from: 'file', file, line: 3 }])
    expect(of('auth.maxLoginAttempts')).toEqual([3, { from: 'file', file, line: 6 }])
    expect(of('logging.level')).toEqual(['warn', { from: 'file', file, line: 8 }])
    expect(of('auth.lockoutDuration')).toEqual([900_000, { from: 'default' }])
    // What follows from the guide's one number, as the hub counts.
    expect(of('rateLimit.apiRead')).toEqual([{ windowMs: 60_000, maxRequests: 50 }, { from: 'default' }])
    expect(of('server.allowRuntimeStdio')).toEqual([true, { from: 'default' }])
  })

  it('has a table for people, and the origins when asked for', async () => {
    await system('{ "server": { "port": 4000 } }')
    const plain = await run(['config', 'show', '--config', config])
    expect(plain.out).toMatch(/^server\.port +4000$/m)
    const { out } = await run(['config', 'show', '--origin'], { CONFIG_DIR: config, NODE_ENV: 'production' })
    expect(out).toMatch(/^server\.port +4000 +\S+system\.json:1$/m)
    expect(out).toMatch(/^server\.allowRuntimeStdio +false +default$/m)
    expect(out).toMatch(/^NODE_ENV +production +environment NODE_ENV$/m)
  })

  it.each([
    [
      '{ "auth": {\n  "jwtSecret": "${NOT_SET}" } }',
      {},
      /system\.json:2:3 auth\.jwtSecret: \$\{NOT_SET\} has no value\. Set the environment variable/,
    ],
    ['{}', { PORT: 'x' }, /environment PORT: must be a port number/],
  ])('shows nothing of what a hub would not start with: %s %j', async (text, env, message) => {
    await system(text)
    const { code, out, err } = await run(['config', 'show', '--config', config], env)
    expect([code, out]).toEqual([78, ''])
    expect(err).toMatch(message)
  })
})

describe('config check', () => {
  it('takes a reference whose value only the target has', async () => {
    await system('{ "auth": { "jwtSecret": "${JWT_SECRET}" }, "logging": { "level": "${LEVEL}" } }')
    expect(await run(['config', 'check', '--config', config])).toMatchObject({ code: 0, err: '' })
  })

  it('tells the faults of users.json, too', async () => {
    await system('{}')
    await writeFile(path.join(config, 'users.json'), '{ "users": [{ "name": "ann" }] }')
    const { code, err } = await run(['config', 'check', '--config', config])
    expect(code).toBe(78)
    expect(err).toContain('users.json')

    // What a newer hub wrote is refused by name, with what to do about it.
    const key = { id: '0123456789ab', name: 'ci', hash: '0'.repeat(64), owner: null, permissions: [], createdAt: 1 }
    await writeFile(path.join(config, 'users.json'), JSON.stringify({ keys: [{ ...key, rotation: 'weekly' }] }))
    const newer = await run(['config', 'check', '--config', config])
    expect(newer).toMatchObject({ code: 78, err: expect.stringContaining('Unknown key rotation') as string })
    expect(newer.err).toContain('If a newer version of the hub wrote it, start that version again')
  })
})
