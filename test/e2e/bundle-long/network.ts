import { execFile, spawn, type ChildProcess } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A network of its own, with one address that this machine reaches; nothing in it is seen by anybody else. */
export interface Network {
  /** For `--network ns:…` and `nsenter --net=…`. */
  file: string
  address: string
  /** Answers every question for a name with an address, at the place where containers look for it. */
  answerNames: (place: string, address: string) => Promise<void>
  enter: (command: string, ...args: string[]) => [string, string[]]
  dispose: () => Promise<void>
}

export async function createNetwork(): Promise<Network> {
  const name = `mcphub-${process.pid}`
  const [outside, inside] = [`mho${process.pid}`, `mhi${process.pid}`]
  // Four addresses of their own for each process: another run on this machine has other ones.
  const block = process.pid % 16_384
  const at = (place: number): string => `10.231.${block >> 6}.${(block & 63) * 4 + place}`
  const ip = (...args: string[]): Promise<unknown> => run('ip', args)
  await ip('netns', 'add', name)
  await ip('link', 'add', outside, 'type', 'veth', 'peer', 'name', inside, 'netns', name)
  await ip('addr', 'add', `${at(1)}/30`, 'dev', outside)
  await ip('link', 'set', outside, 'up')
  for (const args of [
    ['addr', 'add', `${at(2)}/30`, 'dev', inside],
    ['link', 'set', inside, 'up'],
    ['link', 'set', 'lo', 'up'],
  ])
    await ip('-n', name, ...args)
  const file = `/var/run/netns/${name}`
  // Not `ip netns exec`: it mounts /sys anew, and hides the control groups.
  const enter = (command: string, ...args: string[]): [string, string[]] => [
    'nsenter',
    [`--net=${file}`, command, ...args],
  ]
  const helpers: ChildProcess[] = []

  return {
    file,
    address: at(2),
    enter,
    async answerNames(place, address) {
      const [command, args] = enter(process.execPath, path.join(import.meta.dirname, 'name-server.ts'), place, address)
      const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
      helpers.push(child)
      await new Promise((resolve, reject) => {
        child.stdout.once('data', resolve)
        child.once('exit', () => reject(new Error('The name server ended')))
      })
    },
    async dispose() {
      for (const child of helpers) child.kill()
      await ip('netns', 'del', name)
    },
  }
}
