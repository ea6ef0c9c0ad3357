import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, copyFile, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { cache, run } from './images.ts'
import type { Network } from './network.ts'

/** A Docker Engine in a network of its own, with its own storage: nothing of the machine's own Docker is touched. */
export interface Engine {
  docker: (...args: string[]) => Promise<string>
  /** For a program that calls docker itself. */
  environment: Record<string, string>
  dispose: () => Promise<void>
}

/** Debian's packages, unpacked beside the tests: installing docker.io would start it. Compose is only in the newest release. */
async function fetchEngine(): Promise<string> {
  const folder = path.join(cache, 'engine')
  if (existsSync(folder)) return folder
  const fresh = `${folder}.new`
  const packages = path.join(fresh, 'packages')
  await rm(fresh, { recursive: true, force: true })
  await mkdir(path.join(fresh, 'lists/partial'), { recursive: true })
  await mkdir(packages)
  await run('apt-get', ['download', 'docker.io', 'containerd', 'tini'], packages)
  const list = path.join(fresh, 'sid.list')
  const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg'
  await writeFile(list, `deb [signed-by=${keyring}] http://deb.debian.org/debian sid main\n`)
  const sid = [`Dir::Etc::sourcelist=${list}`, 'Dir::Etc::sourceparts=/dev/null', `Dir::State::lists=${fresh}/lists`]
  const options = [...sid, 'Acquire::Check-Valid-Until=false'].flatMap((option) => ['-o', option])
  await run('apt-get', [...options, 'update', '-qq'], packages)
  await run('apt-get', [...options, 'download', 'docker-compose'], packages)
  for (const file of await readdir(packages)) await run('dpkg', ['-x', file, path.join(fresh, 'root')], packages)
  const plugins = path.join(fresh, 'client/cli-plugins')
  await mkdir(plugins, { recursive: true })
  await copyFile(
    path.join(fresh, 'root/usr/libexec/docker/cli-plugins/docker-compose'),
    path.join(plugins, 'docker-compose'),
  )
  await chmod(path.join(plugins, 'docker-compose'), 0o755)
  await writeFile(path.join(fresh, 'client/config.json'), '{}')
  await rename(fresh, folder)
  return folder
}

export async function startEngine(network: Network): Promise<Engine> {
  const files = await fetchEngine()
  const work = await mkdtemp(path.join(os.tmpdir(), 'mcp-hub-engine-'))
  const at = (name: string): string => path.join(work, name)
  const bin = ['usr/bin', 'usr/sbin'].map((folder) => path.join(files, 'root', folder)).join(path.delimiter)
  const environment = {
    PATH: `${bin}${path.delimiter}${process.env['PATH'] ?? ''}`,
    DOCKER_HOST: `unix://${at('docker.sock')}`,
    DOCKER_CONFIG: path.join(files, 'client'),
  }
  await writeFile(
    at('containerd.toml'),
    `version = 2
root = "${at('containerd')}"
state = "${at('containerd-state')}"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "${at('containerd.sock')}"
`,
  )
  await writeFile(
    at('daemon.json'),
    JSON.stringify({
      hosts: [environment.DOCKER_HOST],
      containerd: at('containerd.sock'),
      'data-root': at('data'),
      'exec-root': at('exec'),
      pidfile: at('docker.pid'),
      'storage-driver': 'overlay2',
      'init-path': path.join(files, 'root/usr/bin/tini-static'),
      'default-ulimits': { nofile: { Name: 'nofile', Soft: 16_384, Hard: 16_384 } },
    }),
  )
  // What else this machine has to do is not what is measured.
  const start = (command: string, ...args: string[]): ChildProcess => {
    const [file, all] = network.enter('nice', '-n', '-10', command, ...args)
    return spawn(file, all, { env: { ...process.env, ...environment }, stdio: 'ignore' })
  }
  const docker = (...args: string[]): Promise<string> => run('docker', args, work, environment)
  const containerd = start('containerd', '--config', at('containerd.toml'))
  await until(() => existsSync(at('containerd.sock')))
  const dockerd = start('dockerd', '--config-file', at('daemon.json'))
  await until(() => docker('info').then(Boolean, () => false))
  return {
    docker,
    environment,
    async dispose() {
      await end(dockerd)
      await end(containerd)
      await rm(work, { recursive: true, force: true })
    },
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  await ended
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('The engine did not start in time')
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}
