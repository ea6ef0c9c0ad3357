import { access, copyFile, mkdir, readFile, realpath, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from '@playwright/test'
import { anotherRelease } from '../../fixtures/another-release.ts'
import { openMachine, type Machine } from '../../fixtures/target-machine.ts'
import { startEngine, type Engine } from './engine.ts'
import { run } from './images.ts'
import { loadImages, releaseOf } from './installed.ts'
import { createNetwork, type Network } from './network.ts'
import { DOMAIN, publish, type Published } from './published.ts'
import { callsAToolInBothEras, fetchAt, type Place } from './uses.ts'

/** A machine whose hub PM2 runs gets a bundle for Docker, with the real ones of both, and goes back. */
test.describe.configure({ mode: 'serial' })
let network: Network
let machine: Machine
let engine: Engine
let pm2: Published
let docker: Published
let release: string
let place: Place
let environment: Record<string, string>
const at = (...parts: string[]): string => path.join(machine.root, ...parts)

test.beforeAll(async () => {
  test.setTimeout(600_000)
  ;[network, machine] = [await createNetwork(), await openMachine()]
  engine = await startEngine(network)
  const where = ['--install-dir', machine.root, '--http-port', '8080', '--https-port', '8443']
  pm2 = await publish('--mode', 'pm2', ...where)
  docker = await publish('--mode', 'docker', ...where)
  release = await releaseOf(docker)
  await loadImages(engine, docker, release)
  const PATH = `${engine.environment['PATH'] ?? ''}${path.delimiter}${machine.env['PATH'] ?? ''}`
  environment = { ...machine.env, ...engine.environment, PATH }
  // An nginx that serves the sites of its folder, and none when there is none.
  const prefix = path.join(machine.folder, 'nginx')
  const main = path.join(prefix, 'main.conf')
  const sites = `include /etc/nginx/mime.types; include ${machine.env['NGINX_CONF_DIR'] ?? ''}/*.conf;`
  await writeFile(main, `pid ${prefix}/nginx.pid;\nevents {}\nhttp { ${sites} }\n`)
  const start = `exec /usr/sbin/nginx -p '${prefix}/' -e error.log -c '${main}' "$@"`
  await writeFile(machine.env['NGINX'] ?? '', `#!/bin/sh\n${start}\n`, { mode: 0o755 })
  await mkdir(at('tls'), { recursive: true })
  await copyFile(pm2.environmentFile, at('.env'))
  await copyFile(pm2.certificate, at('tls/fullchain.pem'))
  await copyFile(pm2.key, at('tls/privkey.pem'))
  place = {
    origin: `https://${DOMAIN}:8443`,
    token: pm2.environment['MCP_HUB_TOKEN'] ?? '',
    password: '',
    fetch: await fetchAt(network.address, pm2.certificate),
  }
})
test.afterAll(async () => {
  await engine.dispose()
  await machine.dispose()
  await network.dispose()
  for (const { dispose } of [pm2, docker]) await dispose()
})

const script = (bundle: string, name: string, more: Record<string, string> = {}, ...args: string[]): Promise<string> =>
  run(...network.enter('bash', path.join(bundle, 'ops', name), ...args), machine.folder, { ...environment, ...more })
const inNetwork = (command: string): Promise<string> => run(...network.enter('bash', '-c', command), machine.folder)

/** Who runs the hub, and what would start it at the next boot or make its backups. */
async function state(): Promise<Record<string, unknown>> {
  const there = (file: string): Promise<boolean> =>
    access(file).then(
      () => true,
      () => false,
    )
  // Its daemon begins with the first question: in the network, where its hubs are to be.
  const list = await run(...network.enter(machine.env['PM2'] ?? '', 'jlist'), machine.folder, environment)
  const running = JSON.parse(list.slice(list.lastIndexOf('\n[') + 1)) as { pm2_env: { status: string } }[]
  const crontab = await readFile(path.join(machine.env['CRON_DIR'] ?? '', 'mcp-hub'), 'utf8').catch(() => '')
  return {
    pm2: running.map(({ pm2_env }) => pm2_env.status).join(),
    list: await there(path.join(machine.env['PM2_HOME'] ?? '', 'dump.pm2')),
    docker: await engine.docker('ps', '--all', '--filter', 'name=hub-in-use', '--format', '{{.State}}'),
    site: await there(path.join(machine.env['NGINX_CONF_DIR'] ?? '', 'mcp-hub.conf')),
    crontab: /^\d.* (root|mcp-hub) bash/m.exec(crontab)?.[1],
    servers: await servers(),
  }
}

async function servers(): Promise<string[]> {
  const answer = await place.fetch(`${place.origin}/api/servers`, { headers: withToken() })
  return ((await answer.json()) as { name: string }[]).map(({ name }) => name).sort()
}
const withToken = (): Record<string, string> => ({ authorization: `Bearer ${place.token}` })

async function add(name: string, send: typeof fetch = place.fetch): Promise<void> {
  const answer = await send(`${place.origin}/api/servers`, {
    method: 'POST',
    headers: { ...withToken(), 'content-type': 'application/json' },
    body: JSON.stringify({ name, config: { url: `https://${name}.example.com/mcp`, hub: { enabled: false } } }),
  })
  expect(answer.ok, await answer.text()).toBe(true)
}

const all = ['added', 'everything']
const byPm2 = { pm2: 'online', list: true, docker: '', site: true, crontab: 'mcp-hub', servers: all }
const byDocker = { pm2: '', list: false, docker: 'running', site: false, crontab: 'root', servers: all }

test('PM2 runs the hub at first', async () => {
  await script(pm2.bundle, 'deploy.sh')
  await add('added')
  expect(await state()).toEqual(byPm2)
  await callsAToolInBothEras(place)
})

test('PM2 has it again when it does not become healthy under Docker', async () => {
  const sick = await anotherRelease(docker.bundle, 'sick', {}, path.join(docker.folder, 'sick'))
  // No hub is in what is said to be the hub.
  for (const name of ['hub', 'web']) await engine.docker('tag', `mcp-hub-web:${release}`, `mcp-hub-${name}:sick`)
  await expect(script(sick, 'deploy.sh', { HEALTH_SECONDS: '20' }, '--config', 'keep')).rejects.toMatchObject({
    cause: { code: 75 },
  })
  expect(await state()).toEqual(byPm2)
})

test('Docker takes it over with all that it has, and PM2 starts it no more', async () => {
  await script(docker.bundle, 'deploy.sh', {}, '--config', 'keep')
  expect(path.basename(await realpath(at('current')))).toBe(release)
  expect(await state()).toEqual(byDocker)
  await callsAToolInBothEras(place)
})

test('a second hub on the same folders does no harm, and is known by what it changes', async () => {
  // As somebody would who starts it by hand: on this machine, beside the one in the container.
  const env = `HOST=127.0.0.1 PORT=3999 CONFIG_DIR=${at('config')} DATA_DIR=${at('data/3000')} ACCOUNTS_DIR=${at('data/accounts')} MCP_HUB_SECRETS_FILE=${at('data/secrets.json')}`
  const [command, args] = [process.execPath, `--env-file=${at('.env')} ${at('current/hub/server.js')}`]
  const pid = await inNetwork(`${env} ${command} ${args} >${machine.folder}/second.log 2>&1 & echo $!`)
  const ask = (rest: string): Promise<string> =>
    inNetwork(
      `curl -sS --fail -H 'Authorization: Bearer ${place.token}' -H 'Content-Type: application/json' http://127.0.0.1:3999${rest}`,
    )
  try {
    await expect.poll(() => ask('/health/ready').catch(() => ''), { timeout: 30_000 }).not.toBe('')
    await callsAToolInBothEras(place)
    // Each takes over what the other writes, and neither overwrites it.
    const entry = JSON.stringify({
      name: 'second',
      config: { url: 'https://second.example.com/mcp', hub: { enabled: false } },
    })
    await ask(`/api/servers -d '${entry}'`)
    await expect.poll(servers, { timeout: 10_000 }).toEqual(['added', 'everything', 'second'])
    await add('third')
    await expect.poll(() => ask('/api/servers'), { timeout: 10_000 }).toContain('"third"')
    expect(await servers()).toEqual(['added', 'everything', 'second', 'third'])
  } finally {
    process.kill(Number(pid), 'SIGTERM')
    await expect.poll(() => ask('/health').catch(() => 'gone'), { timeout: 60_000 }).toBe('gone')
  }
  // Its end takes nothing from the other: the server that the hub in the container started runs on.
  await callsAToolInBothEras(place)
  for (const name of ['second', 'third']) {
    const gone = await place.fetch(`${place.origin}/api/servers/${name}`, { method: 'DELETE', headers: withToken() })
    expect(gone.ok, await gone.text()).toBe(true)
  }
  await script(docker.bundle, 'backup.sh')
  await script(docker.bundle, 'restore-drill.sh')
})

test('the way back leads to PM2', async () => {
  await script(at('current'), 'rollback.sh')
  expect(await state()).toEqual(byPm2)
  await callsAToolInBothEras(place)
})
