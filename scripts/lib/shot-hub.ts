import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import type { APIRequestContext } from 'playwright'
import { modules, root } from './paths.mjs'

export const PASSWORD = 'for-screenshots-only'

/** What someone's hub looks like: some servers run, one is off, one cannot start, one cannot be reached. */
export function exampleServers(folder: string): Record<string, unknown> {
  return {
    everything: { command: 'mcp-server-everything' },
    memory: {
      command: 'mcp-server-memory',
      env: { MEMORY_FILE_PATH: path.join(folder, 'memory.json') },
      hub: { description: 'What the assistant remembers' },
    },
    files: { command: 'mcp-server-filesystem', args: ['.'], cwd: folder },
    'issue-tracker': { command: 'issue-tracker-mcp', args: ['--read-only'] },
    search: { type: 'http', url: 'http://127.0.0.1:9/mcp' },
    'old-notes': { command: 'notes-mcp', env: { NOTES_TOKEN: '${secret:NOTES_TOKEN}' }, hub: { enabled: false } },
  }
}

/** One whose tools have apps. */
export const appServers = {
  weather: { command: 'node', args: [path.join(root, 'test', 'fixtures', 'mcp-servers', 'apps.ts')] },
}

/** Two profiles: one chosen by hand, one with tool search over everything. */
export const exampleProfiles = {
  research: {
    description: 'Reading only, for long conversations',
    servers: {
      everything: {
        tools: { exclude: ['get-env'], overrides: { echo: { name: 'say', description: 'Says it again' } } },
      },
      memory: { tools: { include: ['read_*', 'search_*', 'open_*'] } },
    },
  },
  all: { description: 'Everything, found by search', servers: {}, otherServers: true, toolSearch: true },
}

/** Some traffic for the screens that show it: calls that end well, one that fails, one that the server refuses. */
export async function exampleCalls(request: APIRequestContext, url: string): Promise<void> {
  const headers = { origin: url }
  const ready = async (): Promise<boolean> => {
    const servers = (await (await request.get(`${url}/api/servers`)).json()) as { name: string; state: string }[]
    return ['everything', 'memory'].every((name) => servers.some((it) => it.name === name && it.state === 'running'))
  }
  while (!(await ready())) await new Promise((resolve) => setTimeout(resolve, 100))
  const call = (server: string, tool: string, args: object) =>
    request.post(`${url}/api/tools/call`, { headers, data: { server, tool, arguments: args } })
  for (let n = 1; n <= 12; n++) await call('everything', 'get-sum', { a: n, b: n * n })
  await call('everything', 'echo', { message: 'The quick brown fox' })
  await call('everything', 'get-sum', { a: 'one', b: 2 })
  await call('memory', 'read_graph', {})
  await call('memory', 'create_entities', {
    entities: [{ name: 'Ada', entityType: 'person', observations: ['writes'] }],
  })
  await call('memory', 'search_nodes', { query: 'Ada' })
  await call('everything', 'get-structured-content', { location: 'Chicago' })
}

/** A secret that a server refers to, and a tool that nobody may call. */
export async function exampleGuards(request: APIRequestContext, url: string): Promise<void> {
  const headers = { origin: url }
  await request.put(`${url}/api/secrets/NOTES_TOKEN`, { headers, data: { value: 'not-a-token-of-anybody' } })
  const tools = [{ server: 'files', tool: 'move_file' }]
  await request.post(`${url}/api/pins`, { headers, data: { action: 'quarantine', tools } })
}

/** Users of all kinds and keys of some. */
export async function examplePeople(request: APIRequestContext, url: string): Promise<void> {
  const post = (path: string, data: object) => request.post(`${url}${path}`, { headers: { origin: url }, data })
  await post('/api/users', { name: 'night-shift', role: 'operator' })
  await post('/api/users', { name: 'research', role: 'user', scope: { profiles: ['research'], servers: ['memory'] } })
  await post('/api/users', { name: 'wall-display', role: 'viewer' })
  const day = 86_400_000
  await post('/api/keys', { name: 'Nightly job', expiresAt: Date.now() + 30 * day, scope: { profiles: ['research'] } })
  await post('/api/keys', { name: 'Laptop', permissions: ['mcp:connect', 'metrics:read'] })
}

/** One that takes its messages, one that cannot be reached, one that is off. */
export async function exampleWebhooks(request: APIRequestContext, url: string): Promise<void> {
  const headers = { origin: url }
  const put = (id: string, data: object) => request.put(`${url}/api/webhooks/${id}`, { headers, data })
  // The hub itself answers there, whatever it is sent.
  await put('chat', { url: `${url}/health`, events: ['server.failed', 'server.recovered', 'auth.lockout'] })
  await put('on-call', { url: 'https://on-call.example.invalid/hook', events: ['server.failed'] })
  await put('archive', { url: 'https://archive.example.invalid/mcp-hub', enabled: false })
  for (const id of ['chat', 'on-call']) await request.post(`${url}/api/webhooks/${id}/test`, { headers, data: {} })
}

/** The example's servers by their names: a picture must not carry a path of the machine that made it. */
async function linkPrograms(bin: string): Promise<string> {
  await mkdir(bin)
  await symlink(process.execPath, path.join(bin, 'node'))
  for (const name of ['mcp-server-everything', 'mcp-server-memory', 'mcp-server-filesystem'])
    await symlink(path.join(modules, '.bin', name), path.join(bin, name))
  return bin
}

/** The built hub in server mode on a free port, with folders of its own that go with it. */
export async function startHub(
  servers: (folder: string) => Record<string, unknown>,
  profiles: object = {},
  /** Of its first user; null has the page ask for one. */
  password: string | null = PASSWORD,
) {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'mcp-hub-shots-'))
  const configDir = path.join(folder, 'config')
  await mkdir(configDir)
  await writeFile(path.join(configDir, 'servers.json'), JSON.stringify({ mcpServers: servers(folder) }, null, 2))
  await writeFile(path.join(configDir, 'system.json'), JSON.stringify({ history: { payloads: 'redacted' } }))
  await writeFile(path.join(configDir, 'profiles.json'), JSON.stringify({ profiles }, null, 2))
  const bin = await linkPrograms(path.join(folder, 'bin'))
  const child = spawn(process.execPath, [path.join(root, 'dist', 'hub', 'server.js')], {
    env: {
      // Where it looked for a program that is not there is part of a picture.
      PATH: [bin, '/usr/bin', '/bin'].join(path.delimiter),
      HOME: folder,
      PORT: '0',
      CONFIG_DIR: configDir,
      DATA_DIR: path.join(folder, 'data'),
      LOG_LEVEL: 'error',
      ...(password !== null && { MCP_HUB_ADMIN_PASSWORD: password }),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const url = await new Promise<string>((resolve, reject) => {
    void ended.then((code) => reject(new Error(`the hub ended with code ${String(code)} before it listened`)))
    createInterface({ input: child.stdout }).on('line', (line) => {
      const found = /MCP Hub listening on (http:\/\/\S+)/.exec(line)?.[1]
      if (found) resolve(found)
    })
  })
  return {
    url,
    async dispose(): Promise<void> {
      child.kill('SIGTERM')
      await ended
      await rm(folder, { recursive: true, force: true })
    },
  }
}
