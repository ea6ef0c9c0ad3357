import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { targetSchema } from '../../hub/contract/publish.ts'
import { createPublisher } from '../../hub/publish/index.ts'
import { temporaryFolder, writeBuiltProgram } from '../fixtures/built-program.ts'

/** The generated process file under the real PM2, with a program that keeps the hub's contract and tells what it was given. */
const PM2 = path.resolve('node_modules/.cache/pm2/node_modules/pm2/bin/pm2')
const run = promisify(execFile)

describe.skipIf(!existsSync(PM2))('PM2 with the generated process file', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  let root: string
  let port: number

  beforeAll(async () => {
    folder = await temporaryFolder()
    root = path.join(folder.path, 'install')
    await writeBuiltProgram(path.join(folder.path, 'dist'))
    port = await freePort()
    await publish('one')
    await publish('two')
    for (const name of ['config', 'data', 'logs']) await mkdir(path.join(root, name))
    await mkdir(path.join(folder.path, 'nginx'))
    await writeFile(path.join(root, '.env'), 'JWT_SECRET=from-the-file\nMCP_HUB_TOKEN=from-the-file\n')
    await symlink('releases/one', path.join(root, 'current'))
    await writeFile(path.join(folder.path, 'pm2.sh'), `#!/bin/sh\nexec '${process.execPath}' '${PM2}' "$@"\n`, {
      mode: 0o755,
    })
  }, 60_000)

  afterAll(async () => {
    await pm2('kill')
    await folder.dispose()
  }, 60_000)

  async function publish(release: string): Promise<void> {
    await writeFile(path.join(folder.path, 'dist/hub/server.js'), standIn(release))
    const publisher = createPublisher({
      loadServers: () => ({ mcpServers: {} }),
      loadSystem: () => ({}),
      distDir: path.join(folder.path, 'dist'),
      version: '1.0.0',
    })
    const target = targetSchema.parse({ domain: 'hub.example.com', installDir: root, basePort: port })
    await publisher.exportTo(target, path.join(root, 'releases', release), false)
  }

  let shell: Record<string, string> = {}
  function pm2(...args: string[]): Promise<{ stdout: string }> {
    const env = {
      PATH: `${path.dirname(process.execPath)}${path.delimiter}${process.env['PATH'] ?? ''}`,
      HOME: folder.path,
      PM2_HOME: path.join(folder.path, 'pm2'),
      ...shell,
    }
    return run(process.execPath, [PM2, ...args], { env, timeout: 60_000 })
  }

  const processFile = (): string => path.join(root, 'current/pm2/ecosystem.config.cjs')

  interface Answer {
    release: string
    pid: number
    env: Record<string, string>
  }

  async function ask(headers: Record<string, string> = {}): Promise<Answer> {
    const answer = await fetch(`http://127.0.0.1:${port}/`, { headers })
    return (await answer.json()) as Answer
  }

  it('starts the hub with its folders, its port, and the secrets of the file', async () => {
    await pm2('startOrReload', processFile())
    const { release, env } = await ask()
    expect(release).toBe('one')
    expect(env).toMatchObject({
      NODE_ENV: 'production',
      HOST: '127.0.0.1',
      PORT: String(port),
      CONFIG_DIR: path.join(root, 'config'),
      DATA_DIR: path.join(root, `data/${port}`),
      MCP_HUB_SECRETS_FILE: path.join(root, 'data/secrets.json'),
      JWT_SECRET: 'from-the-file',
      MCP_HUB_TOKEN: 'from-the-file',
    })
    await pm2('save')
    expect(await readFile(path.join(folder.path, 'pm2/dump.pm2'), 'utf8')).not.toMatch(/from-the-(?:file|shell)/)
  })

  it('reads the file at each start, whatever is left over in the shell', async () => {
    shell = {
      JWT_SECRET: 'from-the-shell',
      MCP_HUB_ADMIN_PASSWORD: 'from-the-shell',
      MCP_HUB_SECRETS_FILE: 'from-the-shell',
    }
    await pm2('startOrReload', processFile())
    const { env } = await ask()
    expect(env['JWT_SECRET']).toBe('from-the-file')
    expect(env['MCP_HUB_ADMIN_PASSWORD']).toBeUndefined()
    expect(env['MCP_HUB_SECRETS_FILE']).toBe(path.join(root, 'data/secrets.json'))
    await pm2('save')
    expect(await readFile(path.join(folder.path, 'pm2/dump.pm2'), 'utf8')).not.toMatch(/from-the-(?:file|shell)/)
  })

  it('changes the release under load without losing a request, and back', async () => {
    let stop = false
    let answered = 0
    const lost: unknown[] = []
    const load = Array.from({ length: 8 }, async () => {
      while (!stop)
        await ask().then(
          () => answered++,
          (error: unknown) => lost.push(error),
        )
    })
    for (const release of ['two', 'one']) {
      await rm(path.join(root, 'current'))
      await symlink(`releases/${release}`, path.join(root, 'current'))
      await pm2('startOrReload', processFile())
      expect((await ask()).release).toBe(release)
    }
    stop = true
    await Promise.all(load)
    expect(lost).toEqual([])
    expect(answered).toBeGreaterThan(100)
  }, 60_000)

  it('does not restart a hub whose configuration is broken', async () => {
    await writeFile(path.join(root, 'config/broken'), '')
    const before = starts()
    await pm2('restart', 'mcp-hub').catch(() => null)
    await until(async () => (await exitCode()) === 78)
    // The first restart would come after 200 ms; asking PM2 again takes longer than that.
    expect(await exitCode()).toBe(78)
    expect(starts()).toBe(before + 1)
    await rm(path.join(root, 'config/broken'))
    await pm2('restart', 'mcp-hub')
    expect((await ask()).release).toBe('one')
  }, 60_000)

  it('starts a hub again that was killed', async () => {
    const { pid } = await ask()
    process.kill(pid, 'SIGKILL')
    await until(async () => (await ask().catch(() => ({ pid }))).pid !== pid)
  })

  it('ends a hub that just starts for good, and starts one alone after it', async () => {
    await writeFile(path.join(root, 'config/slow'), '')
    const before = starts()
    const restarted = pm2('restart', 'mcp-hub')
    await until(() => Promise.resolve(starts() > before))
    await ops('stop')
    await restarted.catch(() => null)
    await ops('start')
    // PM2 hands out connections in turn: a second hub, also one that PM2 does not know of any more, would answer every other.
    const answers = await Promise.all(Array.from({ length: 6 }, () => ask({ connection: 'close' })))
    expect(new Set(answers.map(({ pid }) => pid))).toEqual(new Set([(await listed())?.pid]))
  }, 60_000)

  /** `ops/hubs.sh` of the release in use, on a machine where this user is the hub's and nginx always does. */
  function ops(what: 'start' | 'stop'): Promise<unknown> {
    const env = {
      PATH: `${path.dirname(process.execPath)}${path.delimiter}${process.env['PATH'] ?? ''}`,
      HUB_USER: os.userInfo().username,
      PM2_HOME: path.join(folder.path, 'pm2'),
      PM2: path.join(folder.path, 'pm2.sh'),
      NGINX: 'true',
      SYSTEMCTL: 'true',
      NGINX_CONF_DIR: path.join(folder.path, 'nginx'),
    }
    return run('bash', [path.join(root, 'current/ops/hubs.sh'), what], { env, timeout: 60_000 })
  }

  const starts = (): number => readFileSync(path.join(root, 'data/starts'), 'utf8').length

  async function exitCode(): Promise<number | undefined> {
    return (await listed())?.exit_code
  }

  async function listed(): Promise<{ pid: number; status: string; exit_code?: number } | undefined> {
    const { stdout } = await pm2('jlist')
    const list = JSON.parse(stdout.slice(stdout.indexOf('['))) as {
      pid: number
      pm2_env: { status: string; exit_code?: number }
    }[]
    return list[0] && { ...list[0].pm2_env, pid: list[0].pid }
  }
})

/** A program with the hub's contract: says ready when it listens, drains on SIGINT, ends with 78 when it cannot be configured. */
function standIn(release: string): string {
  return `import http from 'node:http'
import { appendFileSync, existsSync } from 'node:fs'
appendFileSync(process.env.CONFIG_DIR + '/../data/starts', '.')
if (existsSync(process.env.CONFIG_DIR + '/broken')) process.exit(78)
if (existsSync(process.env.CONFIG_DIR + '/slow')) await new Promise((resolve) => setTimeout(resolve, 1500))
let draining = false
const server = http.createServer((request, response) => {
  if (draining) response.setHeader('connection', 'close')
  response.end(JSON.stringify({ release: '${release}', pid: process.pid, env: process.env }))
})
server.listen(Number(process.env.PORT), process.env.HOST, () => process.send?.('ready'))
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => {
  draining = true
  setTimeout(() => server.close(() => process.exit(0)), 1500)
})
`
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = http.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}

async function until(condition: () => Promise<boolean>, deadlineMs = 20_000): Promise<void> {
  const end = Date.now() + deadlineMs
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('The condition was not met in time')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
