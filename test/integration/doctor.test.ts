import { createServer } from 'node:http'
import { createServer as createTcpServer, type AddressInfo, type Server } from 'node:net'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  doctorProgressSchema,
  type DoctorProgress,
  type DoctorReport,
  type DoctorStepId,
  type Problem,
  type Runtimes,
} from '../../hub/contract/index.ts'
import { fixtureServer, startHub, VIEWER_TOKEN, type TestHub } from '../fixtures/hub.ts'

let hub: TestHub
const open: Server[] = []
beforeAll(async () => {
  hub = await startHub({ echo: fixtureServer('echo.ts'), off: { command: 'node', disabled: true } })
})
afterAll(async () => {
  for (const server of open) server.close()
  await hub.close()
})

async function examine(config?: object, name = 'trial'): Promise<DoctorReport> {
  const answer = await hub.api('POST', `/api/servers/${name}/doctor`, config === undefined ? {} : { config })
  expect(answer.status).toBe(200)
  return answer.body as DoctorReport
}
const outcomes = (report: DoctorReport): Partial<Record<DoctorStepId, string>> =>
  Object.fromEntries(report.steps.map(({ id, outcome }) => [id, outcome]))
const stepOf = (report: DoctorReport, id: DoctorStepId) => report.steps.find((step) => step.id === id)!

async function listen(server: Server): Promise<number> {
  open.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}
const answering = (status: number, headers: Record<string, string> = {}) =>
  listen(
    createServer((request, response) => {
      request.resume()
      response.writeHead(status, headers).end()
    }),
  )
const node = (code: string): object => ({ command: process.execPath, args: ['-e', code] })

it('a server that works passes every step, with times, beside the one that runs', async () => {
  const { pid } = await hub.until('echo', 'running')
  const report = await examine(undefined, 'echo')
  expect(report).toMatchObject({ ok: true, failed: null, reason: null, transport: 'stdio', era: 'legacy' })
  expect(outcomes(report)).toEqual({
    configuration: 'ok',
    path: 'ok',
    executable: 'ok',
    version: 'ok',
    spawn: 'ok',
    'first-bytes': 'ok',
    handshake: 'ok',
    era: 'ok',
    tools: 'ok',
  })
  expect(stepOf(report, 'version').message).toBe(`Node.js ${process.versions.node}`)
  expect(stepOf(report, 'tools').message).toMatch(/^10 tools/)
  expect(stepOf(report, 'first-bytes').durationMs).toBeGreaterThan(0)
  expect((await hub.until('echo', 'running')).pid).toBe(pid)
})

describe('an examination that is followed line by line', () => {
  async function* follow(config: object, signal?: AbortSignal): AsyncGenerator<DoctorProgress> {
    const response = await fetch(`${hub.url}/api/servers/new/doctor`, {
      method: 'POST',
      headers: { ...hub.headers, 'content-type': 'application/json', accept: 'application/x-ndjson' },
      body: JSON.stringify({ config }),
      ...(signal === undefined ? {} : { signal }),
    })
    let text = ''
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      const lines = (text + chunk).split('\n')
      text = lines.pop()!
      for (const line of lines) yield doctorProgressSchema.parse(JSON.parse(line))
    }
  }

  it('tells each step as it ends, and the whole report at last', async () => {
    const told: DoctorProgress[] = []
    for await (const progress of follow(fixtureServer('echo.ts'))) told.push(progress)
    const [first, ...rest] = told
    const last = rest.pop()
    if (first?.type !== 'expected' || last?.type !== 'report') throw new Error(JSON.stringify(told))
    const known = new Map(rest.flatMap((each) => (each.type === 'step' ? [[each.step.id, each.step] as const] : [])))
    expect([...known.keys()]).toEqual(first.steps)
    expect([...known.values()]).toEqual(last.report.steps)
    expect(last.report.ok).toBe(true)
  })

  it('tells what was passed while a server is silent, and ends it when nobody listens any more', async () => {
    const abort = new AbortController()
    let pid = 0
    const seen: string[] = []
    const ended = (async () => {
      for await (const progress of follow(node('setInterval(() => {}, 1000)'), abort.signal)) {
        if (progress.type !== 'step') continue
        seen.push(progress.step.id)
        if (progress.step.id !== 'spawn') continue
        pid = Number(/\d+/.exec(progress.step.message)?.[0])
        process.kill(pid, 0)
        abort.abort()
      }
    })()
    await expect(ended).rejects.toThrow(/abort/)
    expect(seen).toEqual(['configuration', 'path', 'executable', 'version', 'spawn'])
    await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow(), { timeout: 10_000 })
  })

  it('runs no program that the caller may not have run', async () => {
    const closed = await startHub({}, { server: { allowRuntimeStdio: false } })
    try {
      const refused = await closed.api('POST', '/api/servers/new/doctor', { config: fixtureServer('echo.ts') })
      expect(refused).toMatchObject({ status: 403, body: { code: 'HUB_EXEC_REFUSED' } })
    } finally {
      await closed.close()
    }
  })
})

describe('of a local server the first step that fails names the cure', () => {
  it.each<[what: string, config: object, step: DoctorStepId, message: RegExp, cure: RegExp]>([
    [
      'a secret that is not set',
      { command: 'node', env: { KEY: '${secret:NONE}' } },
      'configuration',
      /NONE is not set/,
      /vault/,
    ],
    [
      'references in a circle',
      { command: 'node', env: { A: '${env:HUB_TEST_A}' } },
      'configuration',
      /leads back/,
      /./,
    ],
    ['a missing folder', { command: 'node', cwd: '/no/such/folder' }, 'configuration', /does not exist/, /cwd/],
    [
      'a missing runtime',
      { command: 'uvx', args: ['x'], env: { PATH: '/nowhere' } },
      'executable',
      /uvx was not found/,
      /Install uv/,
    ],
    ['a runtime nobody knows', { command: 'no-such-runtime' }, 'executable', /was not found/, /full path/],
    [
      'a missing module',
      { command: process.execPath, args: ['/no/such/server.js'] },
      'first-bytes',
      /module .* is missing/,
      /npm install/,
    ],
    [
      'a missing key',
      node('console.error("BRAVE_API_KEY is required"); process.exit(1)'),
      'first-bytes',
      /BRAVE_API_KEY is not set/,
      /env/,
    ],
    [
      'silence',
      { ...node('process.stdin.resume()'), hub: { startTimeoutMs: 800 } },
      'first-bytes',
      /did not answer/,
      /startTimeoutMs/,
    ],
    [
      'no MCP',
      { ...node('setInterval(() => console.log("hi"), 50)'), hub: { startTimeoutMs: 800 } },
      'handshake',
      /did not answer/,
      /./,
    ],
  ])('%s', async (_what, config, step, message, cure) => {
    process.env['HUB_TEST_A'] = '${env:HUB_TEST_A}'
    const report = await examine(config)
    expect({ failed: report.failed, steps: outcomes(report) }).toMatchObject({
      failed: step,
      steps: { [step]: 'failed' },
    })
    expect(stepOf(report, step).message).toMatch(message)
    expect(stepOf(report, step).cure).toMatch(cure)
    expect(report.reason?.cure).toBe(stepOf(report, step).cure)
    const after = report.steps.slice(report.steps.findIndex(({ id }) => id === step) + 1)
    expect(after.every(({ outcome }) => outcome === 'skipped')).toBe(true)
  })
})

describe('of a remote server the first step that fails names the cure', () => {
  it.each<[what: string, url: () => Promise<string>, step: DoctorStepId, message: RegExp]>([
    [
      'a host that does not exist',
      () => Promise.resolve('http://no-such-host.invalid/mcp'),
      'resolve',
      /was not found/,
    ],
    ['a port that is closed', () => Promise.resolve('http://127.0.0.1:9/mcp'), 'connect', /refused/],
    [
      'no TLS',
      async () =>
        `https://127.0.0.1:${await listen(createTcpServer((socket) => socket.on('error', () => undefined).end('hello')))}/mcp`,
      'tls',
      /./,
    ],
    ['no MCP there', async () => `http://127.0.0.1:${await answering(404)}/mcp`, 'http', /404/],
    ['a fault of its own', async () => `http://127.0.0.1:${await answering(503)}/mcp`, 'http', /503/],
    [
      'another host',
      async () => `http://127.0.0.1:${await answering(307, { location: 'http://example.com/mcp' })}/mcp`,
      'http',
      /example\.com/,
    ],
    ['a sign-in', async () => `http://127.0.0.1:${await answering(401)}/mcp`, 'auth', /401|sign/i],
  ])('%s', async (_what, url, step, message) => {
    const report = await examine({ url: await url() })
    expect({ failed: report.failed, steps: outcomes(report) }).toMatchObject({
      failed: step,
      steps: { [step]: 'failed' },
    })
    expect(stepOf(report, step).message).toMatch(message)
    expect(stepOf(report, step).cure).toMatch(/\w/)
  })
})

it('an entry that is not saved needs more than looking at one that is', async () => {
  const post = (body: object): Promise<Response> =>
    fetch(`${hub.url}/api/servers/echo/doctor`, {
      method: 'POST',
      headers: { authorization: `Bearer ${VIEWER_TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  expect((await post({ config: { command: 'node' } })).status).toBe(403)
  const missing = await hub.api('POST', '/api/servers/none/doctor', {})
  expect((missing.body as Problem).code).toBe('HUB_SERVER_NOT_FOUND')
})

it('the PATH and the runtimes in it are told, and read again when asked to', async () => {
  const told = (await hub.api('GET', '/api/runtimes')).body as Runtimes
  expect(told.path).toMatchObject({ source: 'environment', problem: null })
  const found = told.runtimes.find(({ command }) => command === 'node')
  expect(found?.file).toMatch(/node$/)
  expect(found?.version).toMatch(/^\d+\.\d+/)
  for (const { file, cure } of told.runtimes) if (file === null) expect(cure).toMatch(/^Install /)
  const again = (await hub.api('POST', '/api/runtimes/refresh')).body as Runtimes
  expect(again.path.folders).toEqual(told.path.folders)
})
