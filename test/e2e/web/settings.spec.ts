import { expect, test } from './fixtures.ts'

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
