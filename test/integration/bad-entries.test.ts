import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Problem } from '../../hub/contract/index.ts'
import { temporaryFolder } from '../fixtures/built-program.ts'
import { startHub, type TestHub } from '../fixtures/hub.ts'

/** Entries that must be refused before anything of theirs runs, or hears from the hub. */
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let hub: TestHub
/** Its program leaves a file here, should it ever run. */
let mark: string
/** What came to the server that the entries name, and to the one that it would lead to. */
const asked: string[] = []
const servers: Server[] = []

async function listen(name: string, location?: () => string): Promise<string> {
  const server = createServer((request, response) => {
    asked.push(name)
    request.resume()
    if (location === undefined) response.writeHead(500).end()
    else response.writeHead(307, { location: location() }).end()
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

const program = (more: object = {}): object => ({
  command: process.execPath,
  args: ['-e', `require('node:fs').writeFileSync(${JSON.stringify(mark)}, '')`],
  ...more,
})

beforeAll(async () => {
  folder = await temporaryFolder()
  mark = path.join(folder.path, 'it-ran')
  const env = { CIRCLE_A: '${env:CIRCLE_B}', CIRCLE_B: 'x-${env:CIRCLE_A}', WHO: 'user:password' }
  hub = await startHub({}, {}, { env })
})
afterAll(async () => {
  await hub.close()
  for (const server of servers) server.close()
  await folder.dispose()
})

async function add(config: object): Promise<{ status: number; detail: string | undefined }> {
  const { status, body } = await hub.api('POST', '/api/servers', { name: 'bad', config })
  return { status, detail: (body as Problem | undefined)?.detail }
}

/** What becomes of an entry that is taken. */
async function reasonOf(config: object): Promise<object> {
  expect((await add(config)).status).toBe(201)
  const { reason, attempt } = await hub.until('bad', 'failed')
  await hub.api('DELETE', '/api/servers/bad')
  // Nothing that trying again could cure.
  expect(attempt).toBe(1)
  return { code: reason?.code, message: reason?.message, cure: reason?.cure }
}

it('the marking program marks, so that its silence means something', async () => {
  await hub.api('POST', '/api/servers/dry-run', { config: program() })
  expect(existsSync(mark)).toBe(true)
})

it.each<[string, () => object, { code: string; message: RegExp; cure: RegExp }]>([
  [
    'a runtime that is not there',
    () => ({ command: 'no-such-runtime', args: ['x'] }),
    { code: 'command-not-found', message: /no-such-runtime was not found/, cure: /install it/ },
  ],
  [
    'a working directory that is not there',
    () => program({ cwd: '/no/such/folder' }),
    { code: 'spawn-failed', message: /\/no\/such\/folder does not exist/, cure: /cwd/ },
  ],
  [
    'references that lead back to themselves',
    () => program({ env: { KEY: '${env:CIRCLE_A}' } }),
    {
      code: 'unresolved-reference',
      message: /env\.KEY .*leads back to itself: env:CIRCLE_A → env:CIRCLE_B → env:CIRCLE_A/,
      cure: /refers to no other/,
    },
  ],
])('%s ends in failed, and no program runs', async (_what, entry, expected) => {
  await rm(mark, { force: true })
  expect(await reasonOf(entry())).toMatchObject({
    code: expected.code,
    message: expect.stringMatching(expected.message) as string,
    cure: expect.stringMatching(expected.cure) as string,
  })
  expect(existsSync(mark)).toBe(false)
})

it.each<[string, () => object, RegExp]>([
  ['the name of a variable with =', () => program({ env: { 'A=B': 'c' } }), /may not be empty or hold =/],
  ['an address with a password', () => ({ url: 'http://user:password@127.0.0.1:9/mcp' }), /may not hold a password/],
])('%s is refused when it is saved', async (_what, entry, detail) => {
  expect(await add(entry())).toEqual({ status: 400, detail: expect.stringMatching(detail) as string })
  expect((await hub.api('GET', '/api/servers')).body).toEqual([])
  expect(existsSync(mark)).toBe(false)
})

it('an address that gets a password by a reference ends in failed, and is not asked', async () => {
  const host = await listen('named')
  expect(await reasonOf({ url: `http://\${env:WHO}@${host}/mcp` })).toMatchObject({
    message: 'The url of bad holds a user or password',
    cure: expect.stringContaining('set the header Authorization') as string,
  })
  expect(asked).toEqual([])
})

it('a redirect to another host is told, and that host is not asked', async () => {
  const other = await listen('other')
  const named = await listen('named', () => `http://${other}/mcp`)
  await add({ url: `http://${named}/mcp`, hub: { maxStartAttempts: 1 } })
  const { reason } = await hub.until('bad', 'failed')
  await hub.api('DELETE', '/api/servers/bad')
  expect(reason).toMatchObject({ code: 'redirected', cure: expect.stringContaining(`http://${other}/mcp`) as string })
  expect(new Set(asked)).toEqual(new Set(['named']))
})
