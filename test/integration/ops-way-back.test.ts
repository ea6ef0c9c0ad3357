import { existsSync } from 'node:fs'
import { mkdir, readlink, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { publishTo, variantOf } from '../fixtures/target-bundle.ts'
import { openMachine, type Machine } from '../fixtures/target-machine.ts'

/** What a deploy that fails leaves behind, where nothing or nothing sound was there to go back to. */

const MINUTE = 60_000
let machine: Machine
let bundle: string
const at = (...parts: string[]): string => path.join(machine.root, ...parts)
const SICK = {
  'hub/server.js': (text: string) => `process.exit(1)\n${text}`,
  'pm2/ecosystem.config.cjs': (text: string) => text.replace('listen_timeout: 20000', 'listen_timeout: 1000'),
}

beforeAll(async () => {
  machine = await openMachine()
  const { folder, env } = machine
  // A machine that serves other sites as well: as Debian's, its nginx reads what is in two folders.
  await mkdir(path.join(folder, 'sites-enabled'))
  const sites = `include ${folder}/conf.d/*.conf; include ${folder}/sites-enabled/*;`
  await writeFile(path.join(folder, 'main.conf'), `pid nginx.pid;\nevents {}\nhttp { access_log off; ${sites} }\n`)
  const start = `exec nginx -p '${folder}/nginx/' -e error.log -c '${folder}/main.conf' "$@"`
  await writeFile(env['NGINX'] ?? '', `#!/bin/sh\nPATH=$PATH:/usr/sbin\n${start}\n`, { mode: 0o755 })
  bundle = await variantOf(await publishTo(machine, 'bundle'), 'sound', {
    'nginx/mcp-hub.conf': (text) => text.replace('/var/log/nginx/', `${folder}/`),
  })
}, MINUTE)
afterAll(() => machine.dispose(), MINUTE)

describe('a first deploy that fails', () => {
  it.each([
    ['because nginx refuses its site', { 'nginx/mcp-hub.conf': (text: string) => `refused on;\n${text}` }],
    ['because its hub does not start', SICK],
  ])('%s leaves the nginx of the machine as it was', { timeout: MINUTE }, async (why, changes) => {
    const site = path.join(machine.folder, 'sites-enabled/default')
    if (!existsSync(site)) await symlink('../default.conf', site)
    await writeFile(path.join(machine.folder, 'default.conf'), 'server { listen 127.0.0.1:1; }\n')
    const bad = await variantOf(bundle, why.replaceAll(' ', '-'), changes)
    const result = await machine.ops(bad, 'deploy.sh')
    expect(result.code, result.stderr).toBe(75)
    expect(existsSync(at('current'))).toBe(false)
    expect(await machine.nginx('-t')).toContain('test is successful')
    expect(await readlink(site)).toBe('../default.conf')
  })
})
