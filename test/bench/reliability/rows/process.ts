import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Session } from '../../../../hub/contract/index.ts'
import { startBuiltHub } from '../../../fixtures/built-hub.ts'
import { temporaryFolder } from '../../../fixtures/built-program.ts'
import { fixtureServer } from '../../../fixtures/hub.ts'
import { PASSWORD, person } from '../../../fixtures/people.ts'
import { waitFor } from '../../../fixtures/wire.ts'
import type { Row } from '../row.ts'

const root = path.join(import.meta.dirname, '..', '..', '..', '..')
const HOUR = 3_600_000

const portInUse: Row = {
  id: 'R12',
  what: 'the port is taken',
  must: 'exit 98, naming who has it',
  run: async () => {
    const folder = await temporaryFolder()
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    try {
      const env = {
        PATH: process.env['PATH'] ?? '',
        PORT: String(port),
        CONFIG_DIR: folder.path,
        DATA_DIR: folder.path,
      }
      const child = spawn(process.execPath, [path.join(root, 'dist', 'hub', 'server.js')], { env })
      let said = ''
      child.stderr.on('data', (data: Buffer) => (said += data.toString()))
      const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
      const named = said.includes(`Port ${port} is in use by`) && said.includes(`(pid ${process.pid})`)
      return { measured: `exit ${code}; ${said.trim().split('\n').at(-1) ?? ''}`, pass: code === 98 && named }
    } finally {
      server.close()
      await folder.dispose()
    }
  },
}

/** CPU time that a process has used, in milliseconds. */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) * 10
}

const clockJumps: Row = {
  id: 'R13',
  what: 'the wall clock jumps an hour ahead, back, and back again',
  must: 'no busy loop, no restart; tokens end by the clock; a lockout lasts as long as it should',
  run: async ({ short }) => {
    const preload = pathToFileURL(path.join(root, 'test', 'fixtures', 'jumping-clock.ts')).href
    const hub = await startBuiltHub({
      servers: { echo: fixtureServer('echo.ts') },
      system: { auth: { bcryptRounds: 10 } },
      env: { NODE_OPTIONS: `--import ${preload}`, CLOCK_JUMPS: [HOUR, -HOUR, -HOUR].join(',') },
      prepare: async (folder) => {
        await writeFile(
          path.join(folder, 'config', 'users.json'),
          JSON.stringify({ users: [person('ann'), person('bob')] }),
        )
        return {}
      },
    })
    try {
      const login = (username: string, password: string) =>
        fetch(`${hub.url}/api/auth/login`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ username, password }),
        })
      const server = async () =>
        ((await (await hub.request('/api/servers')).json()) as { state: string; pid: number | null }[])[0]
      const { pid } = await waitFor(async () => {
        const found = await server()
        return found?.state === 'running' ? found : null
      }, 20_000)
      const faults: string[] = []
      const jump = async (): Promise<void> => {
        hub.child.kill('SIGWINCH')
        const window = short ? 500 : 3_000
        await new Promise((resolve) => setTimeout(resolve, 200))
        const before = cpuMs(hub.child.pid ?? 0)
        await new Promise((resolve) => setTimeout(resolve, window))
        const share = (cpuMs(hub.child.pid ?? 0) - before) / window
        if (share > 0.3) faults.push(`${Math.round(share * 100)} % CPU after a jump`)
      }
      const statusWith = async (token: string): Promise<number> =>
        (await hub.request('/api/hub', { headers: { authorization: `Bearer ${token}` } })).status
      const { accessToken = '' } = (await (await login('ann', PASSWORD)).json()) as Session
      if ((await statusWith(accessToken)) !== 200) faults.push('a new token is not taken')
      for (let n = 0; n < 6; n++) await (await login('bob', 'wrong')).arrayBuffer()
      await jump()
      if ((await login('bob', PASSWORD)).status !== 429) faults.push('the lockout ended early')
      if ((await statusWith(accessToken)) !== 401) faults.push('a token of an hour ago is taken')
      const later = (await (await login('ann', PASSWORD)).json()) as Session
      if ((await statusWith(later.accessToken ?? '')) !== 200) faults.push('no sign-in after the jump')
      await jump()
      if ((await login('bob', PASSWORD)).status !== 429) faults.push('the lockout ended early')
      await jump()
      if ((await login('bob', PASSWORD)).status !== 429) faults.push('the lockout ended early')
      if ((await login('ann', PASSWORD)).status !== 200) faults.push('no sign-in an hour ago')
      const now = await server()
      if (now?.pid !== pid || now.state !== 'running') faults.push('the server was restarted')
      return { measured: faults.length === 0 ? 'nothing of that' : faults.join('; '), pass: faults.length === 0 }
    } finally {
      await hub.end()
    }
  },
}

export const processRows: readonly Row[] = [portInUse, clockJumps]
