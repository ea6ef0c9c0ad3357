import type { Page } from '@playwright/test'
import { expect, expectAccessible, test } from './fixtures.ts'

const routes = [
  '/',
  '/servers',
  '/servers/add',
  '/servers/add?from=command',
  '/servers/everything',
  '/servers/everything/tools',
  '/servers/everything/logs',
  '/servers/everything/settings',
  '/servers/broken',
  '/servers/no-such-server',
  '/tools',
  '/tools/everything/get-structured-content',
  '/tools/everything/no-such-tool',
  '/activity',
  '/activity/1',
  '/publish',
  '/settings',
  '/settings/versions?version=1',
  '/reference?operation=postServers',
  '/no-such-page',
]

async function checkInBothThemes(page: Page, route: string): Promise<void> {
  await page.goto(route)
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible()
  await expect(page.getByRole('status').filter({ hasText: /^(Loading…|正在加载…)/ })).toHaveCount(0)
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' })
  await expectAccessible(page)
  await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' })
  await expectAccessible(page, 'color-contrast')
}

for (const locale of ['en', 'zh-CN']) {
  test(`every page is accessible in both themes, in ${locale}`, async ({ admin: page, context }) => {
    test.setTimeout(120_000)
    await page.addInitScript((chosen) => localStorage.setItem('mcp-hub.locale', chosen), locale)
    for (const route of routes) await checkInBothThemes(page, route)
    await page.keyboard.press('Control+k')
    await expect(page.getByRole('dialog')).toBeVisible()
    await expectAccessible(page)

    await context.clearCookies()
    for (const route of ['/login', '/setup']) await checkInBothThemes(page, route)
  })
}
