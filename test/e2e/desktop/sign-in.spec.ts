import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from '@playwright/test'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { ServerStatus } from '../../../hub/contract/index.ts'
import { startAuthorizationServer } from '../../fixtures/oauth/authorization-server.ts'
import { browse } from '../../fixtures/oauth/browser.ts'
import { startResourceServer } from '../../fixtures/oauth/resource-server.ts'
import { freePort, launchApp, until, type DesktopApp } from './app.ts'

/** What the app showed outside of its window, and the pages that it had the browser open. */
interface Shown {
  notifications: { title: string; body: string; emit: (event: 'click') => void }[]
  menu: { items: { label: string; click: () => void }[] } | null
  opened: string[]
}
type WithShown = typeof globalThis & { shown: Shown }

/** A display without a desktop shows neither notifications nor a tray's menu, and has no browser: all are watched in main. */
async function watchOutside({ app }: DesktopApp): Promise<void> {
  await app.evaluate(({ Notification, Tray, shell, BrowserWindow }) => {
    const shown: Shown = { notifications: [], menu: null, opened: [] }
    ;(globalThis as WithShown).shown = shown
    Notification.isSupported = () => true
    Notification.prototype.show = function () {
      shown.notifications.push(this)
    }
    const { setContextMenu } = Tray.prototype as unknown as { setContextMenu: (menu: unknown) => void }
    Tray.prototype.setContextMenu = function (menu) {
      shown.menu = menu as unknown as Shown['menu']
      setContextMenu.call(this, menu)
    }
    shell.openExternal = (url) => {
      shown.opened.push(url)
      return Promise.resolve()
    }
    // Whoever looks at the window is told there.
    for (const window of BrowserWindow.getAllWindows()) window.hide()
  })
}

const notifications = ({ app }: DesktopApp): Promise<{ title: string; body: string }[]> =>
  app.evaluate(() => (globalThis as WithShown).shown.notifications.map(({ title, body }) => ({ title, body })))
const menuLabels = ({ app }: DesktopApp): Promise<string[]> =>
  app.evaluate(() => (globalThis as WithShown).shown.menu?.items.map(({ label }) => label) ?? [])

/** The page that the browser was had to open, as the one with this number. */
async function opened({ app }: DesktopApp, number: number): Promise<string> {
  const all = (): Promise<string[]> => app.evaluate(() => (globalThis as WithShown).shown.opened)
  await until('the browser is asked to open the sign-in', async () => (await all()).length >= number)
  return (await all())[number - 1]!
}

async function whoami({ userData }: DesktopApp, port: number): Promise<string> {
  const { clientToken } = JSON.parse(await readFile(path.join(userData, 'vault.json'), 'utf8')) as {
    clientToken: string
  }
  const client = new Client({ name: 'test', version: '1' })
  await client.connect(
    new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${port}/mcp/guarded`), {
      requestInit: { headers: { authorization: `Bearer ${clientToken}` } },
    }),
  )
  try {
    const { content } = (await client.callTool({ name: 'whoami' })) as { content: { text: string }[] }
    return content[0]!.text
  } catch (error) {
    return String(error)
  } finally {
    await client.close()
  }
}

test('when a person is needed the app says so by a notification and in the tray, and each leads to a sign-in that works', async () => {
  const as = await startAuthorizationServer()
  const server = await startResourceServer(as)
  const port = await freePort()
  const desktop = await launchApp({ server: { port } })
  const { app, page } = desktop
  const stateIs = (state: string): Promise<void> =>
    until(`the server is ${state}`, async () =>
      page.evaluate(async (wanted) => {
        const response = await fetch('/api/servers')
        const all = (await response.json()) as ServerStatus[]
        return all[0]?.state === wanted
      }, state),
    )
  try {
    await until('the hub answers', () => page.evaluate(async () => (await fetch('/api/hub')).ok))
    await watchOutside(desktop)
    await page.evaluate(
      (url) =>
        fetch('/api/servers', {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ name: 'guarded', config: { type: 'http', url } }),
        }),
      server.url,
    )
    await stateIs('needs-auth')
    await until('it is notified', async () => (await notifications(desktop)).length === 1)
    expect((await notifications(desktop))[0]?.title).toBe('Sign in to guarded')

    await test.step('by the notification', async () => {
      await app.evaluate(() => (globalThis as WithShown).shown.notifications[0]!.emit('click'))
      const url = await opened(desktop, 1)
      // Back to where clients know the hub, and no other port.
      expect(new URL(url).searchParams.get('redirect_uri')).toBe(`http://127.0.0.1:${port}/oauth/callback`)
      expect((await browse(url, { user: 'alice' })).status).toBe(200)
      await stateIs('running')
      expect(await whoami(desktop, port)).toBe('alice')
      await until(
        'the tray asks for nothing',
        async () => !(await menuLabels(desktop)).some((label) => label.startsWith('Sign In')),
      )
    })

    await test.step('by the tray, once the sign-in cannot be renewed', async () => {
      await as.revokeRefreshTokens()
      server.expireTokens()
      expect(await whoami(desktop, port)).toContain('does not renew the sign-in any more')
      const label = 'Sign In Again: guarded…'
      await until('the tray asks for it', async () => (await menuLabels(desktop)).includes(label))
      await until('it is notified again', async () => (await notifications(desktop)).length === 2)
      await app.evaluate(
        (_electron, wanted) =>
          (globalThis as WithShown).shown.menu?.items.find(({ label }) => label === wanted)?.click(),
        label,
      )
      expect((await browse(await opened(desktop, 2), { user: 'bob' })).status).toBe(200)
      await stateIs('running')
      expect(await whoami(desktop, port)).toBe('bob')
    })
    expect(desktop.violations).toEqual([])
  } finally {
    await desktop.dispose()
    await server.close()
    await as.close()
  }
})
