import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { test as base, expect } from '@playwright/test'
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client'
import { StdioClientTransport as ModernStdio } from '@modelcontextprotocol/client/stdio'
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport as LegacyStdio } from '@modelcontextprotocol/sdk/client/stdio.js'
import { StreamableHTTPClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { targetSchema } from '../../../hub/contract/publish.ts'
import { connectionSchema } from '../../../hub/contract/push.ts'
import { makeKey, startSshd } from '../../fixtures/sshd.ts'
import { launchApp } from '../desktop/app.ts'
import { canaries, contents, deploy, DOMAIN, until, type Deployment } from './deployment.ts'
import { describeNginx } from './nginx-behaviour.ts'

/** One deployment for all tests of this file: what the README of a bundle leads to, with the real nginx and the real PM2. */
const test = base.extend<object, { deployment: Deployment }>({
  deployment: [
    async ({}, use) => {
      const deployment = await deploy()
      await use(deployment)
      await deployment.dispose()
    },
    { scope: 'worker', timeout: 120_000 },
  ],
  launchOptions: [
    async ({ launchOptions }, use) => {
      await use({
        ...launchOptions,
        args: [...(launchOptions.args ?? []), `--host-resolver-rules=MAP ${DOMAIN} 127.0.0.1`],
      })
    },
    { scope: 'worker' },
  ],
})
test.describe.configure({ mode: 'serial' })

function withToken({ environment }: Deployment): { headers: Record<string, string> } {
  return { headers: { authorization: `Bearer ${environment['MCP_HUB_TOKEN'] ?? ''}` } }
}

async function legacyClient(deployment: Deployment): Promise<LegacyClient> {
  const client = new LegacyClient({ name: 'test', version: '1' })
  const options = { fetch: deployment.fetch, requestInit: withToken(deployment) }
  await client.connect(new LegacyTransport(new URL(`${deployment.origin}/mcp`), options))
  return client
}

async function modernClient(deployment: Deployment): Promise<ModernClient> {
  const client = new ModernClient(
    { name: 'test', version: '1' },
    { versionNegotiation: { mode: { pin: '2026-07-28' } } },
  )
  const options = { fetch: deployment.fetch, requestInit: withToken(deployment) }
  // A request that is handed to a hub in the millisecond in which it is killed is never answered.
  await client.connect(new ModernTransport(new URL(`${deployment.origin}/mcp`), options), { timeout: 5_000 })
  return client
}

test('no secret of the published configuration is in any file of the bundle', async ({ deployment }) => {
  const files = await contents(deployment.release)
  expect(files.length).toBeGreaterThan(15)
  for (const { name, text } of files)
    for (const canary of Object.values(canaries)) expect(text.includes(canary), name).toBe(false)
})

test('nginx accepts the configuration where it lies', async ({ deployment }) => {
  expect(await deployment.testNginx()).toContain('test is successful')
})

test('a client of the older era calls a tool over https', async ({ deployment }) => {
  const client = await legacyClient(deployment)
  await until(async () => (await client.listTools()).tools.some(({ name }) => name === 'everything__echo'))
  const result = await client.callTool({ name: 'everything__echo', arguments: { message: 'over the wire' } })
  expect(JSON.stringify(result.content)).toContain('over the wire')
  await client.close()
})

test('a client of the modern era calls a tool over https', async ({ deployment }) => {
  const client = await modernClient(deployment)
  const result = await client.callTool({ name: 'everything__echo', arguments: { message: 'over the wire' } })
  expect(JSON.stringify(result.content)).toContain('over the wire')
  await client.close()
})

test('the bridge of the command line serves clients of both eras', async ({ deployment }) => {
  const bridge = {
    command: process.execPath,
    args: [path.join(deployment.root, 'current/hub/cli.js'), 'connect', '--url', deployment.hubUrl],
    env: { MCP_HUB_TOKEN: deployment.environment['MCP_HUB_TOKEN'] ?? '' },
  }
  const call = { name: 'everything__echo', arguments: { message: 'through the bridge' } }
  const legacy = new LegacyClient({ name: 'test', version: '1' })
  await legacy.connect(new LegacyStdio(bridge))
  expect(JSON.stringify((await legacy.callTool(call)).content)).toContain('through the bridge')
  await legacy.close()
  const modern = new ModernClient(
    { name: 'test', version: '1' },
    { versionNegotiation: { mode: { pin: '2026-07-28' } } },
  )
  await modern.connect(new ModernStdio(bridge))
  expect((await modern.listTools()).tools.length).toBeGreaterThan(0)
  expect(JSON.stringify((await modern.callTool(call)).content)).toContain('through the bridge')
  await modern.close()
})

test('a server gets the secret that was given on the target', async ({ deployment }) => {
  const client = await modernClient(deployment)
  const result = await client.callTool({ name: 'everything__get-env', arguments: {} })
  expect(JSON.stringify(result.content)).toContain('given-on-the-target')
  expect(JSON.stringify(result.content)).not.toContain(deployment.environment['JWT_SECRET'])
  await client.close()
})

test('a server whose secret was left empty is not started, and says so', async ({ deployment }) => {
  const server = `${deployment.origin}/api/servers/github`
  const setEnabled = (action: string): Promise<Response> =>
    deployment.fetch(`${server}/${action}`, { ...withToken(deployment), method: 'POST' })
  const answer = await setEnabled('enable')
  expect(answer.ok, await answer.text()).toBe(true)
  await until(async () => {
    const status = (await (await deployment.fetch(server, withToken(deployment))).json()) as {
      reason: { code: string; message: string } | null
    }
    return status.reason?.code === 'unresolved-reference' && status.reason.message.includes('GITHUB_')
  })
  expect((await setEnabled('disable')).ok).toBe(true)
})

test('nobody gets in without the token, or under another name', async ({ deployment }) => {
  const { origin } = deployment
  expect(
    (
      await deployment.fetch(`${origin}/mcp`, {
        method: 'POST',
        body: '{}',
        headers: { 'content-type': 'application/json' },
      })
    ).status,
  ).toBe(401)
  expect((await deployment.fetch(`${origin}/api/servers`)).status).toBe(401)
  const foreign = { ...withToken(deployment).headers, origin: 'https://evil.example.com' }
  expect((await deployment.fetch(`${origin}/api/servers`, { headers: foreign })).status).toBe(403)
})

test('events arrive as they happen', async ({ deployment }) => {
  const end = new AbortController()
  const answer = await deployment.fetch(`${deployment.origin}/api/events`, {
    ...withToken(deployment),
    signal: end.signal,
  })
  expect(answer.headers.get('content-type')).toContain('text/event-stream')
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader()
  const restart = deployment.fetch(`${deployment.origin}/api/servers/everything/restart`, {
    ...withToken(deployment),
    method: 'POST',
  })
  let seen = ''
  while (!seen.includes('server.changed')) seen += (await reader.read()).value ?? ''
  expect((await restart).ok).toBe(true)
  end.abort()
})

test('a person signs in with the generated password and sees the servers', async ({ deployment, page }) => {
  const violations: string[] = []
  page.on('console', (message) => {
    if (/Content.Security.Policy/i.test(message.text())) violations.push(message.text())
  })
  await page.goto(deployment.origin)
  await page.locator('input[name="username"]').fill('admin')
  await page.locator('input[name="password"]').fill(deployment.environment['MCP_HUB_ADMIN_PASSWORD'] ?? '')
  await page.locator('button[type="submit"]').click()
  await expect(page).not.toHaveURL(/login/)
  await page.goto(`${deployment.origin}/servers`)
  await expect(page.getByText('everything').first()).toBeVisible()
  const [cookie] = await page.context().cookies()
  expect(cookie).toMatchObject({ httpOnly: true, secure: true, sameSite: 'Strict' })
  expect(violations).toEqual([])
})

describeNginx(test, { full: false, note: () => undefined })

test('the window verifies what somebody else deployed, and then what became of its configuration', async ({
  deployment,
}) => {
  const { machine, target, root } = deployment
  const key = makeKey(machine.folder, 'user_key')
  const sshd = await startSshd(machine.folder, { keys: [key], env: machine.env })
  const desktop = await launchApp()
  try {
    const { page, userData } = desktop
    const connection = { host: sshd.host, port: sshd.port, user: sshd.user, signIn: { method: 'key', file: key } }
    const publish = path.join(userData, 'data', 'publish')
    await mkdir(publish, { recursive: true })
    const targets = { [DOMAIN]: { target: targetSchema.parse(target), connection: connectionSchema.parse(connection) } }
    await writeFile(path.join(publish, 'targets.json'), JSON.stringify({ targets }))
    await page.getByRole('link', { name: 'Publish', exact: true }).click()
    await page.getByRole('link', { name: DOMAIN }).click()
    await page.getByRole('button', { name: 'Verify', exact: true }).click()
    const verify = page.getByRole('region', { name: `Verify ${DOMAIN}` })
    await verify.getByRole('button', { name: 'It is: connect' }).click({ timeout: 30_000 })
    const found = verify.getByRole('list', { name: 'What was verified' }).getByRole('listitem')
    const outcome = (of: string, name: string) => found.filter({ hasText: of }).getByRole('img', { name })
    await expect(outcome('What people and clients do works', 'Passed')).toBeVisible({ timeout: 60_000 })
    await expect(outcome(`${path.basename(deployment.release)} is in use`, 'Passed')).toBeVisible()
    await expect(outcome('As it was published', 'Passed')).toBeVisible()

    const file = path.join(root, 'config/profiles.json')
    const before = await readFile(file, 'utf8')
    await writeFile(file, JSON.stringify({ profiles: { theirs: { servers: { everything: {} } } } }))
    await page.getByRole('button', { name: 'Verify', exact: true }).click()
    await expect(outcome('Changed there since it was published: config/profiles.json', 'Warning')).toBeVisible({
      timeout: 60_000,
    })
    await writeFile(file, before)
    expect(desktop.violations).toEqual([])
  } finally {
    await desktop.dispose()
    await sshd.close()
  }
})

test('a reload keeps the configuration and loses no call', async ({ deployment }) => {
  const added = await deployment.fetch(`${deployment.origin}/api/servers`, {
    method: 'POST',
    headers: { ...withToken(deployment).headers, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'added', config: { url: 'https://mcp.example.org/mcp', hub: { enabled: false } } }),
  })
  expect(added.ok, await added.text()).toBe(true)

  let stop = false
  let answered = 0
  const lost: string[] = []
  const clients = await Promise.all(Array.from({ length: 4 }, () => modernClient(deployment)))
  const load = clients.map(async (client) => {
    while (!stop) {
      await client.callTool({ name: 'everything__echo', arguments: { message: 'x' } }).then(
        () => answered++,
        (error: unknown) =>
          lost.push(error instanceof Error ? `${error.message} ${String(error.cause)}` : String(error)),
      )
    }
  })
  const before = await deployment.hubPid()
  await deployment.pm2('startOrReload', path.join(deployment.root, 'current/pm2/ecosystem.config.cjs'))
  const after = await deployment.hubPid()
  stop = true
  await Promise.all(load)
  expect(after).not.toBe(before)
  expect(lost).toEqual([])
  expect(answered).toBeGreaterThan(20)

  const servers = (await (
    await deployment.fetch(`${deployment.origin}/api/servers`, withToken(deployment))
  ).json()) as { name: string }[]
  expect(servers.map(({ name }) => name)).toContain('added')
})

test('a hub that is killed comes back, and a client goes on', async ({ deployment }) => {
  const pid = await deployment.hubPid()
  process.kill(pid, 'SIGKILL')
  await until(async () => {
    const client = await modernClient(deployment).catch(() => null)
    const result = await client
      ?.callTool({ name: 'everything__echo', arguments: { message: 'again' } }, { timeout: 5_000 })
      .catch(() => null)
    return JSON.stringify(result?.content ?? '').includes('again')
  })
  expect(await deployment.hubPid()).not.toBe(pid)
})

test('no log and no file of the hub holds a key', async ({ deployment }) => {
  const secrets = ['JWT_SECRET', 'MCP_HUB_TOKEN', 'MCP_HUB_ADMIN_PASSWORD'].map(
    (name) => deployment.environment[name] ?? 'missing',
  )
  for (const folder of ['config', 'data', 'logs'])
    for (const { name, text } of await contents(path.join(deployment.root, folder)))
      for (const secret of secrets) expect(text.includes(secret), name).toBe(false)
  expect(await readFile(path.join(deployment.root, 'config/servers.json'), 'utf8')).toContain(
    '${secret:EVERYTHING_API_KEY}',
  )
})

test('stopping ends the hub and every server process', async ({ deployment }) => {
  const status = (await (await deployment.fetch(`${deployment.origin}/api/servers`, withToken(deployment))).json()) as {
    pid: number | null
  }[]
  const pids = [await deployment.hubPid(), ...status.flatMap(({ pid }) => pid ?? [])]
  expect(pids.length).toBeGreaterThan(1)
  await deployment.pm2('delete', 'all')
  await until(() => pids.every((pid) => !isAlive(pid)))
})

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
