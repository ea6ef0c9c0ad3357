import path from 'node:path'
import { createRequire } from 'node:module'
import { readFile, readdir } from 'node:fs/promises'
import { expect, test } from '@playwright/test'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client'
import type { ServerStatus } from '../../../hub/contract/index.ts'
import { temporaryFolder } from '../../fixtures/built-program.ts'
import { descendants, freePort, isAlive, launchApp, until, type DesktopApp } from './app.ts'

const require = createRequire(import.meta.url)
const everything = path.join(
  path.dirname(require.resolve('@modelcontextprotocol/server-everything/package.json')),
  'dist',
  'index.js',
)

/** Rejects while no hub answers: what main says in its place is no answer of a hub. */
async function read<T>(desktop: DesktopApp, route: string): Promise<T> {
  return desktop.page.evaluate(async (path) => {
    const response = await fetch(path)
    if (!response.ok) throw new Error(`${path}: ${response.status}`)
    return (await response.json()) as T
  }, route)
}

const servers = (desktop: DesktopApp): Promise<ServerStatus[]> => read(desktop, '/api/servers')

async function clientToken(desktop: DesktopApp): Promise<string> {
  const vault = JSON.parse(await readFile(path.join(desktop.userData, 'vault.json'), 'utf8')) as { clientToken: string }
  return vault.clientToken
}

/** One call of `echo` by a client of each era; what both answered. */
async function echoByBoth(port: number, token: string, text: string): Promise<unknown[]> {
  const url = new URL(`http://127.0.0.1:${port}/mcp`)
  const requestInit = { headers: { authorization: `Bearer ${token}` } }
  const call = { name: 'everything__echo', arguments: { message: text } }
  const legacy = new Client({ name: 'legacy', version: '1' })
  await legacy.connect(new StreamableHTTPClientTransport(url, { requestInit }))
  const modern = new ModernClient(
    { name: 'modern', version: '1' },
    { versionNegotiation: { mode: { pin: '2026-07-28' } } },
  )
  await modern.connect(new ModernTransport(url, { requestInit }))
  const answers = [(await legacy.callTool(call)).content, (await modern.callTool(call)).content]
  await Promise.all([legacy.close(), modern.close()])
  return answers
}

async function hubPid(desktop: DesktopApp): Promise<number> {
  return (await read<{ pid: number }>(desktop, '/api/hub')).pid
}

test('a server added in the app serves clients of both eras, a killed hub comes back, and quitting leaves nothing', async () => {
  const port = await freePort()
  const desktop = await launchApp({ server: { port } })
  const main = desktop.app.process().pid ?? 0
  try {
    const { page } = desktop
    await page.getByRole('link', { name: 'Servers', exact: true }).click()
    await page
      .getByRole('link', { name: /add server/i })
      .first()
      .click()
    await page
      .getByRole('textbox')
      .first()
      .fill(JSON.stringify({ mcpServers: { everything: { command: process.execPath, args: [everything] } } }))
    await page
      .getByRole('button', { name: /continue|review|next/i })
      .first()
      .click()
    await expect(page.getByText(everything).first()).toBeVisible()
    await page
      .getByRole('button', { name: /^(add|save)/i })
      .first()
      .click()
    await until('the server runs', async () =>
      (await servers(desktop)).some((server) => server.name === 'everything' && server.state === 'running'),
    )
    await expect(page.getByText('Running').first()).toBeVisible()

    const token = await clientToken(desktop)
    expect(await echoByBoth(port, token, 'one')).toEqual([
      [{ type: 'text', text: 'Echo: one' }],
      [{ type: 'text', text: 'Echo: one' }],
    ])

    const killed = await hubPid(desktop)
    process.kill(killed, 'SIGKILL')
    await until('another hub answers', async () => (await hubPid(desktop).catch(() => killed)) !== killed)
    await until('the server runs again', async () =>
      (await servers(desktop).catch((): ServerStatus[] => [])).some((server) => server.state === 'running'),
    )
    expect(await echoByBoth(port, token, 'two')).toEqual([
      [{ type: 'text', text: 'Echo: two' }],
      [{ type: 'text', text: 'Echo: two' }],
    ])

    const family = await descendants(main)
    expect(family.length).toBeGreaterThan(3)
    await desktop.app.close()
    await until(
      'every process ended',
      async () => (await Promise.all(family.map(isAlive))).every((alive) => !alive),
      10_000,
    )
    const kept = await readdir(path.join(desktop.userData, 'compiled'), { recursive: true, withFileTypes: true })
    expect(kept.filter((entry) => entry.isFile()).length, 'compiled code for the next start').toBeGreaterThan(1)
    expect(desktop.violations).toEqual([])
  } finally {
    await desktop.dispose()
  }
})

test('a wrong token, a foreign Origin and a foreign Host are refused at the endpoint', async () => {
  const port = await freePort()
  const desktop = await launchApp({ server: { port } })
  try {
    await until('the endpoint listens', async () =>
      fetch(`http://127.0.0.1:${port}/health`).then(
        (response) => response.ok,
        () => false,
      ),
    )
    const post = (headers: Record<string, string>): Promise<number> =>
      fetch(`http://127.0.0.1:${port}/mcp`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: '{}',
      }).then((response) => response.status)
    const token = await clientToken(desktop)
    expect(await post({})).toBe(401)
    expect(await post({ authorization: 'Bearer wrong' })).toBe(401)
    expect(await post({ authorization: `Bearer ${token}`, origin: 'https://evil.example' })).toBe(403)
    // The clients' token opens the MCP endpoints and nothing else, and the API is not on this port at all.
    expect(
      await fetch(`http://127.0.0.1:${port}/api/servers`, { headers: { authorization: `Bearer ${token}` } }).then(
        (response) => response.status,
      ),
    ).toBe(404)
  } finally {
    await desktop.dispose()
  }
})

test('a port in use is told with its holder, and the endpoint moves when asked', async () => {
  const first = await launchApp()
  const endpointOf = (desktop: DesktopApp): Promise<{ state: string; takenBy: string; port: number }> =>
    desktop.page.evaluate(
      async () =>
        ((await (await fetch('/api/hub')).json()) as { endpoint: { state: string; takenBy: string; port: number } })
          .endpoint,
    )
  await until('the first app listens', async () => (await endpointOf(first).catch(() => null))?.state === 'listening')
  const { port } = await endpointOf(first)
  const second = await launchApp({ server: { port } })
  try {
    await until(
      'the second app tells',
      async () => (await endpointOf(second).catch(() => null))?.state === 'port-in-use',
    )
    expect((await endpointOf(second)).takenBy).toMatch(/\(pid \d+\)/)
    await expect(second.page.getByText(new RegExp(String(port))).first()).toBeVisible()
    const other = await freePort()
    await second.page.evaluate(
      (wanted) =>
        fetch('/api/hub/endpoint', {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ port: wanted }),
        }),
      other,
    )
    expect(await endpointOf(second)).toMatchObject({ state: 'listening', port: other })
  } finally {
    await second.dispose()
    await first.dispose()
  }
})

test('what would end the app or lose edits is asked about first, and done when somebody agrees', async () => {
  const desktop = await launchApp()
  const { app, page } = desktop
  /** What somebody answers, and how often they were asked. */
  type Asked = typeof globalThis & { answer: 0 | 1; asked: number }
  const STAY = 1
  const LEAVE = 0
  const asked = (): Promise<number> => app.evaluate(() => (globalThis as Asked).asked)
  const quit = (): Promise<void> => app.evaluate(({ app: electron }) => electron.quit())
  try {
    await until('the hub answers', async () => page.evaluate(async () => (await fetch('/api/hub')).ok))
    await page.evaluate(() =>
      fetch('/api/servers', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name: 'edited', config: { command: 'no-such-command-anywhere' } }),
      }),
    )
    await page.getByRole('link', { name: /^Servers/ }).click()
    await page.getByRole('link', { name: 'edited', exact: true }).click()
    const views = page.getByRole('navigation', { name: 'Views of this server' })
    await views.getByRole('link', { name: 'Settings', exact: true }).click()
    // A page asks nobody about what no person did.
    await page.getByLabel('Command').click()
    await page.keyboard.type('x')
    await app.evaluate(({ dialog, BrowserWindow }, answer) => {
      Object.assign(globalThis, { answer, asked: 0 })
      dialog.showMessageBoxSync = () => {
        ;(globalThis as Asked).asked++
        return (globalThis as Asked).answer
      }
      // There is no tray here that it could go on in.
      BrowserWindow.getAllWindows()[0]?.close()
      // As after closing it to one.
      for (const window of BrowserWindow.getAllWindows()) window.hide()
    }, STAY)
    expect(await asked()).toBe(1)
    await quit()
    await until('it asks', async () => (await asked()) === 2)
    expect(await app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.isVisible())).toBe(true)
    await expect(page.getByLabel('Command')).toHaveValue(/x/)
    // Whoever stayed is asked again.
    await quit()
    await until('it asks again', async () => (await asked()) === 3)
    expect(await page.evaluate(async () => (await fetch('/api/hub')).ok)).toBe(true)

    const family = await descendants(app.process().pid ?? 0)
    await app.evaluate((_electron, answer) => Object.assign(globalThis, { answer }), LEAVE)
    await quit()
    await until('it ends', async () => (await Promise.all(family.map(isAlive))).every((alive) => !alive), 10_000)
  } finally {
    await desktop.dispose()
  }
})

test('the bundle is exported to a folder', async () => {
  const out = await temporaryFolder()
  const target = path.join(out.path, 'bundle')
  const desktop = await launchApp(undefined, { MCP_HUB_EXPORT_DIR: target })
  try {
    await until('the hub answers', async () => desktop.page.evaluate(async () => (await fetch('/api/hub')).ok))
    const result = await desktop.page.evaluate(() =>
      (window as unknown as { desktop: { invoke: (name: string, input: unknown) => Promise<unknown> } }).desktop.invoke(
        'publish.export',
        { target: { domain: 'hub.example.com' } },
      ),
    )
    expect(result).toMatchObject({ ok: true, value: { canceled: false, directory: target } })
    expect(await readdir(target)).toEqual(
      expect.arrayContaining(['nginx', 'pm2', 'docker', 'config', 'hub', 'web', '.env.example', 'README.md']),
    )
  } finally {
    await desktop.dispose()
    await out.dispose()
  }
})
