import { chmod, copyFile, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { expect } from '@playwright/test'
import { anotherRelease } from '../../fixtures/another-release.ts'
import type { Engine } from './engine.ts'
import { run, storeImages } from './images.ts'
import { withInstalled } from './in-network.ts'
import { askDuring, oldEnded, type Installed } from './installed.ts'
import { openProofs } from './proofs.ts'
import { callsAToolInBothEras, receivesAnEvent, refusesStrangers, signsIn } from './uses.ts'

/** Two hubs with PostgreSQL and Redis beside them, by the profiles of the compose file and the steps of the README. */
const proofs = openProofs('Docker, two hubs, PostgreSQL and Redis')
const ROOT = path.join(os.tmpdir(), `mcp-hub-stores-${process.pid}`)
const at = (...parts: string[]): string => path.join(ROOT, ...parts)
const OPTIONS = ['--instances', '2', '--services', 'database,redis']
const hubs = ['hub-1', 'hub-2']

/** Whoever has none of them lets compose run them: the images, and the commands of the README. */
async function makeStores(engine: Engine, folder: string): Promise<void> {
  for (const file of await storeImages(path.join(folder, 'docker/compose.yaml'), ROOT)) {
    await engine.docker('load', '--input', file)
    await rm(file)
  }
  const readme = await readFile(path.join(folder, 'README.md'), 'utf8')
  const [, steps = ''] = /```sh\n([^`]*COMPOSE_PROFILES[^`]*)```/.exec(readme) ?? []
  await run('bash', ['-euo', 'pipefail', '-c', steps], ROOT)
}

const test = withInstalled(ROOT, OPTIONS, async (engine, folder) => {
  await makeStores(engine, folder)
  // The address of the database by a file, that of Redis in .env itself.
  const text = await readFile(at('.env'), 'utf8')
  const [, url = ''] = /^DATABASE_URL=(.+)$/m.exec(text) ?? []
  expect(url).toContain('@database:5432/')
  await writeFile(at('database_url'), `${url}\n`)
  await chmod(at('database_url'), 0o644)
  const other = `DATABASE_URL=\nDATABASE_URL_FILE=${at('database_url')}`
  await writeFile(at('.env'), text.replace(/^DATABASE_URL=.*$/m, other))
})
test.describe.configure({ mode: 'serial' })
test.afterAll(() => proofs.write())

const idOf = ({ engine }: Installed, hub: string): Promise<string> =>
  engine.docker('inspect', '--format', '{{.Id}}', `mcp-hub-${hub}-in-use`)

async function names({ place }: Installed): Promise<string[]> {
  const headers = { authorization: `Bearer ${place.token}` }
  const answer = await place.fetch(`${place.origin}/api/servers`, { headers })
  return ((await answer.json()) as { name: string }[]).map(({ name }) => name).sort()
}

async function add({ place }: Installed, name: string): Promise<void> {
  const answer = await place.fetch(`${place.origin}/api/servers`, {
    method: 'POST',
    headers: { authorization: `Bearer ${place.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name, config: { url: `https://${name}.example.com/mcp`, hub: { enabled: false } } }),
  })
  expect(answer.ok, await answer.text()).toBe(true)
}

test('every service becomes healthy, and only nginx is published', async ({ installed }) => {
  const services = async (): Promise<string[]> =>
    (await installed.compose('ps', '--format', '{{.Service}} {{.Health}}')).split('\n').sort()
  const all = ['database', ...hubs, 'redis', 'web'].map((name) => `${name} healthy`)
  await expect.poll(services, { timeout: 60_000 }).toEqual(all)
  const ports = await installed.engine.docker('ps', '--format', '{{.Names}} {{.Ports}}')
  expect(ports.split('\n').filter((line) => line.includes('->'))).toEqual([
    expect.stringMatching(/^mcp-hub-web-1 .*0\.0\.0\.0:8443->8443\/tcp/),
  ])
})

test('no description of a container has a secret', async ({ installed }) => {
  const ids = (await installed.engine.docker('ps', '--all', '--quiet')).split('\n')
  const described = await installed.engine.docker('inspect', ...ids)
  for (const store of ['database', 'redis']) {
    const password = (await readFile(at('secrets', `${store}_password`), 'utf8')).trim()
    expect(password).toMatch(/^[0-9a-f]{48}$/)
    expect(described).not.toContain(password)
  }
  for (const secret of [installed.place.token, installed.place.password]) expect(described).not.toContain(secret)
})

test('nobody gets in without the token', ({ installed }) => refusesStrangers(installed.place))
test('a person signs in', ({ installed, page }) => signsIn(installed.place, page))
test('clients of both eras call a tool', ({ installed }) => callsAToolInBothEras(installed.place))
test('an event arrives', ({ installed }) => receivesAnEvent(installed.place))

test('what is changed is known to both, and while one is away the other answers', async ({ installed }) => {
  await add(installed, 'kept')
  for (const hub of hubs) {
    const other = hubs.find((name) => name !== hub) ?? ''
    await installed.engine.docker('stop', '--time', '45', await idOf(installed, other))
    await expect.poll(() => names(installed).catch(String), { timeout: 30_000 }).toEqual(['everything', 'kept'])
    await callsAToolInBothEras(installed.place)
    await installed.engine.docker('start', await idOf(installed, other))
    await expect
      .poll(
        () => installed.engine.docker('inspect', '--format', '{{.State.Health.Status}}', `mcp-hub-${other}-in-use`),
        {
          timeout: 60_000,
        },
      )
      .toBe('healthy')
  }
})

test('another release and the way back replace both, and no request is lost', async ({ installed }) => {
  const { engine, root } = installed
  const current = async (): Promise<string> => path.basename(await realpath(path.join(root, 'current')))
  const first = await current()
  const folder = await anotherRelease(path.join(root, 'releases', first), 'another')
  for (const name of ['hub', 'web']) await engine.docker('tag', `mcp-hub-${name}:${first}`, `mcp-hub-${name}:another`)
  const before = await Promise.all(hubs.map((hub) => idOf(installed, hub)))
  const there = await askDuring(installed.place, () => installed.deploy(folder))
  expect(await current()).toBe('another')
  const between = await Promise.all(hubs.map((hub) => idOf(installed, hub)))
  for (const id of between) expect(before).not.toContain(id)
  await oldEnded(installed)
  const started = performance.now()
  const back = await askDuring(installed.place, () => installed.script('rollback.sh'))
  const took = (performance.now() - started) / 1_000
  expect(await current()).toBe(first)
  expect([...there.lost, ...back.lost]).toEqual([])
  await oldEnded(installed)
  proofs.note('ops/rollback.sh of two idle hubs, to its very end', `${took.toFixed(1)} s`)
  proofs.note('requests without an answer, of an upgrade and the way back', `0 of ${there.asked + back.asked}`)
  await callsAToolInBothEras(installed.place)
})

test('a backup has the database, is whole on trial, and brings everything back', async ({ installed }) => {
  await installed.script('backup.sh')
  const members = await run('tar', ['-tf', await realpath(at('backups/latest'))], ROOT)
  expect(members.split('\n').sort()).toEqual(
    ['.env', 'SHA256SUMS', 'database.dump', 'hub-3000.tar.gz', 'hub-3001.tar.gz'].sort(),
  )
  const archive = await realpath(at('backups/latest'))
  await installed.script('restore-drill.sh')
  await add(installed, 'added-since')
  await installed.script('restore.sh', archive)
  expect(await names(installed)).toEqual(['everything', 'kept'])
  await callsAToolInBothEras(installed.place)
})

test('where the database is named no more, nothing is touched', async ({ installed }) => {
  const before = await readFile(at('.env'), 'utf8')
  const running = await installed.compose('ps', '--quiet')
  await writeFile(at('.env'), before.replace(/^DATABASE_URL_FILE=.*$/m, ''))
  await expect(installed.script('hubs.sh', 'start')).rejects.toThrow(/2 hubs need a database/)
  await writeFile(at('.env'), before.replace(/^DATABASE_URL_FILE=.*$/m, 'DATABASE_URL_FILE=/nowhere'))
  await expect(installed.script('deploy.sh')).rejects.toThrow(/names \/nowhere: that must be/)
  await writeFile(at('.env'), before)
  expect(await installed.compose('ps', '--quiet')).toBe(running)
})

test('a machine that is lost is there again, from the bundle and a copy of its newest archive', async ({
  installed,
}) => {
  const copy = path.join(os.tmpdir(), `mcp-hub-copy-${process.pid}.tar`)
  try {
    await installed.script('backup.sh')
    await copyFile(at('backups/latest'), copy)
    const password = await readFile(at('secrets/database_password'), 'utf8')
    const started = performance.now()
    await installed.replaceMachine(makeStores)
    expect(await readFile(at('secrets/database_password'), 'utf8')).not.toBe(password)
    await installed.script('restore.sh', copy, '--with-env')
    const took = (performance.now() - started) / 1_000
    // By the token of before, which is in the archive's .env; and a tool of a server whose key is.
    expect(await names(installed)).toEqual(['everything', 'kept'])
    await callsAToolInBothEras(installed.place)
    proofs.note(
      'a machine that is lost: stores, deploy.sh and restore.sh --with-env on an empty one',
      `${took.toFixed(0)} s`,
    )
  } finally {
    await rm(copy, { force: true })
  }
})
