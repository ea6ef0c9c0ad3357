import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { HistoryPage } from '../../hub/contract/index.ts'
import { publishTo, variantOf } from '../fixtures/target-bundle.ts'
import { openMachine, type Machine } from '../fixtures/target-machine.ts'

/** What a deploy that fails leaves behind, where nothing or nothing sound was there to go back to. */

const MINUTE = 60_000
let machine: Machine
let bundle: string
/** The same on another port. */
let moved: string
const at = (...parts: string[]): string => path.join(machine.root, ...parts)
const SICK = {
  'hub/server.js': (text: string) => `process.exit(1)\n${text}`,
}

beforeAll(async () => {
  // With a second port that is free.
  machine = await openMachine({ instances: 2 })
  const { folder, env } = machine
  // A machine that serves other sites as well: as Debian's, its nginx reads what is in two folders.
  await mkdir(path.join(folder, 'sites-enabled'))
  const sites = `include ${folder}/conf.d/*.conf; include ${folder}/sites-enabled/*;`
  await writeFile(path.join(folder, 'main.conf'), `pid nginx.pid;\nevents {}\nhttp { access_log off; ${sites} }\n`)
  const start = `exec nginx -p '${folder}/nginx/' -e error.log -c '${folder}/main.conf' "$@"`
  await writeFile(env['NGINX'] ?? '', `#!/bin/sh\nPATH=$PATH:/usr/sbin\n${start}\n`, { mode: 0o755 })
  const ours = {
    'nginx/mcp-hub.conf': (text: string) => text.replace('/var/log/nginx/', `${folder}/`),
    'pm2/ecosystem.config.cjs': (text: string) => text.replace('listen_timeout: 20000', 'listen_timeout: 2000'),
  }
  bundle = await variantOf(await publishTo(machine, 'bundle'), 'sound', ours)
  moved = await variantOf(await publishTo(machine, 'other', {}, { basePort: machine.basePort + 1 }), 'moved', ours)
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

/** What the hub on a port has in its history. */
async function history(port: number): Promise<string[]> {
  const { MCP_HUB_TOKEN: token = '' } = await machine.environment()
  const headers = { authorization: `Bearer ${token}` }
  const answer = await fetch(`http://127.0.0.1:${port}/api/history?limit=500`, { headers })
  return ((await answer.json()) as HistoryPage).items.map(({ at, method }) => `${at} ${method}`)
}

it(
  'a deploy on another port has what the hub before had, and so has the backup before',
  { timeout: MINUTE },
  async () => {
    const [before, after] = [machine.basePort, machine.basePort + 1]
    expect(await machine.ops(bundle, 'deploy.sh')).toMatchObject({ code: 0 })
    await expect.poll(() => history(before)).not.toEqual([])
    const had = await history(before)
    const result = await machine.ops(moved, 'deploy.sh')
    expect(result.code, result.stderr).toBe(0)
    expect(await history(after)).toEqual(expect.arrayContaining(had))
    const list = (hub: number): string =>
      execFileSync('sh', ['-c', `tar -xOf '${at('backups/latest')}' hub-${hub}.tar.gz | tar -tz`], { encoding: 'utf8' })
    expect(list(before)).toContain('data/history.db')
    expect(await machine.ops(moved, 'backup.sh')).toMatchObject({ code: 0 })
    expect(list(after)).toContain('data/history.db')

    await expect.poll(async () => (await history(after)).length).toBeGreaterThan(had.length)
    const all = await history(after)
    expect(await machine.ops(moved, 'rollback.sh')).toMatchObject({ code: 0 })
    expect(await history(before)).toEqual(expect.arrayContaining(all))
  },
)

it(
  'a deploy that fails where the release before fails as well says that, and ends with 76',
  { timeout: MINUTE },
  async () => {
    const server = at('current/hub/server.js')
    await writeFile(server, SICK['hub/server.js'](await readFile(server, 'utf8')))
    const result = await machine.ops(await variantOf(bundle, 'sick', SICK), 'deploy.sh', [], { MCP_HUB_STEPS: 'json' })
    expect(result.code, result.stderr).toBe(76)
    expect(result.stdout).toContain(
      '"step":"rollback","state":"failed","message":"sound was put back, but is not healthy',
    )
    // And by hand, from one to the other.
    const back = await machine.ops(bundle, 'rollback.sh', ['sick'])
    expect(back, back.stderr).toMatchObject({ code: 76 })
  },
)
