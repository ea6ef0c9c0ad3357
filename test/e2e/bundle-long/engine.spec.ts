import { appendFile, copyFile, mkdir, readdir, readFile, realpath, rename, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { test as base, expect } from '@playwright/test'
import { anotherRelease } from '../../fixtures/another-release.ts'
import { startEngine, type Engine } from './engine.ts'
import { buildImages, run, saveImage } from './images.ts'
import { createNetwork, type Network } from './network.ts'
import { openProofs } from './proofs.ts'
import { DOMAIN, publish } from './published.ts'
import { timeRollbacks } from './rollbacks.ts'
import { callsAToolInBothEras, fetchAt, receivesAnEvent, refusesStrangers, signsIn, type Place } from './uses.ts'

/** A bundle for Docker, installed by its own deploy.sh with Docker Compose on a real engine; the images were built beside it. */
interface Installed {
  place: Place
  engine: Engine
  compose: (...args: string[]) => Promise<string>
  script: (name: string, ...args: string[]) => Promise<string>
  /** deploy.sh of another bundle. */
  deploy: (bundle: string) => Promise<string>
  /** What deploy.sh said. */
  deployed: string
  root: string
  address: string
}

const proofs = openProofs('Docker')
const USER = { name: 'nobody', id: 65_534 }
const ROOT = path.join(os.tmpdir(), `mcp-hub-compose-${process.pid}`)

const test = base.extend<object, { network: Network; installed: Installed }>({
  network: [
    async ({}, use) => {
      const network = await createNetwork()
      await use(network)
      await network.dispose()
    },
    { scope: 'worker' },
  ],
  installed: [
    async ({ network }, use) => {
      const published = await publish(
        '--mode',
        'docker',
        '--install-dir',
        ROOT,
        '--http-port',
        '8080',
        '--https-port',
        '8443',
      )
      const { release } = JSON.parse(await readFile(path.join(published.bundle, 'manifest.json'), 'utf8')) as {
        release: string
      }
      const folder = path.join(ROOT, 'releases', release)
      const engine = await startEngine(network)
      const compose = (...args: string[]): Promise<string> =>
        engine.docker('compose', '--env-file', `${ROOT}/.env`, '-f', `${ROOT}/current/docker/compose.yaml`, ...args)
      // In the network of the engine, where its ports are on loopback; as a user that every machine has.
      const script = (name: string, ...args: string[]): Promise<string> =>
        run(...network.enter('bash', path.join(ROOT, 'current/ops', name), ...args), ROOT, scriptEnvironment(engine))
      const deploy = (bundle: string): Promise<string> =>
        run(...network.enter('bash', path.join(bundle, 'ops/deploy.sh')), bundle, scriptEnvironment(engine))
      try {
        await buildImages(published.bundle, published.version)
        for (const name of ['hub', 'web']) {
          const archive = path.join(published.folder, `${name}.tar`)
          await saveImage(`mcp-hub-${name}:${published.version}`, archive)
          await engine.docker('load', '--input', archive)
          // Engine 20.10 cannot build COPY --chmod: what deploy.sh would build is there already.
          await engine.docker('tag', `mcp-hub-${name}:${published.version}`, `mcp-hub-${name}:${release}`)
          await rm(archive)
        }
        for (const name of ['releases', 'tls']) await mkdir(path.join(ROOT, name), { recursive: true })
        await run('cp', ['-R', published.bundle, folder])
        await appendFile(published.environmentFile, `HUB_UID=${USER.id}\nHUB_GID=${USER.id}\n`)
        await copyFile(published.environmentFile, path.join(ROOT, '.env'))
        await copyFile(published.certificate, path.join(ROOT, 'tls/fullchain.pem'))
        await copyFile(published.key, path.join(ROOT, 'tls/privkey.pem'))
        const [command, args] = network.enter('bash', path.join(folder, 'ops/deploy.sh'))
        const deployed = await run(command, args, folder, { ...scriptEnvironment(engine), MCP_HUB_STEPS: 'json' })
        const place: Place = {
          origin: `https://${DOMAIN}:8443`,
          token: published.environment['MCP_HUB_TOKEN'] ?? '',
          password: published.environment['MCP_HUB_ADMIN_PASSWORD'] ?? '',
          fetch: await fetchAt(network.address, published.certificate),
        }
        await use({ place, engine, compose, script, deploy, deployed, root: ROOT, address: network.address })
      } finally {
        await compose('down', '--volumes').catch(() => undefined)
        await engine.dispose()
        await rm(ROOT, { recursive: true, force: true })
        await published.dispose()
      }
    },
    { scope: 'worker', timeout: 600_000 },
  ],
  launchOptions: [
    async ({ launchOptions, network }, use) => {
      const rules = `--host-resolver-rules=MAP ${DOMAIN} ${network.address}`
      await use({ ...launchOptions, args: [...(launchOptions.args ?? []), rules] })
    },
    { scope: 'worker' },
  ],
})
test.describe.configure({ mode: 'serial' })
test.afterAll(() => proofs.write())

/** The longest time in seconds for which a person at the page would have waited for an answer, and how many got none. */
async function silenceDuring(place: Place, work: () => Promise<unknown>): Promise<{ longest: number; lost: number }> {
  let [ended, longest, lost, answered] = [false, 0, 0, performance.now()]
  const done = work().finally(() => (ended = true))
  while (!ended) {
    const ok = await place.fetch(`${place.origin}/health`, { signal: AbortSignal.timeout(5_000) }).then(
      (answer) => answer.ok,
      () => false,
    )
    const now = performance.now()
    longest = Math.max(longest, now - answered)
    if (ok) answered = now
    else lost++
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  await done
  return { longest: longest / 1_000, lost }
}

function scriptEnvironment({ environment }: Engine): Record<string, string> {
  return { ...environment, NODE: process.execPath, HUB_USER: USER.name }
}

async function inspect({ engine, compose }: Installed, service: string): Promise<{ text: string; id: string }> {
  const id = (await compose('ps', '--quiet', service)).trim()
  return { id, text: await engine.docker('inspect', id) }
}

test('deploy.sh does each of its steps', ({ installed }) => {
  const steps = installed.deployed.split('\n').map((line) => JSON.parse(line) as { step: string; state: string })
  const done = steps.filter(({ state }) => state === 'ok' || state === 'skipped').map(({ step }) => step)
  expect(done).toEqual(['preflight', 'config', 'backup', 'secrets', 'switch', 'start', 'health', 'smoke'])
})

test('every service is healthy, and only nginx is published', async ({ installed }) => {
  const services = async (): Promise<string[]> =>
    (await installed.compose('ps', '--format', '{{.Service}} {{.Health}}')).split('\n').sort()
  await expect.poll(services, { timeout: 30_000 }).toEqual(['hub healthy', 'web healthy'])
  const ports = await installed.engine.docker('ps', '--format', '{{.Names}} {{.Ports}}')
  expect(ports).toMatch(/mcp-hub-hub-1 3000\/tcp$/m)
  expect(ports).toMatch(/mcp-hub-web-1 .*0\.0\.0\.0:8443->8443\/tcp/)
})

test('the hub is confined, and its secrets are in no description of it', async ({ installed }) => {
  const { text, id } = await inspect(installed, 'hub')
  for (const secret of [installed.place.token, installed.place.password]) expect(text).not.toContain(secret)
  const look = `
    const fs = require('node:fs')
    let root = 'written'
    try { fs.writeFileSync('/x', '') } catch (error) { root = error.code }
    const status = fs.readFileSync('/proc/self/status', 'utf8')
    const number = (name) => new RegExp(name + ':\\\\s*(\\\\S+)').exec(status)?.[1]
    console.log(JSON.stringify({ user: number('Uid'), capabilities: number('CapEff'), noNewRights: number('NoNewPrivs'), seccomp: number('Seccomp'), root }))`
  expect(JSON.parse(await installed.engine.docker('exec', id, 'node', '-e', look))).toEqual({
    user: String(USER.id),
    capabilities: '0000000000000000',
    noNewRights: '1',
    seccomp: '2',
    root: 'EROFS',
  })
})

test('an empty secret is refused by name before anything starts', async ({ installed }) => {
  const refused = installed.engine.docker(
    'compose',
    '-f',
    `${installed.root}/current/docker/compose.yaml`,
    'config',
    '--quiet',
  )
  await expect(refused).rejects.toThrow(/required variable (JWT_SECRET|MCP_HUB_TOKEN|HUB_UID|HUB_GID) .*is empty/)
})

test('nobody gets in without the token', ({ installed }) => refusesStrangers(installed.place))
test('a person signs in', ({ installed, page }) => signsIn(installed.place, page))
test('clients of both eras call a tool', ({ installed }) => callsAToolInBothEras(installed.place))
test('an event arrives', ({ installed }) => receivesAnEvent(installed.place))

test('a hub that is killed is started again', async ({ installed }) => {
  const { id } = await inspect(installed, 'hub')
  const pid = await installed.engine.docker('inspect', '--format', '{{.State.Pid}}', id)
  process.kill(Number(pid), 'SIGKILL')
  await expect
    .poll(() => installed.engine.docker('inspect', '--format', '{{.RestartCount}} {{.State.Health.Status}}', id), {
      timeout: 60_000,
    })
    .toBe('1 healthy')
  await callsAToolInBothEras(installed.place)
})

test('deploy.sh takes the same release again, and keeps a backup before', async ({ installed }) => {
  await installed.script('deploy.sh')
  expect((await readdir(path.join(installed.root, 'backups'))).filter((name) => name.endsWith('.tar'))).toHaveLength(1)
  await callsAToolInBothEras(installed.place)
})

test('another release and the way back: how long, and how long nobody answers', async ({ installed }) => {
  const { engine, root } = installed
  const current = async (): Promise<string> => path.basename(await realpath(path.join(root, 'current')))
  const first = await current()
  const folder = await anotherRelease(path.join(root, 'releases', first), 'another')
  for (const name of ['hub', 'web']) await engine.docker('tag', `mcp-hub-${name}:${first}`, `mcp-hub-${name}:another`)
  await installed.deploy(folder)
  expect(await current()).toBe('another')
  const gaps: { longest: number; lost: number }[] = []
  const measured = await timeRollbacks(async () => {
    const before = await current()
    gaps.push(await silenceDuring(installed.place, () => installed.script('rollback.sh')))
    expect(await current()).not.toBe(before)
  })
  proofs.note('ops/rollback.sh of an idle hub under Docker, to its very end', measured)
  const longest = Math.max(...gaps.map((gap) => gap.longest))
  proofs.note('meanwhile nobody answers for at most', `${longest.toFixed(1)} s`)
  proofs.note('requests without an answer, at 20 in a second', gaps.map(({ lost }) => lost).join(', '))
  await callsAToolInBothEras(installed.place)
})

test('a reload starts what was stopped', async ({ installed }) => {
  await installed.compose('stop', 'web')
  await installed.script('hubs.sh', 'start')
  await callsAToolInBothEras(installed.place)
})

test('a reload shows another certificate, and one that nothing changed for touches no container', async ({
  installed,
}) => {
  const { compose, script, engine, root } = installed
  const containers = (): Promise<string> => compose('ps', '--quiet')
  const before = await containers()
  await script('hubs.sh', 'start')
  expect(await containers()).toBe(before)

  const file = (name: string): string => path.join(root, 'tls', name)
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1']
  const names = ['-subj', `/CN=${DOMAIN}`, '-addext', `subjectAltName=DNS:${DOMAIN}`]
  const output = ['-keyout', file('new.key'), '-out', file('new.pem')]
  await run('openssl', [...request, ...names, ...output])
  await rename(file('new.key'), file('privkey.pem'))
  await rename(file('new.pem'), file('fullchain.pem'))
  await script('hubs.sh', 'start')
  const web = (await compose('ps', '--quiet', 'web')).trim()
  expect(await engine.docker('exec', web, 'cat', '/etc/nginx/tls/fullchain.pem')).toBe(
    (await readFile(file('fullchain.pem'), 'utf8')).trim(),
  )
  await callsAToolInBothEras({ ...installed.place, fetch: await fetchAt(installed.address, file('fullchain.pem')) })
})

test('it stops well when it is told to', async ({ installed }) => {
  const { id } = await inspect(installed, 'hub')
  await installed.compose('stop', 'hub')
  expect(await installed.engine.docker('inspect', '--format', '{{.State.ExitCode}}', id)).toBe('0')
})
