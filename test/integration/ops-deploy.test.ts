import { spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ServerStatus } from '../../hub/contract/index.ts'
import { signatureOf } from '../../hub/publish/signature.ts'
import { mountSmallDisk } from '../fixtures/small-disk.ts'
import { publishTo, variantOf } from '../fixtures/target-bundle.ts'
import { openMachine, type Ended, type Machine } from '../fixtures/target-machine.ts'
import { waitFor } from '../fixtures/wire.ts'

const MINUTE = 60_000
const remote = (host: string) => ({ url: `https://${host}.example.com/mcp`, hub: { enabled: false } })

let machine: Machine
let first: string
let second: string
beforeAll(async () => {
  machine = await openMachine()
  first = await publishTo(machine, 'first', { one: remote('one') })
  second = await publishTo(machine, 'second', { one: remote('one'), two: remote('two') })
}, MINUTE)
afterAll(() => machine.dispose(), MINUTE)

const at = (...parts: string[]): string => path.join(machine.root, ...parts)
const releaseOf = (link: 'current' | 'previous'): Promise<string> => realpath(at(link)).then((to) => path.basename(to))
const nameOf = async (bundle: string): Promise<string> =>
  /^RELEASE='(.*)'$/m.exec(await readFile(path.join(bundle, 'ops/target.env'), 'utf8'))?.[1] ?? ''
const steps = ({ stdout }: Ended): { step: string; state: string; message: string }[] =>
  stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as { step: string; state: string; message: string })
const asJson = { MCP_HUB_STEPS: 'json' }

async function api(route: string, init: RequestInit = {}): Promise<Response> {
  const { MCP_HUB_TOKEN: token } = await machine.environment()
  const headers = { authorization: `Bearer ${token ?? ''}`, 'content-type': 'application/json' }
  return fetch(`http://127.0.0.1:${machine.basePort}${route}`, { ...init, headers })
}
async function servers(): Promise<string[]> {
  return ((await (await api('/api/servers')).json()) as ServerStatus[]).map(({ name }) => name).sort()
}
const reloads = async (): Promise<number> =>
  (await readFile(path.join(machine.folder, 'nginx/reloads'), 'utf8')).trim().split('\n').length
/** How many hubs of this machine run, whoever started them. */
async function runningHubs(): Promise<number> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const commands = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))
  return commands.filter((command) => command.includes(at('current/hub/server.js'))).length
}
const add = async (name: string): Promise<void> => {
  const added = await api('/api/servers', { method: 'POST', body: JSON.stringify({ name, config: remote(name) }) })
  expect(added.ok, await added.text()).toBe(true)
}

describe('before anything is there', () => {
  it('a dry run says what would be done, and does nothing', async () => {
    const result = await machine.ops(first, 'deploy.sh', ['--dry-run'], asJson)
    expect(result.code, result.stderr).toBe(0)
    const skipped = steps(result).filter(({ state }) => state === 'skipped')
    expect(skipped.map(({ step }) => step)).toEqual(['backup', 'secrets', 'switch', 'start', 'health', 'smoke'])
    expect(existsSync(machine.root)).toBe(false)
  })

  it('a damaged bundle is refused', async () => {
    const damaged = await variantOf(first, 'damaged')
    await writeFile(path.join(damaged, 'hub/server.js'), 'cut off')
    const result = await machine.ops(damaged, 'deploy.sh')
    expect(result).toMatchObject({ code: 65, stderr: expect.stringContaining('hub/server.js: FAILED') as string })
    expect(existsSync(machine.root)).toBe(false)
  })

  it('where a public key lies, only a bundle with its signature is taken', async () => {
    const signed = await variantOf(first, 'signed')
    const [key, other] = [generateKeyPairSync('ed25519'), generateKeyPairSync('ed25519')]
    const keyFile = path.join(machine.folder, 'release.pem')
    await writeFile(keyFile, key.publicKey.export({ type: 'spki', format: 'pem' }))
    const deploy = () => machine.ops(signed, 'deploy.sh', ['--dry-run'], { RELEASE_KEY: keyFile })
    const sums = await readFile(path.join(signed, 'SHA256SUMS'))
    const sign = ({ privateKey }: typeof key) =>
      writeFile(path.join(signed, 'SHA256SUMS.sig'), signatureOf(sums, privateKey))

    expect(await deploy()).toMatchObject({ code: 65, stderr: expect.stringContaining('is not signed, and') as string })
    await sign(other)
    expect(await deploy()).toMatchObject({ code: 65, stderr: expect.stringContaining('not signed with') as string })
    await sign(key)
    const taken = await deploy()
    expect(taken.code, taken.stderr).toBe(0)
  })

  it.each([
    ['Node 20', 'NODE', 'echo v20.19.0', /Node here is v20\.19\.0\. Node 24 or later/],
    ['no Node at all', 'NODE', 'exit 127', /Node is missing/],
    ['no PM2', 'PM2', null, /npm install --global pm2@/],
    ['no nginx', 'NGINX', null, /apt-get install --yes nginx/],
    ['an old nginx', 'NGINX', 'echo nginx version: nginx/1.20.2 >&2', /nginx here is 1\.20\.2, .* for 1\.22 or later/],
  ])('a machine with %s is refused, with the cure', async (_what, variable, script, message) => {
    const program = path.join(machine.folder, 'bin/other')
    if (script !== null) await writeFile(program, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    const given = { [variable]: script === null ? path.join(machine.folder, 'nothing') : program }
    const result = await machine.ops(first, 'deploy.sh', [], given)
    expect(result.stderr).toMatch(message)
    expect(result.code).toBe(69)
    expect(existsSync(machine.root)).toBe(false)
  })

  it('a full disk is refused', async ({ skip }) => {
    await mkdir(machine.root, { recursive: true })
    const unmount = mountSmallDisk(machine.root)
    if (unmount === null) return skip('this user may not mount a disk')
    try {
      const result = await machine.ops(first, 'deploy.sh')
      expect(result).toMatchObject({ code: 69, stderr: expect.stringMatching(/has \d MB left/) as string })
      expect(await readdir(machine.root)).toEqual(['.lock'])
    } finally {
      unmount()
      await rm(machine.root, { recursive: true })
    }
  })

  it('what is not on the command line is refused', async () => {
    expect((await machine.ops(first, 'deploy.sh', ['--force'])).code).toBe(64)
    expect((await machine.ops(first, 'deploy.sh', ['--config', 'mine'])).code).toBe(64)
    expect((await machine.ops(first, 'deploy.sh', ['--rotate', 'GITHUB_TOKEN'])).stderr).toContain('is yours to write')
    expect((await machine.ops(first, 'upgrade.sh')).code).toBe(64)
  })
})

describe('a deploy', () => {
  it('installs everything, and tells each step', { timeout: MINUTE }, async () => {
    const result = await machine.ops(first, 'install.sh', [], asJson)
    expect(result.code, result.stderr).toBe(0)
    const done = steps(result).filter(({ state }) => state !== 'start')
    expect(done.map(({ step, state }) => `${step} ${state}`)).toEqual([
      'preflight ok',
      'config ok',
      'backup skipped',
      'secrets ok',
      'switch ok',
      'start ok',
      'health ok',
      'smoke ok',
    ])
    expect(await servers()).toEqual(['one'])
    expect((await stat(at('.env'))).mode & 0o777).toBe(0o640)
    for (const [name, value] of Object.entries(await machine.environment()))
      expect(value === '' || !`${result.stdout}${result.stderr}`.includes(value), name).toBe(true)
    expect((await machine.ops(first, 'install.sh')).code).toBe(64)
  })

  it(
    'upgrades: the configuration that nobody changed, new names in .env, and a backup before',
    { timeout: MINUTE },
    async () => {
      const before = await machine.environment()
      const bundle = await variantOf(second, 'upgrade', { '.env.example': (text) => `${text}\n# new\nBRAND_NEW=\n` })
      const result = await machine.ops(bundle, 'upgrade.sh')
      expect(result.code, result.stderr).toBe(0)
      expect(await servers()).toEqual(['one', 'two'])
      expect(await machine.environment()).toEqual({ ...before, BRAND_NEW: '' })
      expect([await releaseOf('current'), await releaseOf('previous')]).toEqual(['upgrade', await nameOf(first)])
      expect((await machine.ops(bundle, 'restore-drill.sh')).stdout).toContain('Whole, 0 hours old')
      expect(await reloads(), 'nginx reads its site again only when it is another').toBe(1)
    },
  )

  it.each([
    ['ends at once', 0, 3],
    ['ends again and again before it is ready', 3000, 5],
  ])('takes back a release that %s, with its configuration', { timeout: MINUTE }, async (_what, life, reloaded) => {
    const bundle = await variantOf(first, `broken-${life}`, {
      'hub/server.js': (text) => `await new Promise((done) => setTimeout(done, ${life}))\nprocess.exit(1)\n${text}`,
      'pm2/ecosystem.config.cjs': (text) => text.replace('listen_timeout: 20000', 'listen_timeout: 2000'),
      'nginx/nginx.conf': (text) => `# another\n${text}`,
    })
    const before = await readFile(at('.env'), 'utf8')
    const given = { ...asJson, ...(life > 0 && { HEALTH_SECONDS: '6' }) }
    const result = await machine.ops(bundle, 'deploy.sh', ['--rotate', 'MCP_HUB_TOKEN'], given)
    expect(result.code, result.stderr).toBe(75)
    expect(steps(result).at(-1)).toMatchObject({ step: 'rollback', state: 'ok' })
    expect(steps(result)).toContainEqual(expect.objectContaining({ step: 'health', state: 'failed' }))
    expect(await readFile(at('.env'), 'utf8')).toBe(before)
    expect(await servers()).toEqual(['one', 'two'])
    expect([await releaseOf('current'), await releaseOf('previous')]).toEqual(['upgrade', await nameOf(first)])
    expect(await reloads(), 'there and back').toBe(reloaded)
    expect(await runningHubs(), 'none answers beside it').toBe(1)
  })

  it('refuses a configuration with faults before it changes anything', async () => {
    const bundle = await variantOf(second, 'faulty', {
      'config/servers.json': () => '{ "mcpServers": { "one": { "command": 5 } } }\n',
    })
    const result = await machine.ops(bundle, 'deploy.sh')
    expect(result).toMatchObject({ code: 78, stderr: expect.stringContaining('servers.json') as string })
    expect(await releaseOf('current')).toBe('upgrade')
  })

  it('refuses to overwrite what somebody else changed, until it is told what to do', { timeout: MINUTE }, async () => {
    await add('theirs')
    await waitFor(async () => (await readFile(at('config/servers.json'), 'utf8')).includes('theirs'))
    const refused = await machine.ops(first, 'deploy.sh')
    expect(refused).toMatchObject({ code: 73, stderr: expect.stringContaining('servers.json') as string })
    expect(await releaseOf('current')).toBe('upgrade')

    const kept = await machine.ops(first, 'deploy.sh', ['--config', 'keep', '--dry-run'], asJson)
    expect(kept.code, kept.stderr).toBe(0)
    expect(kept.stdout).toContain('The configuration here stays as it is.')

    // The bundle that is in use brings nothing new.
    const same = await machine.ops(at('current'), 'deploy.sh', ['--rotate', 'MCP_HUB_TOKEN', '--dry-run'], asJson)
    expect(same.code, same.stderr).toBe(0)
    expect(same.stdout).toContain('The configuration here stays as it is.')

    const token = (await machine.environment())['MCP_HUB_TOKEN']
    const replaced = await machine.ops(second, 'deploy.sh', ['--config', 'replace', '--rotate', 'MCP_HUB_TOKEN'])
    expect(replaced.code, replaced.stderr).toBe(0)
    expect((await machine.environment())['MCP_HUB_TOKEN']).not.toBe(token)
    expect(await servers()).toEqual(['one', 'two'])
  })

  it('is rolled back by hand, with the configuration from before', { timeout: MINUTE }, async () => {
    const result = await machine.ops(second, 'rollback.sh')
    expect(result.code, result.stderr).toBe(0)
    expect([await releaseOf('current'), await releaseOf('previous')]).toEqual(['upgrade', await nameOf(second)])
    expect(await servers()).toEqual(['one', 'theirs', 'two'])
    expect((await machine.ops(second, 'rollback.sh', ['no-such-release'])).code).toBe(69)
  })

  it('that cannot keep a backup changes nothing', { timeout: MINUTE }, async ({ skip }) => {
    await rm(at('backups'), { recursive: true })
    await mkdir(at('backups'))
    const unmount = mountSmallDisk(at('backups'))
    if (unmount === null) return skip('this user may not mount a disk')
    try {
      await writeFile(at('backups/full'), Buffer.alloc(1_048_576)).catch(() => undefined)
      const result = await machine.ops(second, 'deploy.sh', ['--config', 'replace'])
      expect(result.stderr).toContain('nothing was changed')
      expect(result.code).toBe(69)
      expect(await releaseOf('current')).toBe('upgrade')
    } finally {
      unmount()
    }
  })

  it(
    'that is killed at any step leaves a state that starts, and can be done again',
    { timeout: 2 * MINUTE },
    async () => {
      const bundle = await variantOf(second, 'killed')
      for (const step of ['switch', 'start', 'health']) {
        await signalAt(bundle, begins(step), 'SIGKILL')
        const current = at('current')
        expect(existsSync(path.join(current, 'hub/server.js')), step).toBe(true)
        const check = await machine.ops(current, 'hub-data.sh', [String(machine.basePort), 'config', 'check'])
        expect(check, step).toMatchObject({ code: 0 })
        expect(Object.keys(await machine.environment()), step).toContain('JWT_SECRET')
      }
      const again = await machine.ops(bundle, 'deploy.sh', ['--config', 'replace'])
      expect(again.code, again.stderr).toBe(0)
      expect([await releaseOf('current'), await releaseOf('previous')]).toEqual(['killed', 'upgrade'])
      expect(await servers()).toEqual(['one', 'two'])
    },
  )
})

describe('a bundle for Docker where PM2 runs the hubs', () => {
  let bundle: string
  let before: string
  beforeAll(async () => {
    bundle = await publishTo(machine, 'docker', { three: remote('three') }, { mode: 'docker' })
    before = await releaseOf('current')
  }, MINUTE)

  async function expectAsBefore(): Promise<void> {
    expect(await releaseOf('current')).toBe(before)
    expect(await runningHubs()).toBe(1)
    expect(await servers()).toEqual(['one', 'two'])
    const { ok } = await api('/health/ready')
    expect(ok).toBe(true)
  }

  /** A Docker that has its images, and says the rest by that script. */
  async function engine(script: string): Promise<string> {
    const file = path.join(machine.folder, 'bin/engine')
    const text = `case "$1 $2" in 'info ' | 'compose version' | 'image inspect') exit 0 ;; esac\n${script}`
    await writeFile(file, `#!/bin/sh\n${text}\n`, { mode: 0o755 })
    return file
  }

  it('is refused where there is no Docker, and nothing is touched', async () => {
    const given = { DOCKER: path.join(machine.folder, 'nothing') }
    const result = await machine.ops(bundle, 'deploy.sh', ['--config', 'replace'], given)
    expect(result).toMatchObject({ code: 69, stderr: expect.stringContaining('is missing on this machine') as string })
    await expectAsBefore()
  })

  it(
    'says that it takes the hubs over, and where it cannot start them PM2 has them again',
    { timeout: MINUTE },
    async () => {
      const docker = await engine("echo 'no container starts here' >&2; exit 1")
      const result = await machine.ops(bundle, 'deploy.sh', ['--config', 'replace'], { DOCKER: docker })
      expect(result.stderr).toContain(
        'pm2 runs the hubs of the release before: it is told to end them, and docker takes them over.',
      )
      expect(result.stderr).toContain('no container starts here')
      expect(result.code).toBe(75)
      await expectAsBefore()
      expect(await machine.ops(at('current'), 'smoke.sh')).toMatchObject({ code: 0 })
    },
  )

  it('that is ended while PM2 ends its hubs leaves them to PM2', { timeout: MINUTE }, async () => {
    const [PM2, ending] = [path.join(machine.folder, 'bin/told'), path.join(machine.folder, 'ending')]
    const text = `if [ "$1" = kill ]; then touch '${ending}'; fi\nexec '${machine.env['PM2'] ?? ''}' "$@"`
    await writeFile(PM2, `#!/bin/sh\n${text}\n`, { mode: 0o755 })
    const given = { PM2, DOCKER: await engine('exit 1') }
    expect(await signalAt(bundle, () => existsSync(ending), 'SIGTERM', given)).toBe(130)
    await expectAsBefore()
  })

  it('that is killed once Docker has the hubs gives them back with a rollback', { timeout: MINUTE }, async () => {
    const asked = path.join(machine.folder, 'engine-asked')
    const hanging = await engine(`echo "$*" >>'${asked}'; exec sleep 60`)
    await signalAt(bundle, begins('start'), 'SIGKILL', { DOCKER: hanging })
    expect(await releaseOf('current')).not.toBe(before)
    await writeFile(asked, '')
    const DOCKER = await engine(`echo "$*" >>'${asked}'; case "$*" in *' down '*) exit 0 ;; esac; exit 1`)
    const result = await machine.ops(bundle, 'rollback.sh', [], { DOCKER })
    expect(result.code, result.stderr).toBe(0)
    expect(await readFile(asked, 'utf8')).toContain(' down ')
    await expectAsBefore()
  })
})

const begins =
  (step: string) =>
  (said: string): boolean =>
    said.includes(`"step":"${step}","state":"start"`)

/** Sends a deploy a signal, SIGKILL also to all that it started, once it has come that far; answers with what it ended. */
async function signalAt(
  bundle: string,
  isThere: (said: string) => boolean,
  signal: 'SIGKILL' | 'SIGTERM',
  more: Record<string, string> = {},
): Promise<number | null> {
  const child = spawn('bash', [path.join(bundle, 'ops/deploy.sh'), '--config', 'replace'], {
    env: { ...machine.env, ...asJson, ...more },
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  })
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text))
  await waitFor(() => isThere(said), 30_000)
  const pid = child.pid ?? 0
  process.kill(signal === 'SIGKILL' ? -pid : pid, signal)
  return ended
}
