import { NOW } from './answers.ts'
import { expect, test, themes } from './fixtures.ts'

const screens = {
  overview: '/',
  servers: '/servers',
  server: '/servers/memory',
  tools: '/tools',
  profiles: '/profiles',
  activity: '/activity',
}

test.beforeEach(({ page }) => page.clock.setFixedTime(NOW))

for (const theme of themes)
  test(`each main screen looks as it did, ${theme}`, async ({ page, open }) => {
    for (const [name, path] of Object.entries(screens)) {
      await open(path, theme)
      await expect.soft(page).toHaveScreenshot(`${name}-${theme}.png`)
    }
  })

test('a main screen looks as it did in Chinese', async ({ page, open }) => {
  await open(screens.overview, 'light', 'zh-CN')
  await expect(page).toHaveScreenshot('overview-light-zh-CN.png')
})
