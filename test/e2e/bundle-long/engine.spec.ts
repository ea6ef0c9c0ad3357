import { chown, copyFile, mkdir, rename, rm, symlink } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { test as base, expect } from '@playwright/test'
import { startEngine, type Engine } from './engine.ts'
import { buildImages, run, saveImage } from './images.ts'
import { createNetwork, type Network } from './network.ts'
import { DOMAIN, publish } from './published.ts'
import { callsAToolInBothEras, fetchAt, receivesAnEvent, refusesStrangers, signsIn, type Place } from './uses.ts'

/** The compose file of a bundle, as it is, brought up by Docker Compose on a real engine; the images were built beside it. */
interface Installed {
  place: Place
  engine: Engine
  compose: (...args: string[]) => Promise<string>
  root: string
}

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
      const release = path.join(ROOT, 'releases/first')
      const engine = await startEngine(network)
      const compose = (...args: string[]): Promise<string> =>
        engine.docker('compose', '--env-file', `${ROOT}/.env`, '-f', `${ROOT}/current/docker/compose.yaml`, ...args)
      try {
        await buildImages(published.bundle, published.version)
        for (const name of ['hub', 'web']) {
          const archive = path.join(published.folder, `${name}.tar`)
          await saveImage(`mcp-hub-${name}:${published.version}`, archive)
          await engine.docker('load', '--input', archive)
          await rm(archive)
        }
        for (const folder of ['releases', 'tls', 'acme']) await mkdir(path.join(ROOT, folder), { recursive: true })
        await rename(published.bundle, release).catch(() => run('cp', ['-R', published.bundle, release]))
        await symlink('releases/first', path.join(ROOT, 'current'))
        await copyFile(published.environmentFile, path.join(ROOT, '.env'))
        await chown(path.join(ROOT, '.env'), 1000, 1000)
        for (const [from, name] of [
          [published.certificate, 'fullchain.pem'],
          [published.key, 'privkey.pem'],
        ] as const) {
          await copyFile(from, path.join(ROOT, 'tls', name))
          await chown(path.join(ROOT, 'tls', name), 101, 101)
        }
        await compose('up', '--detach', '--wait', '--no-build', '--pull', 'never')
        const place: Place = {
          origin: `https://${DOMAIN}:8443`,
          token: published.environment['MCP_HUB_TOKEN'] ?? '',
          password: published.environment['MCP_HUB_ADMIN_PASSWORD'] ?? '',
          fetch: await fetchAt(network.address, published.certificate),
        }
        await use({ place, engine, compose, root: ROOT })
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

async function inspect({ engine, compose }: Installed, service: string): Promise<{ text: string; id: string }> {
  const id = (await compose('ps', '--quiet', service)).trim()
  return { id, text: await engine.docker('inspect', id) }
}

test('every service is healthy, and only nginx is published', async ({ installed }) => {
  const services = (await installed.compose('ps', '--format', '{{.Service}} {{.Health}}')).split('\n').sort()
  expect(services).toEqual(['hub healthy', 'web healthy'])
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
    user: '1000',
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
  await expect(refused).rejects.toThrow(/JWT_SECRET.*is empty/)
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

test('it stops well when it is told to', async ({ installed }) => {
  const { id } = await inspect(installed, 'hub')
  await installed.compose('stop', 'hub')
  expect(await installed.engine.docker('inspect', '--format', '{{.State.ExitCode}}', id)).toBe('0')
})
