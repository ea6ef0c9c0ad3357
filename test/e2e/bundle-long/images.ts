import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, copyFile, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import type { Network } from './network.ts'

const execute = promisify(execFile)
export const repository = path.resolve(import.meta.dirname, '../../..')
/** Kept from one run to the next, because the bases take a minute each; not below node_modules, which `npm ci` clears: there are mounts in it. */
export const cache = path.join(os.tmpdir(), 'mcp-hub-bundle-long')
const storage = [
  '--root',
  path.join(cache, 'storage'),
  '--runroot',
  path.join(cache, 'run'),
  '--storage-driver',
  'overlay',
]

/** Control groups of two kinds at once are not for crun; without a system bus, podman keeps its own log. */
const engine = ['--cgroup-manager', 'cgroupfs', '--events-backend', 'file', '--runtime', '/usr/sbin/runc']

/** For every container, also those of a pod: without a way out of the machine's own limits, theirs must be within them. */
const settings = path.join(cache, 'containers.conf')
const LIMITS = '[containers]\ndefault_ulimits = ["nofile=16384:16384", "nproc=4096:4096"]\n'

export async function run(
  command: string,
  args: readonly string[],
  cwd = cache,
  more: Record<string, string> = {},
): Promise<string> {
  const env = { ...process.env, CONTAINERS_CONF: settings, ...more }
  const options = { cwd, env, maxBuffer: 50_000_000, timeout: 540_000 }
  return execute(command, args, options).then(
    ({ stdout }) => stdout.trim(),
    (error: unknown) => {
      const { stdout, stderr } = error as { stdout: string; stderr: string }
      throw new Error(`${command} ${args.join(' ')}\n${stdout}\n${stderr}`, { cause: error })
    },
  )
}

export const podman = (...args: string[]): Promise<string> => run('podman', [...storage, ...engine, ...args])

/** Where its bridges and rules are those of a network of its own. */
export function podmanIn({ enter }: Pick<Network, 'enter'>, ...args: string[]): Promise<string> {
  return run(...enter('podman', ...storage, ...engine, ...args))
}

const buildah = (...args: string[]): Promise<string> => run('buildah', [...storage, ...args])

async function exists(image: string): Promise<boolean> {
  return podman('image', 'exists', image).then(
    () => true,
    () => false,
  )
}

/**
 * What a Dockerfile names as its bases, made of Debian's packages under the same names: the Dockerfile stays as it is.
 * Node is the one of the repository, nginx the one of Debian's newest release, which is the version that is named.
 */
async function makeBases(dockerfile: string): Promise<void> {
  const named = (argument: string): string => {
    const [, image] = new RegExp(`^ARG ${argument}=(\\S+)$`, 'm').exec(dockerfile) ?? []
    if (image === undefined) throw new Error(`The Dockerfile names no ${argument}`)
    return `docker.io/library/${image}`
  }
  if (!(await exists(named('NODE_IMAGE')))) {
    const over = path.join(cache, 'node')
    await mkdir(path.join(over, 'usr/local/bin'), { recursive: true })
    await copyFile(process.execPath, path.join(over, 'usr/local/bin/node'))
    await chmod(path.join(over, 'usr/local/bin/node'), 0o755)
    // The server that is published must be installed on the target: here, in its image.
    const { devDependencies } = JSON.parse(await readFile(path.join(repository, 'package.json'), 'utf8')) as {
      devDependencies: Record<string, string>
    }
    const server = '@modelcontextprotocol/server-everything'
    const install = [
      'install',
      '--global',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      '--prefix',
      path.join(over, 'usr/local'),
    ]
    await run('npm', [...install, `${server}@${devDependencies[server] ?? 'latest'}`])
    await makeBase(named('NODE_IMAGE'), await bootstrapped('trixie'), 1000, over)
  }
  if (!(await exists(named('NGINX_IMAGE'))))
    await makeBase(named('NGINX_IMAGE'), await bootstrapped('sid', 'nginx'), 101, null)
}

async function bootstrapped(release: string, include = '', name = release): Promise<string> {
  const folder = path.join(cache, name)
  if (!existsSync(folder)) {
    const fresh = `${folder}.new`
    await rm(fresh, { recursive: true, force: true })
    await run('debootstrap', ['--variant=minbase', ...(include === '' ? [] : [`--include=${include}`]), release, fresh])
    await rename(fresh, folder)
  }
  return folder
}

async function makeBase(
  image: string,
  folder: string,
  user: number,
  over: string | null,
  more: (container: string) => Promise<unknown> = () => Promise.resolve(),
): Promise<void> {
  const container = await buildah('from', 'scratch')
  await buildah('add', '--quiet', container, folder, '/')
  await buildah(
    'run',
    '--isolation',
    'chroot',
    container,
    '--',
    'useradd',
    '--uid',
    String(user),
    '--create-home',
    'user',
  )
  if (over !== null) await buildah('add', '--quiet', container, `${over}/`, '/')
  await more(container)
  await buildah('commit', '--quiet', '--rm', container, image)
}

/** What the official image of PostgreSQL does at its start, as far as the compose file asks for it. */
const START_POSTGRES = `#!/bin/bash
set -e
data=/var/lib/postgresql/data
if [ ! -s "$data/PG_VERSION" ]; then
  initdb --pgdata="$data" --username="$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" $POSTGRES_INITDB_ARGS >/dev/null
  echo 'host all all all scram-sha-256' >>"$data/pg_hba.conf"
  pg_ctl --pgdata="$data" --options="-c listen_addresses= -k /run/postgresql" --wait start >/dev/null
  createdb --host=/run/postgresql --username="$POSTGRES_USER" "$POSTGRES_DB"
  pg_ctl --pgdata="$data" --wait stop >/dev/null
fi
exec postgres -D "$data" -c listen_addresses='*' -k /run/postgresql
`

/** The images of the stores that a compose file names, made of Debian's packages; saves each to a file, by its name. */
export async function storeImages(composeFile: string, folder: string): Promise<string[]> {
  const compose = await readFile(composeFile, 'utf8')
  const images = Array.from(compose.matchAll(/^ {4}image: ((?:postgres|redis):\S+)$/gm), ([, image = '']) => image)
  const root = await bootstrapped('bookworm', 'postgresql,redis-server', 'stores')
  const bin = (await readdir(path.join(root, 'usr/lib/postgresql')))[0] ?? ''
  const files: string[] = []
  for (const image of images) {
    const data = image.startsWith('postgres') ? '/var/lib/postgresql/data' : '/data'
    const name = `docker.io/library/${image}`
    if (!(await exists(name)))
      await makeBase(name, root, 999, null, async (container) => {
        const start = path.join(folder, 'start-postgres')
        await writeFile(start, START_POSTGRES, { mode: 0o755 })
        await buildah('add', '--quiet', container, start, '/usr/local/bin/start-postgres')
        const own = `rm -rf ${data} && install -d -o 999 -g 999 -m 0700 ${data} && install -d -o 999 -g 999 -m 3777 /run/postgresql && chmod 0755 /usr/local/bin/start-postgres`
        await buildah('run', '--isolation', 'chroot', container, '--', 'sh', '-ec', own)
        const programs = `/usr/lib/postgresql/${bin}/bin:/usr/local/bin:/usr/bin:/bin`
        await buildah('config', '--env', `PATH=${programs}`, '--cmd', 'start-postgres', container)
      })
    const file = path.join(folder, `${image.replace(/\W/g, '-')}.tar`)
    await buildah('push', name, `docker-archive:${file}:${name}`)
    files.push(file)
  }
  return files
}

/** Builds both images of a bundle from its Dockerfile as it is. */
export async function buildImages(bundle: string, tag: string): Promise<void> {
  await mkdir(cache, { recursive: true })
  await writeFile(settings, LIMITS)
  await makeBases(await readFile(path.join(bundle, 'docker/Dockerfile'), 'utf8'))
  for (const target of ['hub', 'web']) {
    const options = ['--quiet', '--isolation', 'chroot', '--format', 'docker', '--pull-never']
    const args = [
      ...storage,
      'bud',
      ...options,
      '-f',
      'docker/Dockerfile',
      '--target',
      target,
      '-t',
      `mcp-hub-${target}:${tag}`,
      '.',
    ]
    await run('buildah', args, bundle)
  }
}

/** For an engine with a storage of its own. */
export async function saveImage(image: string, file: string): Promise<void> {
  await buildah('push', image, `docker-archive:${file}:docker.io/library/${image}`)
}
