import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { CpuProfile } from '../../hub/contract/index.ts'
import { fixtureServer, startHub, VIEWER_TOKEN, type TestHub } from '../fixtures/hub.ts'

interface Sample {
  name: string
  labels: Record<string, string>
  value: number
}

/** Prometheus's text format, strictly: what is not understood is an error. */
function parse(text: string): { samples: Sample[]; types: Map<string, string> } {
  const types = new Map<string, string>()
  const samples: Sample[] = []
  for (const line of text.split('\n')) {
    const type = /^# TYPE (\S+) (counter|gauge|histogram|summary)$/.exec(line)
    if (type !== null) {
      expect(types.has(type[1]!), `${type[1]} is declared twice`).toBe(false)
      types.set(type[1]!, type[2]!)
    }
    if (line === '' || line.startsWith('#')) continue
    const sample = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (-?[\d.e+-]+|[Nn]a[Nn]|[+-]Inf)(?: \d+)?$/.exec(line)
    if (sample === null) throw new Error(`Not a sample: ${line}`)
    const labels = [...(sample[2] ?? '').matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"(?:,|$)/g)]
    expect(labels.map(([whole]) => whole).join(''), line).toBe(sample[2] ?? '')
    const family = sample[1]!.replace(/_(bucket|sum|count)$/, '')
    expect(types.has(sample[1]!) || types.has(family), `${sample[1]} has no type`).toBe(true)
    samples.push({
      name: sample[1]!,
      labels: Object.fromEntries(labels.map(([, key, value]) => [key!, value!])),
      value: Number(sample[3]),
    })
  }
  return { samples, types }
}

let hub: TestHub
let client: Client
beforeAll(async () => {
  hub = await startHub({ echo: fixtureServer('echo.ts'), missing: { command: 'no-such-command-anywhere' } })
  await Promise.all([hub.until('echo', 'running'), hub.until('missing', 'failed')])
  client = new Client({ name: 'metrics-test', version: '1' })
  const requestInit = { headers: hub.headers }
  await client.connect(new StreamableHTTPClientTransport(new URL(`${hub.url}/mcp/echo`), { requestInit }))
})
afterAll(async () => {
  await client.close()
  await hub.close()
})

async function scrape(): Promise<(name: string, labels?: Record<string, string>) => number> {
  const response = await fetch(`${hub.url}/api/metrics`, { headers: hub.headers })
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
  const { samples } = parse(await response.text())
  return (name, labels = {}) =>
    samples
      .filter((sample) => sample.name === name)
      .filter((sample) => Object.entries(labels).every(([key, value]) => sample.labels[key] === value))
      .reduce((sum, { value }) => sum + value, 0)
}

it('counts calls, errors and latencies by server and tool, as Prometheus reads them', async () => {
  for (let round = 0; round < 5; round++) await client.callTool({ name: 'echo', arguments: { text: 'x' } })
  await client.callTool({ name: 'fail', arguments: {} })
  await client.callTool({ name: 'slow', arguments: { ms: 60, steps: 1 } })
  let value = await scrape()
  for (const deadline = Date.now() + 5_000; value('mcp_hub_requests_total', { tool: 'slow' }) < 1;) {
    if (Date.now() > deadline) throw new Error('The calls were not counted')
    value = await scrape()
  }
  const of = (tool: string): Record<string, string> => ({ server: 'echo', method: 'tools/call', tool })
  expect(value('mcp_hub_requests_total', { ...of('echo'), outcome: 'ok' })).toBe(5)
  expect(value('mcp_hub_requests_total', { ...of('fail'), outcome: 'tool-error' })).toBe(1)
  const duration = 'mcp_hub_request_duration_seconds'
  expect(value(`${duration}_count`, of('echo'))).toBe(5)
  expect(value(`${duration}_bucket`, { ...of('echo'), le: '+Inf' })).toBe(5)
  expect(value(`${duration}_bucket`, { ...of('slow'), le: '0.05' })).toBe(0)
  expect(value(`${duration}_bucket`, { ...of('slow'), le: '60' })).toBe(1)
  expect(value(`${duration}_sum`, of('slow'))).toBeGreaterThan(0.05)
})

it('tells sessions, states of servers, the event loop and the process', async () => {
  const value = await scrape()
  expect(value('mcp_hub_sessions')).toBe(1)
  expect(value('mcp_hub_server_state', { server: 'echo', state: 'running' })).toBe(1)
  expect(value('mcp_hub_server_state', { server: 'missing', state: 'failed' })).toBe(1)
  expect(value('mcp_hub_server_state', { server: 'missing' })).toBe(1)
  expect(value('mcp_hub_info', { version: '0.0.0-test' })).toBe(1)
  expect(value('nodejs_eventloop_lag_p99_seconds')).toBeGreaterThan(0)
  expect(value('process_resident_memory_bytes')).toBeGreaterThan(10_000_000)
  expect(value('mcp_hub_history_dropped_total')).toBe(0)
})

it('tells when the newest backup was made', async () => {
  expect((await scrape())('mcp_hub_backup_timestamp_seconds')).toBe(0)
  const before = Date.now()
  const made = await fetch(`${hub.url}/api/backups`, { method: 'POST', headers: hub.headers })
  expect(made.ok, await made.text()).toBe(true)
  // The disk's time may be some milliseconds behind.
  expect((await scrape())('mcp_hub_backup_timestamp_seconds')).toBeGreaterThan(before / 1_000 - 1)
})

it('counts the names that were locked', async () => {
  expect((await scrape())('mcp_hub_lockouts_total')).toBe(0)
  const body = JSON.stringify({ username: 'nobody', password: 'a-wrong-password' })
  const headers = { 'content-type': 'application/json' }
  for (let tries = 0, status = 0; status !== 429; tries++) {
    expect(tries).toBeLessThan(50)
    status = (await fetch(`${hub.url}/api/auth/login`, { method: 'POST', headers, body })).status
  }
  expect((await scrape())('mcp_hub_lockouts_total')).toBe(1)
})

it('is not for everybody', async () => {
  const headers = { authorization: `Bearer ${VIEWER_TOKEN}` }
  expect((await fetch(`${hub.url}/api/metrics`, { headers })).status).toBe(403)
  expect((await fetch(`${hub.url}/api/metrics`)).status).toBe(401)
})

it('a CPU profile tells which functions of the hub ran, one at a time', async () => {
  const record = (seconds: number) => hub.api('POST', '/api/diagnostics/cpu-profile', { seconds })
  const [first, second] = await Promise.all([record(1), record(1)])
  expect([first.status, second.status].sort()).toEqual([200, 409])
  const { nodes, samples } = (first.status === 200 ? first : second).body as CpuProfile
  expect(samples?.length).toBeGreaterThan(10)
  expect(nodes.map(({ callFrame }) => callFrame.functionName)).toContain('(root)')
  expect(await record(0)).toMatchObject({ status: 400, body: { code: 'HUB_BAD_REQUEST' } })
  // One that nobody waits for is over.
  const left = new AbortController()
  const body = JSON.stringify({ seconds: 30 })
  const headers = { ...hub.headers, 'content-type': 'application/json' }
  const gone = fetch(`${hub.url}/api/diagnostics/cpu-profile`, { method: 'POST', body, headers, signal: left.signal })
  setTimeout(() => left.abort(), 100)
  await expect(gone).rejects.toThrow('aborted')
  await expect.poll(async () => (await record(1)).status).toBe(200)
})
