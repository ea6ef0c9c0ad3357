import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, realpath, writeFile } from 'node:fs/promises'
import type { LookupFunction } from 'node:net'
import path from 'node:path'
import { promisify } from 'node:util'
import { Agent, fetch as undiciFetch, type RequestInit as UndiciRequestInit } from 'undici'
import type { TargetInput } from '../../../hub/contract/publish.ts'
import { openMachine, type Machine } from '../../fixtures/target-machine.ts'

const run = promisify(execFile)
const repository = path.resolve(import.meta.dirname, '../../..')

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
  /** The folder of the machine, and what its scripts find in their environment. */
  machine: Pick<Machine, 'folder' | 'env'>
  /** Where it was published to, as the desktop app keeps it. */
  target: TargetInput
  /** A `fetch` that resolves the domain to this machine and trusts the certificate. */
  fetch: typeof fetch
  /** Runs a script of a bundle. */
  ops: Machine['ops']
  pm2: (...args: string[]) => Promise<string>
  hubPid: () => Promise<number>
  testNginx: () => Promise<string>
  reloadNginx: () => Promise<unknown>
  dispose: () => Promise<void>
}

/** Publishes with the built command line and runs the bundle's own deploy.sh. */
export async function deploy(options: { instances?: number; databaseUrl?: string } = {}): Promise<Deployment> {
  const { instances = 1, databaseUrl } = options
  const machine = await openMachine({ instances })
  const { folder, root, httpPort, httpsPort, basePort } = machine
  await mkdir(path.join(folder, 'source'))
  await writeFile(path.join(folder, 'source/servers.json'), JSON.stringify(configuration))
  const bundle = path.join(folder, 'bundle')
  await run(process.execPath, [
    path.join(repository, 'dist/hub/cli.js'),
    ...['publish', '--out', bundle, '--domain', DOMAIN, '--config', path.join(folder, 'source')],
    ...['--install-dir', root, '--listen', '127.0.0.1', '--http-port', String(httpPort)],
    ...['--https-port', String(httpsPort), '--base-port', String(basePort), '--instances', String(instances)],
    ...(databaseUrl === undefined ? [] : ['--services', 'database']),
  ])
  // What an enabled server and the hubs need; a person writes it before the first start.
  await mkdir(root, { recursive: true })
  const database = databaseUrl === undefined ? '' : `DATABASE_URL=${databaseUrl}\n`
  await writeFile(path.join(root, '.env'), `EVERYTHING_API_KEY=given-on-the-target\n${database}`)
  const deployed = await machine.ops(bundle, 'deploy.sh')
  if (deployed.code !== 0)
    throw new Error(`deploy.sh ended with ${deployed.code}:\n${deployed.stdout}${deployed.stderr}`)

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
    environment: await machine.environment(),
    machine,
    target: {
      ...{ domain: DOMAIN, installDir: root, listenAddress: '127.0.0.1' },
      ...{ httpPort, httpsPort, basePort, instances },
    },
    fetch: trusting,
    ops: machine.ops,
    pm2: machine.pm2,
    hubPid: async () => {
      const list = await machine.pm2('jlist')
      return (JSON.parse(list.slice(list.indexOf('['))) as { pid: number }[])[0]?.pid ?? 0
    },
    testNginx: () => machine.nginx('-t'),
    reloadNginx: () => machine.nginx('-s', 'reload'),
    dispose: async () => {
      await agent.close()
      await machine.dispose()
    },
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

export async function until(condition: () => boolean | Promise<boolean>, deadlineMs = 30_000): Promise<void> {
  const end_ = Date.now() + deadlineMs
  while (!(await condition())) {
    if (Date.now() > end_) throw new Error('The condition was not met in time')
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
