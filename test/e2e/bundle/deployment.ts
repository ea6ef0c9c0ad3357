import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import net, { type AddressInfo, type LookupFunction } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { Agent, fetch as undiciFetch, type RequestInit as UndiciRequestInit } from 'undici'

const run = promisify(execFile)
const repository = path.resolve(import.meta.dirname, '../../..')
const PM2 = path.join(repository, 'node_modules/.cache/pm2/node_modules/pm2/bin/pm2')

export const DOMAIN = 'hub.test'

/** Values that are in the configuration that is published, and must be nowhere in what is published. */
export const canaries = {
  environment: 'canary-environment-5d1f',
  argument: 'canary-argument-8c2e',
  header: 'canary-header-77ab',
  query: 'canary-query-19fe',
  token: 'ghp_canaryabcdefghij0123456789',
}

const configuration = {
  mcpServers: {
    everything: { command: 'mcp-server-everything', args: [], env: { EVERYTHING_API_KEY: canaries.environment } },
    github: {
      command: 'npx',
      args: ['-y', 'some-server', '--api-key', canaries.argument, canaries.token],
      hub: { enabled: false },
    },
    remote: {
      url: `https://mcp.example.com/mcp?api_key=${canaries.query}`,
      headers: { Authorization: `Bearer ${canaries.header}` },
      hub: { enabled: false },
    },
  },
}

export interface Deployment {
  /** Where everything lies on the target. */
  root: string
  release: string
  origin: string
  httpPort: number
  /** The certificate of the site, which signs itself. */
  ca: Buffer
  /** Of the first hub, without nginx. */
  hubUrl: string
  environment: Record<string, string>
  /** A `fetch` that resolves the domain to this machine and trusts the certificate. */
  fetch: typeof fetch
  pm2: (...args: string[]) => Promise<string>
  hubPid: () => Promise<number>
  testNginx: () => Promise<string>
  reloadNginx: () => Promise<unknown>
  dispose: () => Promise<void>
}

/** Publishes with the built command line and runs the bundle's own deploy.sh, on loopback ports and in a folder of its own. */
export async function deploy(options: { instances?: number } = {}): Promise<Deployment> {
  for (const needed of [
    path.join(repository, 'dist/hub/cli.js'),
    path.join(repository, 'dist/renderer/index.html'),
    PM2,
  ])
    if (!existsSync(needed)) throw new Error(`${needed} is missing. Run: npm run test:bundle`)
  const folder = await mkdtemp(path.join(os.tmpdir(), 'mcp-hub-bundle-'))
  // nginx's workers are another user where root starts it.
  await chmod(folder, 0o755)
  const root = path.join(folder, 'opt/mcp-hub')
  const [httpPort, httpsPort, basePort] = await freePorts(options.instances ?? 1)

  await mkdir(path.join(folder, 'source'))
  await writeFile(path.join(folder, 'source/servers.json'), JSON.stringify(configuration))
  const cli = path.join(repository, 'dist/hub/cli.js')
  await run(process.execPath, [
    cli,
    ...['publish', '--out', path.join(folder, 'bundle'), '--domain', DOMAIN, '--config', path.join(folder, 'source')],
    ...[
      '--install-dir',
      root,
      '--listen',
      '127.0.0.1',
      '--http-port',
      String(httpPort),
      '--https-port',
      String(httpsPort),
    ],
    ...['--base-port', String(basePort), '--instances', String(options.instances ?? 1)],
    // It stays empty in .env: these hubs share their folder.
    ...((options.instances ?? 1) > 1 ? ['--services', 'database'] : []),
  ])

  // The one secret that an enabled server needs; a person writes it before the first start.
  const environmentFile = path.join(root, '.env')
  await mkdir(root, { recursive: true })
  await writeFile(environmentFile, 'EVERYTHING_API_KEY=given-on-the-target\n')
  const outside = await outsideOf(folder, root)
  await run('bash', [path.join(folder, 'bundle/ops/deploy.sh')], { env: outside, timeout: 110_000 })
  const environment = Object.fromEntries(
    Array.from(
      (await readFile(environmentFile, 'utf8')).matchAll(/^([A-Z_0-9]+)=(.*)$/gm),
      ([, name = '', value = '']) => [name, value],
    ),
  )
  const pm2 = async (...args: string[]): Promise<string> =>
    (
      await run(outside['PM2'] ?? '', args, {
        timeout: 90_000,
        maxBuffer: 10_000_000,
        env: { ...outside, HOME: path.join(root, 'data') },
      })
    ).stdout

  const ca = await readFile(path.join(root, 'tls/fullchain.pem'))
  const lookup: LookupFunction = (_name, options_, done) =>
    options_.all === true ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4)
  // As the fetch of Node has it: undici gives up calls that run when nginx retires an HTTP/2 connection.
  const agent = new Agent({ allowH2: false, connect: { ca, lookup } })
  const trusting = ((url: string | URL, init?: UndiciRequestInit) =>
    undiciFetch(url, { ...init, dispatcher: agent })) as unknown as typeof fetch
  const origin = `https://${DOMAIN}:${httpsPort}`
  return {
    root,
    release: await realpath(path.join(root, 'current')),
    origin,
    httpPort,
    ca,
    hubUrl: `http://127.0.0.1:${basePort}/mcp`,
    environment,
    fetch: trusting,
    pm2,
    hubPid: async () => {
      const list = await pm2('jlist')
      return (JSON.parse(list.slice(list.indexOf('['))) as { pid: number }[])[0]?.pid ?? 0
    },
    testNginx: async () => (await run(outside['NGINX'] ?? '', ['-t'])).stderr,
    reloadNginx: () => run(outside['NGINX'] ?? '', ['-s', 'reload']),
    dispose: async () => {
      await agent.close()
      await run(outside['NGINX'] ?? '', ['-s', 'quit'])
      await pm2('kill')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/**
 * What the scripts of a bundle call on a machine, for a deployment in a folder: this user is the hub's, nginx has a prefix of its
 * own there, and the only service that systemctl knows is that nginx.
 */
async function outsideOf(folder: string, root: string): Promise<Record<string, string>> {
  const nginx = ['/usr/sbin/nginx', '/usr/local/sbin/nginx', '/usr/bin/nginx'].find((file) => existsSync(file))
  if (nginx === undefined) throw new Error('nginx is not installed. On Debian: apt-get install nginx')
  for (const name of ['nginx', 'conf.d', 'bin']) await mkdir(path.join(folder, name))
  const prefix = path.join(folder, 'nginx')
  const programs = {
    PM2: `exec '${process.execPath}' '${PM2}' "$@"`,
    NGINX: `exec '${nginx}' -p '${prefix}/' -e error.log -c '${root}/current/nginx/nginx.conf' "$@"`,
    SYSTEMCTL: `[ "$*" = 'reload-or-restart nginx' ] || exit 1
if [ -s '${prefix}/nginx.pid' ]; then exec '${folder}/bin/NGINX' -s reload; else exec '${folder}/bin/NGINX'; fi`,
  }
  for (const [name, text] of Object.entries(programs))
    await writeFile(path.join(folder, 'bin', name), `#!/bin/sh\n${text}\n`, { mode: 0o755 })
  return {
    ...Object.fromEntries(Object.keys(programs).map((name) => [name, path.join(folder, 'bin', name)])),
    PATH: [path.dirname(process.execPath), path.join(repository, 'node_modules/.bin'), process.env['PATH'] ?? ''].join(
      path.delimiter,
    ),
    HUB_USER: os.userInfo().username,
    PM2_HOME: path.join(root, 'data/pm2'),
    NGINX_CONF_DIR: path.join(folder, 'conf.d'),
    LOGROTATE_DIR: path.join(folder, 'logrotate.d'),
  }
}

/** Every file below a folder, with its content. */
export async function contents(folder: string): Promise<{ name: string; text: string }[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(async (entry) => {
        const name = path.join(entry.parentPath, entry.name)
        return { name, text: await readFile(name, 'latin1') }
      }),
  )
}

/** Ports that were free a moment ago; the hubs need as many in a row as there are of them. */
async function freePorts(hubs: number): Promise<[number, number, number]> {
  const [http, https] = await Promise.all([freePort(), freePort()])
  for (;;) {
    const first = await freePort()
    const all = await Promise.all(Array.from({ length: hubs }, (_, n) => freePort(first + n).catch(() => 0)))
    if (all.every((port) => port !== 0 && port !== http && port !== https)) return [http, https, first]
  }
}

function freePort(wanted = 0): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = net.createServer().once('error', reject)
    server.listen(wanted, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}

export async function until(condition: () => boolean | Promise<boolean>, deadlineMs = 30_000): Promise<void> {
  const end_ = Date.now() + deadlineMs
  while (!(await condition())) {
    if (Date.now() > end_) throw new Error('The condition was not met in time')
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
