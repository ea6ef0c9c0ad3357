import type { Page } from '@playwright/test'
import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { root } from '../../../scripts/lib/paths.mjs'
import { expectAccessible } from '../web/fixtures.ts'
import { expect, gallery, test, themes } from './fixtures.ts'

/** The names of the components, in the order of the page. */
const componentsOf = (page: Page): Promise<string[]> =>
  page.locator('section[id]').evaluateAll((sections) => sections.map(({ id }) => id))

for (const theme of themes) {
  test(`each component looks as it did and is accessible, ${theme}`, async ({ page, open }) => {
    // Whole sections: what is outside of the page's scrolling part is in no picture.
    await page.setViewportSize({ width: 1280, height: 2000 })
    await open('/dev/ui', theme)
    await expect(page.locator('#CodeEditor .cm-lintRange-error')).toHaveCount(1)
    for (const name of await componentsOf(page))
      await expect.soft(page.locator(`section#${name}`)).toHaveScreenshot(`${name}-${theme}.png`)
    await expectAccessible(page, theme === 'light' ? undefined : 'color-contrast')
  })

  test(`what opens over the page looks as it did, ${theme}`, async ({ page, open }) => {
    await open('/dev/ui', theme)
    for (const name of await componentsOf(page)) {
      const openers = page.locator(`section#${name} [data-opens]`)
      for (let index = 0; index < (await openers.count()); index++) {
        const opener = openers.nth(index)
        const opens = await opener.getAttribute('data-opens')
        if (opens === 'tooltip') await opener.hover()
        else await opener.click()
        const opened = page.locator(`[role="${opens ?? ''}"]`)
        if ((await opener.getAttribute('data-then')) === 'confirm') await opened.getByRole('button').last().click()
        if (opens === 'dialog') await page.mouse.move(0, 0)
        await expect.soft(opened).toHaveScreenshot(`${name}-open-${index + 1}-${theme}.png`)
        await page.keyboard.press('Escape')
        await expect(opened).toHaveCount(0)
      }
    }
  })
}

test('what users get has no gallery', () => {
  const leadsThere = (folder: string): boolean =>
    globSync('assets/*.js', { cwd: folder }).some((file) =>
      readFileSync(path.join(folder, file), 'utf8').includes('/dev/ui'),
    )
  expect(leadsThere(gallery)).toBe(true)
  expect(leadsThere(path.join(root, 'dist', 'renderer'))).toBe(false)
})
