import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { homedir } from 'node:os'
import path from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createFaultReports } from '../../hub/observe/fault-reports.ts'
import { createRedactor } from '../../hub/observe/redactor.ts'
import { BUILT_HUB_TOKEN, startBuiltHub } from '../fixtures/built-hub.ts'
import { startForwardProxy } from '../fixtures/network/forward-proxy.ts'

/** An item of an envelope, as Sentry's protocol has it: a line of JSON, and one of what it announces. */
interface Report {
  exception: { values: { type: string; value: string; stacktrace: { frames: Record<string, unknown>[] } }[] }
  tags: Record<string, string>
  release: string
}

let ingest: ReturnType<typeof createServer>
let raw: string[]
let dsn: string
beforeEach(async () => {
  raw = []
  ingest = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.once('end', () => {
      const body = Buffer.concat(chunks)
      const text = request.headers['content-encoding'] === 'gzip' ? gunzipSync(body).toString() : body.toString()
      raw.push(`${request.url ?? ''}\n${text}`)
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
    })
  })
  ingest.listen(0, '127.0.0.1')
  await once(ingest, 'listening')
  dsn = `http://publickey@127.0.0.1:${(ingest.address() as AddressInfo).port}/42`
})
afterEach(() => {
  ingest.closeAllConnections()
  ingest.close()
})

function reportOf(text: string): Report {
  const report = text.split('\n').find((line) => line.includes('"exception"'))
  if (report === undefined) throw new Error(`No report in ${text}`)
  return JSON.parse(report) as Report
}

const planted = {
  vault: 'value-of-a-secret-in-the-vault',
  environment: 'value-of-a-variable-of-the-environment',
  lookalike: 'ghp_0123456789abcdefghijABCDEFGHIJ012345',
  header: 'Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm5hIn0.c2lnbmF0dXJlLW9mLWFubmE',
  home: path.join(homedir(), 'private', 'notes.txt'),
  body: 'an-argument-of-a-tool-call',
}

it('reports a fault with its place in our code, and with none of six planted secrets', async () => {
  const report = createFaultReports({
    dsn: () => dsn,
    release: '1.2.3',
    part: 'hub',
    redactor: createRedactor([planted.vault]),
    env: { NODE_ENV: 'production', SOME_VARIABLE: planted.environment },
  })
  const { vault, environment, lookalike, header, home, body } = planted
  const error = Object.assign(new TypeError(`It said ${vault} ${environment} ${lookalike} ${header} of ${home}`), {
    request: { headers: { authorization: header }, body },
    cause: new Error(`because of ${vault}`),
  })
  await report(error, 'of-the-request-1')
  expect(raw).toHaveLength(1)
  expect(raw[0]).toMatch(/^\/api\/42\/envelope\//)
  for (const [name, value] of Object.entries(planted))
    for (const secret of [value, value.replace('Bearer ', ''), homedir().length > 1 ? `${homedir()}/` : value])
      expect(raw[0], name).not.toContain(secret)
  const { exception, tags, release } = reportOf(raw[0] ?? '')
  expect(release).toBe('mcp-hub@1.2.3')
  expect(tags).toEqual({ part: 'hub', request_id: 'of-the-request-1' })
  expect(exception.values[0]).toMatchObject({ type: 'TypeError' })
  expect(exception.values[0]?.value).toContain('It said [secret]')
  const frame = exception.values[0]?.stacktrace.frames.at(-1)
  expect(Object.keys(frame ?? {}).sort()).toEqual(
    ['colno', 'filename', 'function', 'in_app', 'lineno'].filter((key) => key in (frame ?? {})),
  )
  expect(String(frame?.['filename'])).not.toMatch(/^\/|^[A-Z]:/)
})

it('sends nothing without a DSN, ends no hub when nobody answers, and has an end', async () => {
  let target: string | undefined
  const report = createFaultReports({
    dsn: () => target,
    release: '1.2.3',
    part: 'hub',
    redactor: createRedactor(),
    env: {},
  })
  await report(new Error('one'))
  expect(raw).toEqual([])
  target = 'http://publickey@127.0.0.1:1/42'
  await expect(report(new Error('two'))).resolves.toBeUndefined()
  target = dsn
  for (let n = 0; n < 100; n++) await report(new Error(`number ${n}`))
  expect(raw.length).toBe(59)
})

it('goes through the proxy of the environment', async () => {
  const proxy = await startForwardProxy(null)
  vi.stubEnv('http_proxy', proxy.url())
  vi.stubEnv('no_proxy', '')
  const report = createFaultReports({
    dsn: () => dsn,
    release: '1.2.3',
    part: 'app',
    redactor: createRedactor(),
    env: {},
  })
  await report(new Error('behind a proxy'))
  vi.unstubAllEnvs()
  expect(raw[0]).toContain('behind a proxy')
  expect(proxy.log).toHaveLength(1)
  await proxy.close()
})

it('is what a real hub does with its last words', async () => {
  const hub = await startBuiltHub({
    env: { SENTRY_DSN: dsn, NODE_ENV: 'production' },
    prepare: (folder) =>
      Promise.resolve({
        NODE_OPTIONS: `--import=${path.join(import.meta.dirname, '..', 'fixtures', 'throw-later.mjs')}`,
        FAULT_FLAG: path.join(folder, 'fail'),
        FAULT_TEXT: `It failed with ${BUILT_HUB_TOKEN} and ${dsn}`,
      }),
  })
  const exited = once(hub.child, 'exit')
  await writeFile(path.join(hub.folder, 'fail'), '')
  expect(await exited).toEqual([70, null])
  expect(raw).toHaveLength(1)
  expect(raw[0]).not.toContain(BUILT_HUB_TOKEN)
  expect(raw[0]).not.toContain(hub.folder)
  expect(reportOf(raw[0] ?? '').exception.values[0]?.value).toContain('It failed with [secret]')
  expect(hub.said).toContain('It failed with [secret]')
  expect(hub.said).not.toContain(BUILT_HUB_TOKEN)
  await hub.dispose()
})
