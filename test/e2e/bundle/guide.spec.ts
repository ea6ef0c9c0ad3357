import { execFile } from 'node:child_process'
import { cp, mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from '@playwright/test'
import { openMachine } from '../../fixtures/target-machine.ts'
import { readGuide, type GuideBlock } from './guide.ts'

const run = promisify(execFile)
const cli = path.resolve(import.meta.dirname, '../../../dist/hub/cli.js')

test('both languages of the deployment guide have the same commands', async () => {
  const english = await readGuide('DEPLOYMENT_GUIDE.md')
  const chinese = await readGuide('DEPLOYMENT_GUIDE.zh-CN.md')
  const told = ({ place, reason, commands }: GuideBlock): object => ({ place, reason, commands })
  expect(chinese.map(told)).toEqual(english.map(told))
})

test('the commands of the deployment guide do what it says, one after the other', async () => {
  test.setTimeout(180_000)
  const machine = await openMachine()
  const { folder, root, httpPort, httpsPort, basePort } = machine
  await mkdir(path.join(folder, 'config'))
  await mkdir(root, { recursive: true })

  // What a person's machines have under these names: the command, root's rights, and a domain that leads to this target.
  const where = `--install-dir '${root}' --listen 127.0.0.1 --http-port ${httpPort} --https-port ${httpsPort} --base-port ${basePort}`
  const programs = {
    'mcp-hub': `if [ "$1" = publish ]; then set -- "$@" ${where}; fi; exec '${process.execPath}' '${cli}' "$@"`,
    sudo: 'while :; do case $1 in -u) shift 2 ;; -H) shift ;; *) break ;; esac; done; exec "$@"',
    pm2: `exec '${machine.env['PM2']}' "$@"`,
    curl: `exec /usr/bin/curl --cacert '${root}/tls/fullchain.pem' --connect-to hub.example.com:443:127.0.0.1:${httpsPort} "$@"`,
  }
  for (const [name, text] of Object.entries(programs))
    await writeFile(path.join(folder, 'bin', name), `#!/bin/sh\n${text}\n`, { mode: 0o755 })
  const env = {
    ...machine.env,
    CURL: '/usr/bin/curl',
    HOME: path.join(root, 'data'),
    PATH: `${path.join(folder, 'bin')}:${machine.env['PATH']}`,
  }

  let published = 0
  let said = ''
  try {
    for (const { place, commands, line } of await readGuide('DEPLOYMENT_GUIDE.md')) {
      if (place === null) continue
      const here = commands.replaceAll('/opt/mcp-hub', root).replaceAll('3000', String(basePort))
      if (place === 'computer') {
        // Each publish brings another configuration, as it would.
        published++
        const servers = { everything: { command: 'mcp-server-everything', env: { ROUND: String(published) } } }
        await writeFile(path.join(folder, 'config/servers.json'), JSON.stringify({ mcpServers: servers }))
      }
      const args = ['--norc', '-euo', 'pipefail', '-c', here]
      const { stdout, stderr } = await run('bash', args, { cwd: folder, env, timeout: 90_000 }).catch(
        (error: unknown) => {
          throw new Error(`DEPLOYMENT_GUIDE.md:${line} failed`, { cause: error })
        },
      )
      said += `${commands}\n${stdout}${stderr}`
      if (place === 'computer')
        // Stands for the copy to another machine.
        await cp(path.join(folder, 'bundle'), path.join(root, 'incoming/bundle'), { recursive: true, force: true })
    }
    expect(published).toBeGreaterThan(1)
    for (const words of ['Not done (--dry-run)', 'read back and found whole', 'auth.bcryptRounds', 'mcp_hub_', 'admin'])
      expect(said).toContain(words)
  } finally {
    await machine.dispose()
  }
})
