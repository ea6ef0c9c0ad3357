import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, signIn, test } from './fixtures.ts'
import { startWebHub } from './hub.ts'

test('theme and language change at once and stay after a reload', async ({ admin: page }) => {
  await page.goto('/settings')
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
  await page.getByRole('radiogroup', { name: 'Theme' }).getByText('Dark').click()
  await expect.poll(background).toBe('rgb(17, 17, 21)')
  await page.getByRole('radiogroup', { name: 'Language' }).getByText('简体中文').click()
  await expect(page.getByRole('heading', { name: '设置', level: 1 })).toBeVisible()
  await expect(page).toHaveTitle('设置 · MCP Hub')

  await page.reload()
  await expect(page.getByRole('heading', { name: '设置', level: 1 })).toBeVisible()
  expect(await background()).toBe('rgb(17, 17, 21)')
  expect(await page.locator('html').getAttribute('lang')).toBe('zh-CN')

  await page.getByRole('radiogroup', { name: '语言' }).getByText('English').click()
  await expect(page.getByRole('heading', { name: 'Settings', level: 1 })).toBeVisible()
})

test('the dark theme is there before the first script of the page has run', async ({ admin: page }) => {
  await page.addInitScript(() => localStorage.setItem('mcp-hub.theme', 'dark'))
  await page.route('**/assets/**', (route) => route.abort())
  await page.goto('/settings')
  expect(await page.evaluate(() => document.documentElement.dataset['theme'])).toBe('dark')
})

test('what was changed in system.json and waits for a restart is named, in both languages', async ({
  page,
  context,
}) => {
  const hub = await startWebHub()
  try {
    await signIn(context, hub.url)
    await page.goto(`${hub.url}/settings`)
    await expect(page.getByRole('heading', { name: 'Settings', level: 1 })).toBeVisible()
    await expect(page.getByText('after a restart')).toHaveCount(0)
    const file = path.join(hub.configDir, 'system.json')
    const auth = { bcryptRounds: 10 }
    await writeFile(file, JSON.stringify({ auth, server: { host: '127.0.0.2' }, limits: { maxConnections: 500 } }))
    const notice = page.getByRole('alert').filter({ hasText: '2 settings of system.json take effect after a restart' })
    await expect(notice).toContainText('server.host')
    await expect(notice).toContainText('limits.maxConnections')
    await page.getByRole('radiogroup', { name: 'Language' }).getByText('简体中文').click()
    await expect(page.getByText('system.json 中有 2 项设置在重启后生效')).toBeVisible()
    await writeFile(file, JSON.stringify({ auth }))
    await expect(page.getByText('在重启后生效')).toHaveCount(0)
  } finally {
    await hub.close()
  }
})
