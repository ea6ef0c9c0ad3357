import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { ServerStatus } from '../../../hub/contract/index.ts'
import { signal } from '../../../hub/upstream/process/process-tree.ts'
import { temporaryFolder } from '../../fixtures/built-program.ts'
import { fixtureServer } from '../../fixtures/hub.ts'
import { startHubProcess, type HubProcess } from './hub-process.ts'
import { createBrood, eventually, residentBytes, type Brood } from './processes.ts'

/** `npm run chaos` runs the long form (docs/servers.md). */
const isLong = process.env['MCP_HUB_CHAOS'] === 'long'
const SERVERS = 20
const CHAOS_MS = isLong ? 180_000 : 30_000
/** So many servers are in trouble at once. */
const MAX_TROUBLED = 5
const FAULT_EVERY_MS = 700
const CALL_EVERY_MS = 250
const HUGE_BYTES = 50 * 1_048_576
const RECOVERY_MS = 60_000
const WARM_CALLS = 10

interface Server {
  name: string
  /** A fault has begun and the server is not known to work again. */
  troubled: boolean
  /** Counts its faults: a call that one fell into is excused. */
  faults: number
  calls: number
}

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let brood: Brood
let hub: HubProcess
beforeEach(async () => {
  folder = await temporaryFolder('mcp-hub-chaos-')
  brood = createBrood()
})
afterEach(async () => {
  brood.end()
  await folder.dispose()
})

async function connect(): Promise<Client> {
  const client = new Client({ name: 'chaos', version: '1' })
  await client.connect(
    new StreamableHTTPClientTransport(new URL(`${hub.url}/mcp`), { requestInit: { headers: hub.headers } }),
  )
  return client
}

async function echo(client: Client, { name }: Server, said: string): Promise<void> {
  const answer = await client.callTool({ name: `${name}__echo`, arguments: { text: said } })
  expect(answer.content).toEqual([{ type: 'text', text: said }])
}

/** What a fault of each kind does to a server. A tool that does not answer is not waited for. */
function faultsOn(client: Client): Record<string, (server: Server, pid: number) => void> {
  const tool =
    (name: string, args: object = {}) =>
    (server: Server) => {
      client.callTool({ name: `${server.name}__${name}`, arguments: { ...args } }).catch(() => undefined)
    }
  return {
    SIGKILL: (_server, pid) => signal(pid, 'SIGKILL'),
    SIGSTOP: (_server, pid) => signal(pid, 'SIGSTOP'),
    hang: tool('hang'),
    'flood of stderr': tool('flood', { ms: 3_000 }),
    'garbage on stdout': tool('garbage', { ms: 3_000 }),
    '50 MB line': tool('huge', { bytes: HUGE_BYTES }),
    'exit on probe': tool('die-on-ping'),
    'fork of grandchildren': tool('fork'),
  }
}

it(
  `${SERVERS} servers in chaos for ${CHAOS_MS / 1_000} s: nobody else’s call fails, memory stays, and no process is left`,
  async () => {
    const entry = {
      ...fixtureServer('chaos.ts'),
      env: brood.env,
      hub: {
        healthCheckIntervalMs: 1_500,
        healthCheckTimeoutMs: 4_000,
        healthCheckMisses: 1,
        callTimeoutMs: 6_000,
        maxStartAttempts: 1_000,
      },
    }
    const servers: Server[] = Array.from({ length: SERVERS }, (_, index) => ({
      name: `s${index}`,
      troubled: false,
      faults: 0,
      calls: 0,
    }))
    hub = await startHubProcess(folder.path, Object.fromEntries(servers.map(({ name }) => [name, entry])))
    const violations: string[] = []
    try {
      await hub.until('running')
      const client = await connect()
      let over = false
      const isOver = (): boolean => over

      const keepCalling = servers.map(async (server) => {
        while (!isOver()) {
          await delay(CALL_EVERY_MS)
          if (server.troubled) continue
          const faultsBefore = server.faults
          try {
            await echo(client, server, `call ${++server.calls} of ${server.name}`)
          } catch (error) {
            if (server.faults === faultsBefore) violations.push(`${server.name}: ${String(error)}`)
          }
        }
      })
      // Against the memory of a hub that does the same work in peace, so that only the trouble counts.
      await eventually('every server has answered', RECOVERY_MS, () =>
        servers.every(({ calls }) => calls >= WARM_CALLS) ? true : null,
      )
      const memoryAtStart = residentBytes(hub.pid)
      let memoryPeak = memoryAtStart
      const keepMeasuring = (async () => {
        while (!isOver()) {
          memoryPeak = Math.max(memoryPeak, residentBytes(hub.pid))
          await delay(100)
        }
      })()

      const faults = faultsOn(client)
      const kinds = Object.keys(faults)
      const recoveries: Promise<void>[] = []
      let next = 0
      const end = Date.now() + CHAOS_MS
      while (Date.now() < end) {
        await delay(FAULT_EVERY_MS)
        const free = servers.filter(({ troubled }) => !troubled)
        const server = free[Math.floor(Math.random() * free.length)]
        if (server === undefined || SERVERS - free.length >= MAX_TROUBLED) continue
        const status = await hub.api<ServerStatus>('GET', `/api/servers/${server.name}`)
        if (status.pid === null) continue
        server.troubled = true
        server.faults++
        // Each kind in turn, so that the short form has them all too.
        const kind = kinds[next++ % kinds.length]!
        faults[kind]!(server, status.pid)
        recoveries.push(recover(client, server, kind, status))
      }
      await Promise.all(recoveries)
      over = true
      await Promise.all([...keepCalling, keepMeasuring])

      expect(violations).toEqual([])
      expect(next).toBeGreaterThanOrEqual(kinds.length)
      for (const { name, calls } of servers) expect({ name, served: calls > 10 }).toEqual({ name, served: true })
      const megabytes = (bytes: number): string => `${Math.round(bytes / 1_048_576)} MB`
      console.log(
        `memory: ${megabytes(memoryAtStart)} at work in peace, at most ${megabytes(memoryPeak)}; ${next} faults`,
      )
      expect(memoryPeak / memoryAtStart).toBeLessThanOrEqual(1.5)
      await client.close()
    } finally {
      expect(await hub.quit()).toBe(0)
    }
    await eventually(`no process is left of ${JSON.stringify(brood.living())}`, 5_000, () =>
      brood.living().length === 0 ? true : null,
    )
  },
  CHAOS_MS + 120_000,
)

/** Waits until a server works again: as another process where the fault ended it, else as the same. */
async function recover(client: Client, server: Server, kind: string, before: ServerStatus): Promise<void> {
  const ends = ['SIGKILL', 'SIGSTOP', 'hang', 'exit on probe'].includes(kind)
  await eventually(`${server.name} is back after ${kind}`, RECOVERY_MS, async () => {
    const now = await hub.api<ServerStatus>('GET', `/api/servers/${server.name}`)
    return now.state === 'running' && now.pid !== null && (!ends || now.pid !== before.pid) ? true : null
  })
  // A flood lasts for 3 s, and an answer may still be behind it.
  if (!ends) await delay(3_500)
  await eventually(`${server.name} answers after ${kind}`, RECOVERY_MS, () =>
    echo(client, server, 'again').then(
      () => true as const,
      () => null,
    ),
  )
  server.troubled = false
}
