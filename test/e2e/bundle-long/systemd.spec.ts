import { execFile } from 'node:child_process'
import { realpathSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from '@playwright/test'
import { until } from '../bundle/deployment.ts'
import { bootMachine, type Machine } from './container.ts'
import { openProofs } from './proofs.ts'
import { timeRollbacks } from './rollbacks.ts'
import { described, LOAD_PROGRAM, underLoad } from './under-load.ts'

/** A bundle that its own scripts deploy on a machine with the real systemd and nginx. */
const run = promisify(execFile)
const repository = path.resolve(import.meta.dirname, '../../..')
const DOMAIN = 'hub.test'
const UNIT = 'mcp-hub@3000.service'
const server = '/srv/node_modules/@modelcontextprotocol/server-everything/dist/index.js'

const proofs = openProofs('systemd')
let folder: string
let machine: Machine
test.describe.configure({ mode: 'serial' })

test.beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'mcp-hub-systemd-'))
  for (const [name, level] of [
    ['one', 'info'],
    ['two', 'debug'],
  ] as const) {
    const source = path.join(folder, `source-${name}`)
    await mkdir(source)
    await writeFile(
      path.join(source, 'servers.json'),
      JSON.stringify({ mcpServers: { everything: { command: 'node', args: [server] } } }),
    )
    await run(process.execPath, [
      path.join(repository, 'dist/hub/cli.js'),
      ...['publish', '--mode', 'systemd', '--domain', DOMAIN, '--log-level', level],
      ...['--config', source, '--out', path.join(folder, name)],
    ])
  }
  machine = await bootMachine({
    '/bundles': folder,
    '/srv/node_modules': realpathSync(path.join(repository, 'node_modules')),
    '/srv/load.ts': LOAD_PROGRAM,
    '/srv/hang.ts': path.join(import.meta.dirname, 'hang.ts'),
    '/usr/local/bin/node': process.execPath,
  })
})
test.afterAll(async () => {
  await proofs.write()
  await machine.dispose()
  await rm(folder, { recursive: true, force: true })
})

async function show(property: string, unit = UNIT): Promise<string> {
  return (await machine.run('systemctl', 'show', '--value', '--property', property, unit)).trim()
}

async function ready(): Promise<boolean> {
  return machine.run('curl', '-fsS', '--max-time', '5', 'http://127.0.0.1:3000/health/ready').then(
    () => true,
    () => false,
  )
}

test('a first deploy ends with a hub that does what people and clients do', async () => {
  const begun = performance.now()
  expect(await machine.run('bash', '/bundles/one/ops/deploy.sh')).toContain('MCP in both eras')
  proofs.note('first deploy, with its smoke test', seconds(performance.now() - begun))
  expect(await show('Type')).toBe('notify')
  expect(await show('UnitFileState', 'mcp-hub.target')).toBe('enabled')
})

test('the hub and its servers are shut in', async () => {
  const score = await machine.run('systemd-analyze', 'security', '--no-pager', UNIT)
  const exposure = Number(/exposure level for \S+: ([\d.]+)/.exec(score)?.[1])
  expect(exposure).toBeLessThanOrEqual(2)
  const pids = (await machine.run('pgrep', '-u', 'mcp-hub')).trim().split('\n')
  // The hub, and the server that it started.
  expect(pids.length).toBeGreaterThanOrEqual(2)
  for (const pid of pids) {
    const status = await machine.run('cat', `/proc/${pid}/status`)
    expect(status).toMatch(/^CapEff:\s+0{16}$/m)
    expect(status).toMatch(/^NoNewPrivs:\s+1$/m)
    expect(status).toMatch(/^Seccomp:\s+2$/m)
    // Through the eyes of the process, even root cannot write there.
    for (const place of ['/opt/mcp-hub/current', '/opt/mcp-hub/tls', '/etc', '/usr', '/root'])
      await expect(machine.run('touch', `/proc/${pid}/root${place}/x`)).rejects.toThrow(/Read-only file system/)
    await machine.run('touch', `/proc/${pid}/root/opt/mcp-hub/data/x`)
  }
  const environments = await machine.run('sh', '-c', `cat /proc/$(systemctl show --value -p MainPID ${UNIT})/environ`)
  expect(environments).not.toContain('JWT_SECRET')
  proofs.note('systemd-analyze security, of the running unit', `${exposure} of 10`)
  proofs.note(
    'hub and its server',
    'no capability, NoNewPrivs, seccomp; /opt/mcp-hub/current, tls, /etc, /usr, /root read-only',
  )
})

test('the timers do their work in the same sandbox', async () => {
  await machine.run('systemctl', 'start', 'mcp-hub-backup.service')
  expect(await machine.run('ls', '/opt/mcp-hub/backups')).toMatch(/mcp-hub-\d+T\d+Z\.tar/)
  await machine.run('systemctl', 'start', 'mcp-hub-doctor.service')
  expect(await machine.run('journalctl', '-o', 'cat', '-u', 'mcp-hub-doctor.service')).toContain('everything: works')
  const timers = await machine.run('systemctl', 'list-timers', '--no-legend', 'mcp-hub-*')
  expect(timers.trim().split('\n')).toHaveLength(3)
})

test('restarting the hub under load drops no request', async () => {
  const command = machine.command('node', '/srv/load.ts', '--port', '443', '--name', DOMAIN)
  const pids = new Set([await show('MainPID')])
  const result = await underLoad(command, 5, async () => {
    await machine.run('systemctl', 'restart', UNIT)
    pids.add(await show('MainPID'))
  })
  proofs.note(
    'systemctl restart of one hub behind nginx, 50 clients that keep their connections, half POST',
    described(result),
  )
  expect(result.dropped).toEqual({})
  expect(pids.size).toBe(result.disturbed + 1)
})

test('an upgrade and the way back under load cost a client one kept connection at most', async () => {
  // Not /mcp: the smoke test of a deploy comes from the same address, whose tries without a token are counted.
  const command = machine.command('node', '/srv/load.ts', '--port', '443', '--name', DOMAIN, '--post', '/health')
  const releases = ['two', 'one']
  const took: number[] = []
  const result = await underLoad(command, 4, async () => {
    const to = releases.shift()
    if (to !== undefined) await machine.run('bash', `/bundles/${to}/ops/deploy.sh`)
    else {
      const begun = performance.now()
      await machine.run('bash', '/opt/mcp-hub/current/ops/rollback.sh')
      took.push(performance.now() - begun)
    }
  })
  proofs.note('upgrade, upgrade, and then rollbacks', described(result))
  if (took.length > 0) proofs.note('ops/rollback.sh under the same load', seconds(Math.max(...took)))
  // Where the site differs nginx reads it again: a connection that a client uses at that very moment is reset.
  const { 'GET ECONNRESET': get = 0, 'POST ECONNRESET': post = 0, ...others } = result.dropped
  expect(others).toEqual({})
  expect(get + post).toBeLessThan(result.requests / 1_000)
})

test('the release before is back soon where nobody asks', async () => {
  const current = (): Promise<string> => machine.run('readlink', '-f', '/opt/mcp-hub/current')
  const measured = await timeRollbacks(async () => {
    const before = await current()
    await machine.run('bash', '/opt/mcp-hub/current/ops/rollback.sh')
    expect(await current()).not.toBe(before)
  })
  proofs.note('ops/rollback.sh of an idle hub, to its very end', measured)
})

test('a hub that is killed is there again for the next request', async () => {
  const pid = await show('MainPID')
  await machine.run('kill', '-9', pid)
  const begun = performance.now()
  // Nothing is refused meanwhile: the request waits in the socket.
  expect(await ready()).toBe(true)
  proofs.note('kill -9: the next request is answered after', seconds(performance.now() - begun))
  expect(await show('MainPID')).not.toBe(pid)
})

test('a hub that stands still is ended and started again', async () => {
  // Otherwise as published; a minute is long for a test.
  const dropIn = `/etc/systemd/system/mcp-hub@.service.d`
  await machine.run(
    'sh',
    '-c',
    `mkdir -p ${dropIn} && printf '[Service]\\nWatchdogSec=6\\n' > ${dropIn}/test.conf && systemctl daemon-reload`,
  )
  await machine.run('systemctl', 'restart', UNIT)
  const pid = await show('MainPID')
  const restarts = Number(await show('NRestarts'))
  await machine.run('node', '/srv/hang.ts', pid)
  const begun = performance.now()
  expect(await ready()).toBe(false)
  await until(async () => (await show('MainPID')) !== pid && (await ready()), 60_000)
  proofs.note('an endless loop, with WatchdogSec=6: serves again after', seconds(performance.now() - begun))
  expect(Number(await show('NRestarts'))).toBe(restarts + 1)
  expect(await machine.run('journalctl', '-o', 'cat', '-u', UNIT)).toContain('Watchdog timeout')
})

test('a broken configuration is not tried for ever', async () => {
  await machine.run('sh', '-c', 'echo "{" > /opt/mcp-hub/config/system.json')
  await expect(machine.run('systemctl', 'restart', UNIT)).rejects.toThrow()
  expect(await show('ExecMainStatus')).toBe('78')
  expect(await show('ActiveState')).toBe('failed')
  const journal = await machine.run('journalctl', '-o', 'cat', '-u', UNIT, '-n', '30')
  expect(journal).toContain('system.json')
  await machine.run(
    'cp',
    '--no-preserve=all',
    '/opt/mcp-hub/current/config/system.json',
    '/opt/mcp-hub/config/system.json',
  )
  await machine.run('systemctl', 'reset-failed', 'mcp-hub@*')
  await machine.run('systemctl', 'start', 'mcp-hub@3000.socket', UNIT)
  expect(await ready()).toBe(true)
})

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`
}
