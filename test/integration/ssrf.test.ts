import { createServer } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { everywhere, forbiddenAddress, internetOnly } from '../../hub/upstream/network/addresses.ts'
import type { DoctorReport, DryRunResult } from '../../hub/contract/index.ts'
import { appCaller } from '../../hub/auth/caller.ts'
import { startHub, TOKEN, type TestHub } from '../fixtures/hub.ts'
import { listen, mcpListener, type Listening } from '../fixtures/network/mcp-over.ts'
import { addKey, ask } from '../fixtures/people.ts'

const cleanUp: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of cleanUp.splice(0).reverse()) await end()
})
function kept<T extends { close: () => Promise<unknown> }>(part: T): T {
  cleanUp.push(() => part.close())
  return part
}

const production = (servers: Record<string, unknown>, system: Record<string, unknown> = {}): Promise<TestHub> =>
  startHub(servers, system, { env: { NODE_ENV: 'production' } }).then(kept)

/** A real MCP server on loopback that counts who comes. */
async function startInside(): Promise<Listening & { visits: () => number }> {
  const serve = mcpListener()
  let visits = 0
  const listening = await listen((request, response) => {
    visits++
    serve(request, response)
  })
  return kept({ ...listening, visits: () => visits })
}

/** As a person may write them into a URL; what WHATWG makes of them is what counts. */
const HOSTILE = [
  'http://localhost/',
  'http://127.0.0.1/',
  'http://127.1/',
  'http://2130706433/',
  'http://0x7f000001/',
  'http://0177.0.0.1/',
  'http://①②⑦.⓪.⓪.①/',
  'http://0/',
  'http://[::1]/',
  'http://[::]/',
  'http://[::ffff:127.0.0.1]/',
  'http://[::ffff:a00:1]/',
  'http://[64:ff9b::7f00:1]/',
  'http://[2002:7f00:1::]/',
  'http://10.0.0.1/',
  'http://172.16.0.1/',
  'http://192.168.1.1/',
  'http://100.64.0.1/',
  'http://169.254.1.1/',
  'http://198.18.0.1/',
  'http://224.0.0.1/',
  'http://255.255.255.255/',
  'http://[fd00::1]/',
  'http://[fe80::1]/',
]
const METADATA = [
  'http://169.254.169.254/latest/meta-data/',
  'http://2852039166/',
  'http://[::ffff:169.254.169.254]/',
  'http://[64:ff9b::a9fe:a9fe]/',
  'http://169.254.170.2/',
  'http://100.100.100.200/',
  'http://168.63.129.16/',
  'http://[fd00:ec2::254]/',
]

describe('addresses that a URL may hide (CVE-2026-79747, CVE-2026-59973)', () => {
  it.each([...HOSTILE, ...METADATA])('%s is not on the internet', async (url) => {
    expect(await forbiddenAddress(new URL(url).hostname, internetOnly)).not.toBeNull()
  })
  it.each(METADATA)('%s is never reached, whatever is allowed', async (url) => {
    expect(await forbiddenAddress(new URL(url).hostname, everywhere)).not.toBeNull()
  })
  it.each(['http://93.184.216.34/', 'https://[2606:2800:220:1::1]/', 'http://[64:ff9b::808:808]/'])(
    '%s is',
    async (url) => {
      expect(await forbiddenAddress(new URL(url).hostname, internetOnly)).toBeNull()
    },
  )
})

describe('a hub in production', () => {
  it('connects no server in a private network until its entry allows it', async () => {
    const inside = await startInside()
    const url = `http://localhost:${inside.port}/mcp/`
    const hub = await production({
      remote: { type: 'http', url },
      literal: { url: `http://127.0.0.1:${inside.port}/mcp/` },
    })
    for (const name of ['remote', 'literal'])
      expect((await hub.until(name, 'failed', 'backoff')).reason).toMatchObject({
        code: 'blocked-address',
        cure: expect.stringContaining('hub.allowPrivateAddresses') as string,
      })
    expect(inside.visits()).toBe(0)
    const allowed = { config: { type: 'http', url, hub: { allowPrivateAddresses: true } } }
    expect((await hub.api('PUT', '/api/servers/remote', allowed)).status).toBe(200)
    await hub.until('remote', 'running')
  })

  it('allows it for all servers when system.json says so', async () => {
    const inside = await startInside()
    const hub = await production(
      { remote: { url: `http://127.0.0.1:${inside.port}/mcp/` } },
      { server: { allowPrivateAddresses: true } },
    )
    await hub.until('remote', 'running')
  })

  it('takes the consent only of who may run programs', async () => {
    const hub = await production({ remote: { url: 'http://127.0.0.1:9/mcp', hub: { enabled: false } } })
    const { secret } = (await addKey(hub, TOKEN, { permissions: ['servers:read', 'servers:write', 'servers:operate'] }))
      .body
    const config = { url: 'http://127.0.0.1:9/mcp', hub: { enabled: false, allowPrivateAddresses: true } }
    for (const [route, body] of [
      ['PUT /api/servers/remote', { config }],
      ['POST /api/servers', { name: 'new', config }],
      ['POST /api/servers/dry-run', { config }],
      ['POST /api/servers/remote/doctor', { config }],
    ] as const)
      expect(await ask(hub, route, { token: secret, body })).toMatchObject({
        status: 403,
        body: { code: 'HUB_EXEC_REFUSED' },
      })
    expect((await ask(hub, 'PUT /api/servers/remote', { token: TOKEN, body: { config } })).status).toBe(200)
    // With it in force, pointing it elsewhere is the same decision.
    const elsewhere = { config: { ...config, url: 'http://127.0.0.1:10/mcp' } }
    expect((await ask(hub, 'PUT /api/servers/remote', { token: secret, body: elsewhere })).status).toBe(403)
    const note = { config: { ...config, hub: { ...config.hub, description: 'a note' } } }
    expect((await ask(hub, 'PUT /api/servers/remote', { token: secret, body: note })).status).toBe(200)
  })

  it('is not led there by a trial, the doctor or a proxy', async () => {
    const inside = await startInside()
    const hub = await production({})
    const config = { url: `http://127.0.0.1:${inside.port}/mcp/` }
    const trial = (await hub.api('POST', '/api/servers/dry-run', { config })).body as DryRunResult
    expect(trial.reason).toMatchObject({ code: 'blocked-address' })
    const report = (await hub.api('POST', '/api/servers/x/doctor', { config })).body as DoctorReport
    expect(report).toMatchObject({ ok: false, failed: 'resolve', reason: { code: 'blocked-address' } })
    const proxied = { url: 'http://93.184.216.34/mcp', hub: { proxy: `http://127.0.0.1:${inside.port}` } }
    const through = (await hub.api('POST', '/api/servers/dry-run', { config: proxied })).body as DryRunResult
    expect(through.reason).toMatchObject({ code: 'blocked-address' })
    expect(inside.visits()).toBe(0)
  })
})

it('no redirect leads to another origin, also where private networks are allowed', async () => {
  const inside = await startInside()
  const hops = createServer((_request, response) =>
    response.writeHead(307, { location: `http://127.0.0.1:${inside.port}/mcp/` }).end(),
  )
  await new Promise<void>((resolve) => hops.listen(0, '127.0.0.1', resolve))
  cleanUp.push(() => new Promise((resolve) => hops.close(resolve)))
  const { port } = hops.address() as { port: number }
  const hub = kept(await startHub({ remote: { url: `http://127.0.0.1:${port}/mcp` } }))
  expect((await hub.until('remote', 'failed', 'backoff')).reason).toMatchObject({ code: 'redirected' })
  expect(inside.visits()).toBe(0)
})

it('the desktop connects to this computer by default', async () => {
  const inside = await startInside()
  const hub = kept(
    await startHub(
      { remote: { url: `http://127.0.0.1:${inside.port}/mcp/` } },
      {},
      { env: { NODE_ENV: 'production' }, hub: { mode: 'desktop', tokens: [{ value: TOKEN, caller: appCaller }] } },
    ),
  )
  await hub.until('remote', 'running')
})
