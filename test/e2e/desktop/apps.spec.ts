import path from 'node:path'
import { expect, test, type Frame } from '@playwright/test'
import { launchApp } from './app.ts'

const apps = path.join(import.meta.dirname, '..', '..', 'fixtures', 'mcp-servers', 'apps.ts')

test('the app of a tool runs in the window, and reaches neither it nor the hub', async () => {
  const desktop = await launchApp()
  const { page } = desktop
  try {
    await expect.poll(() => page.evaluate(async () => (await fetch('/api/hub')).ok), { timeout: 30_000 }).toBe(true)
    await page.evaluate(
      async (config) => {
        const body = JSON.stringify({ name: 'apps', config })
        const answer = await fetch('/api/servers', {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body,
        })
        if (!answer.ok) throw new Error(await answer.text())
      },
      { command: process.execPath, args: [apps] },
    )
    const open = async (tool: string): Promise<void> => {
      await page.goto(`app://hub/tools/apps/${tool}`)
      await page.getByRole('button', { name: 'Run' }).click({ timeout: 20_000 })
    }
    const app = page.frameLocator('iframe')

    await open('weather')
    await page.getByLabel('city', { exact: true }).fill('Lisbon')
    await page.getByRole('button', { name: /^Run/ }).click()
    await expect(app.getByRole('heading')).toHaveText('Weather in Lisbon', { timeout: 20_000 })
    await app.getByRole('button', { name: 'Refresh' }).click()
    await expect(app.locator('#times')).toHaveText('1')
    expect(desktop.violations).toEqual([])

    await open('harm-reach')
    const output = app.locator('output')
    await expect(output).not.toBeEmpty({ timeout: 20_000 })
    expect(JSON.parse((await output.textContent()) ?? '')).toMatchObject({
      api: 'refused: TypeError',
      hub: 'refused: TypeError',
      network: 'refused: TypeError',
      storage: 'refused: SecurityError',
      cookie: 'refused: SecurityError',
      page: 'refused: SecurityError',
      popup: 'null',
      top: 'refused: SecurityError',
      desktop: 'undefined',
      origin: 'null',
    })
    // Its frame in the frame is refused by the policy of that, before main is asked.
    expect(page.frames().map((frame) => new URL(frame.url()).pathname)).not.toContain('/api/tools')
    expect(desktop.app.windows()).toHaveLength(1)

    // What an app says that it frames, its frame may show: main lets it through.
    await desktop.app.evaluate(({ BrowserWindow }) => {
      const refused: Record<string, boolean> = {}
      Object.assign(globalThis, { refused })
      BrowserWindow.getAllWindows()[0]?.webContents.on('will-frame-navigate', (event) => {
        refused[event.url] = event.defaultPrevented
      })
    })
    await page.evaluate(() => {
      const frame = document.createElement('iframe')
      frame.src = '/api/apps/frame?frameDomains=https%3A%2F%2Fvideo.example.com'
      document.body.append(frame)
    })
    const framing = (): Frame | undefined => page.frames().find((frame) => frame.url().includes('video.example.com'))
    await expect.poll(() => framing() !== undefined).toBe(true)
    await framing()?.evaluate(() => {
      const frame = document.createElement('iframe')
      frame.src = 'https://video.example.com/'
      document.body.append(frame)
    })
    await expect
      .poll(() => desktop.app.evaluate(() => (globalThis as unknown as { refused: unknown }).refused))
      .toMatchObject({ 'https://video.example.com/': false })

    await open('harm-leave')
    await expect(page.getByRole('alert')).toContainText('It left its page or loaded it anew.', { timeout: 20_000 })
    expect(page.url()).toBe('app://hub/tools/apps/harm-leave')
  } finally {
    await desktop.dispose()
  }
})
