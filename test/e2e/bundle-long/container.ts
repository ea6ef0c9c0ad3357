import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { cache as kept } from './images.ts'

const run = promisify(execFile)
/** Kept from run to run: making a Debian takes a minute. podman remembers where its store is, and takes no long path. */
const cache = path.join(kept, 'machine')
const IMAGE = 'mcp-hub-test-debian'
const PACKAGES = 'systemd,systemd-sysv,dbus,nginx-light,openssl,curl,procps,iproute2'

/** Images and containers of our own, that nobody else sees. Of the runtimes, runc is the one that takes cgroups of both versions. */
const storage = ['--root', `${cache}/storage`, '--runroot', `${cache}/run`, '--storage-driver', 'overlay']
const PODMAN = ['--cgroup-manager', 'cgroupfs', '--events-backend', 'file', '--runtime', '/usr/sbin/runc', ...storage]

/** A machine with Debian 12 and systemd that nothing outside reaches, and that reaches nothing. */
export interface Machine {
  /** What a command prints; rejects with what it said when it fails. */
  run: (...command: string[]) => Promise<string>
  /** The command that runs another one there, for whoever starts it. */
  command: (...command: string[]) => string[]
  dispose: () => Promise<void>
}

/** Boots one. `mounts` are folders and files of this machine, read-only, by where they are there. */
export async function bootMachine(mounts: Readonly<Record<string, string>>): Promise<Machine> {
  await ensureImage()
  const volumes = Object.entries(mounts).flatMap(([to, from]) => ['-v', `${from}:${to}:ro`])
  const { stdout } = await run('podman', [
    ...PODMAN,
    ...['run', '-d', '--rm', '--systemd=always', '--network', 'none'],
    // systemd makes namespaces for the sandboxes; root looks into processes of others, as it may on a machine.
    ...['--cap-add', 'SYS_ADMIN', '--cap-add', 'SYS_PTRACE', '--security-opt', 'seccomp=unconfined'],
    ...['--ulimit', 'nofile=20000:20000', '--ulimit', 'nproc=4096:4096', ...volumes, IMAGE, '/sbin/init'],
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
      await run('podman', [...PODMAN, 'rm', '--force', '--time', '1', id])
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

async function ensureImage(): Promise<void> {
  const known = await run('podman', [...PODMAN, 'image', 'exists', IMAGE]).catch(() => null)
  if (known !== null) return
  const root = path.join(cache, 'root')
  if (!existsSync(root)) {
    await mkdir(cache, { recursive: true })
    const { stdout } = await run('apt-get', ['indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages'])
    const mirror = stdout.split('\n').find((url) => /\/debian\/?$/.test(url)) ?? 'http://deb.debian.org/debian'
    await rm(`${root}.new`, { recursive: true, force: true })
    await run('debootstrap', ['--variant=minbase', `--include=${PACKAGES}`, 'bookworm', `${root}.new`, mirror])
    await rename(`${root}.new`, root)
  }
  const { stdout } = await run('buildah', [...storage, 'from', 'scratch'])
  const container = stdout.trim()
  await run('buildah', [...storage, 'add', '--quiet', container, root, '/'])
  await run('buildah', [...storage, 'config', '--cmd', '/sbin/init', '--stop-signal', 'SIGRTMIN+3', container])
  await run('buildah', [...storage, 'commit', '--quiet', container, IMAGE])
  await run('buildah', [...storage, 'rm', container])
}
