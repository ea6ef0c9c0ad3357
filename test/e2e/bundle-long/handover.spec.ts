import { execFile } from 'node:child_process'
import { realpathSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from '@playwright/test'
import { anotherRelease } from '../../fixtures/another-release.ts'
import { bootMachine, type Machine } from './container.ts'

/** A machine whose hubs PM2 runs gets a bundle for systemd, with the real ones of both. */
const run = promisify(execFile)
const repository = path.resolve(import.meta.dirname, '../../..')

let folder: string
let machine: Machine
test.describe.configure({ mode: 'serial' })

test.beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'mcp-hub-handover-'))
  const source = path.join(folder, 'source')
  await mkdir(source)
  await writeFile(path.join(source, 'servers.json'), '{ "mcpServers": {} }')
  for (const mode of ['pm2', 'systemd'])
    await run(process.execPath, [
      path.join(repository, 'dist/hub/cli.js'),
      ...['publish', '--mode', mode, '--domain', 'hub.test', '--config', source, '--out', path.join(folder, mode)],
    ])
  await anotherRelease(path.join(folder, 'systemd'), 'sick', {
    'hub/server.js': (text) => `process.exit(1)\n${text}`,
  })
  await writeFile(path.join(folder, 'pm2.sh'), '#!/bin/sh\nexec node /srv/pm2/bin/pm2 "$@"\n', { mode: 0o755 })
  machine = await bootMachine({
    '/bundles': folder,
    '/srv/pm2': realpathSync(path.join(repository, 'node_modules/.cache/pm2/node_modules/pm2')),
    '/srv/node_modules': realpathSync(path.join(repository, 'node_modules/.cache/pm2/node_modules')),
    '/usr/local/bin/pm2': path.join(folder, 'pm2.sh'),
    '/usr/local/bin/node': process.execPath,
  })
})
test.afterAll(async () => {
  await machine.dispose()
  await rm(folder, { recursive: true, force: true })
})

const deploy = (bundle: string): Promise<string> => machine.run('bash', `/bundles/${bundle}/ops/deploy.sh`)
/** What a command says, also when it says it by failing. */
const said = (...command: string[]): Promise<string> =>
  machine.run(...command).then(
    (text) => text.trim(),
    (error: unknown) => (error as { stdout: string }).stdout.trim(),
  )

/** Who runs the one hub, and what would start it at the next boot. */
async function state(): Promise<Record<string, string>> {
  const parents = await said(
    'sh',
    '-c',
    'for pid in $(pgrep -u mcp-hub -f hub/server.js); do ps -o args= -p $(ps -o ppid= -p $pid); done',
  )
  return {
    parents: parents.replace(/^.*PM2.*God Daemon.*$/gm, 'PM2').replace(/^.*init.*$/gm, 'systemd'),
    ready: await said(
      'curl',
      '-fsS',
      '--max-time',
      '10',
      '-o',
      '/dev/null',
      '-w',
      '%{http_code}',
      'http://127.0.0.1:3000/health/ready',
    ),
    target: await said('systemctl', 'is-enabled', 'mcp-hub.target'),
    pm2: await said('systemctl', 'is-enabled', 'pm2-mcp-hub.service'),
    timers: await said('systemctl', 'list-timers', '--no-legend', 'mcp-hub-*').then((text) =>
      text === '' ? 'none' : 'some',
    ),
    crontab: await said('sh', '-c', 'test -e /etc/cron.d/mcp-hub && echo there || echo none'),
    list: await said('sh', '-c', 'test -e /opt/mcp-hub/data/.pm2/dump.pm2 && echo there || echo none'),
  }
}

const byPm2 = { parents: 'PM2', ready: '200', pm2: 'enabled', timers: 'none', list: 'there' }
const bySystemd = { parents: 'systemd', ready: '200', target: 'enabled', timers: 'some', crontab: 'none', list: 'none' }

test('PM2 runs the hub at first', async () => {
  await machine.run('mkdir', '-p', '/etc/cron.d')
  await deploy('pm2')
  expect(await state()).toMatchObject({ ...byPm2, crontab: 'there' })
})

test('PM2 has it again when it does not become healthy under systemd', async () => {
  await expect(deploy('sick')).rejects.toMatchObject({ code: 75 })
  expect(await state()).toMatchObject({ ...byPm2, crontab: 'there' })
})

test('systemd takes it over, and PM2 starts it no more', async () => {
  await deploy('systemd')
  const now = await state()
  expect(now).toMatchObject(bySystemd)
  expect(now['pm2']).not.toBe('enabled')
})

test('the way back leads to PM2', async () => {
  await machine.run('bash', '/opt/mcp-hub/current/ops/rollback.sh')
  const now = await state()
  expect(now).toMatchObject({ ...byPm2, crontab: 'there' })
  expect(now['target']).not.toBe('enabled')
})
