import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { PassThrough } from 'node:stream'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { runCli } from '../../hub/cli/main.ts'
import type { RunResult } from '../../hub/contract/index.ts'
import { fingerprintOf } from '../../hub/publish/push/known-hosts.ts'
import { temporaryFolder, writeBuiltProgram } from '../fixtures/built-program.ts'
import { writePrograms } from '../fixtures/push-target/target.ts'
import { makeKey, startSshd, type Sshd } from '../fixtures/sshd.ts'

const PASSPHRASE = 'Cnry9PassphraseOfTheCli7Zq4Wm'

// A machine that does much else takes its time for each process of the SSH server.
vi.setConfig({ testTimeout: 120_000 })

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let sshd: Sshd
let key: string
let fingerprint: string
const at = (...parts: string[]): string => path.join(folder.path, ...parts)

beforeAll(async () => {
  folder = await temporaryFolder()
  await writeBuiltProgram(at('dist'))
  key = makeKey(folder.path, 'user_key', PASSPHRASE)
  const bin = await writePrograms(folder.path)
  sshd = await startSshd(folder.path, { keys: [key], env: { PATH: `${bin}:/usr/local/bin:/usr/bin:/bin` } })
  fingerprint = fingerprintOf(Buffer.from((await readFile(at('host_key.pub'), 'utf8')).split(' ')[1] ?? '', 'base64'))
  await mkdir(at('config'))
  await writeFile(at('config', 'servers.json'), '{ "mcpServers": { "files": { "command": "npx" } } }')
})
afterAll(async () => {
  await sshd.close()
  await folder.dispose()
})

async function cli(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = ''
  let err = ''
  const code = await runCli(args, {
    stdin: new PassThrough(),
    out: (text) => (out += text),
    err: (text) => (err += text),
    env: { THE_PASSPHRASE: PASSPHRASE, WRONG: 'not this' },
    distDir: at('dist'),
    version: '1.2.3',
    signal: new AbortController().signal,
  })
  return { code, out, err }
}

const server = (): string[] => [
  ...['--host', sshd.host, '--port', String(sshd.port), '--user', sshd.user, '--key', key],
  ...['--domain', 'hub.example.com', '--install-dir', at('there'), '--config', at('config'), '--data', at('data')],
]

it('asks nothing where nobody is: each thing that is missing is an error with a code of its own', async () => {
  const noPassphrase = await cli('diff', ...server())
  expect([noPassphrase.code, noPassphrase.err]).toEqual([77, expect.stringContaining('--passphrase-env')])
  const wrong = await cli('diff', ...server(), '--passphrase-env', 'WRONG')
  expect([wrong.code, wrong.err]).toEqual([77, expect.stringContaining('That was wrong')])
  const unset = await cli('diff', ...server(), '--passphrase-env', 'NOT_SET')
  expect([unset.code, unset.err]).toEqual([64, expect.stringContaining('NOT_SET: that variable is not set')])
  const noHostKey = await cli('diff', ...server(), '--passphrase-env', 'THE_PASSPHRASE')
  expect([noHostKey.code, noHostKey.err]).toEqual([76, expect.stringContaining(fingerprint)])
  const otherKey = await cli('diff', ...server(), '--passphrase-env', 'THE_PASSPHRASE', '--host-key', 'SHA256:other')
  expect(otherKey.code).toBe(76)
  expect(await readdir(at('data')).catch(() => [])).toEqual([])
})

it('compares as text and as JSON, code 1 for a difference, and pushes only with --yes', async () => {
  const access = [...server(), '--passphrase-env', 'THE_PASSPHRASE']
  const text = await cli('diff', ...access, '--host-key', fingerprint)
  expect([text.code, text.out]).toEqual([1, expect.stringContaining('+ config/servers.json')])
  expect(text.out).toContain('files is added: runs npx')
  // The key of the host is known from now on.
  const json = await cli('diff', ...access, '--json')
  expect(json.code).toBe(1)
  expect((JSON.parse(json.out) as RunResult).plan?.comparison.there).toBeNull()
  const push = await cli('push', ...access)
  expect([push.code, push.err]).toEqual([64, expect.stringContaining('--yes is missing')])
  expect(JSON.stringify([text, json, push])).not.toContain(PASSPHRASE)
  const lacking = await cli('push', ...access, '--mode', 'docker', '--yes', '--json')
  expect(lacking.code).toBe(69)
  expect(JSON.parse(lacking.out)).toMatchObject({ outcome: 'failed', problem: { code: 'HUB_TARGET_UNFIT' } })
  for (const command of ['verify', 'rollback', 'pull'])
    expect([command, (await cli(command, ...access, ...(command === 'verify' ? [] : ['--yes']))).code]).toEqual([
      command,
      69,
    ])
})

it.each([
  [['push', 'shop'], '--data is missing'],
  [['push', '--data', '/tmp'], 'Name a saved target'],
  [['push', 'shop', '--host', 'x', '--data', '/tmp'], 'Either a saved target'],
  [['push', '--host', 'x', '--domain', 'x.org', '--port', 'many'], '--port:'],
  [['push', '--host', 'a b', '--domain', 'x.org'], '--host:'],
  [['push', '--host', 'x', '--domain', 'x.org', '--jump', '-o@x y'], '--jump'],
  [['push', '--host', 'x', '--domain', 'x.org', '--changed', 'perhaps'], '--changed is keep or replace'],
  [['rollback', '--host', 'x'], '--domain is missing'],
])('%j is answered with what is wrong, code 64', async (args, message) => {
  const { code, err } = await cli(...args, '--config', at('config'))
  expect([code, err]).toEqual([64, expect.stringContaining(message)])
})

it('tells that no target of a name is saved, and that nobody answers', async () => {
  const unknown = await cli('verify', 'nowhere', '--data', at('data'))
  expect(unknown.err).toContain('There is no target named nowhere')
  const away = await cli(
    'verify',
    '--host',
    '127.0.0.1',
    '--port',
    '1',
    '--key',
    key,
    '--passphrase-env',
    'THE_PASSPHRASE',
    '--domain',
    'x.org',
  )
  expect([away.code, away.err]).toEqual([68, expect.stringContaining('127.0.0.1:1')])
})

/** The library for SSH asks for native helpers and for its own folder; neither is there in the files that are shipped. */
it('connects as the built program, too', async () => {
  const program = path.join(import.meta.dirname, '..', '..', 'dist', 'hub', 'cli.js')
  const run = promisify(execFile)(
    process.execPath,
    [program, 'verify', ...server(), '--data', at('built'), '--passphrase-env', 'THE_PASSPHRASE'],
    { env: { ...process.env, THE_PASSPHRASE: PASSPHRASE, HOME: folder.path } },
  )
  await expect(run).rejects.toMatchObject({ code: 76, stderr: expect.stringContaining(fingerprint) as unknown })
})
