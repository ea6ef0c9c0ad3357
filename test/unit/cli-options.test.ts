import { generateKeyPairSync, verify } from 'node:crypto'
import { existsSync } from 'node:fs'
import { PassThrough } from 'node:stream'
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCli } from '../../hub/cli/main.ts'
import { temporaryFolder, writeBuiltProgram } from '../fixtures/built-program.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let config: string
beforeAll(async () => {
  folder = await temporaryFolder()
  config = path.join(folder.path, 'config')
  await mkdir(config)
  await writeBuiltProgram(path.join(folder.path, 'dist'))
  await writeFile(
    path.join(config, 'servers.json'),
    JSON.stringify({ mcpServers: { github: { command: 'npx', env: { GITHUB_TOKEN: 'canary-of-the-command-line' } } } }),
  )
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
    env,
    distDir: path.join(folder.path, 'dist'),
    version: '1.2.3',
    signal: new AbortController().signal,
  })
  return { code, out, err }
}

describe('the command line', () => {
  it('tells its version and its commands', async () => {
    expect(await run(['--version'])).toEqual({ code: 0, out: '1.2.3\n', err: '' })
    const help = await run(['--help'])
    expect(help.code).toBe(0)
    for (const command of ['publish', 'config check', 'env']) expect(help.out).toContain(command)
    expect((await run(['publish', '--help'])).out).toContain('--https-port PORT')
  })

  it.each([
    [['publsh'], `Did you mean 'publish'?`],
    [['config', 'chek'], `Did you mean 'config check'?`],
    [['publish', '--domian', 'x'], `Unknown option '--domian'. Did you mean '--domain'?`],
    [['publish', '--zzz'], `Unknown option '--zzz'.`],
    [['publish', 'extra'], `Unexpected argument 'extra'.`],
    [['publish', '--out'], 'argument missing'],
    [['publish', '--force=1'], 'does not take an argument'],
    [['publish', '--out', 'x'], '--domain is missing.'],
    [['publish', '--out', 'x', '--domain', 'not a name'], '--domain not a name:'],
    [['publish', '--out', 'x', '--domain', 'x.org', '--instances', '0'], '--instances 0:'],
    [['publish', '--out', 'x', '--domain', 'x.org', '--instances', '2'], '--services: more than one hub needs'],
    [['publish', '--out', 'x', '--domain', 'x.org', '--services', 'mysql'], '--services mysql:'],
    [['publish', '--out', 'x', '--domain', 'x.org', '--base-port', 'many'], '--base-port many:'],
    [['publish', '--out', 'x', '--domain', 'x.org', '--mode', 'k8s'], '--mode k8s:'],
    [['publish', '--out', 'x', '--domain', 'x.org', '--tls-key', 'relative.pem'], '--tls-key relative.pem:'],
    [['publish', '--out', 'x', '--domain', 'x.org'], '--config is missing'],
  ])('%j is answered with what is wrong and the usage, code 64', async (args, message) => {
    const { code, err } = await run(args)
    expect(err).toContain(message)
    expect(err).toContain('Usage: mcp-hub')
    expect(code).toBe(64)
  })

  it('publishes a configuration without its secrets', async () => {
    const out = path.join(folder.path, 'bundle')
    const args = ['publish', '--out', out, '--domain', 'hub.example.com', '--config', config]
    const { privateKey, publicKey } = generateKeyPairSync('ed25519')
    const key = path.join(folder.path, 'signing.pem')
    await writeFile(key, privateKey.export({ type: 'pkcs8', format: 'pem' }))
    const first = await run([...args, '--sign-key', key])
    expect([first.code, first.err]).toEqual([0, ''])
    expect(first.out).toContain('GITHUB_TOKEN')
    expect(first.out).not.toContain('canary-of-the-command-line')
    expect(await readFile(path.join(out, 'config/servers.json'), 'utf8')).toContain('${secret:GITHUB_TOKEN}')
    const signature = Buffer.from(await readFile(path.join(out, 'SHA256SUMS.sig'), 'utf8'), 'base64')
    expect(verify(null, await readFile(path.join(out, 'SHA256SUMS')), publicKey, signature)).toBe(true)
    expect(await run(args)).toMatchObject({
      code: 73,
      err: expect.stringContaining('holds a bundle already') as string,
    })
    expect((await run([...args, '--force'])).code).toBe(0)
    expect(existsSync(path.join(out, 'SHA256SUMS.sig'))).toBe(false)
    // Each checks every artifact, with every tool that is here.
  }, 30_000)

  it('takes CONFIG_DIR from the environment', async () => {
    expect(await run(['config', 'check'], { CONFIG_DIR: config })).toMatchObject({ code: 0, err: '' })
  })

  it('names file, line and cure of a broken configuration, code 78', async () => {
    const broken = path.join(folder.path, 'broken')
    await mkdir(broken)
    await writeFile(path.join(broken, 'servers.json'), '{\n  "mcpServers": {\n    "a": { "comand": "x" }\n  }\n}\n')
    const { code, err } = await run(['config', 'check', '--config', broken])
    expect(code).toBe(78)
    expect(err).toContain('servers.json:3')
    expect(err).toContain('comand')
    expect((await run(['config', 'check', '--config', path.join(folder.path, 'nowhere')])).code).toBe(78)
  })

  it('creates a private .env and completes it later without touching what is there', async () => {
    const example = path.join(folder.path, 'bundle/.env.example')
    const out = path.join(folder.path, '.env')
    const first = await run(['env', '--example', example, '--out', out])
    expect(first.out).toContain('Generated: JWT_SECRET, MCP_HUB_TOKEN, MCP_HUB_ADMIN_PASSWORD')
    expect(first.out).toContain('GITHUB_TOKEN')
    expect((await stat(out)).mode & 0o777).toBe(0o600)
    const text = await readFile(out, 'utf8')
    expect(first.out).not.toContain(/^JWT_SECRET=(.+)$/m.exec(text)?.[1] ?? 'no secret')
    expect((await run(['env', '--example', example, '--out', out])).out).toContain('Nothing to change')
    expect(await readFile(out, 'utf8')).toBe(text)
  })
})
