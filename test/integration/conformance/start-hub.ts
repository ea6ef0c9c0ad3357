import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

export interface RunningHub {
  url: string
  /** A bearer key with admin rights. */
  token: string
  pid: number
  api(method: string, path: string, body?: unknown): Promise<Response>
  /** Everything it printed so far. */
  output(): string
  stop(): Promise<void>
}

export interface HubFiles {
  servers?: Record<string, unknown>
  system?: Record<string, unknown>
}

const entry = join(import.meta.dirname, '../../../dist/hub/server.js')
const startMs = 20_000

/** Starts the built hub as its headless contract says, with folders of its own, and waits until it listens. */
export async function startHub({ servers = {}, system = {} }: HubFiles): Promise<RunningHub> {
  const folder = await mkdtemp(join(tmpdir(), 'mcp-hub-'))
  const [config, data] = [join(folder, 'config'), join(folder, 'data')]
  const token = randomBytes(16).toString('hex')
  await writeConfig(config, { 'servers.json': { mcpServers: servers }, 'system.json': system })
  const child = spawn(process.execPath, [entry], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, CONFIG_DIR: config, DATA_DIR: data, PORT: '0', MCP_HUB_TOKEN: token },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => (output += chunk))
  }
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))

  const deadline = Date.now() + startMs
  let url: string | undefined
  while (url === undefined) {
    url = /MCP Hub listening on (http:\S+)/.exec(output)?.[1]
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`The hub did not start:\n${output}`)
    if (url === undefined) await delay(20)
  }
  const base = url

  return {
    url: base,
    token,
    pid: child.pid!,
    api: (method, path, body) =>
      fetch(`${base}${path}`, {
        method,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      }),
    output: () => output,
    stop: async () => {
      child.kill('SIGTERM')
      await ended
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function writeConfig(folder: string, files: Record<string, unknown>): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), JSON.stringify(content))
}

/** Waits until each of these servers runs; a server that fails instead ends the wait with its reason. */
export async function untilRunning(hub: RunningHub, names: string[], withinMs = 20_000): Promise<void> {
  const deadline = Date.now() + withinMs
  for (;;) {
    const servers = (await (await hub.api('GET', '/api/servers')).json()) as {
      name: string
      state: string
      reason: unknown
    }[]
    const waiting = servers.filter(({ name, state }) => names.includes(name) && state !== 'running')
    if (servers.length >= names.length && waiting.length === 0) return
    if (Date.now() > deadline || waiting.some(({ state }) => state === 'failed')) {
      throw new Error(`Not running: ${JSON.stringify(waiting)}\n${hub.output()}`)
    }
    await delay(50)
  }
}
