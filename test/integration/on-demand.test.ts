import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { CallResult, LogLine, ServerStatus, ToolEntry } from '../../hub/contract/index.ts'
import { temporaryFolder } from '../fixtures/built-program.ts'
import { fixtureServer, startHub, type TestHub } from '../fixtures/hub.ts'
import { ModernWire, waitFor } from '../fixtures/wire.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
beforeAll(async () => {
  folder = await temporaryFolder()
})
afterAll(() => folder.dispose())

const echo = { ...fixtureServer('echo.ts'), hub: { start: 'on-demand', idleStopMs: 500 } }
const start = (entry: object): Promise<TestHub> => startHub({ echo: entry }, {}, { folder: folder.path })
const tools = async (hub: TestHub): Promise<ToolEntry[]> => (await hub.api('GET', '/api/tools')).body as ToolEntry[]
const states = async (hub: TestHub): Promise<string[]> =>
  ((await hub.api('GET', '/api/servers/echo')).body as { history: { state: string }[] }).history.map(
    ({ state }) => state,
  )

/** Looked for in what it was: it runs for half a second, which a busy machine may take for one question. */
const hasRun = (hub: TestHub): Promise<true> =>
  waitFor(async () => (await states(hub)).includes('running') || null, 20_000)

it('a server on demand is listed without being started, started by a call, and stopped when idle', async () => {
  const first = await start(echo)
  await hasRun(first)
  await first.until('echo', 'idle')
  await first.close()

  const second = await start(echo)
  try {
    expect((await tools(second)).map(({ name }) => name)).toContain('echo')
    expect(await states(second)).toEqual([])
    const answer = await second.api('POST', '/api/tools/call', {
      server: 'echo',
      tool: 'echo',
      arguments: { text: 'hi' },
    })
    expect((answer.body as CallResult).result).toMatchObject({ content: [{ text: 'hi' }] })
    await second.until('echo', 'idle')
    expect(await states(second)).toEqual(['starting', 'running', 'stopping', 'idle'])
    const { lines } = (await second.api('GET', '/api/servers/echo/logs?search=State:%20running')).body as {
      lines: LogLine[]
    }
    expect(lines.length).toBeGreaterThanOrEqual(2)
  } finally {
    await second.close()
  }
})

it('what it offers is served also where that cannot be kept on disk', async () => {
  const full = await temporaryFolder()
  await mkdir(path.join(full.path, 'data'))
  await writeFile(path.join(full.path, 'data', 'offers'), '')
  const hub = await startHub({ echo }, {}, { folder: full.path })
  try {
    await hasRun(hub)
    const warning = await waitFor(async () => {
      const { lines } = (await hub.api('GET', '/api/servers/echo/logs?level=warn')).body as { lines: LogLine[] }
      return lines.find(({ text }) => text.includes('could not be kept'))
    })
    expect(warning.text).toContain('offers')
    expect((await tools(hub)).map(({ name }) => name)).toContain('echo')
    expect((await hub.api('DELETE', '/api/servers/echo')).status).toBe(200)
  } finally {
    await hub.close()
    await full.dispose()
  }
})

it('a server on demand is not stopped while it works on a task, though nobody asks for it', async () => {
  const entry = { ...fixtureServer('conformance/main.ts', '--era', 'modern'), hub: echo.hub }
  const hub = await startHub({ worker: entry })
  try {
    const capabilities = { extensions: { 'io.modelcontextprotocol/tasks': {} } }
    const wire = new ModernWire(`${hub.url}/mcp/worker`, { headers: hub.headers, capabilities })
    const begunAt = Date.now()
    const { result } = await wire.request('tools/call', { name: 'slow_compute', arguments: { seconds: 2, label: 'x' } })
    expect(result).toMatchObject({ resultType: 'task', status: 'working' })
    await hub.until('worker', 'idle')
    const { body } = await hub.api('GET', '/api/servers/worker')
    const { history } = body as { history: { state: string; at: number }[] }
    const stopped = history.findLast(({ state }) => state === 'stopping')
    expect(stopped?.at).toBeGreaterThan(begunAt + 2_000)
    const { lines } = (await hub.api('GET', '/api/servers/worker/logs')).body as { lines: LogLine[] }
    expect(lines.filter(({ level }) => level === 'error')).toEqual([])
  } finally {
    await hub.close()
  }
})

it('a server over its limit of memory is started anew', async () => {
  const hub = await start({ ...fixtureServer('echo.ts'), hub: { maxMemoryMb: 1, overLimit: 'restart' } })
  try {
    const { pid } = await hub.until('echo', 'running')
    let now: ServerStatus
    do now = await hub.until('echo', 'running', 'backoff', 'starting')
    while (now.restarts === 0)
    expect(now.restarts).toBe(1)
    expect((await hub.until('echo', 'running')).pid).not.toBe(pid)
  } finally {
    await hub.close()
  }
})
