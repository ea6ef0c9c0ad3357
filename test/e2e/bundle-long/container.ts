import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { cache as kept } from './images.ts'
import type { Network } from './network.ts'

const run = promisify(execFile)
/** Kept from run to run: making a Debian takes a minute. podman remembers where its store is, and takes no long path. */
const cache = path.join(kept, 'machine')
const PACKAGES = 'systemd,systemd-sysv,dbus,nginx-light,openssl,curl,procps,iproute2'

/** Images and containers of our own, that nobody else sees. Of the runtimes, runc is the one that takes cgroups of both versions. */
const storage = ['--root', `${cache}/storage`, '--runroot', `${cache}/run`, '--storage-driver', 'overlay']
const PODMAN = ['--cgroup-manager', 'cgroupfs', '--events-backend', 'file', '--runtime', '/usr/sbin/runc', ...storage]

/** A kind of machine: its image has that name, and these packages besides. */
interface Kind {
  name: string
  more: string[]
}
const plain: Kind = { name: 'mcp-hub-test-debian', more: [] }
/** With what a README has people install, and a certificate authority: pebble, Let's Encrypt's own for tests. */
export const complete: Kind = {
  name: 'mcp-hub-test-debian-complete',
  more: ['nginx', 'sudo', 'rsync', 'logrotate', 'openssh-server', 'certbot', 'pebble', 'ufw', 'nftables', 'python3'],
}

/** A machine with Debian 12 and systemd that nothing outside reaches, and that reaches nothing. */
export interface Machine {
  /** What a command prints; rejects with what it said when it fails. */
  run: (...command: string[]) => Promise<string>
  /** The command that runs another one there, for whoever starts it. */
  command: (...command: string[]) => string[]
  dispose: () => Promise<void>
}

/**
 * Boots one. `mounts` are folders and files of this machine, read-only, by where they are there; with `network` it is in that network
 * and may have a firewall, and `names` lead to itself.
 */
export async function bootMachine(
  mounts: Readonly<Record<string, string>>,
  { kind = plain, network, names = [] }: { kind?: Kind; network?: Network; names?: string[] } = {},
): Promise<Machine> {
  await ensureImage(kind)
  const volumes = Object.entries(mounts).flatMap(([to, from]) => ['-v', `${from}:${to}:ro`])
  const { stdout } = await run('podman', [
    ...PODMAN,
    ...['run', '-d', '--rm', '--systemd=always', '--network', network === undefined ? 'none' : `ns:${network.file}`],
    ...(network === undefined ? [] : ['--cap-add', 'NET_ADMIN', '--cap-add', 'NET_RAW']),
    ...names.flatMap((name) => ['--add-host', `${name}:127.0.0.1`]),
    // systemd makes namespaces for the sandboxes; root looks into processes of others, as it may on a machine.
    ...['--cap-add', 'SYS_ADMIN', '--cap-add', 'SYS_PTRACE', '--security-opt', 'seccomp=unconfined'],
    ...['--ulimit', 'nofile=20000:20000', '--ulimit', 'nproc=4096:4096', ...volumes, kind.name, '/sbin/init'],
  ])
  const id = stdout.trim()
  const command = (...args: string[]): string[] => ['podman', ...PODMAN, 'exec', '-i', id, ...args]
  const machine: Machine = {
    command,
    run: async (...args) => {
      const [file = '', ...rest] = command(...args)
      return (await run(file, rest, { timeout: 180_000, maxBuffer: 10_000_000 })).stdout
    },
    dispose: async () => {
      const remove = [...PODMAN, 'rm', '--force', '--ignore', '--time', '1', id]
      // One that ends by itself at that moment is of no state that podman 4.3 can stop, and is removed a moment later.
      await run('podman', remove).catch(() => run('podman', remove))
    },
  }
  // "degraded" where a unit of Debian cannot do its work in a container.
  await machine.run(
    'sh',
    '-c',
    'until [ -S /run/dbus/system_bus_socket ]; do sleep 0.1; done; systemctl is-system-running --wait || true',
  )
  return machine
}

async function ensureImage(kind: Kind): Promise<void> {
  const known = await run('podman', [...PODMAN, 'image', 'exists', kind.name]).catch(() => null)
  if (known !== null) return
  const root = await rootOf(kind)
  const { stdout } = await run('buildah', [...storage, 'from', 'scratch'])
  const container = stdout.trim()
  await run('buildah', [...storage, 'add', '--quiet', container, root, '/'])
  await run('buildah', [...storage, 'config', '--cmd', '/sbin/init', '--stop-signal', 'SIGRTMIN+3', container])
  await run('buildah', [...storage, 'commit', '--quiet', container, kind.name])
  await run('buildah', [...storage, 'rm', container])
}

/** The folder with all files of such a machine. */
async function rootOf({ name, more }: Kind): Promise<string> {
  const root = path.join(cache, more.length === 0 ? 'root' : name)
  if (existsSync(root)) return root
  await mkdir(cache, { recursive: true })
  const fresh = `${root}.new`
  await rm(fresh, { recursive: true, force: true })
  if (more.length === 0) {
    const { stdout } = await run('apt-get', ['indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages'])
    const mirror = stdout.split('\n').find((url) => /\/debian\/?$/.test(url)) ?? 'http://deb.debian.org/debian'
    await run('debootstrap', ['--variant=minbase', `--include=${PACKAGES}`, 'bookworm', fresh, mirror])
  } else {
    await run('cp', ['-a', await rootOf(plain), fresh])
    const apt = ['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-qq']
    await run('chroot', [fresh, ...apt, 'update'])
    const install = [...apt, 'install', '--yes', '--no-install-recommends', ...more]
    await run('chroot', [fresh, ...install], { maxBuffer: 10_000_000 })
  }
  await rename(fresh, root)
  return root
}
