import { execFile } from 'node:child_process'
import { cp, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
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
    nginx: `exec '${machine.env['NGINX']}' "$@"`,
    // All that the hook of certbot asks of it.
    systemctl: `[ "$*" = 'reload nginx' ] && exec '${machine.env['NGINX']}' -s reload`,
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

  const onMachine = (commands: string): string =>
    commands
      .replaceAll('/opt/mcp-hub', root)
      .replaceAll('/etc/cron.d', machine.env['CRON_DIR'] ?? '')
      .replaceAll('3000', String(basePort))
  const bash = (commands: string, more: Record<string, string> = {}) =>
    run('bash', ['--norc', '-euo', 'pipefail', '-c', commands], {
      cwd: folder,
      env: { ...env, ...more },
      timeout: 90_000,
    })

  const here = new Set<GuideBlock['place']>(['computer', 'target', 'pm2'])
  let published = 0
  let said = ''
  try {
    const blocks = await readGuide('DEPLOYMENT_GUIDE.md')
    for (const { place, commands, line } of blocks) {
      if (place === null || !here.has(place)) continue
      const there = onMachine(commands)
      if (place === 'computer') {
        // Each publish brings another configuration, as it would.
        published++
        const servers = { everything: { command: 'mcp-server-everything', env: { ROUND: String(published) } } }
        await writeFile(path.join(folder, 'config/servers.json'), JSON.stringify({ mcpServers: servers }))
      }
      const { stdout, stderr } = await bash(there).catch((error: unknown) => {
        throw new Error(`DEPLOYMENT_GUIDE.md:${line} failed`, { cause: error })
      })
      said += `${commands}\n${stdout}${stderr}`
      if (place === 'computer')
        // Stands for the copy to another machine.
        await cp(path.join(folder, 'bundle'), path.join(root, 'incoming/bundle'), { recursive: true, force: true })
    }
    expect(published).toBeGreaterThan(1)
    for (const words of ['Not done (--dry-run)', 'read back and found whole', 'auth.bcryptRounds', 'mcp_hub_', 'admin'])
      expect(said).toContain(words)
    expect(await readFile(path.join(machine.env['CRON_DIR'] ?? '', 'mcp-hub'), 'utf8')).toContain(
      `${root}/current/ops/restore-drill.sh`,
    )

    // As certbot runs it, once it has another certificate: the site shows that one from then on.
    const hook = blocks.map(({ commands }) => /--deploy-hook '([^']+)'/.exec(commands)?.[1]).find(Boolean) ?? ''
    const lineage = path.join(folder, 'renewed')
    await mkdir(lineage)
    const subject = '-subj /CN=hub.example.com -addext subjectAltName=DNS:hub.example.com'
    const files = `-keyout ${lineage}/privkey.pem -out ${lineage}/fullchain.pem`
    await bash(`openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 60 ${subject} ${files}`)
    await bash(onMachine(hook), { RENEWED_LINEAGE: lineage })
    // The certificate that curl trusts is the one in tls/, which the hook has replaced.
    await expect
      .poll(() => bash('curl --fail https://hub.example.com/health').then(() => 'answers', String), { timeout: 20_000 })
      .toBe('answers')
    const key = path.join(root, 'tls/privkey.pem')
    expect(await readFile(key, 'utf8')).toBe(await readFile(path.join(lineage, 'privkey.pem'), 'utf8'))
    expect((await stat(key)).mode & 0o777).toBe(0o600)
  } finally {
    await machine.dispose()
  }
})
