import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { connectionSchema, targetSchema, type RunResult, type ServerConfig } from '../../hub/contract/index.ts'
import { createPublisher } from '../../hub/publish/index.ts'
import { createPushService, type Asked, type PushService } from '../../hub/publish/push/index.ts'
import { makeKey, startSshd, type Sshd } from '../fixtures/sshd.ts'
import { openMachine, type Machine } from '../fixtures/target-machine.ts'

const MINUTE = 60_000
const disabled = (host: string): ServerConfig => ({ url: `https://${host}.example.com/mcp`, hub: { enabled: false } })

let machine: Machine
let sshd: Sshd
let service: PushService
let key: string
let servers: Record<string, ServerConfig> = { one: disabled('one') }

beforeAll(async () => {
  machine = await openMachine()
  key = makeKey(machine.folder, 'user_key')
  sshd = await startSshd(machine.folder, { keys: [key], env: machine.env })
  service = createPushService({
    folder: path.join(machine.folder, 'here'),
    publisher: createPublisher({
      loadServers: () => ({ mcpServers: servers }),
      loadSystem: () => ({}),
      distDir: path.resolve(import.meta.dirname, '../../dist'),
      version: '1.0.0',
    }),
    version: '1.0.0',
    otherKnownHosts: [],
  })
}, MINUTE)
afterAll(async () => {
  await sshd.close()
  await machine.dispose()
}, MINUTE)

async function run(operation: Asked['operation']): Promise<{ result: RunResult; log: string }> {
  const { root, httpPort, httpsPort, basePort } = machine
  const lines: unknown[] = []
  const result = await service.run({
    operation,
    name: 'machine',
    stored: {
      target: targetSchema.parse({
        ...{ domain: 'hub.test', installDir: root, listenAddress: '127.0.0.1' },
        ...{ httpPort, httpsPort, basePort },
      }),
      connection: connectionSchema.parse({
        ...{ host: sshd.host, port: sshd.port, user: sshd.user },
        signIn: { method: 'key', file: key },
      }),
    },
    by: 'tester',
    tell: (event) => lines.push(event),
    signal: new AbortController().signal,
    answer: () => Promise.resolve({ yes: true }),
  })
  return { result, log: JSON.stringify([lines, result], null, 1) }
}

async function runningServers(): Promise<string[]> {
  const { MCP_HUB_TOKEN: token } = await machine.environment()
  const headers = { authorization: `Bearer ${token ?? ''}` }
  const answer = await fetch(`http://127.0.0.1:${machine.basePort}/api/servers`, { headers })
  return ((await answer.json()) as { name: string }[]).map(({ name }) => name).sort()
}

it(
  'a real hub is installed, upgraded, verified and put back over SSH, by the scripts of the bundle',
  { timeout: 4 * MINUTE },
  async () => {
    const first = await run('push')
    expect(first.result, first.log).toMatchObject({ outcome: 'done', problem: null })
    expect(await runningServers()).toEqual(['one'])

    servers = { ...servers, two: disabled('two') }
    const second = await run('push')
    expect(second.result, second.log).toMatchObject({
      outcome: 'done',
      plan: { configChanged: [], inUse: first.result.inUse },
    })
    expect(second.result.plan?.comparison.meanings.map(({ code, subject }) => [code, subject])).toEqual([
      ['server-added', 'two'],
    ])
    expect(await runningServers()).toEqual(['one', 'two'])

    const verified = await run('verify')
    expect(
      verified.result.verifications?.map(({ name, outcome }) => `${name} ${outcome}`),
      verified.log,
    ).toEqual([
      ...['release passed', 'version passed', 'requirements passed', 'configuration passed', 'smoke passed'],
      // It signed one for itself, until somebody gets another.
      'certificate warning',
    ])

    const back = await run('rollback')
    expect(back.result, back.log).toMatchObject({ outcome: 'done', inUse: first.result.inUse })
    expect(await runningServers()).toEqual(['one'])

    const everything = [first, second, verified, back].map(({ log }) => log).join('')
    for (const [name, value] of Object.entries(await machine.environment()))
      expect(value === '' || !everything.includes(value), name).toBe(true)
    expect(await readdir(path.join(machine.root, 'incoming'))).toEqual([])
  },
)
