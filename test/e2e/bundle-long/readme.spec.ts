import { execFile } from 'node:child_process'
import { realpathSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { expect, test as base } from '@playwright/test'
import { anotherRelease } from '../../fixtures/another-release.ts'
import { readGuide } from '../bundle/guide.ts'
import { bootMachine, complete, type Machine } from './container.ts'
import { createNetwork, type Network } from './network.ts'
import { callsAToolInBothEras, fetchAt, receivesAnEvent, refusesStrangers, signsIn, type Place } from './uses.ts'

/**
 * The README of a bundle for systemd, block by block as it is written, and what else of the deployment guide is for a machine:
 * on one with systemd and nginx, rsync to its own sshd, certbot at a certificate authority, ufw and nftables. Played are the names,
 * which lead to the machine itself, the editor, and the packages, which are installed already.
 */
const run = promisify(execFile)
const repository = path.resolve(import.meta.dirname, '../../..')
const DOMAIN = 'hub.example.com'

/** Lines of the README that are not run, and why. */
const notRun: Readonly<Record<string, RegExp>> = {
  'nodejs.org is not reached; the machine has that version of Node': /node-v|nodejs\.org/,
}

interface Deployed {
  machine: Machine
  network: Network
  folder: string
  /** Blocks of commands of the README, in its order. */
  blocks: string[]
}

const test = base.extend<object, { deployed: Deployed }>({
  deployed: [
    async ({}, use) => {
      const folder = await mkdtemp(path.join(os.tmpdir(), 'mcp-hub-readme-'))
      const at = (...parts: string[]): string => path.join(folder, ...parts)
      await mkdir(at('source'))
      const server = '/srv/node_modules/@modelcontextprotocol/server-everything/dist/index.js'
      const everything = { command: 'node', args: [server], env: { EVERYTHING_API_KEY: 'canary-environment-5d1f' } }
      await writeFile(at('source/servers.json'), JSON.stringify({ mcpServers: { everything } }))
      const publish = ['publish', '--mode', 'systemd', '--domain', DOMAIN, '--config', at('source')]
      await run(process.execPath, [path.join(repository, 'dist/hub/cli.js'), ...publish, '--out', at('bundle')])
      await anotherRelease(at('bundle'), 'before', {}, at('before'))
      for (const [name, text] of Object.entries(programs)) await writeFile(at(name), text, { mode: 0o755 })
      const network = await createNetwork()
      const machine = await bootMachine(
        {
          '/bundles': folder,
          '/srv/node_modules': realpathSync(path.join(repository, 'node_modules')),
          '/usr/local/bin/node': process.execPath,
          '/usr/local/bin/editor': at('editor'),
          '/etc/letsencrypt/cli.ini': at('cli.ini'),
          '/srv/pebble.json': at('pebble.json'),
        },
        { kind: complete, network, names: [DOMAIN] },
      )
      await machine.run('bash', '-euo', 'pipefail', '-c', PREPARE)
      const readme = await readFile(at('bundle/README.md'), 'utf8')
      const blocks = Array.from(readme.matchAll(/```sh\n(.*?)\n```/gs), ([, block = '']) => block)
      await use({ machine, network, folder, blocks })
      await machine.dispose()
      await network.dispose()
      await rm(folder, { recursive: true, force: true })
    },
    { scope: 'worker', timeout: 900_000 },
  ],
  launchOptions: [
    async ({ launchOptions, deployed }, use) => {
      const rules = `--host-resolver-rules=MAP ${DOMAIN} ${deployed.network.address}`
      await use({ ...launchOptions, args: [...(launchOptions.args ?? []), rules] })
    },
    { scope: 'worker' },
  ],
})
test.describe.configure({ mode: 'serial' })

/** What a person types, and what certbot asks a person once. */
const programs = {
  editor: `#!/bin/sh
exec sed -i 's/^EVERYTHING_API_KEY=$/EVERYTHING_API_KEY=given-on-the-target/' "$1"
`,
  'cli.ini': `server = https://localhost:14000/dir
no-verify-ssl = True
agree-tos = True
register-unsafely-without-email = True
non-interactive = True
no-random-sleep-on-renew = True
`,
  'pebble.json': JSON.stringify({
    pebble: {
      listenAddress: '127.0.0.1:14000',
      managementListenAddress: '127.0.0.1:15000',
      certificate: '/srv/pebble.pem',
      privateKey: '/srv/pebble.key',
      httpPort: 80,
      tlsPort: 443,
    },
  }),
}

/** A key for ssh, the certificate authority, a program that nobody should reach, and a release before. */
const PREPARE = `
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys
systemctl start ssh
ssh-keyscan -t ed25519 ${DOMAIN} 2>/dev/null >/root/.ssh/known_hosts
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout /srv/pebble.key -out /srv/pebble.pem 2>/dev/null
systemd-run --quiet --unit pebble --setenv PEBBLE_VA_NOSLEEP=1 pebble -config /srv/pebble.json
systemd-run --quiet --unit stranger python3 -m http.server 9999
bash /bundles/before/ops/deploy.sh`

const bash = ({ machine }: Deployed, folder: string, commands: string): Promise<string> =>
  machine.run('bash', '-euo', 'pipefail', '-c', `cd ${folder}\n${commands}`)

async function reaches({ network }: Deployed, port: number): Promise<boolean> {
  const socket = connect({ host: network.address, port, timeout: 3_000 })
  return new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true))
    for (const event of ['timeout', 'error']) socket.once(event, () => resolve(false))
  }).finally(() => socket.destroy())
}

/** The hub, as whoever trusts the certificate authority reaches it. */
async function placeOf({ machine, network, folder }: Deployed): Promise<Place> {
  const root = path.join(folder, 'root.pem')
  await writeFile(root, await machine.run('curl', '-fsSk', 'https://localhost:15000/roots/0'))
  const value = async (name: string): Promise<string> =>
    (await machine.run('sed', '-n', `s/^${name}=//p`, '/opt/mcp-hub/.env')).trim()
  return {
    origin: `https://${DOMAIN}`,
    token: await value('MCP_HUB_TOKEN'),
    password: await value('MCP_HUB_ADMIN_PASSWORD'),
    fetch: await fetchAt(network.address, root),
  }
}

test('each block of the README does what it says, in its order', async ({ deployed }) => {
  const skipped = new Set<string>()
  for (const block of deployed.blocks) {
    const lines = block.split('\n').filter((line) => {
      const [reason] = Object.entries(notRun).find(([, pattern]) => pattern.test(line)) ?? []
      if (reason !== undefined) skipped.add(reason)
      return reason === undefined
    })
    await test.step(lines[0] ?? '', () => bash(deployed, '/bundles/bundle', lines.join('\n')))
  }
  // What is listed without need would be run.
  expect([...skipped]).toEqual(Object.keys(notRun))
  expect(deployed.blocks.length).toBeGreaterThan(10)
  expect(await bash(deployed, '/', 'certbot renew --dry-run 2>&1')).toContain('all simulated renewals succeeded')
})

test('the certificate is that of the authority, by the webroot of the site', async ({ deployed }) => {
  const place = await placeOf(deployed)
  expect((await place.fetch(`${place.origin}/health`)).status).toBe(200)
  const issuer = await bash(deployed, '/', 'openssl x509 -in /opt/mcp-hub/tls/fullchain.pem -noout -issuer')
  expect(issuer).toContain('Pebble')
})

test('ufw lets in what the README says, and nothing else', async ({ deployed }) => {
  for (const port of [22, 80, 443]) expect(await reaches(deployed, port), String(port)).toBe(true)
  for (const port of [9999, 3000]) expect(await reaches(deployed, port), String(port)).toBe(false)
})

test('nobody gets in without the token', async ({ deployed }) => refusesStrangers(await placeOf(deployed)))
test('a person signs in', async ({ deployed, page }) => signsIn(await placeOf(deployed), page))
test('clients of both eras call a tool', async ({ deployed }) => callsAToolInBothEras(await placeOf(deployed)))
test('an event arrives', async ({ deployed }) => receivesAnEvent(await placeOf(deployed)))

test('what the deployment guide says of a machine does what it says', async ({ deployed }) => {
  await bash(deployed, '/', 'ufw disable')
  expect(await reaches(deployed, 9999)).toBe(true)
  // As on a machine to which nothing was copied yet.
  await bash(deployed, '/', 'rm -rf /opt/mcp-hub/incoming')
  const blocks = (await readGuide('DEPLOYMENT_GUIDE.md')).filter(({ place }) => place === 'machine')
  for (const { commands } of blocks) await test.step(commands, () => bash(deployed, '/bundles', commands))
  expect(blocks.length).toBeGreaterThan(2)
  await bash(deployed, '/', 'diff -r /bundles/bundle /opt/mcp-hub/incoming/bundle && ufw disable')
  // The rules of the bundle alone.
  for (const port of [22, 80, 443]) expect(await reaches(deployed, port), String(port)).toBe(true)
  expect(await reaches(deployed, 9999)).toBe(false)
  await callsAToolInBothEras(await placeOf(deployed))
})
