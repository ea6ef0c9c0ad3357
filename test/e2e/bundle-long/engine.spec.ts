import { readdir, readFile, realpath, rename } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { expect } from '@playwright/test'
import { anotherRelease } from '../../fixtures/another-release.ts'
import { readGuide } from '../bundle/guide.ts'
import { run } from './images.ts'
import { withInstalled } from './in-network.ts'
import { askDuring, oldEnded, USER, type Installed } from './installed.ts'
import { openProofs } from './proofs.ts'
import { DOMAIN } from './published.ts'
import { timeRollbacks } from './rollbacks.ts'
import { callsAToolInBothEras, fetchAt, receivesAnEvent, refusesStrangers, signsIn } from './uses.ts'

const proofs = openProofs('Docker')
const ROOT = path.join(os.tmpdir(), `mcp-hub-compose-${process.pid}`)

const test = withInstalled(ROOT)
test.describe.configure({ mode: 'serial' })
test.afterAll(() => proofs.write())

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
  expect(ports).toMatch(/mcp-hub-hub-in-use 3000\/tcp$/m)
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

for (const name of ['JWT_SECRET', 'MCP_HUB_TOKEN', 'HUB_UID'])
  test(`compose refuses to start anything while ${name} is empty, and names it`, async ({ installed }) => {
    const values = { JWT_SECRET: 'x', MCP_HUB_TOKEN: 'x', HUB_UID: '1', HUB_GID: '1', [name]: '' }
    const variables = Object.entries(values).map(([key, value]) => `${key}=${value}`)
    const compose = ['docker', 'compose', '-f', `${installed.root}/current/docker/compose.yaml`, 'config', '--quiet']
    const refused = run('env', [...variables, ...compose], installed.root, installed.engine.environment)
    await expect(refused).rejects.toThrow(new RegExp(`required variable ${name} .*is empty`))
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

test('deploy.sh puts the crontab in its place, and its lines do what they say', async ({ installed }) => {
  const crontab = await readFile(path.join(installed.root, 'cron.d/mcp-hub'), 'utf8')
  const lines = crontab.split('\n').filter((line) => /^\d/.test(line))
  expect(lines).toHaveLength(3)
  const archives = async (): Promise<number> =>
    (await readdir(path.join(installed.root, 'backups'))).filter((name) => name.endsWith('.tar')).length
  const before = await archives()
  for (const line of lines) {
    const [, user, command = ''] = /^(?:\S+ ){5}(\S+) (.*)$/.exec(line) ?? []
    expect(user).toBe('root')
    await installed.shell(command)
  }
  expect(await archives()).toBe(before + 1)
})

test('another release and the way back: how long, and no request is lost', async ({ installed }) => {
  const { engine, root } = installed
  const current = async (): Promise<string> => path.basename(await realpath(path.join(root, 'current')))
  const first = await current()
  const folder = await anotherRelease(path.join(root, 'releases', first), 'another')
  for (const name of ['hub', 'web']) await engine.docker('tag', `mcp-hub-${name}:${first}`, `mcp-hub-${name}:another`)
  await installed.deploy(folder)
  expect(await current()).toBe('another')
  const seen: Awaited<ReturnType<typeof askDuring>>[] = []
  const measured = await timeRollbacks(
    async () => {
      const before = await current()
      seen.push(await askDuring(installed.place, () => installed.script('rollback.sh')))
      expect(await current()).not.toBe(before)
    },
    () => oldEnded(installed),
  )
  // The one before ends its calls while the new one has the name already.
  seen.push(await askDuring(installed.place, () => oldEnded(installed)))
  expect(seen.flatMap(({ lost }) => lost)).toEqual([])
  proofs.note('ops/rollback.sh of an idle hub under Docker, to its very end', measured)
  const [asked, slowest] = [seen.reduce((sum, one) => sum + one.asked, 0), Math.max(...seen.map((one) => one.slowest))]
  proofs.note('requests without an answer meanwhile', `0 of ${asked}; the slowest ${slowest.toFixed(1)} s`)
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

/** Blocks of the README that are not run here, by what is in them, and why. */
const elsewhere: Readonly<Record<string, RegExp>> = {
  'nodejs.org is not reached; the machine has Node and Docker': /nodejs\.org/,
  'readme.spec.ts runs it, to an sshd': /^rsync /,
  'readme.spec.ts runs certbot; the hook is run above, with another certificate': /^apt-get install --yes certbot/,
  'a registry is not reached': /imagetools/,
  'readme.spec.ts runs it': /^ufw /,
}

test('each block of the README does what it says, in its order, and so does that of the guide', async ({
  installed,
}) => {
  const { root, release, shell } = installed
  const readme = await readFile(path.join(root, 'releases', release, 'README.md'), 'utf8')
  const guide = (await readGuide('DEPLOYMENT_GUIDE.md')).filter(({ place }) => place === 'engine')
  const blocks = [
    ...Array.from(readme.matchAll(/```sh\n(.*?)\n```/gs), ([, block = '']) => block),
    ...guide.map(({ commands }) => commands.replaceAll('/opt/mcp-hub', root)),
  ]
  const skipped = new Set<string>()
  for (const block of blocks) {
    const [reason] = Object.entries(elsewhere).find(([, pattern]) => pattern.test(block)) ?? []
    if (reason === undefined)
      await test.step(block, () => shell(`set -euo pipefail; sudo() { "$@"; }; editor() { :; }\n${block}`))
    else skipped.add(reason)
  }
  expect([guide.length, [...skipped].sort()]).toEqual([1, Object.keys(elsewhere).sort()])
})

test('it stops well when it is told to', async ({ installed }) => {
  await oldEnded(installed)
  const { id } = await inspect(installed, 'hub')
  await installed.compose('stop', 'hub')
  expect(await installed.engine.docker('inspect', '--format', '{{.State.ExitCode}}', id)).toBe('0')
})
