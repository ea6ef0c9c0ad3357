import { readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from '@playwright/test'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { startPostgres, type TestPostgres } from '../../fixtures/postgres.ts'
import { deploy, until, type Deployment } from './deployment.ts'

/** Two hubs behind nginx: sessions of older clients live in one of them, so a client must always meet the same one. */
test.describe.configure({ mode: 'serial' })
let postgres: TestPostgres
let deployment: Deployment
test.beforeAll(async () => {
  postgres = await startPostgres()
  deployment = await deploy({ instances: 2, databaseUrl: postgres.url })
})
test.afterAll(async () => {
  await deployment.dispose()
  await postgres.stop()
})

async function processes(): Promise<{ name: string; pid: number; status: string }[]> {
  const list = await deployment.pm2('jlist')
  const all = JSON.parse(list.slice(list.indexOf('['))) as { name: string; pid: number; pm2_env: { status: string } }[]
  return all.map(({ name, pid, pm2_env }) => ({ name, pid, status: pm2_env.status }))
}

async function connect(token: string): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' })
  const options = { fetch: deployment.fetch, requestInit: { headers: { authorization: `Bearer ${token}` } } }
  await client.connect(new StreamableHTTPClientTransport(new URL(`${deployment.origin}/mcp`), options))
  return client
}

async function signIn(): Promise<string> {
  const answer = await deployment.fetch(`${deployment.origin}/api/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username: 'admin', password: deployment.environment['MCP_HUB_ADMIN_PASSWORD'] }),
  })
  expect(answer.status).toBe(200)
  return ((await answer.json()) as { accessToken: string }).accessToken
}

test('both run, and a sign-in at one counts at the other', async () => {
  expect((await processes()).map(({ status }) => status)).toEqual(['online', 'online'])
  const token = await signIn()
  // nginx chooses by the whole header: each spelling of it may reach another hub.
  const pids = new Set<number>()
  for (let spaces = 1; spaces <= 20; spaces++) {
    const headers = { authorization: `Bearer${' '.repeat(spaces)}${token}` }
    const answer = await deployment.fetch(`${deployment.origin}/api/hub`, { headers })
    expect(answer.status).toBe(200)
    pids.add(((await answer.json()) as { pid: number }).pid)
  }
  expect(pids.size).toBe(2)
})

test('a secret that is set at one is known at the other, in a file that only the hubs read', async () => {
  const headers = { authorization: `Bearer ${deployment.environment['MCP_HUB_TOKEN'] ?? ''}` }
  const { origin, hostname, port } = new URL(deployment.hubUrl)
  const other = `http://${hostname}:${Number(port) + 1}`
  const set = await fetch(`${origin}/api/secrets/SET_HERE`, {
    method: 'PUT',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({ value: 'set-in-the-web-ui' }),
  })
  expect(set.status).toBe(201)
  await until(async () => (await (await fetch(`${other}/api/secrets`, { headers })).text()).includes('"SET_HERE"'))
  const file = path.join(deployment.root, 'data/secrets.json')
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ SET_HERE: 'set-in-the-web-ui' })
})

test('no client loses its session', async () => {
  const token = deployment.environment['MCP_HUB_TOKEN'] ?? ''
  const clients = await Promise.all(Array.from({ length: 10 }, () => connect(token)))
  await until(
    async () => (await clients[0]?.listTools())?.tools.some(({ name }) => name === 'everything__echo') === true,
  )
  const results = await Promise.all(
    clients.flatMap((client) =>
      Array.from({ length: 10 }, (_, n) =>
        client.callTool({ name: 'everything__echo', arguments: { message: `call ${n}` } }),
      ),
    ),
  )
  expect(results.length).toBe(100)
  for (const client of clients) await client.close()
})

test('while one is away the other answers', async () => {
  const [first] = await processes()
  await deployment.pm2('stop', first?.name ?? '')
  const client = await connect(deployment.environment['MCP_HUB_TOKEN'] ?? '')
  expect((await client.listTools()).tools.length).toBeGreaterThan(0)
  await client.close()
})
