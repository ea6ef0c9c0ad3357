import { spawn } from 'node:child_process'
import path from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { MARK_VARIABLE } from '../../hub/upstream/process/process-tree.ts'
import { createBrood, eventually, type Brood } from './chaos/processes.ts'

const watchdog = path.resolve('hub/upstream/process/watchdog.ts')
let brood: Brood
afterEach(() => brood.end())

/** A process that starts a watchdog, a server that only SIGKILL ends, in a session of its own, and one that is not its. */
function startHub(): { kill: () => void } {
  const program = `
    import { spawn } from 'node:child_process'
    import { startWatchdog } from ${JSON.stringify(watchdog)}
    startWatchdog('folder.1.2.')
    const start = (mark) =>
      spawn('/bin/sh', ['-c', 'trap "" TERM HUP; while :; do sleep 1; done', mark], {
        detached: true,
        stdio: 'ignore',
        env: { ...process.env, ${MARK_VARIABLE}: mark },
      })
    start('folder.1.2.1')
    start('folder.1.22.1')
    setInterval(() => {}, 1000)
  `
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    env: { PATH: process.env['PATH'] ?? '', ...brood.env },
    stdio: 'inherit',
  })
  return { kill: () => child.kill('SIGKILL') }
}
const shells = (): string[] =>
  brood
    .living()
    .map(({ command }) => /while :; do sleep 1; done (\S+)/.exec(command)?.[1])
    .filter((mark) => mark !== undefined)
    .toSorted()

it('a hub that is killed takes its servers with it, and nothing else', async () => {
  brood = createBrood()
  const hub = startHub()
  await eventually('both run', 10_000, () => (shells().length === 2 ? true : null))
  hub.kill()
  await eventually('its server has ended', 5_000, () => (shells().includes('folder.1.2.1') ? null : true))
  expect(shells()).toEqual(['folder.1.22.1'])
})
