import { spawn, type ChildProcess } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { ServerStatus } from '../../../hub/contract/index.ts'
import { eventually } from './processes.ts'

const entry = path.join(import.meta.dirname, '..', '..', '..', 'dist', 'hub', 'server.js')
const TOKEN = 'token-of-the-chaos-test-0123456789'

/** The built hub in a process of its own, which may be killed. */
export interface HubProcess {
  pid: number
  url: string
  headers: Record<string, string>
  api: <T>(method: string, route: string, body?: unknown) => Promise<T>
  /** Waits until all servers are in the state. */
  until: (state: string, withinMs?: number) => Promise<ServerStatus[]>
  /** As a service manager ends it; what it exited with. */
  quit: () => Promise<number | null>
  kill: () => Promise<void>
}

export async function startHubProcess(
  folder: string,
  servers: Record<string, object>,
  system: object = {},
): Promise<HubProcess> {
  const config = path.join(folder, 'config')
  await mkdir(config, { recursive: true })
  await writeFile(path.join(config, 'servers.json'), JSON.stringify({ mcpServers: servers }))
  await writeFile(path.join(config, 'system.json'), JSON.stringify(system))
  // With the flags that `npm run hub` and a bundle give it.
  const child: ChildProcess = spawn(
    process.execPath,
    ['--max-old-space-size=512', '--max-semi-space-size=8', '--initial-old-space-size=64', '--expose-gc', entry],
    {
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: folder,
        PORT: '0',
        CONFIG_DIR: config,
        DATA_DIR: path.join(folder, 'data'),
        MCP_HUB_TOKEN: TOKEN,
        LOG_LEVEL: 'error',
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  let output = ''
  child.stdout!.setEncoding('utf8').on('data', (text: string) => (output += text))
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const url = await eventually('the hub listens', 20_000, () => {
    if (child.exitCode !== null) throw new Error(`The hub ended:\n${output}`)
    return /MCP Hub listening on (http:\S+)/.exec(output)?.[1] ?? null
  })
  const headers = { authorization: `Bearer ${TOKEN}` }

  async function api<T>(method: string, route: string, body?: unknown): Promise<T> {
    const response = await fetch(url + route, {
      method,
      headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    if (!response.ok) throw new Error(`${method} ${route}: ${response.status} ${await response.text()}`)
    return (await response.json()) as T
  }

  return {
    pid: child.pid!,
    url,
    headers,
    api,
    until: (state, withinMs = 60_000) =>
      eventually(`all servers are ${state}`, withinMs, async () => {
        const found = await api<ServerStatus[]>('GET', '/api/servers')
        return found.length === Object.keys(servers).length && found.every((one) => one.state === state) ? found : null
      }),
    quit: () => {
      child.kill('SIGTERM')
      return exited
    },
    kill: async () => {
      child.kill('SIGKILL')
      await exited
    },
  }
}
