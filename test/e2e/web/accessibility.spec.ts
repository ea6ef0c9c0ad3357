import type { Page } from '@playwright/test'
import { answerAsDesktop, desktopAnswers } from '../../../scripts/lib/example-targets.ts'
import { expect, expectAccessible, test } from './fixtures.ts'

const areas = {
  servers: ['/', '/servers', '/servers/add', '/servers/add?from=command', '/servers/broken', '/servers/no-such-server'],
  'one server': [
    '/servers/everything',
    '/servers/everything/tools',
    '/servers/everything/logs',
    '/servers/everything/doctor',
    '/servers/everything/settings',
  ],
  tools: [
    '/tools',
    '/tools/everything/get-structured-content',
    '/tools/everything/no-such-tool',
    '/prompts',
    '/prompts/everything/args-prompt',
    '/resources',
    '/profiles',
    '/profiles/no-such-profile',
    '/publish?view=files',
  ],
  activity: ['/activity', '/activity/1', '/access/users', '/access/keys', '/access/sessions', '/access/audit'],
  settings: [
    '/settings',
    '/settings/versions?version=1',
    '/settings/backups',
    '/settings/hub',
    '/reference?operation=postServers',
    '/no-such-page',
  ],
}

/** Where the most is close together. */
const dense = ['/servers', '/servers/everything/tools', '/tools', '/activity', '/settings/hub']

async function checkInBothThemes(page: Page, route: string): Promise<void> {
  await page.goto(route)
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible()
  await expect(page.getByRole('status').filter({ hasText: /^(Loading…|正在加载…)/ })).toHaveCount(0)
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' })
  await expectAccessible(page)
  await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' })
  await expectAccessible(page, 'color-contrast')
}

test('what is pressed is large enough or has room around it, also on a phone', async ({ admin: page }) => {
  await page.setViewportSize({ width: 390, height: 844 })
  for (const route of dense) {
    await page.goto(route)
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible()
    await expect(page.getByRole('status').filter({ hasText: /^Loading…/ })).toHaveCount(0)
    await expectAccessible(page, 'target-size')
  }
})

for (const locale of ['en', 'zh-CN']) {
  test.describe(`in ${locale}`, () => {
    test.beforeEach(async ({ page }) => {
      test.setTimeout(120_000)
      await page.addInitScript((chosen) => localStorage.setItem('mcp-hub.locale', chosen), locale)
    })

    for (const [area, routes] of Object.entries(areas))
      test(`the pages of ${area} are accessible in both themes`, async ({ admin: page }) => {
        for (const route of routes) await checkInBothThemes(page, route)
      })

    test('the pages of targets, as the app has them, are accessible in both themes', async ({ admin: page }) => {
      await page.addInitScript(answerAsDesktop, desktopAnswers('confirm'))
      const target = '/publish/targets/production'
      for (const route of ['/publish', '/publish/new', `${target}/history?publish=r3`, `${target}/settings`, target])
        await checkInBothThemes(page, route)
      await page.getByRole('main').getByRole('button', { name: /…$/ }).first().click()
      await expect(page.getByText('1.3.0-5fd09c21').first()).toBeVisible()
      await expectAccessible(page)
    })

    test('the palette and the dialogs of access are accessible', async ({ admin: page }) => {
      for (const route of ['/access/users', '/access/keys']) {
        await page.goto(route)
        await page.getByRole('main').getByRole('button').first().click()
        await expect(page.getByRole('dialog')).toBeVisible()
        await expectAccessible(page)
        await page.keyboard.press('Escape')
      }
      await page.keyboard.press('Control+k')
      await expect(page.getByRole('dialog')).toBeVisible()
      await expectAccessible(page)
    })

    test('the doors are accessible in both themes', async ({ page }) => {
      for (const route of ['/login', '/setup']) await checkInBothThemes(page, route)
    })
  })
}
