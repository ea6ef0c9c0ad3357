import { execFileSync } from 'node:child_process'
import { renameSync } from 'node:fs'
import { link, mkdir, readFile, readdir, readlink, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import type { HistoryPage, AuditPage } from '../../hub/contract/index.ts'
import { BUILT_HUB_TOKEN, startBuiltHub, type BuiltHub } from '../fixtures/built-hub.ts'
import { fixtureServer } from '../fixtures/hub.ts'
import { waitFor } from '../fixtures/wire.ts'

/** Until pino has taken over, and something was written after that. */
const HANDED_OVER_MS = 20_000

type Line = Record<string, unknown>
async function linesOf(file: string): Promise<Line[]> {
  const text = await readFile(file, 'utf8').catch(() => '')
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line)
}

async function jsonOf<T>(hub: BuiltHub, route: string): Promise<T> {
  return (await (await hub.request(route)).json()) as T
}

const initialize = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'tracer', version: '1' } },
}
const mcpHeaders = { accept: 'application/json, text/event-stream' }

describe.concurrent('the log of a real hub', () => {
  it('has the id of each request where the answer, the history and the audit log have it, and no secret', async () => {
    const hub = await startBuiltHub({
      servers: { a: fixtureServer('echo.ts') },
      env: { LOG_LEVEL: 'debug' },
      prepare: (folder) => Promise.resolve({ LOG_FILE: path.join(folder, 'logs', 'hub.log') }),
    })
    try {
      const file = path.join(hub.folder, 'logs', 'hub.log')
      await mkdir(path.dirname(file))
      const lineWith = (requestId: string): Promise<Line> =>
        waitFor(async () => (await linesOf(file)).find((line) => line['requestId'] === requestId), 10_000)

      // The caller's own id.
      const refused = await hub.request('/api/servers/nobody', { headers: { 'x-request-id': 'from-the-caller-1' } })
      expect(refused.headers.get('x-request-id')).toBe('from-the-caller-1')
      expect(await refused.json()).toMatchObject({ code: 'HUB_SERVER_NOT_FOUND', requestId: 'from-the-caller-1' })
      expect(await lineWith('from-the-caller-1')).toMatchObject({
        level: 'debug',
        message: 'API request',
        method: 'GET',
        path: '/api/servers/nobody',
        status: 404,
        principal: 'key:bootstrap',
      })

      // One of the hub's, where the caller has none, or one that would write into the log what it likes.
      const bad = await hub.request('/api/hub', { headers: { 'x-request-id': 'no {"level":"error"}' } })
      const made = bad.headers.get('x-request-id') ?? ''
      expect(made).toMatch(/^[0-9a-f]{16}-\w+$/)
      expect(await lineWith(made)).toMatchObject({ message: 'API request' })
      const early = await fetch(`${hub.url}/api/hub`, { headers: { host: 'evil.example' } })
      expect(((await early.json()) as { requestId: string }).requestId).toBe(early.headers.get('x-request-id'))

      const answer = await hub.request('/mcp', {
        method: 'POST',
        body: initialize,
        headers: { ...mcpHeaders, 'x-request-id': 'of-an-mcp-request' },
      })
      expect(answer.headers.get('x-request-id')).toBe('of-an-mcp-request')
      expect(await lineWith('of-an-mcp-request')).toMatchObject({ message: 'MCP request', method: 'initialize' })
      const { items } = await waitFor(async () => {
        const page = await jsonOf<HistoryPage>(hub, '/api/history?requestId=of-an-mcp-request')
        return page.items.length > 0 ? page : null
      })
      expect(items).toMatchObject([{ requestId: 'of-an-mcp-request', method: 'initialize', client: 'tracer 1' }])

      await hub.request('/api/servers/a/disable', { method: 'POST', headers: { 'x-request-id': 'of-an-act-1' } })
      await waitFor(async () =>
        (await linesOf(file)).some((line) => line['requestId'] === 'of-an-act-1' && line['message'] === 'Audit'),
      )
      const acts = await jsonOf<AuditPage>(hub, '/api/audit?action=POST%20/api/servers/:name/disable')
      expect(acts.items).toMatchObject([{ target: 'a', requestId: 'of-an-act-1' }])

      await hub.request(`/api/servers/${BUILT_HUB_TOKEN}`, { headers: { 'x-request-id': 'with-a-secret' } })
      expect(await lineWith('with-a-secret')).toMatchObject({ path: '/api/servers/[secret]' })
      expect(await readFile(file, 'utf8')).not.toContain(BUILT_HUB_TOKEN)
    } finally {
      expect(await hub.end()).toBe(0)
    }
  }, 60_000)

  it('is rotated by the hub itself as system.json says', async () => {
    const hub = await startBuiltHub({
      system: { logging: { level: 'debug', file: '${LOGS}/hub.log', maxSize: '8k', maxFiles: 3 } },
      prepare: (folder) => Promise.resolve({ LOGS: folder }),
    })
    const names = async (): Promise<string[]> =>
      (await readdir(hub.folder)).filter((name) => name.startsWith('hub.log')).sort()
    try {
      // Between two of its renames the folder has one file less.
      await waitFor(async () => {
        await hub.request('/api/hub')
        return (await names()).join() === 'hub.log,hub.log.1,hub.log.2'
      }, HANDED_OVER_MS)
      // Cut at the end of a line, each of them.
      for (const name of ['hub.log.1', 'hub.log.2'])
        expect((await linesOf(path.join(hub.folder, name))).length).toBeGreaterThan(10)
    } finally {
      const reading = waitFor(
        async () => (await linesOf(path.join(hub.folder, 'hub.log'))).find(({ message }) => message === 'Draining'),
        10_000,
      )
      hub.child.kill('SIGTERM')
      expect(await reading).toMatchObject({ level: 'info', signal: 'SIGTERM' })
      await hub.end()
    }
  }, 60_000)

  it.runIf(process.platform === 'linux')(
    'is opened anew at SIGUSR2, as logrotate sends it',
    async () => {
      const hub = await startBuiltHub({
        system: { logging: { level: 'debug', file: '${LOGS}/hub.log', rotation: 'external' } },
        prepare: (folder) => Promise.resolve({ LOGS: folder }),
      })
      const at = (name: string): string => path.join(hub.folder, name)
      const opened = async (name: string): Promise<boolean> => {
        const folder = `/proc/${hub.child.pid}/fd`
        const links = (await readdir(folder)).map((fd) => readlink(path.join(folder, fd)).catch(() => ''))
        return (await Promise.all(links)).includes(at(name))
      }
      try {
        // Before pino has taken over, each line opens the file.
        await waitFor(() => opened('hub.log'), HANDED_OVER_MS)
        await link(at('hub.log'), at('same'))
        renameSync(at('hub.log'), at('hub.log.1'))
        // The same file by its old name: by itself the hub would not notice.
        renameSync(at('same'), at('hub.log'))
        expect(await opened('hub.log')).toBe(false)
        hub.child.kill('SIGUSR2')
        await waitFor(async () => (await opened('hub.log')) && !(await opened('hub.log.1')), 10_000)
      } finally {
        expect(await hub.end()).toBe(0)
      }
    },
    60_000,
  )

  it('costs no call where its reader stands still', async () => {
    const hub = await startBuiltHub({ env: { LOG_LEVEL: 'debug' } })
    try {
      hub.child.stdout!.pause()
      const filler = 'x'.repeat(4_000)
      // Far more than a pipe holds, before pino writes and after.
      for (let n = 0; n < 400; n++) expect((await hub.request(`/api/servers/${filler}`)).status).toBe(404)
      hub.child.stdout!.resume()
      await waitFor(() => hub.said.includes(`/api/servers/${filler}`))
    } finally {
      expect(await hub.end()).toBe(0)
    }
  }, 60_000)

  it('survives a full disk, and goes on once there is space', async (context) => {
    const disk = { path: '', mounted: false }
    const hub = await startBuiltHub({
      env: { LOG_LEVEL: 'debug' },
      prepare: async (folder) => {
        disk.path = path.join(folder, 'disk')
        await mkdir(disk.path)
        try {
          execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', disk.path], { stdio: 'ignore' })
          disk.mounted = true
        } catch {
          // Only root may; there is a device that is always full.
        }
        return { LOG_FILE: disk.mounted ? path.join(disk.path, 'hub.log') : '/dev/full' }
      },
    })
    try {
      const filler = path.join(disk.path, 'filler')
      if (disk.mounted) await writeFile(filler, Buffer.alloc(400_000)).catch(() => undefined)
      await waitFor(async () => {
        expect((await hub.request('/api/hub')).status).toBe(200)
        return hub.said.includes('The log cannot be written')
      }, HANDED_OVER_MS)
      expect(hub.said).toContain('ENOSPC')
      if (!disk.mounted) return context.skip('this user may not mount a disk')
      await rm(filler)
      await waitFor(async () => {
        await hub.request('/api/hub', { headers: { 'x-request-id': 'there-is-space' } })
        return (await readFile(path.join(disk.path, 'hub.log'), 'utf8')).includes('there-is-space')
      }, HANDED_OVER_MS)
    } finally {
      if (disk.mounted) execFileSync('umount', ['-l', disk.path])
      expect(await hub.end()).toBe(0)
    }
  }, 60_000)
})
