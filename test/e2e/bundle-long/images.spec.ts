import { expect } from '@playwright/test'
import { buildImages, podman } from './images.ts'
import { inNetwork } from './in-network.ts'
import type { Network } from './network.ts'
import { DOMAIN, publish, type Published } from './published.ts'
import { callsAToolInBothEras, fetchAt, receivesAnEvent, refusesStrangers, signsIn, type Place } from './uses.ts'

/** The images of a bundle, built from its Dockerfile as it is, and run with the rights that compose.yaml leaves them. */
interface Running {
  place: Place
  network: Network
  hub: string
  web: string
}

const confined = [
  ...[
    '--read-only',
    '--cap-drop',
    'ALL',
    '--security-opt',
    'no-new-privileges',
    '--pids-limit',
    '1024',
    '--tmpfs',
    '/tmp:mode=1777',
  ],
]

async function start(published: Published, network: Network, started: string[]): Promise<Pick<Running, 'hub' | 'web'>> {
  const volumes = ['config', 'data', 'secrets'].flatMap((name) => [
    '--mount',
    `type=volume,target=/var/lib/mcp-hub/${name}`,
  ])
  const hub = await podman(
    ...[
      'run',
      '--detach',
      `--network=ns:${network.file}`,
      ...confined,
      '--memory',
      '512m',
      ...volumes,
      '--mount',
      'type=volume,target=/home/node',
    ],
    ...['--volume', `${published.environmentFile}:/run/secrets/hub_env:ro`, `mcp-hub-hub:${published.version}`],
  )
  started.push(hub)
  // The engine's DNS, by which nginx finds the hub.
  await network.answerNames('127.0.0.11', '127.0.0.1')
  const web = await podman(
    ...['run', '--detach', `--network=ns:${network.file}`, ...confined, '--memory', '256m'],
    ...['--volume', `${published.certificate}:/etc/nginx/tls/fullchain.pem:ro`],
    ...['--volume', `${published.key}:/etc/nginx/tls/privkey.pem:ro`, `mcp-hub-web:${published.version}`],
  )
  started.push(web)
  return { hub, web }
}

const test = inNetwork.extend<object, { running: Running }>({
  running: [
    async ({ network }, use) => {
      const published = await publish('--mode', 'docker', '--https-port', '8443')
      const started: string[] = []
      try {
        await buildImages(published.bundle, published.version)
        const { hub, web } = await start(published, network, started)
        const place: Place = {
          origin: `https://${DOMAIN}:8443`,
          token: published.environment['MCP_HUB_TOKEN'] ?? '',
          password: published.environment['MCP_HUB_ADMIN_PASSWORD'] ?? '',
          fetch: await fetchAt(network.address, published.certificate),
        }
        await use({ place, network, hub, web })
      } finally {
        for (const container of started) await podman('rm', '--force', '--volumes', '--time', '50', container)
        await published.dispose()
      }
    },
    { scope: 'worker', timeout: 600_000 },
  ],
})
test.describe.configure({ mode: 'serial' })

test('both images become healthy by their own checks', async ({ running }) => {
  for (const container of [running.hub, running.web])
    await expect
      .poll(() => podman('healthcheck', 'run', container).then(() => 'healthy', String), { timeout: 60_000 })
      .toBe('healthy')
})

test('the hub has no right that it does not need', async ({ running }) => {
  const look = `
    const fs = require('node:fs')
    const write = (file) => { try { fs.writeFileSync(file, ''); return 'written' } catch (error) { return error.code } }
    const status = fs.readFileSync('/proc/1/status', 'utf8')
    const number = (name) => new RegExp(name + ':\\\\s*(\\\\S+)').exec(status)[1]
    console.log(JSON.stringify({ user: number('Uid'), capabilities: number('CapEff'), noNewRights: number('NoNewPrivs'), seccomp: number('Seccomp'),
      root: write('/x'), program: write('/app/hub/x'), memory: process.constrainedMemory(), argv: fs.readFileSync('/proc/1/cmdline', 'utf8'),
      environment: fs.readFileSync('/proc/1/environ', 'utf8') }))`
  const seen = JSON.parse(await podman('exec', running.hub, 'node', '-e', look)) as Record<string, unknown>
  expect(seen).toMatchObject({
    user: '1000',
    capabilities: '0000000000000000',
    noNewRights: '1',
    seccomp: '2',
    root: 'EROFS',
    program: 'EROFS',
    memory: 512 * 1_048_576,
  })
  const inspected = await podman('inspect', running.hub)
  for (const secret of [running.place.token, running.place.password])
    for (const text of [String(seen['argv']), String(seen['environment']), inspected])
      expect(text).not.toContain(secret)
})

test('nobody gets in without the token', ({ running }) => refusesStrangers(running.place))
test('a person signs in', ({ running, page }) => signsIn(running.place, page))
test('clients of both eras call a tool', ({ running }) => callsAToolInBothEras(running.place))
test('an event arrives', ({ running }) => receivesAnEvent(running.place))

test('both end at once and well when they are told to', async ({ running }) => {
  await podman('stop', '--time', '45', running.web, running.hub)
  for (const container of [running.hub, running.web])
    expect(await podman('inspect', '--format', '{{.State.ExitCode}}', container)).toBe('0')
})
